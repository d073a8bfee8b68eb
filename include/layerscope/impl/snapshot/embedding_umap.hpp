// UMAP over steps: from scratch, then in the update form of AlignedUMAP.
#pragma once

#include <layerscope/algorithms/knn.hpp>
#include <layerscope/algorithms/umap.hpp>
#include <layerscope/impl/snapshot/embedding_iterations.hpp>
#include <layerscope/impl/snapshot/embedding_state.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

inline constexpr double umap_hold_decades = 4;

inline UmapOptions umap_options(const UmapProjection& method, const EmbeddingPlan& plan, const JobInputs& inputs) {
  UmapOptions options;
  options.n_neighbors = method.n_neighbors;
  options.dimensions = static_cast<std::int64_t>(plan.dimensions);
  options.min_dist = method.min_dist;
  options.metric = method.metric;
  options.epochs = method.epochs;
  options.alignment = method.alignment;
  options.seed = plan.seed;
  options.threads = inputs.threads;
  options.stop = inputs.stop;
  return options;
}

inline EmbeddingLayout umap_layout(const UmapProjection& method, const EmbeddingPlan& plan, const EmbeddingRows& rows,
                                   EmbeddingState& state, const JobInputs& inputs) {
  const Stopwatch watch;
  EmbeddingLayout layout;
  EmbeddingIterations& memory = state.iterations;
  UmapOptions options = umap_options(method, plan, inputs);
  const bool aligned = method.timeline == EmbeddingTimeline::aligned;
  Tensor start;
  if (aligned && !state.past.empty()) {
    start = carried_positions(state.past.back(), rows.ids, plan.dimensions, layout.aligned);
    if (layout.aligned == 0) {
      layout.warnings.push_back("no sample in common with the step before: the layout is not aligned to it");
    }
  }
  layout.continues = layout.aligned > 0;

  IterationReport report;
  report.method = "UMAP";
  const auto finish = [&](UmapState& run, const std::int64_t scratch) {
    run_within(
        plan.time_budget, watch, run.planned_epochs(), [&] { return run.epoch(); },
        [&](std::int64_t epochs) { run.run(epochs); });
    Umap result = run.result();
    layout.positions = positions_of(result.embedding);
    layout.warnings.insert(layout.warnings.end(), result.warnings.begin(), result.warnings.end());
    report.start = layout.continues ? "layout before" : name(result.initialization);
    report.done = result.epochs;
    report.planned = result.planned_epochs;
    report.neighbor_seconds += result.seconds.neighbors;
    report.layout_seconds = result.seconds.optimization;
    memory.scratch = scratch;
    memory.owed = result.planned_epochs - result.epochs;
    memory.neighbors = std::move(result.neighbors);
    memory.ids = rows.ids;
  };
  if (!layout.continues) {
    UmapState run(rows.x.view(), options);
    finish(run, run.planned_epochs());
  } else {
    const Tensor carried = carried_neighbors(memory, rows.ids);
    KnnOptions search;
    search.k = method.n_neighbors - 1;
    search.metric = method.metric;
    search.seed = plan.seed;
    search.threads = inputs.threads;
    search.stop = inputs.stop;
    if (!carried.empty()) search.initial = carried.view();
    const Stopwatch searching;
    const Neighbors neighbors = knn(rows.x.view(), search);
    report.neighbor_seconds = searching.seconds();
    start_anew_if_changed(layout, carried, neighbors);
    const Tensor holds = holds_by_displacement(state, rows, umap_hold_decades);
    if (layout.continues) {
      options.initialization = UmapInitialization::given;
      options.initial = start.view();
      options.references = {{start.view(), holds.view()}};
      // What a budget cut off is made up for, with the smaller steps that it would have had.
      options.epochs = method.warm_epochs;
      if (memory.owed > memory.scratch / 5) {
        options.epochs = memory.owed;
        options.learning_rate = static_cast<double>(memory.owed) / static_cast<double>(memory.scratch);
      }
    }
    UmapState run(neighbors, options);
    finish(run, layout.continues ? memory.scratch : run.planned_epochs());
  }
  report.seconds = watch.seconds();
  report_iterations(layout, report);
  layout.attributes.push_back({"neighbors", method.n_neighbors});
  layout.attributes.push_back({"min_dist", method.min_dist});
  layout.caption += "; n_neighbors " + to_text(method.n_neighbors) + ", min_dist " + to_short_text(method.min_dist, 3);
  return layout;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
