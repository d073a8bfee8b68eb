// Body of sinks/callback.hpp.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/sinks/callback.hpp>

#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

inline CallbackSink::Callback require_callback(CallbackSink::Callback callback) {
  if (!callback) throw Error(ErrorCode::invalid_argument, "callback sink: an empty function; expected one to call");
  return callback;
}

}  // namespace detail

LAYERSCOPE_INLINE CallbackSink::CallbackSink(Callback callback)
    : every_kind_(true), callback_(detail::require_callback(std::move(callback))) {}

LAYERSCOPE_INLINE CallbackSink::CallbackSink(std::string kind, Callback callback)
    : kind_(std::move(kind)), every_kind_(false), callback_(detail::require_callback(std::move(callback))) {}

LAYERSCOPE_INLINE void CallbackSink::do_write(const Artifact& artifact) {
  if (every_kind_ || artifact.kind == kind_) callback_(artifact);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
