// Body of sinks/memory.hpp.
#pragma once

#include <layerscope/sinks/memory.hpp>

#include <mutex>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

struct MemorySink::State {
  std::mutex mutex;
  std::vector<Artifact> artifacts;
};

LAYERSCOPE_INLINE MemorySink::MemorySink() : state_(std::make_unique<State>()) {}
LAYERSCOPE_INLINE MemorySink::~MemorySink() = default;

LAYERSCOPE_INLINE std::vector<Artifact> MemorySink::artifacts() const {
  const std::lock_guard lock(state_->mutex);
  return state_->artifacts;
}

LAYERSCOPE_INLINE std::vector<Artifact> MemorySink::take() {
  const std::lock_guard lock(state_->mutex);
  return std::exchange(state_->artifacts, {});
}

LAYERSCOPE_INLINE std::size_t MemorySink::size() const {
  const std::lock_guard lock(state_->mutex);
  return state_->artifacts.size();
}

LAYERSCOPE_INLINE void MemorySink::do_write(const Artifact& artifact) {
  Artifact copy = artifact;  // outside the lock: readers need not wait for it
  const std::lock_guard lock(state_->mutex);
  if (copy.retention == Retention::latest) {
    std::erase_if(state_->artifacts,
                  [&](const Artifact& old) { return old.kind == copy.kind && old.name == copy.name; });
  }
  state_->artifacts.push_back(std::move(copy));
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
