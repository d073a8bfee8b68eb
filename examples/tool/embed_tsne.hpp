// layerscope embed --method tsne.
#pragma once

#include <layerscope/algorithms/tsne.hpp>

#include "embed_layout.hpp"

namespace tool {

inline EmbedLayout embed_tsne(const EmbedArguments& arguments, const layerscope::AnyView& rows) {
  layerscope::TsneOptions options;
  options.dimensions = arguments.dims;
  options.perplexity = arguments.perplexity.value_or(options.perplexity);
  options.iterations = arguments.iterations;
  if (arguments.repulsion) options.repulsion = layerscope::tsne_repulsion_from_name(*arguments.repulsion);
  if (arguments.metric) options.metric = layerscope::metric_from_name(*arguments.metric);
  options.seed = arguments.seed;
  options.threads = arguments.threads;
  const layerscope::Tsne tsne = layerscope::tsne(rows, options);
  EmbedLayout layout;
  layout.coordinates = tsne.embedding;
  layout.seconds = {{"neighbors", tsne.seconds.neighbors},
                    {"affinities", tsne.seconds.affinities},
                    {"initialization", tsne.seconds.initialization},
                    {"optimization", tsne.seconds.optimization}};
  layout.fields = {{"metric", layerscope::name(options.metric)},
                   {"perplexity", tsne.perplexity},
                   {"repulsion", layerscope::name(options.repulsion)},
                   {"iterations", tsne.iterations},
                   {"interpolated_iterations", tsne.interpolated_iterations},
                   {"tree_iterations", tsne.tree_iterations},
                   {"kl", tsne.kl}};
  layout.warnings = tsne.warnings;
  return layout;
}

}  // namespace tool
