// Body of recorder.hpp: when snapshots are taken.
#pragma once

#include <layerscope/recorder.hpp>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE Schedule::Schedule(std::function<bool(std::int64_t)> rule)
    : rule_(std::make_shared<const std::function<bool(std::int64_t)>>(std::move(rule))) {}

LAYERSCOPE_INLINE Schedule Schedule::every(std::int64_t n) noexcept {
  return Schedule((std::max<std::int64_t>)(n, 1));
}

LAYERSCOPE_INLINE Schedule Schedule::never() noexcept {
  return Schedule(0);
}

LAYERSCOPE_INLINE Schedule Schedule::every_seconds(double seconds) {
  struct Interval {
    std::mutex mutex;
    std::chrono::steady_clock::time_point begin;
    std::optional<std::int64_t> step;
  };
  return Schedule([seconds, interval = std::make_shared<Interval>()](std::int64_t step) {
    const auto now = std::chrono::steady_clock::now();
    const std::lock_guard lock(interval->mutex);
    if (interval->step == step) return true;
    const bool over = !(std::chrono::duration<double>(now - interval->begin).count() < seconds);
    if (interval->step && !over) return false;
    interval->begin = now;
    interval->step = step;
    return true;
  });
}

LAYERSCOPE_INLINE Schedule Schedule::steps(std::vector<std::int64_t> steps) {
  std::sort(steps.begin(), steps.end());
  return Schedule(
      [steps = std::move(steps)](std::int64_t step) { return std::binary_search(steps.begin(), steps.end(), step); });
}

LAYERSCOPE_INLINE Schedule Schedule::when(std::function<bool(std::int64_t step)> predicate) {
  return Schedule([predicate = std::move(predicate), mutex = std::make_shared<std::mutex>()](std::int64_t step) {
    const std::lock_guard lock(*mutex);
    return predicate(step);
  });
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
