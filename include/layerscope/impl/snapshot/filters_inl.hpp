// Body of Snapshot::filters.
#pragma once

#include <layerscope/algorithms/filters.hpp>
#include <layerscope/algorithms/statistics.hpp>
#include <layerscope/impl/snapshot/common.hpp>
#include <layerscope/impl/snapshot/overview.hpp>
#include <layerscope/snapshot/snapshot.hpp>

#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

inline std::optional<Layout> filter_layout(int rank) {
  switch (rank) {
    case 2: return layouts::oi;
    case 3: return layouts::oil;
    case 4: return layouts::oihw;
    case 5: return layouts::oidhw;
    default: return std::nullopt;
  }
}

inline std::vector<Artifact> filters_artifact(const Tensor& values, const FiltersOptions& options, int threads) {
  Artifact artifact;
  describe_numbers(artifact, values, threads);
  artifact.parts.push_back({"values", values});
  artifact.attributes.push_back({"layout", std::string(options.layout.axes())});
  add_cap(artifact, "outputs", {options.max_outputs, *options.outputs_total});
  add_cap(artifact, "inputs", {options.max_inputs, *options.inputs_total});
  artifact.picture = Picture([values, options] { return filters(values.view(), options); });
  return {std::move(artifact)};
}

}  // namespace detail

LAYERSCOPE_INLINE Status Snapshot::filters(std::string_view name, const TensorRef& weights,
                                           const FilterSnapshotOptions& options) noexcept {
  if (core_ == nullptr) return Outcome::skipped;
  return Recorder::guarded(*core_, "filters", name, step_, [&] {
    constexpr std::int64_t matrix_side = 1024;
    Shape shape = detail::shape_to_record(weights, "filters");
    const std::optional<Layout> layout = options.layout ? options.layout : detail::filter_layout(shape.rank());
    if (!layout) {
      throw Error(ErrorCode::invalid_argument,
                  "filters: shape " + to_text(shape) + " without a layout; expected 2 to 5 axes, or one to be given");
    }
    detail::check_layout(*layout, shape, "filters");
    const bool matrix = layout->rank() == 2;
    const bool images = options.input_shape.rank() > 0;
    const std::int64_t most_outputs = matrix && !images ? matrix_side : Recorder::options(*core_).max_channels;
    const std::int64_t most_inputs = images ? (std::numeric_limits<std::int64_t>::max)() : matrix ? matrix_side : 16;
    const detail::Cap outputs =
        detail::cap_axis(shape, *layout, 'O', options.max_outputs.value_or(most_outputs), "max_outputs");
    const detail::Cap inputs =
        detail::cap_axis(shape, *layout, 'I', options.max_inputs.value_or(most_inputs), "max_inputs");
    FiltersOptions look;
    look.layout = *layout;
    look.title = detail::picture_title(name, step_);
    look.max_outputs = outputs.shown;
    look.max_inputs = inputs.shown;
    look.outputs_total = outputs.total;
    look.inputs_total = inputs.total;
    look.input_shape = options.input_shape;
    Job job;
    job.kind = "filters";
    job.name = name;
    job.step = step_;
    // A part of the weights has no norm to speak of.
    const bool whole = outputs.shown == outputs.total && inputs.shown == inputs.total;
    const detail::OverviewFeed told = whole ? feed(name, TensorRole::parameters) : detail::OverviewFeed();
    job.run = [look = std::move(look), told](const JobInputs& copies) {
      const Tensor& values = copies.tensors[0];
      auto artifacts = detail::filters_artifact(values, look, copies.threads);
      if (told) {
        const auto moments = detail::moments_of(channel_statistics(values.view(), look.layout, {copies.threads}));
        told.add(moments, values.view());
      }
      told.finish(artifacts);
      return artifacts;
    };
    const detail::LateInput input{&weights, shape, {}};
    return Recorder::submit(*core_, job, {&input, 1});
  });
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
