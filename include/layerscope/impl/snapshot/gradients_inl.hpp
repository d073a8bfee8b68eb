// Body of Snapshot::gradients.
#pragma once

#include <layerscope/impl/snapshot/common.hpp>
#include <layerscope/impl/snapshot/numbers_inl.hpp>
#include <layerscope/impl/snapshot/overview.hpp>
#include <layerscope/snapshot/snapshot.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// The norm of each output unit's gradient, of parameters [outputs, …]: a unit without any learns nothing.
inline void add_unit_norms(Artifact& artifact, const AnyView& values, int threads) {
  if (values.rank() < 2 || values.rank() > 5) return;
  constexpr Layout by_rank[] = {layouts::oi, layouts::oil, layouts::oihw, layouts::oidhw};
  const ChannelStatistics units = channel_statistics(values, by_rank[values.rank() - 2], {threads});
  Tensor norms(DType::f64, {units.channels()});
  double* const norm = norms.mutable_data<double>();
  for (std::int64_t unit = 0; unit < units.channels(); ++unit) {
    const bool finite = units[unit].count() == units[unit].total();
    norm[unit] = finite ? finite_norm(units[unit]) : std::numeric_limits<double>::quiet_NaN();
  }
  artifact.attributes.push_back({"units", units.channels()});
  artifact.attributes.push_back({"units without gradient", static_cast<std::int64_t>(units.dead().size())});
  artifact.parts.push_back({"unit norms", std::move(norms)});
}

}  // namespace detail

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
      Artifact artifact = detail::histogram_artifact(values, title, bins, told);
      detail::add_unit_norms(artifact, values, threads);
      return artifact;
    };
    return summarize("gradients", name, x, shape, summary, told);
  });
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
