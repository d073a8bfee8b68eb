// Body of Snapshot::similarity.
#pragma once

#include <layerscope/algorithms/similarity.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/impl/snapshot/common.hpp>
#include <layerscope/snapshot/snapshot.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// The layers of an earlier step.
struct SimilarityState {
  std::vector<std::string> names;
  std::vector<Tensor> layers;
  std::int64_t step = 0;
};

/// How layers are to be compared, with everything but the numbers.
struct SimilarityPlan {
  std::string title;
  std::vector<std::string> names;
  std::int64_t step = 0;
  SimilarityMeasure measure = SimilarityMeasure::linear_cka;
  SimilaritySnapshotOptions::Against against = SimilaritySnapshotOptions::Against::each_other;
  Cap samples;
};

inline std::vector<Representation> representations(const std::vector<std::string>& names,
                                                   std::span<const Tensor> layers) {
  std::vector<Representation> all;
  for (std::size_t i = 0; i < names.size(); ++i) all.push_back({names[i], layers[i].view()});
  return all;
}

inline std::vector<Artifact> similarity_artifact(const SimilarityPlan& plan, const JobInputs& inputs) {
  using Against = SimilaritySnapshotOptions::Against;
  SimilarityOptions options;
  options.non_finite = NonFiniteRows::drop;
  options.threads = inputs.threads;
  options.stop = inputs.stop;
  const std::vector<Representation> now = representations(plan.names, inputs.tensors);
  const auto before = std::static_pointer_cast<SimilarityState>(inputs.state);
  Artifact artifact;
  SimilarityChartOptions look;
  look.title = plan.title;
  const bool earlier = plan.against != Against::each_other && before != nullptr && before->step != plan.step &&
                       before->layers.front().extent(0) == inputs.tensors.front().extent(0);
  if (plan.against != Against::each_other && before != nullptr && !earlier && before->step != plan.step) {
    artifact.warnings.push_back(to_text(inputs.tensors.front().extent(0)) + " samples, where step " +
                                to_text(before->step) + " had " + to_text(before->layers.front().extent(0)) +
                                ": the layers are compared with each other");
  }
  const auto found = std::make_shared<const SimilarityMatrix>(
      earlier ? layerscope::similarity(now, representations(before->names, before->layers), plan.measure, options)
              : layerscope::similarity(now, plan.measure, options));
  if (earlier) {
    look.row_label = "step " + to_text(plan.step);
    look.column_label = "step " + to_text(before->step);
    artifact.attributes.push_back({"compared with step", before->step});
  }
  if (plan.against == Against::step_before || (plan.against == Against::first_step && before == nullptr)) {
    auto kept = std::make_shared<SimilarityState>();
    kept->names = plan.names;
    kept->layers.assign(inputs.tensors.begin(), inputs.tensors.end());
    kept->step = plan.step;
    inputs.state = std::move(kept);
  }

  const auto rows = static_cast<std::int64_t>(found->row_names.size());
  const auto columns = static_cast<std::int64_t>(found->column_names.size());
  Tensor values(DType::f64, {rows, columns});
  std::copy(found->values.begin(), found->values.end(), values.mutable_data<double>());
  describe_numbers(artifact, values, inputs.threads);
  artifact.parts.push_back({"values", std::move(values)});
  Table names;
  names.columns.push_back({"row", found->row_names});
  artifact.parts.push_back({"rows", std::move(names)});
  Table column_names;
  column_names.columns.push_back({"column", found->column_names});
  artifact.parts.push_back({"columns", std::move(column_names)});
  artifact.attributes.push_back({"measure", std::string(name(found->measure))});
  add_cap(artifact, "samples", plan.samples);
  artifact.warnings.insert(artifact.warnings.end(), found->warnings.begin(), found->warnings.end());
  std::vector<std::string> captions{
      (plan.samples.shown < plan.samples.total ? to_text(plan.samples.shown) + " of " : std::string()) +
      to_text(plan.samples.total) + " samples"};
  captions.insert(captions.end(), artifact.warnings.begin(), artifact.warnings.end());
  look.captions = std::move(captions);
  artifact.picture = Picture([found, look] { return similarity_chart(*found, look); });
  std::vector<Artifact> one;
  one.push_back(std::move(artifact));
  return one;
}

}  // namespace detail

LAYERSCOPE_INLINE Status Snapshot::similarity(std::string_view name, const std::vector<NamedTensor>& layers,
                                              const SimilaritySnapshotOptions& options) noexcept {
  if (core_ == nullptr) return Outcome::skipped;
  return Recorder::guarded(*core_, "similarity", name, step_, [&] {
    if (layers.empty()) throw Error(ErrorCode::empty, "similarity: no layers given; expected at least one");
    if (options.max_samples < 4) {
      throw Error(ErrorCode::invalid_argument,
                  "similarity: max_samples " + to_text(options.max_samples) + "; expected at least 4");
    }
    detail::SimilarityPlan plan;
    plan.title = detail::picture_title(name, step_);
    plan.step = step_;
    plan.measure = options.measure;
    plan.against = options.against;
    std::vector<detail::LateInput> inputs;
    std::vector<std::int64_t> drawn;
    for (const NamedTensor& layer : layers) {
      const Shape shape = detail::shape_to_record(layer.tensor, "similarity: " + layer.name);
      if (inputs.empty()) {
        plan.samples = {(std::min)(shape[0], options.max_samples), shape[0]};
        if (plan.samples.shown < plan.samples.total) {
          drawn = Random(options.seed).sample(shape[0], plan.samples.shown);
        }
      } else if (shape[0] != plan.samples.total) {
        throw Error(ErrorCode::invalid_argument, "similarity: layer " + layer.name + " of shape " + to_text(shape) +
                                                     "; expected " + to_text(plan.samples.total) + " samples as of " +
                                                     layers.front().name);
      }
      plan.names.push_back(layer.name);
      inputs.push_back({&layer.tensor, shape, drawn});
    }
    Job job;
    job.kind = "similarity";
    job.name = name;
    job.step = step_;
    job.lane = Lane::heavy;
    job.run = [plan = std::move(plan)](const JobInputs& copies) { return detail::similarity_artifact(plan, copies); };
    return Recorder::submit(*core_, job, inputs);
  });
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
