// How a long computation tells how far it is, and is asked to stop.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/error.hpp>

#include <functional>
#include <stop_token>
#include <string_view>

namespace layerscope::inline LAYERSCOPE_ABI {

/// Called with the fraction done, in [0, 1], and the stage under way, on the thread that called the algorithm.
using Progress = std::function<void(double fraction, std::string_view stage)>;

/// Throws Error(cancelled) naming `what` when a stop was requested.
inline void throw_if_stopped(const std::stop_token& stop, std::string_view what) {
  if (stop.stop_requested()) throw Error(ErrorCode::cancelled, std::string(what) + ": stopped on request");
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
