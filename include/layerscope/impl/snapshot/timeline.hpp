// The timeline that Snapshot::histogram keeps for each name, and its artifact.
#pragma once

#include <layerscope/algorithms/histogram_timeline.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/impl/snapshot/common.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Several threads may take snapshots, and large tensors are counted on the thread of the caller.
struct KeptTimeline {
  std::mutex mutex;
  std::optional<HistogramTimeline> timeline;

  void add(std::int64_t step, const AnyView& values, const std::optional<Range>& range, int threads) {
    const std::lock_guard lock(mutex);
    if (!timeline) {
      HistogramTimelineOptions options;
      options.range = range;
      options.threads = threads;
      timeline.emplace(options);
    }
    timeline->add(step, values);
  }
};

inline Artifact timeline_artifact(KeptTimeline& kept, const std::string& name) {
  std::shared_ptr<const HistogramTimeline> timeline;
  {
    const std::lock_guard lock(kept.mutex);
    timeline = std::make_shared<const HistogramTimeline>(kept.timeline.value());
  }
  const std::vector<double> edges = timeline->edges();
  const std::vector<HistogramTimeline::Step> steps = timeline->steps();
  const auto rows = static_cast<std::int64_t>(steps.size());
  const auto bins = static_cast<std::int64_t>(edges.size()) - 1;
  Artifact artifact;
  artifact.kind = "histogram_timeline";
  artifact.retention = Retention::latest;
  Tensor counts(DType::i64, {rows, bins});
  Tensor edge_values(DType::f64, {bins + 1});
  std::copy(edges.begin(), edges.end(), edge_values.mutable_data<double>());
  std::vector<double> at, below, above, nan, positive, negative;
  std::int64_t* out = counts.mutable_data<std::int64_t>();
  for (const HistogramTimeline::Step& step : steps) {
    out = std::transform(step.counts.begin(), step.counts.end(), out,
                         [](std::uint64_t count) { return static_cast<std::int64_t>(count); });
    at.push_back(static_cast<double>(step.step));
    below.push_back(static_cast<double>(step.below));
    above.push_back(static_cast<double>(step.above));
    nan.push_back(static_cast<double>(step.nan));
    positive.push_back(static_cast<double>(step.positive_infinity));
    negative.push_back(static_cast<double>(step.negative_infinity));
  }
  artifact.parts.push_back({"counts", std::move(counts)});
  artifact.parts.push_back({"edges", std::move(edge_values)});
  Table table;
  table.columns.push_back({"step", std::move(at)});
  table.columns.push_back({"below", std::move(below)});
  table.columns.push_back({"above", std::move(above)});
  table.columns.push_back({"NaN", std::move(nan)});
  table.columns.push_back({"+infinity", std::move(positive)});
  table.columns.push_back({"-infinity", std::move(negative)});
  artifact.parts.push_back({"steps", std::move(table)});
  artifact.attributes.push_back({"steps shown", rows});
  artifact.attributes.push_back({"steps total", timeline->steps_added()});
  HistogramTimelineChartOptions look;
  look.title = name + ", " + (rows == 1 ? "step " : "steps " + to_text(steps.front().step) + " to ") +
               to_text(steps.back().step);
  artifact.picture = Picture([timeline, look] { return histogram_timeline_chart(*timeline, look); });
  return artifact;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
