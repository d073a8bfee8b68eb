// Body of Snapshot::activations.
#pragma once

#include <layerscope/algorithms/feature_maps.hpp>
#include <layerscope/impl/snapshot/common.hpp>
#include <layerscope/impl/snapshot/overview.hpp>
#include <layerscope/snapshot/snapshot.hpp>

#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

inline std::vector<Artifact> activations_artifact(const Tensor& values, const Layout& layout, const Cap& samples,
                                                  const Cap& channels, const std::string& title, int threads) {
  Artifact artifact;
  describe_numbers(artifact, values, threads);
  artifact.parts.push_back({"values", values});
  artifact.attributes.push_back({"layout", std::string(layout.axes())});
  add_cap(artifact, "samples", samples);
  add_cap(artifact, "channels", channels);
  artifact.picture = Picture([values, layout, samples, channels, title] {
    FeatureMapsOptions options;
    options.title = title;
    options.max_samples = samples.shown;
    options.max_channels = channels.shown;
    options.samples_total = samples.total;
    options.channels_total = channels.total;
    if (layout.rank() > 1) return feature_maps(values.view(), layout, options);
    return feature_maps(*values.view().reshape({1, values.size()}), layouts::nc, options);
  });
  return {std::move(artifact)};
}

/// What was copied of a layer's output, for the overview.
inline void tell_outputs(const OverviewFeed& feed, const Tensor& values, const Layout& layout, const Cap& samples,
                         const Cap& channels, int threads) {
  if (!feed) return;
  const ChannelStatistics found = channel_statistics(values.view(), layout, {threads});
  const DeadUnits dead = dead_units(found, samples.shown, samples.total);
  const bool whole = samples.shown == samples.total && channels.shown == channels.total;
  if (whole) {
    feed.add(moments_of(found), values.view(), dead);
  } else {
    feed.add_part(moments_of(found), dead);
  }
}

}  // namespace detail

LAYERSCOPE_INLINE Status Snapshot::activations(std::string_view name, const TensorRef& x,
                                               const ActivationsOptions& options) noexcept {
  if (core_ == nullptr) return Outcome::skipped;
  if (options.statistics) statistics(name, x, {.layout = options.layout});
  return Recorder::guarded(*core_, "activations", name, step_, [&] {
    const RecorderOptions& defaults = Recorder::options(*core_);
    Shape shape = detail::shape_to_record(x, "activations");
    const std::optional<Layout> layout = options.layout ? options.layout : detail::activation_layout(shape.rank());
    if (!layout) {
      throw Error(ErrorCode::invalid_argument, "activations: shape " + to_text(shape) +
                                                   " without a layout; expected one to be given, such as NTD or NCL");
    }
    detail::check_layout(*layout, shape, "activations");
    const detail::Cap samples =
        detail::cap_axis(shape, *layout, 'N', options.max_samples.value_or(defaults.max_samples), "max_samples");
    const char channel = layout->find('C') < 0 && layout->find('T') >= 0 ? 'D' : 'C';
    const detail::Cap channels =
        detail::cap_axis(shape, *layout, channel, options.max_channels.value_or(defaults.max_channels), "max_channels");
    Job job;
    job.kind = "activations";
    job.name = name;
    job.step = step_;
    job.run = [layout = *layout, samples, channels, title = detail::picture_title(name, step_),
               told = feed(name, TensorRole::outputs)](const JobInputs& inputs) {
      const Tensor& values = inputs.tensors[0];
      auto artifacts = detail::activations_artifact(values, layout, samples, channels, title, inputs.threads);
      detail::tell_outputs(told, values, layout, samples, channels, inputs.threads);
      told.finish(artifacts);
      return artifacts;
    };
    const detail::LateInput input{&x, shape, {}};
    return Recorder::submit(*core_, job, {&input, 1});
  });
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
