// t-SNE over steps: from scratch, then from where the points were and held to it (Rauber, Falcão and Telea,
// "Visualizing time-dependent data using dynamic t-SNE", EuroVis 2016, here against the frozen step before).
#pragma once

#include <layerscope/algorithms/knn.hpp>
#include <layerscope/algorithms/pca.hpp>
#include <layerscope/algorithms/tsne.hpp>
#include <layerscope/impl/snapshot/embedding_iterations.hpp>
#include <layerscope/impl/snapshot/embedding_state.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// The leading principal components, with a standard deviation of 1e-4 along the first; empty where all rows are equal.
inline Tensor tsne_start(const AnyView& x, std::size_t dimensions, const JobInputs& inputs) {
  PcaOptions options;
  options.threads = inputs.threads;
  options.stop = inputs.stop;
  options.components = (std::min)({static_cast<std::int64_t>(dimensions), x.extent(0), x.extent(1)});
  const Pca found = pca(x, options);
  if (!(found.explained_variance[0] > 0)) return {};
  const Tensor scores = convert(found.transform(x, inputs.threads).view(), DType::f64);
  Tensor start(DType::f32, {x.extent(0), static_cast<std::int64_t>(dimensions)});
  const double scale = 1e-4 / std::sqrt(found.explained_variance[0]);
  const std::int64_t width = scores.extent(1);
  for (std::int64_t r = 0; r < x.extent(0); ++r) {
    for (std::int64_t c = 0; c < width; ++c) {
      start.mutable_data<float>()[r * start.extent(1) + c] =
          static_cast<float>(scale * scores.data<double>()[r * width + c]);
    }
  }
  return start;
}

inline constexpr double tsne_hold_decades = 6;

inline EmbeddingLayout tsne_layout(const TsneProjection& method, const EmbeddingPlan& plan, const EmbeddingRows& rows,
                                   EmbeddingState& state, const JobInputs& inputs) {
  const Stopwatch watch;
  EmbeddingLayout layout;
  EmbeddingIterations& memory = state.iterations;
  Tensor positions;
  if (method.timeline == EmbeddingTimeline::aligned && !state.past.empty()) {
    positions = carried_positions(state.past.back(), rows.ids, plan.dimensions, layout.aligned);
    if (layout.aligned == 0) {
      layout.warnings.push_back("no sample in common with the step before: the layout is not aligned to it");
    }
  }
  layout.continues = layout.aligned > 0;

  KnnOptions search;
  search.k = static_cast<std::int64_t>(std::ceil(3 * method.perplexity));
  search.k = (std::clamp)(search.k, std::int64_t{1}, (std::max)(std::int64_t{1}, rows.x.extent(0) - 1));
  search.metric = method.metric;
  search.seed = plan.seed;
  search.threads = inputs.threads;
  search.stop = inputs.stop;
  const Tensor carried = layout.continues ? carried_neighbors(memory, rows.ids) : Tensor{};
  if (!carried.empty()) search.initial = carried.view();
  const Stopwatch searching;
  Neighbors neighbors = knn(rows.x.view(), search);
  IterationReport report;
  report.method = "t-SNE";
  report.neighbor_seconds = searching.seconds();
  start_anew_if_changed(layout, carried, neighbors);

  TsneOptions options;
  options.dimensions = static_cast<int>(plan.dimensions);
  options.perplexity = method.perplexity;
  options.seed = plan.seed;
  options.threads = inputs.threads;
  options.stop = inputs.stop;
  const int scratch = method.iterations.value_or(rows.x.extent(0) <= 10000 ? 750 : 500);
  const int early = (std::min)(scratch / 4, 125);
  if (layout.continues) {
    // What a budget cut off is made up for, free of a layout that was not done.
    const bool unfinished = memory.owed > method.warm_iterations;
    options.anchors = positions;
    options.anchor_weights = holds_by_displacement(state, rows, tsne_hold_decades);
    options.anchor_strength = unfinished ? 0 : method.alignment;
    options.iterations = unfinished ? static_cast<int>(memory.owed) : method.warm_iterations;
    options.early_iterations = unfinished ? (std::max)(0, early - static_cast<int>(memory.scratch - memory.owed)) : 0;
    report.start = "layout before";
  } else {
    const Tensor start = tsne_start(rows.x.view(), plan.dimensions, inputs);
    if (!start.empty()) options.initial = start;
    options.iterations = scratch;
    options.early_iterations = early;
    memory.scratch = scratch;
    report.start = "PCA";
  }
  report.planned = *options.iterations;
  TsneState run(neighbors, options);
  run_within(
      plan.time_budget, watch, report.planned, [&] { return std::int64_t{run.iteration()}; },
      [&](std::int64_t iterations) { run.run(static_cast<int>(iterations)); });
  const Tsne result = run.result();
  layout.positions = positions_of(result.embedding);
  layout.warnings.insert(layout.warnings.end(), result.warnings.begin(), result.warnings.end());
  report.done = result.iterations;
  report.layout_seconds = result.seconds.optimization;
  memory.owed = report.planned - report.done;
  memory.neighbors = std::move(neighbors);
  memory.ids = rows.ids;
  report.seconds = watch.seconds();
  report_iterations(layout, report);
  layout.attributes.push_back({"perplexity", result.perplexity});
  layout.attributes.push_back({"KL divergence", result.kl});
  layout.caption += "; perplexity " + to_short_text(result.perplexity, 3) + ", KL " + to_short_text(result.kl, 3);
  return layout;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
