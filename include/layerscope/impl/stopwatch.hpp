// Wall time of the stages of an algorithm.
#pragma once

#include <layerscope/config.hpp>

#include <chrono>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

class Stopwatch {
 public:
  /// Since it was made, or since the last lap.
  double seconds() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }
  /// The same, and begins anew.
  double lap() {
    const Clock::time_point now = Clock::now();
    return std::chrono::duration<double>(now - std::exchange(begin_, now)).count();
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point begin_ = Clock::now();
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
