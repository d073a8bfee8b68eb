// Body of algorithms/filters.hpp.
#pragma once

#include <layerscope/algorithms/detail/canvas.hpp>
#include <layerscope/algorithms/detail/tiles.hpp>
#include <layerscope/algorithms/filters.hpp>
#include <layerscope/algorithms/grid.hpp>
#include <layerscope/algorithms/heatmap.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/tensor.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// How many of each axis are shown, and how many there are.
struct FilterCounts {
  std::int64_t outputs = 0, outputs_total = 0, inputs = 0, inputs_total = 0;

  std::string caption() const {
    return shown_caption(outputs, outputs_total, "outputs", inputs, inputs_total, "inputs");
  }
};

inline void check_filters(const FiltersOptions& options) {
  check_at_least_one("filters", "max_outputs", options.max_outputs);
  check_at_least_one("filters", "max_inputs", options.max_inputs);
  if (options.zoom) check_at_least_one("filters", "zoom", *options.zoom);
}

/// RGB tiles of [o, 3, h, w]: zero is mid grey, ±m the ends, m the largest magnitude of the filter or of all.
inline MapTiles rgb_tiles(const AnyView& weight, Scaling scaling) {
  const Tensor numbers = convert(weight, DType::f64);
  const std::int64_t pixels = weight.extent(2) * weight.extent(3);
  const auto largest = [](const double* values, std::int64_t count) {
    double magnitude = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      if (is_finite(values[i])) magnitude = (std::max)(magnitude, std::fabs(values[i]));
    }
    return magnitude;
  };
  const double of_all = largest(numbers.data<double>(), numbers.size());
  MapTiles tiles;
  tiles.range = {-of_all, of_all};
  for (std::int64_t o = 0; o < weight.extent(0); ++o) {
    const double* const filter = numbers.data<double>() + o * 3 * pixels;
    const double own = largest(filter, 3 * pixels);
    const double scale = scaling == Scaling::each ? own : of_all;
    tiles.ranges.push_back("±" + number_text(own, 2));
    Image tile = make_image(weight.extent(3), weight.extent(2), PixelFormat::rgb);
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
      std::uint8_t* const out = tile.pixels.data() + 3 * pixel;
      for (std::int64_t c = 0; c < 3; ++c) {
        const double value = filter[c * pixels + pixel];
        if (is_finite(value)) {
          const double share = scale > 0 ? value / scale : 0;
          out[c] = static_cast<std::uint8_t>((std::min)(255.0, 128 + 127.5 * share));
        }
      }
      std::int64_t nan = 0;
      std::int64_t positive = 0;
      std::int64_t negative = 0;
      for (std::int64_t c = 0; c < 3; ++c) {
        const double value = filter[c * pixels + pixel];
        if (!is_finite(value)) ++(is_nan(value) ? nan : sign_bit(value) ? negative : positive);
      }
      tiles.nan += nan;
      tiles.positive_infinities += positive;
      tiles.negative_infinities += negative;
      if (nan + positive + negative == 0) continue;
      const HeatmapOptions colours;  // what is not finite looks as in heatmap(), NaN before the infinities
      const Rgb colour = nan > 0        ? colours.nan_colour
                         : positive > 0 ? colours.positive_infinity_colour
                                        : colours.negative_infinity_colour;
      out[0] = colour.r;
      out[1] = colour.g;
      out[2] = colour.b;
    }
    tiles.images.push_back(std::move(tile));
  }
  return tiles;
}

/// What both kinds of tiles have in common: captions, labels, a colour bar.
inline Image filters_picture(MapTiles tiles, Scaling scaling, GridOptions look_of, const FilterCounts& counts,
                             std::int64_t columns, std::int64_t tile_side) {
  if (const std::string shown = counts.caption(); !shown.empty()) look_of.captions.push_back(shown);
  const bool labelled = scaling == Scaling::each && tile_side >= 40;
  if (scaling == Scaling::each) look_of.captions.push_back("Each tile scaled by itself to ± its largest weight");
  tiles.describe(look_of.captions);
  Grid grid;
  grid.tiles = std::move(tiles.images);
  if (labelled) grid.labels = std::move(tiles.ranges);
  grid.columns = columns;
  return render_grid(grid, look_of);
}

inline std::vector<std::string> numbered(const char* prefix, std::int64_t count) {
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < count; ++i) names.push_back(prefix + to_text(i));
  return names;
}

/// Tiles of [o, i, h, w]: RGB where i is 3, else one per output and input.
inline Image spatial_filters(const AnyView& weight, const FiltersOptions& options, GridOptions look_of,
                             FilterCounts counts) {
  const bool rgb = weight.extent(1) == 3;
  counts.outputs = (std::min)(weight.extent(0), options.max_outputs);
  counts.inputs = rgb ? 3 : (std::min)(weight.extent(1), options.max_inputs);
  const AnyView shown = weight.narrow(0, 0, counts.outputs).narrow(1, 0, counts.inputs);
  const Scaling scaling = options.scaling.value_or(rgb ? Scaling::each : Scaling::global);
  const bool plain = rgb || counts.inputs == 1;
  const std::int64_t columns = plain ? (std::min<std::int64_t>)(counts.outputs, 8) : counts.inputs;
  const std::int64_t tiles = plain ? counts.outputs : counts.outputs * counts.inputs;
  const std::int64_t longest = (std::max)(weight.extent(2), weight.extent(3));
  look_of.zoom = options.zoom.value_or(derived_zoom(longest, tiles, columns, look_of.padding));
  const std::int64_t side = *look_of.zoom * weight.extent(3);
  if (rgb) {
    MapTiles drawn = rgb_tiles(shown, scaling);
    look_of.captions.push_back(
        "Input channels as red, green and blue; grey is 0" +
        (scaling == Scaling::global ? ", the ends are ±" + number_text(drawn.range.max, 3) : std::string()));
    return filters_picture(std::move(drawn), scaling, std::move(look_of), counts, columns, side);
  }
  std::vector<AnyView> maps;
  for (std::int64_t o = 0; o < counts.outputs; ++o) {
    for (std::int64_t i = 0; i < counts.inputs; ++i) maps.push_back(shown.select(0, o).select(0, i));
  }
  MapTiles drawn = map_tiles(maps, {options.colormap, Normalization::symmetric, scaling});
  if (scaling == Scaling::global) look_of.colour_bar = ColourBar{options.colormap, drawn.range, "", {}};
  if (!plain) {
    look_of.row_labels = numbered("out ", counts.outputs);
    look_of.column_labels = numbered("in ", counts.inputs);
  }
  return filters_picture(std::move(drawn), scaling, std::move(look_of), counts, columns, side);
}

/// One matrix with a colour bar; rows and columns may be zoomed differently.
inline Image matrix_filters(const AnyView& weight, const FiltersOptions& options, GridOptions look_of) {
  const AnyView matrix = bounded_matrix(weight, look_of.captions);
  MapTiles drawn = map_tiles({matrix}, {options.colormap, Normalization::symmetric, Scaling::global});
  const MatrixZoom zoom(matrix.extent(0), matrix.extent(1), 480, options.zoom);
  look_of.zoom = 1;
  look_of.colour_bar = ColourBar{options.colormap, drawn.range, "", {}};
  look_of.captions.insert(look_of.captions.begin(), to_text(weight.extent(0)) + " outputs downwards, " +
                                                        to_text(weight.extent(1)) + " inputs across");
  drawn.describe(look_of.captions);
  Grid grid;
  grid.tiles.push_back(stretched(drawn.images[0], zoom.x, zoom.y));
  return render_grid(grid, look_of);
}

/// One tile [i, l] per output.
inline Image sequence_filters(const AnyView& weight, const FiltersOptions& options, GridOptions look_of,
                              FilterCounts counts) {
  counts.outputs = (std::min)(weight.extent(0), options.max_outputs);
  counts.inputs = (std::min)(weight.extent(1), options.max_inputs);
  const Scaling scaling = options.scaling.value_or(Scaling::global);
  std::vector<AnyView> maps;
  for (std::int64_t o = 0; o < counts.outputs; ++o) {
    maps.push_back(weight.select(0, o).narrow(0, 0, counts.inputs));
  }
  MapTiles drawn = map_tiles(maps, {options.colormap, Normalization::symmetric, scaling});
  const MatrixZoom zoom(counts.inputs, weight.extent(2), 96, options.zoom);
  for (Image& image : drawn.images) image = stretched(image, zoom.x, zoom.y);
  if (scaling == Scaling::global) look_of.colour_bar = ColourBar{options.colormap, drawn.range, "", {}};
  look_of.zoom = 1;
  look_of.captions.push_back("One tile per output: input channels downwards, positions across");
  const std::int64_t columns = (std::clamp<std::int64_t>)(1280 / (weight.extent(2) * zoom.x + 8), 1,
                                                          (std::min<std::int64_t>)(counts.outputs, 8));
  return filters_picture(std::move(drawn), scaling, std::move(look_of), counts, columns, weight.extent(2) * zoom.x);
}

/// [o, i] as [o, c, h, w] by the shape that the inputs had.
inline AnyView unflattened(const AnyView& weight, const Shape& input_shape) {
  const bool known = input_shape.rank() == 2 || (input_shape.rank() == 3 && input_shape[0] == 3);
  if (!known || element_count(input_shape) != weight.extent(1)) {
    throw Error(ErrorCode::invalid_argument, "filters: input_shape " + to_text(input_shape) + " for " +
                                                 to_text(weight.extent(1)) +
                                                 " inputs; expected [h, w] or [3, h, w] of that many");
  }
  const std::int64_t stride = weight.strides()[1];
  const int rank = input_shape.rank();
  const std::int64_t height = input_shape[rank - 2];
  const std::int64_t width = input_shape[rank - 1];
  return AnyView(weight.data(), weight.dtype(), {weight.extent(0), rank == 3 ? 3 : 1, height, width},
                 {weight.strides()[0], rank == 3 ? stride * height * width : 0, stride * width, stride},
                 weight.owner());
}

}  // namespace detail

LAYERSCOPE_INLINE Image filters(const AnyView& weight, const FiltersOptions& options) {
  detail::check_filters(options);
  const Layout& layout = options.layout;
  const AnyView all = detail::arranged(weight, layout, "OILDHW", "filters");
  const auto has = [&layout](char axis) { return layout.find(axis) >= 0; };
  const bool spatial = has('H') && has('W');
  const bool valid = has('O') && has('I') && has('H') == has('W') && !(has('L') && spatial) && (spatial || !has('D'));
  if (!valid) {
    throw Error(ErrorCode::invalid_argument,
                "filters: layout " + std::string(layout.axes()) + "; expected OIHW, OIDHW, OIL or OI in any order");
  }
  detail::FilterCounts counts;
  counts.outputs_total = (std::max)(options.outputs_total.value_or(0), all.extent(0));
  counts.inputs_total = (std::max)(options.inputs_total.value_or(0), all.extent(1));
  GridOptions look_of;
  look_of.title = options.title;

  if (has('L')) {
    return detail::sequence_filters(all.select(5, 0).select(4, 0).select(3, 0), options, std::move(look_of), counts);
  }
  if (!spatial) {
    const AnyView matrix = all.select(5, 0).select(4, 0).select(3, 0).select(2, 0);
    if (options.input_shape.rank() == 0) return detail::matrix_filters(matrix, options, std::move(look_of));
    const AnyView images = detail::unflattened(matrix, options.input_shape);
    counts.inputs_total = images.extent(1);  // inputs became pixels: all are shown
    return detail::spatial_filters(images, options, std::move(look_of), counts);
  }
  const std::int64_t depth = all.extent(3);
  if (has('D')) look_of.captions.push_back("Depth slice " + to_text(depth / 2) + " of 0 to " + to_text(depth - 1));
  return detail::spatial_filters(all.select(3, depth / 2).select(2, 0), options, std::move(look_of), counts);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
