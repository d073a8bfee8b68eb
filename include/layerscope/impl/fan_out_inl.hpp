// Body of sinks/fan_out.hpp.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/impl/exception_text_inl.hpp>
#include <layerscope/sinks/fan_out.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// Calls `body` with every sink, whatever it throws, and throws one Error at the end.
template <class Body>
void for_all_sinks(const std::vector<std::shared_ptr<Sink>>& sinks, const char* verb, Body body) {
  std::size_t failed = 0;
  std::optional<Error> first;
  for (const std::shared_ptr<Sink>& sink : sinks) {
    try {
      body(*sink);
    } catch (...) {
      if (failed++ == 0) first = current_error();
    }
  }
  if (failed == 0) return;
  throw Error(first->code(), "fan-out: " + to_text(failed) + " of " + to_text(sinks.size()) + " sinks failed to " +
                                 verb + "; the first: " + first->what());
}

}  // namespace detail

LAYERSCOPE_INLINE FanOut::FanOut(std::vector<std::shared_ptr<Sink>> sinks) : sinks_(std::move(sinks)) {
  for (std::size_t i = 0; i < sinks_.size(); ++i) {
    if (sinks_[i] == nullptr) throw Error(ErrorCode::invalid_argument, "fan-out: sink " + to_text(i) + " is null");
  }
}

LAYERSCOPE_INLINE bool FanOut::takes_inputs() const noexcept {
  return std::any_of(sinks_.begin(), sinks_.end(), [](const auto& sink) { return sink->takes_inputs(); });
}

LAYERSCOPE_INLINE void FanOut::do_write(const Artifact& artifact) {
  detail::for_all_sinks(sinks_, "write", [&](Sink& sink) { sink.write(artifact); });
}

LAYERSCOPE_INLINE void FanOut::do_flush() {
  detail::for_all_sinks(sinks_, "flush", [](Sink& sink) { sink.flush(); });
}

LAYERSCOPE_INLINE void FanOut::do_report(const RunCounts& counts) {
  detail::for_all_sinks(sinks_, "report", [&](Sink& sink) { sink.report(counts); });
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
