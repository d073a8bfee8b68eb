// layerscope heatmap: a tensor of a file as a picture.
#pragma once

#include <layerscope/algorithms/feature_maps.hpp>
#include <layerscope/algorithms/filters.hpp>
#include <layerscope/algorithms/heatmap.hpp>
#include <layerscope/core/png.hpp>
#include <layerscope/readers/tensor_file.hpp>

#include <optional>
#include <string>

#include "common.hpp"

namespace tool {

struct HeatmapArguments {
  std::string in;
  std::string layout;  ///< empty: a matrix
  std::string colormap = "viridis";
  std::int64_t samples = 8;
  std::int64_t channels = 64;
  std::string out;
};

inline layerscope::Image draw_heatmap(const HeatmapArguments& arguments) {
  // Checked before the file is read.
  const layerscope::Colormap colormap = layerscope::colormap_from_name(arguments.colormap);
  const std::optional<layerscope::Layout> layout =
      arguments.layout.empty() ? std::nullopt : std::optional(layerscope::Layout(arguments.layout));
  const layerscope::Tensor x = layerscope::read_tensor(arguments.in);
  if (layout && layout->find('O') >= 0) {
    layerscope::FiltersOptions options;
    options.layout = *layout;
    options.title = arguments.in;
    options.max_outputs = arguments.channels;
    return layerscope::filters(x, options);
  }
  if (layout) {
    layerscope::FeatureMapsOptions options;
    options.title = arguments.in;
    options.max_samples = arguments.samples;
    options.max_channels = arguments.channels;
    options.colormap = colormap;
    return layerscope::feature_maps(x, *layout, options);
  }
  if (x.rank() > 2) {
    throw layerscope::Error(layerscope::ErrorCode::invalid_argument,
                            arguments.in + ": shape " + layerscope::to_text(x.shape()) +
                                " needs --layout to say what each axis is, for example NCHW");
  }
  layerscope::HeatmapOptions options;
  options.colormap = colormap;
  return layerscope::heatmap(x, options);
}

inline void heatmap(const HeatmapArguments& arguments) {
  layerscope::write_png(arguments.out, draw_heatmap(arguments));
}

}  // namespace tool
