// Bodies of Snapshot::uncertainty.
#pragma once

#include <layerscope/algorithms/uncertainty.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/impl/snapshot/common.hpp>
#include <layerscope/snapshot/snapshot.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// How uncertainty is to be shown, with everything but the numbers.
struct UncertaintyPlan {
  std::string title;
  PredictionOptions predictions;
  UncertainSamplesOptions look;  // without labels and images
  bool labelled = false;
  bool pictured = false;
};

/// What is left of them are labels, then images.
inline std::vector<Artifact> uncertainty_artifact(const UncertaintyPlan& plan, Uncertainty result,
                                                  std::span<const Tensor> rest) {
  const auto found = std::make_shared<const Uncertainty>(std::move(result));
  const std::int64_t samples = found->predicted.extent(0);
  UncertainSamplesOptions look = plan.look;
  look.title = plan.title;
  if (plan.labelled) {
    const Tensor labels = convert(rest.front().view(), DType::i64);
    look.labels.assign(labels.data<std::int64_t>(), labels.data<std::int64_t>() + labels.size());
  }
  if (plan.pictured) look.images = rest.back().view();

  Artifact artifact;
  artifact.warnings = found->warnings;
  double most = 0;
  double entropy = 0, information = 0;
  std::int64_t defined = 0;
  for (std::int64_t row = 0; row < found->predicted.size(); ++row) {
    if (found->predicted.data<std::int64_t>()[row] < 0) continue;
    const double value = found->predictive_entropy.data<double>()[row];
    most = (std::max)(most, value);
    entropy += value;
    information += found->mutual_information.data<double>()[row];
    ++defined;
  }
  artifact.attributes = {{"members", found->members}, {"classes", found->classes}, {"samples", samples}};
  if (defined > 0) {
    artifact.range = Range{0, most};
    artifact.attributes.push_back({"mean predictive entropy", entropy / static_cast<double>(defined)});
    artifact.attributes.push_back({"mean mutual information", information / static_cast<double>(defined)});
  }
  artifact.attributes.push_back({"undefined rows", found->undefined_rows});

  const std::vector<std::int64_t> shown = most_uncertain(*found, look.count, look.ranked_by);
  std::vector<double> number, truth, score;
  const std::vector<double> scores = sample_scores(*found, look.ranked_by);
  for (const std::int64_t sample : shown) {
    number.push_back(static_cast<double>(sample));
    score.push_back(scores[static_cast<std::size_t>(sample)]);
    if (plan.labelled) truth.push_back(static_cast<double>(look.labels[static_cast<std::size_t>(sample)]));
  }
  Table table;
  table.columns.push_back({"sample", std::move(number)});
  if (plan.labelled) table.columns.push_back({"true", std::move(truth)});
  table.columns.push_back({name(look.ranked_by), std::move(score)});
  artifact.parts.push_back({"most uncertain", std::move(table)});
  artifact.parts.push_back({"mean", found->mean});
  artifact.parts.push_back({"variance", found->variance});
  artifact.parts.push_back({"predictive entropy", found->predictive_entropy});
  artifact.parts.push_back({"expected entropy", found->expected_entropy});
  artifact.parts.push_back({"mutual information", found->mutual_information});
  artifact.parts.push_back({"predicted", found->predicted});
  if (found->predicted.rank() == 1) {
    artifact.picture = Picture([found, look] { return uncertain_samples_chart(*found, look); });
  } else if (found->predicted.rank() <= 3) {
    artifact.picture = Picture([found, title = plan.title, count = (std::min<std::int64_t>)(look.count, 4)] {
      return uncertainty_maps(*found, {.title = title, .count = count});
    });
  }
  std::vector<Artifact> one;
  one.push_back(std::move(artifact));
  return one;
}

/// Labels and images of `samples` samples, added to the inputs of the job.
inline UncertaintyPlan plan_uncertainty(const UncertaintySnapshotOptions& options, std::string title,
                                        std::int64_t samples, std::vector<LateInput>& inputs) {
  if (options.count < 1 || options.count > 64) {
    throw Error(ErrorCode::invalid_argument, "uncertainty: count " + to_text(options.count) + "; expected 1 to 64");
  }
  UncertaintyPlan plan;
  plan.title = std::move(title);
  plan.predictions = options.predictions;
  plan.look.count = options.count;
  plan.look.ranked_by = options.ranked_by;
  plan.look.class_names = options.class_names;
  plan.look.images_layout = options.images_layout;
  if (options.labels) {
    const Shape shape = options.labels->shape();
    if (shape != Shape{samples}) {
      throw Error(ErrorCode::invalid_argument, "uncertainty: labels of shape " + to_text(shape) +
                                                   "; expected one a sample, [" + to_text(samples) + "]");
    }
    inputs.push_back({&*options.labels, shape, {}});
    plan.labelled = true;
  }
  if (options.images) {
    const Shape shape = options.images->shape();
    if (shape.rank() < 3 || shape.rank() > 4 || shape[0] != samples) {
      throw Error(ErrorCode::invalid_argument, "uncertainty: images of shape " + to_text(shape) + "; expected one of " +
                                                   to_text(samples) + " samples each, [n, h, w] or [n, c, h, w]");
    }
    inputs.push_back({&*options.images, shape, {}});
    plan.pictured = true;
  }
  return plan;
}

}  // namespace detail

LAYERSCOPE_INLINE Status Snapshot::uncertainty(std::string_view name, const TensorRef& members,
                                               const UncertaintySnapshotOptions& options) noexcept {
  if (core_ == nullptr) return Outcome::skipped;
  return Recorder::guarded(*core_, "uncertainty", name, step_, [&] {
    const Shape shape = detail::shape_to_record(members, "uncertainty");
    if (shape.rank() < 3) {
      throw Error(ErrorCode::invalid_argument,
                  "uncertainty: members of shape " + to_text(shape) + "; expected [members, n, classes, …]");
    }
    std::vector<detail::LateInput> inputs{{&members, shape, {}}};
    detail::UncertaintyPlan plan =
        detail::plan_uncertainty(options, detail::picture_title(name, step_), shape[1], inputs);
    Job job;
    job.kind = "uncertainty";
    job.name = name;
    job.step = step_;
    job.run = [plan = std::move(plan)](const JobInputs& copies) {
      PredictionOptions predictions = plan.predictions;
      predictions.threads = copies.threads;
      return detail::uncertainty_artifact(plan, layerscope::uncertainty(copies.tensors[0].view(), predictions),
                                          copies.tensors.subspan(1));
    };
    return Recorder::submit(*core_, job, inputs);
  });
}

LAYERSCOPE_INLINE Status Snapshot::uncertainty(std::string_view name, Uncertainty result,
                                               const UncertaintySnapshotOptions& options) noexcept {
  if (core_ == nullptr) return Outcome::skipped;
  return Recorder::guarded(*core_, "uncertainty", name, step_, [&] {
    if (result.predicted.empty()) {
      throw Error(ErrorCode::empty, "uncertainty: a result without samples; expected at least one");
    }
    std::vector<detail::LateInput> inputs;
    detail::UncertaintyPlan plan =
        detail::plan_uncertainty(options, detail::picture_title(name, step_), result.predicted.extent(0), inputs);
    Job job;
    job.kind = "uncertainty";
    job.name = name;
    job.step = step_;
    job.bytes = static_cast<std::int64_t>(result.mean.bytes() + result.variance.bytes() +
                                          3 * result.predictive_entropy.bytes() + result.predicted.bytes());
    job.run = [plan = std::move(plan),
               held = std::make_shared<Uncertainty>(std::move(result))](const JobInputs& copies) {
      return detail::uncertainty_artifact(plan, std::move(*held), copies.tensors);
    };
    return Recorder::submit(*core_, job, inputs);
  });
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
