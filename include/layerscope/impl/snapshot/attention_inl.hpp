// Bodies of Snapshot::attention.
#pragma once

#include <layerscope/algorithms/attention.hpp>
#include <layerscope/algorithms/attention_chart.hpp>
#include <layerscope/algorithms/attention_scores.hpp>
#include <layerscope/impl/snapshot/attention_timeline.hpp>
#include <layerscope/impl/snapshot/common.hpp>
#include <layerscope/snapshot/snapshot.hpp>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

inline Artifact attention_artifact(const std::shared_ptr<const AttentionSummary>& summary, const std::string& title) {
  Artifact artifact;
  artifact.kind = "attention";
  artifact.range = summary->range;
  artifact.parts.push_back({"weights", summary->pooled});
  Table heads;
  std::vector<double> head, sound;
  for (std::size_t i = 0; i < summary->entropy.size(); ++i) {
    head.push_back(static_cast<double>(i));
    sound.push_back(static_cast<double>(summary->sound_rows[i]));
  }
  heads.columns.push_back({"head", std::move(head)});
  heads.columns.push_back({"entropy", summary->entropy});
  heads.columns.push_back({"mean distance", summary->distance});
  heads.columns.push_back({"sound rows", std::move(sound)});
  artifact.parts.push_back({"heads", std::move(heads)});
  const auto add_tokens = [&](const char* part, const std::vector<std::string>& tokens) {
    if (tokens.empty()) return;
    Table table;
    table.columns.push_back({"token", tokens});
    artifact.parts.push_back({part, std::move(table)});
  };
  add_tokens("query tokens", summary->query_tokens);
  add_tokens("key tokens", summary->key_tokens);
  artifact.attributes.push_back({"attention", std::string(name(summary->kind))});
  artifact.attributes.push_back({"heads", summary->heads});
  artifact.attributes.push_back({"queries", summary->queries});
  artifact.attributes.push_back({"keys", summary->keys});
  artifact.attributes.push_back({"queries a cell", summary->query_pool});
  artifact.attributes.push_back({"keys a cell", summary->key_pool});
  for (const AttentionWarning& warning : summary->warnings) artifact.warnings.push_back(warning.text());
  artifact.picture = Picture([summary, title] {
    AttentionChartOptions look;
    look.title = title;
    return attention_heads(*summary, look);
  });
  return artifact;
}

}  // namespace detail

/// Copying is cheaper than summing up, so the worker does that; but what would take more than half of the queue is
/// summed up right here, as a copy of it might never find room.
LAYERSCOPE_INLINE Status Snapshot::attend(std::string_view name, std::span<const TensorRef> inputs, std::int64_t sample,
                                          std::function<AttentionSummary(std::span<const AnyView>, int)> summarize) {
  std::vector<detail::LateInput> late;
  std::int64_t bytes = 0;
  for (const TensorRef& input : inputs) {
    const Shape shape = detail::shape_to_record(input, "attention");
    late.push_back({&input, shape, {}});
    // Of several samples one is copied; a sample that there is none of is told by the algorithm.
    const bool sampled = shape.rank() == 4 && sample >= 0 && sample < shape[0];
    if (sampled) late.back().rows = {sample};
    bytes += static_cast<std::int64_t>(byte_count(DType::f32, shape)) / (sampled ? shape[0] : 1);
  }
  const std::shared_ptr<void> kept = Recorder::keep(*core_, "attention_timeline", name, []() -> std::shared_ptr<void> {
    return std::make_shared<detail::KeptAttention>();
  });
  const auto timeline = std::static_pointer_cast<detail::KeptAttention>(kept);
  // The timeline is a job of its own, as it is written less often; one that can wait no longer is written at once.
  const auto finish = [timeline, core = std::weak_ptr<Recorder::Core>(core_), name = std::string(name),
                       step = step_](AttentionSummary summary) {
    timeline->add(step, summary);
    std::vector<Artifact> artifacts;
    artifacts.push_back(detail::attention_artifact(std::make_shared<const AttentionSummary>(std::move(summary)),
                                                   detail::picture_title(name, step)));
    Job job;
    job.kind = "attention_timeline";
    job.name = name;
    job.step = step;
    job.waiting = Waiting::join;
    job.run = [timeline, name](const JobInputs&) {
      return std::vector{detail::attention_timeline_artifact(*timeline, name)};
    };
    const std::shared_ptr<Recorder::Core> alive = core.lock();
    if (alive == nullptr || !Recorder::defer(*alive, job)) {
      artifacts.push_back(detail::attention_timeline_artifact(*timeline, name));
    }
    return artifacts;
  };
  Job job;
  job.kind = "attention";
  job.name = name;
  job.step = step_;
  const RecorderOptions& options = Recorder::options(*core_);
  if (options.mode == Mode::synchronous || bytes > options.queue_bytes / 2) {
    std::vector<AnyView> views;
    for (const detail::LateInput& input : late) {
      const AnyView all = input.tensor->read();
      views.push_back(input.rows.empty() ? all : all.narrow(0, sample, 1));
    }
    job.run = [made = std::make_shared<AttentionSummary>(summarize(views, options.threads)), finish](const JobInputs&) {
      return finish(std::move(*made));
    };
    return Recorder::submit(*core_, job, {});
  }
  job.run = [summarize = std::move(summarize), finish](const JobInputs& copies) {
    std::vector<AnyView> views;
    for (const Tensor& tensor : copies.tensors) views.push_back(tensor.view());
    return finish(summarize(views, copies.threads));
  };
  return Recorder::submit(*core_, job, late);
}

LAYERSCOPE_INLINE Status Snapshot::attention(std::string_view name, const TensorRef& weights,
                                             const AttentionSnapshotOptions& options) noexcept {
  if (core_ == nullptr) return Outcome::skipped;
  return Recorder::guarded(*core_, "attention", name, step_, [&] {
    const auto summarize = [options](std::span<const AnyView> views, int threads) {
      Attention layer;
      layer.weights = views[0];
      layer.kind = options.kind.value_or(AttentionKind::self);
      layer.query_tokens = options.query_tokens;
      layer.key_tokens = options.key_tokens;
      layer.sample = views[0].rank() == 4 && views[0].extent(0) == 1 ? 0 : options.sample;
      AttentionSummaryOptions how;
      how.max_side = options.max_side;
      how.threads = threads;
      return summarize_attention(layer, how);
    };
    return attend(name, {&weights, 1}, options.sample, summarize);
  });
}

LAYERSCOPE_INLINE Status Snapshot::attention(std::string_view name, const TensorRef& queries, const TensorRef& keys,
                                             const AttentionSnapshotOptions& options) noexcept {
  if (core_ == nullptr) return Outcome::skipped;
  return Recorder::guarded(*core_, "attention", name, step_, [&] {
    const auto summarize = [options](std::span<const AnyView> views, int threads) {
      QueryKey layer;
      layer.queries = views[0];
      layer.keys = views[1];
      layer.kind = options.kind.value_or(AttentionKind::causal);
      layer.scale = options.scale;
      layer.query_tokens = options.query_tokens;
      layer.key_tokens = options.key_tokens;
      layer.sample = views[0].rank() == 4 && views[0].extent(0) == 1 ? 0 : options.sample;
      AttentionSummaryOptions how;
      how.max_side = options.max_side;
      how.threads = threads;
      return summarize_attention(layer, how);
    };
    const TensorRef inputs[] = {queries, keys};
    return attend(name, inputs, options.sample, summarize);
  });
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
