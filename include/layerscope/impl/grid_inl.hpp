// Body of algorithms/grid.hpp.
#pragma once

#include <layerscope/algorithms/detail/canvas.hpp>
#include <layerscope/algorithms/detail/colour_bar.hpp>
#include <layerscope/algorithms/detail/text_layout.hpp>
#include <layerscope/algorithms/grid.hpp>
#include <layerscope/algorithms/resample.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

[[noreturn]] inline void refuse_grid(const char* what, const std::string& problem) {
  throw Error(ErrorCode::invalid_argument, std::string(what) + ": " + problem);
}

/// torchvision's norm_range() on the numbers of one batch or image, in their own precision.
template <class Work>
void normalise_in_place(Work* values, std::int64_t count, const std::optional<Range>& range) {
  double low = 0;
  double high = 0;
  if (range) {
    low = range->min;
    high = range->max;
  } else {
    Work smallest = values[0];
    Work largest = values[0];
    for (std::int64_t i = 0; i < count; ++i) {
      if (is_nan(values[i])) {  // as torch.min() does, NaN spreads
        std::fill(values, values + count, values[i]);
        return;
      }
      smallest = (std::min)(smallest, values[i]);
      largest = (std::max)(largest, values[i]);
    }
    low = static_cast<double>(smallest);
    high = static_cast<double>(largest);
  }
  const auto bottom = static_cast<Work>(low);
  const auto top = static_cast<Work>(high);
  const auto width = static_cast<Work>((std::max)(high - low, 1e-5));
  for (std::int64_t i = 0; i < count; ++i) {
    if (is_nan(values[i])) continue;
    values[i] = ((std::min)((std::max)(values[i], bottom), top) - bottom) / width;
  }
}

template <class Work>
Tensor make_grid_of(const AnyView& images, const MakeGridOptions& options) {
  Tensor batch = convert(images, dtype_of<Work>);
  const std::int64_t count = images.extent(0);
  const std::int64_t planes = images.extent(1);
  const std::int64_t height = images.extent(2);
  const std::int64_t width = images.extent(3);
  const std::int64_t image_size = planes * height * width;
  Work* const values = batch.mutable_data<Work>();
  if (options.normalization == GridNormalization::batch) {
    normalise_in_place(values, batch.size(), options.value_range);
  } else if (options.normalization == GridNormalization::each) {
    for (std::int64_t i = 0; i < count; ++i)
      normalise_in_place(values + i * image_size, image_size, options.value_range);
  }

  const bool single = count == 1;
  const std::int64_t padding = single ? 0 : options.padding;
  const std::int64_t columns = (std::min)(options.columns, count);
  const std::int64_t rows = (count - 1) / columns + 1;
  const auto side = [padding](std::int64_t extent, std::int64_t tiles) {
    std::int64_t pitch = 0;
    std::int64_t total = 0;
    if (__builtin_add_overflow(extent, padding, &pitch) || __builtin_mul_overflow(pitch, tiles, &total) ||
        __builtin_add_overflow(total, padding, &total)) {
      throw Error(ErrorCode::too_large, "make_grid: padding " + to_text(padding) + " leads beyond 2^63 - 1 pixels");
    }
    return total;
  };
  const std::int64_t planes_out = planes == 1 ? 3 : planes;
  Tensor result(dtype_of<Work>, {planes_out, side(height, rows), side(width, columns)});
  Work* const out = result.mutable_data<Work>();
  if (options.pad_value != 0) std::fill_n(out, result.size(), static_cast<Work>(options.pad_value));
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t top = i / columns * (height + padding) + padding;
    const std::int64_t left = i % columns * (width + padding) + padding;
    for (std::int64_t plane = 0; plane < planes_out; ++plane) {
      const Work* in = values + i * image_size + (planes == 1 ? 0 : plane) * height * width;
      for (std::int64_t y = 0; y < height; ++y, in += width) {
        std::copy_n(in, width, out + (plane * result.extent(1) + top + y) * result.extent(2) + left);
      }
    }
  }
  return result;
}

/// Where everything of a grid picture goes, for one size of tiles.
struct GridLayout {
  std::int64_t columns = 1, rows = 1;
  std::int64_t zoom = 1, reduction = 1;
  std::int64_t tile_width = 0, tile_height = 0;  // pixels with the frame
  std::int64_t cell_width = 0, cell_height = 0;  // with the label
  std::int64_t left = 0, top = 0;                // of the first tile
  std::int64_t bar_left = 0, bar_height = 0;
  std::int64_t width = 0, height = 0;
};

inline std::int64_t widest(const std::vector<std::string>& texts) {
  std::int64_t width = 0;
  for (const std::string& text : texts) width = (std::max)(width, text_extent(text).width);
  return width;
}

inline GridLayout lay_out(const Grid& grid, const GridOptions& options, std::int64_t columns, std::int64_t widest_tile,
                          std::int64_t tallest_tile, std::int64_t zoom, std::int64_t reduction) {
  GridLayout layout;
  layout.columns = columns;
  layout.rows = (static_cast<std::int64_t>(grid.tiles.size()) - 1) / columns + 1;
  layout.zoom = zoom;
  layout.reduction = reduction;
  layout.tile_width = ((widest_tile - 1) / reduction + 1) * zoom + 2;
  layout.tile_height = ((tallest_tile - 1) / reduction + 1) * zoom + 2;
  layout.cell_width = (std::max)(layout.tile_width, (std::min<std::int64_t>)(widest(grid.labels), 72));
  layout.cell_width = (std::max)(layout.cell_width, (std::min<std::int64_t>)(widest(options.column_labels), 48));
  layout.cell_height = layout.tile_height + (grid.labels.empty() ? 0 : 15);

  const std::int64_t row_names = (std::min<std::int64_t>)(widest(options.row_labels), 144);
  layout.left = look::margin + (row_names > 0 ? row_names + 8 : 0);
  const bool headed = !options.column_labels.empty() || (options.colour_bar && !options.colour_bar->label.empty());
  layout.top = look::margin + (headed ? look::line : 0);
  const std::int64_t tiles_width = layout.columns * (layout.cell_width + options.padding) - options.padding;
  std::int64_t body_height = layout.rows * (layout.cell_height + options.padding) - options.padding;
  layout.width = layout.left + tiles_width + look::margin;
  if (options.colour_bar) {
    layout.bar_left = layout.left + tiles_width + 16;
    layout.bar_height = (std::clamp<std::int64_t>)(body_height, 64, 320);
    body_height = (std::max)(body_height, layout.bar_height);
    layout.width = layout.bar_left + colour_bar_width(*options.colour_bar) + look::margin;
  }
  const std::int64_t text_width =
      (std::min<std::int64_t>)(640, (std::max)(text_extent(options.title, look::title).width,
                                               (std::min<std::int64_t>)(widest(options.captions), 420)));
  layout.width = (std::max)(layout.width, text_width + 2 * look::margin);
  const TextBlocks texts(options.title, options.captions, layout.width - 2 * look::margin);
  layout.top += texts.above();
  layout.height = layout.top + body_height + texts.below() + look::margin;
  return layout;
}

inline void check_grid(const Grid& grid, const GridOptions& options, std::int64_t columns) {
  if (grid.tiles.empty()) throw Error(ErrorCode::empty, "render_grid: no tiles given");
  for (const Image& tile : grid.tiles) check_image(tile, "render_grid");
  const auto count = static_cast<std::int64_t>(grid.tiles.size());
  const auto check_labels = [](const char* what, std::size_t found, std::int64_t expected) {
    if (found != 0 && static_cast<std::int64_t>(found) != expected) {
      refuse_grid("render_grid", to_text(found) + " " + what + "; expected none or " + to_text(expected));
    }
  };
  if (columns < 1) refuse_grid("render_grid", "columns " + to_text(columns) + "; expected 1 or more");
  check_labels("labels", grid.labels.size(), count);
  check_labels("column labels", options.column_labels.size(), columns);
  check_labels("row labels", options.row_labels.size(), (count - 1) / columns + 1);
  if (options.padding < 0 || options.padding > 4096) {
    refuse_grid("render_grid", "padding " + to_text(options.padding) + "; expected 0 to 4096");
  }
  if (options.zoom && (*options.zoom < 1 || *options.zoom > 4096)) {
    refuse_grid("render_grid", "zoom " + to_text(*options.zoom) + "; expected 1 to 4096");
  }
  if (options.colour_bar) {
    const ColourBar& bar = *options.colour_bar;
    if (!is_finite(bar.range.min) || !is_finite(bar.range.max) || bar.range.min > bar.range.max ||
        (bar.scale == ColourBar::Scale::log && bar.range.min <= 0)) {
      refuse_grid("render_grid", "colour bar from " + to_text(bar.range.min) + " to " + to_text(bar.range.max) +
                                     "; expected finite numbers, min <= max (and min > 0 on a log scale)");
    }
  }
}

}  // namespace detail

LAYERSCOPE_INLINE Tensor make_grid(const AnyView& images, const MakeGridOptions& options) {
  if (images.rank() < 2 || images.empty()) {
    throw Error(ErrorCode::empty, "make_grid: shape " + to_text(images.shape()) + " holds no image");
  }
  if (images.rank() > 4) {
    detail::refuse_grid("make_grid", "shape " + to_text(images.shape()) + "; expected [n, c, h, w]");
  }
  if (options.columns < 1) {
    detail::refuse_grid("make_grid", "columns " + to_text(options.columns) + "; expected 1 or more");
  }
  if (options.padding < 0) {
    detail::refuse_grid("make_grid", "padding " + to_text(options.padding) + "; expected 0 or more");
  }
  Shape shape;
  Strides strides;
  for (int axis = images.rank(); axis < 4; ++axis) {
    shape.push_back(1);
    strides.push_back(0);
  }
  for (int axis = 0; axis < images.rank(); ++axis) {
    shape.push_back(images.extent(axis));
    strides.push_back(images.strides()[axis]);
  }
  const AnyView batch(images.data(), images.dtype(), shape, strides, images.owner());
  return images.dtype() == DType::f64 ? detail::make_grid_of<double>(batch, options)
                                      : detail::make_grid_of<float>(batch, options);
}

LAYERSCOPE_INLINE Image render_grid(const Grid& grid, const GridOptions& options) {
  const auto count = static_cast<std::int64_t>(grid.tiles.size());
  const std::int64_t columns = (std::min)(options.columns.value_or(grid.columns), (std::max<std::int64_t>)(count, 1));
  detail::check_grid(grid, options, columns);
  std::int64_t widest = 1;
  std::int64_t tallest = 1;
  for (const Image& tile : grid.tiles) {
    widest = (std::max)(widest, tile.width);
    tallest = (std::max)(tallest, tile.height);
  }

  GridOptions described = options;
  std::int64_t zoom =
      options.zoom ? *options.zoom : detail::derived_zoom((std::max)(widest, tallest), count, columns, options.padding);
  std::int64_t reduction = 1;
  auto layout = detail::lay_out(grid, described, columns, widest, tallest, zoom, reduction);
  const auto too_large = [&layout] {
    return static_cast<double>(layout.width) * static_cast<double>(layout.height) * 3 >
           static_cast<double>(max_image_bytes);
  };
  while (too_large() && (zoom > 1 || reduction < (std::max)(widest, tallest))) {
    if (zoom > 1) {
      --zoom;
    } else {
      reduction += 1 + reduction / 8;
      described.captions = options.captions;
      described.captions.push_back("tiles averaged " + to_text(reduction) + " × " + to_text(reduction) +
                                   ": the picture would exceed " + to_text(max_image_bytes) + " bytes");
    }
    layout = detail::lay_out(grid, described, columns, widest, tallest, zoom, reduction);
  }

  Image image = make_image(layout.width, layout.height, options.background);
  detail::TextBlocks(described.title, described.captions, layout.width - 2 * detail::look::margin).draw(image);
  const std::int64_t pitch_x = layout.cell_width + options.padding;
  const std::int64_t pitch_y = layout.cell_height + options.padding;
  for (std::int64_t i = 0; i < count; ++i) {
    const Image& given = grid.tiles[static_cast<std::size_t>(i)];
    Image reduced;
    if (reduction > 1) {
      reduced = resample(given, (given.width - 1) / reduction + 1, (given.height - 1) / reduction + 1);
    }
    const Image& tile = reduction > 1 ? reduced : given;
    const std::int64_t cell_x = layout.left + i % columns * pitch_x;
    const std::int64_t cell_y = layout.top + i / columns * pitch_y;
    const detail::Box frame{cell_x + (layout.cell_width - tile.width * zoom - 2) / 2,
                            cell_y + (layout.tile_height - tile.height * zoom - 2) / 2, tile.width * zoom + 2,
                            tile.height * zoom + 2};
    detail::draw_frame(image, frame, detail::look::frame);
    detail::paste(image, tile, frame.x + 1, frame.y + 1, zoom, zoom);
    if (!grid.labels.empty()) {
      const std::string label = elide(grid.labels[static_cast<std::size_t>(i)], layout.cell_width);
      detail::draw_text_centred(image, cell_x + layout.cell_width / 2, cell_y + layout.tile_height + 1, label,
                                detail::look::soft_ink);
    }
  }
  for (std::size_t column = 0; column < options.column_labels.size(); ++column) {
    const std::int64_t centre = layout.left + static_cast<std::int64_t>(column) * pitch_x + layout.cell_width / 2;
    detail::draw_text_centred(image, centre, layout.top - detail::look::line,
                              elide(options.column_labels[column], layout.cell_width), detail::look::ink);
  }
  for (std::size_t row = 0; row < options.row_labels.size(); ++row) {
    const std::int64_t middle = layout.top + static_cast<std::int64_t>(row) * pitch_y + layout.tile_height / 2;
    detail::draw_text_right(image, layout.left - 8, middle - 6,
                            elide(options.row_labels[row], layout.left - 8 - detail::look::margin), detail::look::ink);
  }
  if (options.colour_bar) {
    detail::draw_colour_bar(image, *options.colour_bar, layout.bar_left, layout.top, layout.bar_height);
  }
  return image;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
