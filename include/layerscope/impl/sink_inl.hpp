// Body of sinks/sink.hpp.
#pragma once

#include <layerscope/sinks/sink.hpp>

#include <atomic>
#include <mutex>

namespace layerscope::inline LAYERSCOPE_ABI {

struct Sink::State {
  std::mutex mutex;
  std::atomic<std::uint64_t> written{0};
  std::atomic<std::uint64_t> failed{0};
};

LAYERSCOPE_INLINE Sink::Sink() : state_(std::make_unique<State>()) {}
LAYERSCOPE_INLINE Sink::~Sink() = default;

LAYERSCOPE_INLINE void Sink::write(const Artifact& artifact) {
  const std::lock_guard lock(state_->mutex);
  try {
    do_write(artifact);
  } catch (...) {
    ++state_->failed;
    throw;
  }
  ++state_->written;
}

LAYERSCOPE_INLINE void Sink::flush() {
  const std::lock_guard lock(state_->mutex);
  do_flush();
}

LAYERSCOPE_INLINE void Sink::report(const RunCounts& counts) {
  const std::lock_guard lock(state_->mutex);
  do_report(counts);
}

LAYERSCOPE_INLINE std::uint64_t Sink::written() const noexcept {
  return state_->written;
}
LAYERSCOPE_INLINE std::uint64_t Sink::failed() const noexcept {
  return state_->failed;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
