// layerscope embed --method umap.
#pragma once

#include <layerscope/algorithms/umap.hpp>

#include "embed_layout.hpp"

namespace tool {

inline EmbedLayout embed_umap(const EmbedArguments& arguments, const layerscope::AnyView& rows) {
  layerscope::UmapOptions options;
  options.dimensions = arguments.dims;
  options.n_neighbors = arguments.neighbors.value_or(options.n_neighbors);
  options.min_dist = arguments.min_dist.value_or(options.min_dist);
  options.epochs = arguments.epochs;
  if (arguments.metric) options.metric = layerscope::metric_from_name(*arguments.metric);
  options.seed = arguments.seed;
  options.threads = arguments.threads;
  const layerscope::Umap umap = layerscope::umap(rows, options);
  EmbedLayout layout;
  layout.coordinates = umap.embedding;
  layout.seconds = {{"neighbors", umap.seconds.neighbors},
                    {"graph", umap.seconds.graph},
                    {"initialization", umap.seconds.initialization},
                    {"optimization", umap.seconds.optimization}};
  layout.fields = {{"metric", layerscope::name(options.metric)},
                   {"n_neighbors", umap.neighbors.indices.extent(1) + 1},
                   {"knn_method", layerscope::name(umap.neighbors.method)},
                   {"min_dist", options.min_dist},
                   {"a", umap.a},
                   {"b", umap.b},
                   {"epochs", umap.epochs},
                   {"initialization", layerscope::name(umap.initialization)},
                   {"initialization_reason", umap.initialization_reason},
                   {"components", umap.components},
                   {"edges", umap.edges}};
  layout.warnings = umap.warnings;
  return layout;
}

}  // namespace tool
