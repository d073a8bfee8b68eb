// Body of algorithms/detail/tiles.hpp.
#pragma once

#include <layerscope/algorithms/detail/canvas.hpp>
#include <layerscope/algorithms/detail/tiles.hpp>
#include <layerscope/algorithms/resample.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

LAYERSCOPE_INLINE AnyView arranged(const AnyView& x, const Layout& layout, std::string_view order, const char* what) {
  if (x.rank() == 0 || x.empty()) {
    throw Error(ErrorCode::empty, std::string(what) + ": shape " + to_text(x.shape()) + " has nothing to show");
  }
  if (x.rank() != layout.rank()) {
    throw Error(ErrorCode::invalid_argument, std::string(what) + ": shape " + to_text(x.shape()) + " has " +
                                                 to_text(x.rank()) + " axes; expected the " + to_text(layout.rank()) +
                                                 " of layout " + std::string(layout.axes()));
  }
  for (const char axis : layout.axes()) {
    if (order.find(axis) == std::string_view::npos) {
      throw Error(ErrorCode::invalid_argument,
                  std::string(what) + ": layout " + std::string(layout.axes()) + " is not one that can be drawn");
    }
  }
  Shape shape;
  Strides strides;
  for (const char axis : order) {
    const int found = layout.find(axis);
    shape.push_back(found < 0 ? 1 : x.extent(found));
    strides.push_back(found < 0 ? 0 : x.strides()[found]);
  }
  return AnyView(x.data(), x.dtype(), shape, strides, x.owner());
}

LAYERSCOPE_INLINE void MapTiles::describe(std::vector<std::string>& captions) const {
  std::string text;
  const auto add = [&text](std::int64_t count, const char* kind) {
    if (count > 0) text += (text.empty() ? "" : ", ") + to_text(count) + kind;
  };
  add(nan, " NaN (magenta)");
  add(positive_infinities, " +inf (green)");
  add(negative_infinities, " -inf (cyan)");
  if (!text.empty()) captions.push_back("Not finite: " + text);
}

LAYERSCOPE_INLINE MapTiles map_tiles(const std::vector<AnyView>& maps, const MapStyle& style) {
  HeatmapOptions options;
  options.colormap = style.colormap;
  options.normalization = style.normalization;
  options.scale = 1;
  options.threads = 1;
  MapTiles tiles;
  std::vector<HeatmapScale> scales;
  bool any_finite = false;
  for (const AnyView& map : maps) {
    HeatmapScale scale = heatmap_scale(map, options);
    const bool finite = scale.nan_count + scale.positive_infinities + scale.negative_infinities < map.size();
    if (finite) {
      tiles.range =
          any_finite ? Range{(std::min)(tiles.range.min, scale.range.min), (std::max)(tiles.range.max, scale.range.max)}
                     : scale.range;
      any_finite = true;
    }
    tiles.nan += scale.nan_count;
    tiles.positive_infinities += scale.positive_infinities;
    tiles.negative_infinities += scale.negative_infinities;
    std::string text = number_text(scale.range.max, 2);
    if (style.normalization == Normalization::symmetric) {
      text = "±" + text;
    } else {
      text = number_text(scale.range.min, 2) + ", " + text;
    }
    tiles.ranges.push_back(finite ? std::move(text) : "-");
    scales.push_back(scale);
  }
  for (std::size_t i = 0; i < maps.size(); ++i) {
    // A constant map has no scale of its own; on that of all maps a dead one looks dead.
    const bool constant = scales[i].range.min == scales[i].range.max;
    if (style.scaling == Scaling::global || constant) scales[i].range = tiles.range;
    tiles.images.push_back(heatmap(maps[i], scales[i], options));
  }
  return tiles;
}

LAYERSCOPE_INLINE std::string shown_caption(std::int64_t samples, std::int64_t samples_total, const char* samples_name,
                                            std::int64_t channels, std::int64_t channels_total,
                                            const char* channels_name) {
  std::string text;
  if (samples < samples_total) text = to_text(samples) + " of " + to_text(samples_total) + " " + samples_name;
  if (channels < channels_total) {
    text += (text.empty() ? "" : ", ") + to_text(channels) + " of " + to_text(channels_total) + " " + channels_name;
  }
  return text.empty() ? text : text + " shown";
}

LAYERSCOPE_INLINE Image stretched(const Image& image, std::int64_t zoom_x, std::int64_t zoom_y) {
  if (zoom_x == 1 && zoom_y == 1) return image;
  Image result = make_image(image.width * zoom_x, image.height * zoom_y, PixelFormat::rgb);
  paste(result, image, 0, 0, zoom_x, zoom_y);
  return result;
}

LAYERSCOPE_INLINE MatrixZoom::MatrixZoom(std::int64_t height, std::int64_t width, std::int64_t side,
                                         const std::optional<std::int64_t>& given) {
  const auto zoom = [&](std::int64_t extent) {
    return given ? *given : (std::clamp<std::int64_t>)(side / extent, 1, 32);
  };
  x = zoom(width);
  y = zoom(height);
}

LAYERSCOPE_INLINE AnyView bounded_matrix(const AnyView& matrix, std::vector<std::string>& captions) {
  constexpr std::int64_t most = 1024;
  const std::int64_t height = (std::min)(matrix.extent(0), most);
  const std::int64_t width = (std::min)(matrix.extent(1), most);
  if (height == matrix.extent(0) && width == matrix.extent(1)) return matrix;
  captions.push_back("Averaged from " + to_text(matrix.extent(0)) + " × " + to_text(matrix.extent(1)) + " to " +
                     to_text(height) + " × " + to_text(width) + " numbers");
  return resample(matrix, {height, width}, {.threads = 1}).view();
}

LAYERSCOPE_INLINE void check_at_least_one(const char* what, const char* option, std::int64_t value) {
  if (value < 1) {
    throw Error(ErrorCode::invalid_argument,
                std::string(what) + ": " + option + " " + to_text(value) + "; expected 1 or more");
  }
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
