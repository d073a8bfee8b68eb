// The timeline that Snapshot::attention keeps for each name, and its artifact.
#pragma once

#include <layerscope/algorithms/attention_timeline.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/tensor.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Several threads may take snapshots, and large tensors are summed up on the thread of the caller.
struct KeptAttention {
  std::mutex mutex;
  AttentionTimeline timeline;

  void add(std::int64_t step, const AttentionSummary& summary) {
    const std::lock_guard lock(mutex);
    timeline.add(step, summary);
  }
};

/// One measure of every step and head, NaN where a step has fewer heads.
inline Tensor attention_measure(const std::vector<AttentionTimeline::Step>& steps,
                                std::vector<double> AttentionTimeline::Step::*measure, std::size_t heads) {
  Tensor table(DType::f64, {static_cast<std::int64_t>(steps.size()), static_cast<std::int64_t>(heads)});
  double* out = table.mutable_data<double>();
  std::fill_n(out, table.size(), std::numeric_limits<double>::quiet_NaN());
  for (const AttentionTimeline::Step& step : steps) {
    std::copy((step.*measure).begin(), (step.*measure).end(), out);
    out += heads;
  }
  return table;
}

/// The rows of a decoder, float32 [steps, heads, keys], 0 beyond the keys of a step.
inline Tensor decoding_rows(const std::vector<AttentionTimeline::Step>& steps, std::int64_t heads) {
  std::int64_t columns = 0;
  for (const AttentionTimeline::Step& step : steps) columns = (std::max)(columns, step.pooled.extent(2));
  Tensor rows(DType::f32, {static_cast<std::int64_t>(steps.size()), heads, columns});
  float* out = rows.mutable_data<float>();
  for (const AttentionTimeline::Step& step : steps) {
    const std::int64_t width = step.pooled.extent(2);
    for (std::int64_t head = 0; head < step.pooled.extent(0); ++head) {
      std::copy_n(step.pooled.data<float>() + head * width, width, out + head * columns);
    }
    out += heads * columns;
  }
  return rows;
}

inline Artifact attention_timeline_artifact(KeptAttention& kept, const std::string& name) {
  std::shared_ptr<const AttentionTimeline> timeline;
  {
    const std::lock_guard lock(kept.mutex);
    timeline = std::make_shared<const AttentionTimeline>(kept.timeline);
  }
  const std::vector<AttentionTimeline::Step>& steps = timeline->steps();
  std::size_t heads = 0;
  bool single = true, unpooled = true;
  std::vector<double> at, queries, keys;
  std::vector<std::string> tokens;
  for (const AttentionTimeline::Step& step : steps) {
    heads = (std::max)(heads, step.entropy.size());
    single = single && step.queries == 1;
    unpooled = unpooled && step.key_pool == 1;
    at.push_back(static_cast<double>(step.step));
    queries.push_back(static_cast<double>(step.queries));
    keys.push_back(static_cast<double>(step.keys));
    tokens.push_back(step.token);
  }
  Artifact artifact;
  artifact.kind = "attention_timeline";
  artifact.retention = Retention::latest;
  artifact.parts.push_back({"entropy", attention_measure(steps, &AttentionTimeline::Step::entropy, heads)});
  artifact.parts.push_back({"distance", attention_measure(steps, &AttentionTimeline::Step::distance, heads)});
  if (single && unpooled) {
    artifact.parts.push_back({"rows", decoding_rows(steps, static_cast<std::int64_t>(heads))});
  }
  Table table;
  table.columns.push_back({"step", std::move(at)});
  table.columns.push_back({"queries", std::move(queries)});
  table.columns.push_back({"keys", std::move(keys)});
  table.columns.push_back({"token", std::move(tokens)});
  artifact.parts.push_back({"steps", std::move(table)});
  artifact.attributes.push_back({"steps shown", static_cast<std::int64_t>(steps.size())});
  artifact.attributes.push_back({"steps total", timeline->steps_added()});
  AttentionTimelineChartOptions look;
  look.title = name + ", " + (steps.size() == 1 ? "step " : "steps " + to_text(steps.front().step) + " to ") +
               to_text(steps.back().step);
  const bool decoding = steps.back().queries == 1;
  artifact.picture = Picture([timeline, look, decoding] {
    return decoding ? attention_decoding(*timeline, look) : attention_epochs(*timeline, look);
  });
  return artifact;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
