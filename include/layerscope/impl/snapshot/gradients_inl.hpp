// Body of Snapshot::gradients.
#pragma once

#include <layerscope/impl/snapshot/common.hpp>
#include <layerscope/impl/snapshot/numbers_inl.hpp>
#include <layerscope/impl/snapshot/overview.hpp>
#include <layerscope/snapshot/snapshot.hpp>

#include <string>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE Status Snapshot::gradients(std::string_view name, const TensorRef& x,
                                             const GradientsOptions& options) noexcept {
  if (core_ == nullptr) return Outcome::skipped;
  return Recorder::guarded(*core_, "gradients", name, step_, [&] {
    const Shape shape = detail::shape_to_record(x, "gradients");
    HistogramOptions bins;
    bins.bins = detail::checked_bins(options.bins.value_or(bins.bins), "gradients");
    const detail::OverviewFeed told = feed(name, TensorRole::gradients);
    const auto summary = [bins, title = "gradient of " + detail::picture_title(name, step_), told](
                             const AnyView& values, int threads) mutable {
      bins.threads = threads;
      return detail::histogram_artifact(values, title, bins, told);
    };
    return summarize("gradients", name, x, shape, summary, told);
  });
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
