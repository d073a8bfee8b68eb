// Body of Snapshot::calibration.
#pragma once

#include <layerscope/algorithms/calibration.hpp>
#include <layerscope/impl/snapshot/common.hpp>
#include <layerscope/snapshot/snapshot.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

inline std::vector<Artifact> calibration_artifact(const JobInputs& inputs, CalibrationOptions options,
                                                  const std::string& title) {
  options.predictions.threads = inputs.threads;
  const auto found = std::make_shared<const Calibration>(
      layerscope::calibration(inputs.tensors[0].view(), inputs.tensors[1].view(), options));
  Artifact artifact;
  artifact.warnings = found->warnings;
  std::vector<double> low, high, count, confidence, accuracy;
  for (const CalibrationBin& bin : found->bins) {
    low.push_back(bin.low);
    high.push_back(bin.high);
    count.push_back(static_cast<double>(bin.count));
    confidence.push_back(bin.confidence);
    accuracy.push_back(bin.accuracy);
  }
  Table table;
  table.columns.push_back({"low", std::move(low)});
  table.columns.push_back({"high", std::move(high)});
  table.columns.push_back({"count", std::move(count)});
  table.columns.push_back({"confidence", std::move(confidence)});
  table.columns.push_back({"accuracy", std::move(accuracy)});
  artifact.parts.push_back({"bins", std::move(table)});
  artifact.attributes = {{"ECE", found->ece},
                         {"MCE", found->mce},
                         {"ACE", found->ace},
                         {"Brier score", found->brier},
                         {"NLL", found->nll},
                         {"accuracy", found->accuracy},
                         {"confidence", found->confidence},
                         {"rows", found->rows},
                         {"classes", found->classes},
                         {"unlabelled rows", found->unlabelled_rows},
                         {"undefined rows", found->undefined_rows}};
  artifact.picture = Picture([found, title] { return reliability_diagram(*found, {.title = title}); });
  std::vector<Artifact> one;
  one.push_back(std::move(artifact));
  return one;
}

}  // namespace detail

LAYERSCOPE_INLINE Status Snapshot::calibration(std::string_view name, const TensorRef& predictions,
                                               const TensorRef& labels, const CalibrationOptions& options) noexcept {
  if (core_ == nullptr) return Outcome::skipped;
  return Recorder::guarded(*core_, "calibration", name, step_, [&] {
    const detail::LateInput inputs[] = {{&predictions, detail::shape_to_record(predictions, "calibration"), {}},
                                        {&labels, detail::shape_to_record(labels, "calibration: labels"), {}}};
    Job job;
    job.kind = "calibration";
    job.name = name;
    job.step = step_;
    job.run = [options, title = detail::picture_title(name, step_)](const JobInputs& copies) {
      return detail::calibration_artifact(copies, options, title);
    };
    return Recorder::submit(*core_, job, inputs);
  });
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
