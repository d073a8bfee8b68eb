// Body of umap_transform() of algorithms/umap.hpp.
#pragma once

#include <layerscope/algorithms/umap.hpp>
#include <layerscope/impl/umap_run_inl.hpp>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// Edges from the rows of a query to the data, in the order of the neighbours.
LAYERSCOPE_INLINE UmapGraph query_graph(const UmapNeighbors& neighbors, const std::vector<float>& weights) {
  UmapGraph graph;
  for (std::int64_t i = 0; i < neighbors.n; ++i) {
    for (std::int64_t j = i * neighbors.k; j < (i + 1) * neighbors.k; ++j) {
      if (!(weights[static_cast<std::size_t>(j)] > 0)) continue;
      graph.to.push_back(neighbors.indices[j]);
      graph.weight.push_back(weights[static_cast<std::size_t>(j)]);
    }
    graph.first.push_back(static_cast<std::int64_t>(graph.to.size()));
  }
  return graph;
}

/// [n, dims]: the weighted mean of the neighbours' positions.
LAYERSCOPE_INLINE std::vector<float> weighted_means(const UmapGraph& graph, const float* positions, std::int64_t stride,
                                                    std::int64_t dims) {
  std::vector<float> means;
  for (std::int64_t v = 0; v < graph.vertices(); ++v) {
    for (std::int64_t axis = 0; axis < dims; ++axis) {
      double sum = 0;
      double weights = 0;
      for (std::int64_t e = graph.begin(v); e < graph.end(v); ++e) {
        const double weight = static_cast<double>(graph.weight[static_cast<std::size_t>(e)]);
        weights += weight;
        sum += weight * static_cast<double>(positions[graph.to[static_cast<std::size_t>(e)] * stride + axis]);
      }
      means.push_back(weights > 0 ? static_cast<float>(sum / weights) : 0.0F);
    }
  }
  return means;
}

LAYERSCOPE_INLINE void check_umap_data(const Umap& layout, const AnyView& data, const UmapOptions& options) {
  const Tensor& embedding = layout.embedding;
  if (embedding.rank() != 2 || embedding.dtype() != DType::f32 || embedding.extent(1) != options.dimensions) {
    throw Error(ErrorCode::invalid_argument, std::string("umap_transform: the layout has type ") +
                                                 name(embedding.dtype()) + " and shape " + to_text(embedding.shape()) +
                                                 "; expected float32 and " + to_text(options.dimensions) + " columns");
  }
  const std::int64_t rows = embedding.extent(0) + layout.dropped_rows;
  if (data.extent(0) != rows) {
    throw Error(ErrorCode::invalid_argument, "umap_transform: the data have " + to_text(data.extent(0)) +
                                                 " rows; expected the " + to_text(rows) + " of the layout");
  }
}

}  // namespace detail

LAYERSCOPE_INLINE UmapTransform umap_transform(const Umap& layout, const AnyView& data, const AnyView& query,
                                               const UmapOptions& options) {
  detail::check_umap_options(options);
  detail::check_knn_matrix(data, "the data", "umap_transform");
  detail::check_umap_data(layout, data, options);
  KnnOptions search;
  search.k = options.n_neighbors;
  search.metric = options.metric;
  search.non_finite = options.non_finite;
  search.threads = options.threads;
  search.stop = options.stop;
  if (options.progress) {
    search.progress = [&](double fraction, std::string_view) { options.progress(0.5 * fraction, "neighbors"); };
  }
  const Neighbors found = knn(query, data, search);
  const detail::UmapNeighbors neighbors =
      detail::checked_neighbors(found, layout.rows, data.extent(0), SelfNeighbor::include, "umap_transform");

  UmapTransform result;
  result.rows = found.rows;
  result.dropped_rows = query.extent(0) - neighbors.n;
  result.warnings = found.warnings;
  const std::int64_t n = layout.embedding.extent(0);
  result.epochs = options.epochs.value_or(neighbors.n <= 10000 ? 100 : 30);

  // A row of the query is not one of the data: none of its neighbours is connected for certain beyond what is asked.
  const std::vector<float> weights =
      detail::membership_strengths(neighbors, (std::max)(0.0, options.local_connectivity - 1), options.threads);
  detail::UmapGraph graph = detail::query_graph(neighbors, weights);
  const std::int64_t least_met = (std::max<std::int64_t>)(result.epochs, 200);
  detail::normalize_and_prune(graph, 1.0F / static_cast<float>(least_met));
  const std::vector<float> pushes = detail::pushes_due(graph, options.negative_sample_rate);

  // The layout with the stride of the kernels.
  const detail::UmapOptimizer frozen(
      n, options.dimensions, {layout.embedding.data<float>(), layout.embedding.data<float>() + n * options.dimensions});
  detail::UmapOptimizer optimizer(
      neighbors.n, options.dimensions,
      detail::weighted_means(graph, frozen.positions(), frozen.stride(), options.dimensions));
  detail::ThreadTeam team(neighbors.n < 512 ? 1 : options.threads);
  const Random random(options.seed, 0x7472616e73);
  for (std::int64_t epoch = 0; epoch < result.epochs; ++epoch) {
    const double done = static_cast<double>(epoch) / static_cast<double>(result.epochs);
    throw_if_stopped(options.stop, "umap_transform");
    if (options.progress && epoch % 16 == 0) options.progress(0.5 + 0.5 * done, "optimization");
    const detail::UmapForceJob job{optimizer.positions(),
                                   frozen.positions(),
                                   frozen.stride(),
                                   static_cast<std::uint32_t>(n),
                                   graph.first.data(),
                                   graph.to.data(),
                                   graph.weight.data(),
                                   pushes.data(),
                                   1,
                                   static_cast<float>(layout.a),
                                   static_cast<float>(layout.b),
                                   static_cast<float>(options.repulsion_strength),
                                   random.bits(static_cast<std::uint64_t>(epoch))};
    // A quarter of the rate, as umap-learn: the rows start near where they belong.
    const double rate = options.learning_rate.value_or(1) / 4 * (1 - done);
    optimizer.step(job, epoch, rate, team, [](std::int64_t, const float*, float*) {});
  }
  result.embedding = optimizer.layout();
  if (options.progress) options.progress(1, "optimization");
  return result;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
