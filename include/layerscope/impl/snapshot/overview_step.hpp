// What the copies of one snapshot share, so that the overview of layers is drawn once, when the last of them goes.
#pragma once

#include <layerscope/impl/recorder_core.hpp>
#include <layerscope/impl/snapshot/overview.hpp>
#include <layerscope/snapshot/snapshot.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

struct Snapshot::Overview {
  static std::shared_ptr<Overview> make(std::shared_ptr<Recorder::Core> core, std::int64_t step);

  Overview(std::shared_ptr<Recorder::Core> given, std::int64_t at, std::shared_ptr<detail::OverviewState> kept)
      : core(std::move(given)), step(at), state(std::move(kept)) {}
  ~Overview();
  Overview(const Overview&) = delete;
  Overview& operator=(const Overview&) = delete;

  std::shared_ptr<Recorder::Core> core;
  std::int64_t step;
  std::shared_ptr<detail::OverviewState> state;
  std::atomic<bool> fed{false};  // something of this snapshot tells of a layer
};

}  // namespace layerscope::inline LAYERSCOPE_ABI
