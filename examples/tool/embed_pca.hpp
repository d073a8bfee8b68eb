// layerscope embed --method pca.
#pragma once

#include <layerscope/algorithms/pca.hpp>

#include "embed_layout.hpp"

namespace tool {

inline EmbedLayout embed_pca(const EmbedArguments& arguments, const layerscope::AnyView& rows) {
  layerscope::PcaOptions options;
  options.components = arguments.dims;
  options.seed = arguments.seed;
  options.threads = arguments.threads;
  EmbedLayout layout;
  Stopwatch watch;
  const layerscope::Pca pca = layerscope::pca(rows, options);
  layout.seconds["fit"] = watch.lap();
  layout.coordinates = pca.transform(rows, arguments.threads);
  layout.seconds["transform"] = watch.lap();
  layout.axis = "component ";
  layout.fields = {{"solver", layerscope::name(pca.solver)},
                   {"explained_variance", pca.explained_variance},
                   {"explained_variance_ratio", pca.explained_variance_ratio},
                   {"total_variance", pca.total_variance}};
  layout.warnings = pca.warnings;
  return layout;
}

}  // namespace tool
