// Body of Snapshot::heatmap.
#pragma once

#include <layerscope/algorithms/feature_maps.hpp>
#include <layerscope/impl/snapshot/common.hpp>
#include <layerscope/snapshot/snapshot.hpp>

#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

inline std::vector<Artifact> heatmap_artifact(const Tensor& values, const Cap& rows, const Cap& columns,
                                              std::string title, int threads) {
  Artifact artifact;
  describe_numbers(artifact, values, threads);
  artifact.parts.push_back({"values", values});
  add_cap(artifact, "rows", rows);
  add_cap(artifact, "columns", columns);
  if (rows.shown < rows.total || columns.shown < columns.total) {
    title += ": rows 0 to " + to_text(rows.shown - 1) + " of " + to_text(rows.total) + ", columns 0 to " +
             to_text(columns.shown - 1) + " of " + to_text(columns.total);
  }
  artifact.picture = Picture([values, rows, columns, title = std::move(title)] {
    FeatureMapsOptions options;
    options.title = title;
    options.scaling = Scaling::global;
    return feature_maps(*values.view().reshape({rows.shown, columns.shown}), layouts::hw, options);
  });
  return {std::move(artifact)};
}

}  // namespace detail

LAYERSCOPE_INLINE Status Snapshot::heatmap(std::string_view name, const TensorRef& x,
                                           const HeatmapSnapshotOptions& options) noexcept {
  if (core_ == nullptr) return Outcome::skipped;
  return Recorder::guarded(*core_, "heatmap", name, step_, [&] {
    Shape shape = detail::shape_to_record(x, "heatmap");
    if (shape.rank() > 2) {
      throw Error(ErrorCode::invalid_argument, "heatmap: shape " + to_text(shape) + "; expected [h, w] or [w]");
    }
    const Layout layout(shape.rank() == 1 ? "W" : "HW");
    const detail::Cap rows = detail::cap_axis(shape, layout, 'H', options.max_side, "max_side");
    const detail::Cap columns = detail::cap_axis(shape, layout, 'W', options.max_side, "max_side");
    Job job;
    job.kind = "heatmap";
    job.name = name;
    job.step = step_;
    job.run = [rows, columns, title = detail::picture_title(name, step_)](const JobInputs& inputs) {
      return detail::heatmap_artifact(inputs.tensors[0], rows, columns, title, inputs.threads);
    };
    const detail::LateInput input{&x, shape, {}};
    return Recorder::submit(*core_, job, {&input, 1});
  });
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
