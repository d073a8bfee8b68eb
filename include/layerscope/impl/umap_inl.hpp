// Bodies of algorithms/umap.hpp but for umap_transform().
#pragma once

#include <layerscope/algorithms/umap.hpp>
#include <layerscope/impl/umap_run_inl.hpp>

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE UmapState::UmapState(const AnyView& x, const UmapOptions& options)
    : run_(std::make_unique<detail::UmapRun>(&x, nullptr, options)) {}
LAYERSCOPE_INLINE UmapState::UmapState(const Neighbors& neighbors, const UmapOptions& options)
    : run_(std::make_unique<detail::UmapRun>(nullptr, &neighbors, options)) {}
LAYERSCOPE_INLINE UmapState::UmapState(UmapState&& other) noexcept = default;
LAYERSCOPE_INLINE UmapState& UmapState::operator=(UmapState&& other) noexcept = default;
LAYERSCOPE_INLINE UmapState::~UmapState() = default;

LAYERSCOPE_INLINE std::int64_t UmapState::run(std::int64_t epochs) {
  return run_->run(epochs);
}
LAYERSCOPE_INLINE std::int64_t UmapState::epoch() const noexcept {
  return run_->epoch();
}
LAYERSCOPE_INLINE std::int64_t UmapState::planned_epochs() const noexcept {
  return run_->planned_epochs();
}
LAYERSCOPE_INLINE Umap UmapState::result() const {
  return run_->result();
}

LAYERSCOPE_INLINE Umap umap(const AnyView& x, const UmapOptions& options) {
  UmapState state(x, options);
  state.run(state.planned_epochs());
  return state.result();
}

LAYERSCOPE_INLINE Umap umap(const Neighbors& neighbors, const UmapOptions& options) {
  UmapState state(neighbors, options);
  state.run(state.planned_epochs());
  return state.result();
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
