// Body of algorithms/sprite_sheet.hpp.
#pragma once

#include <layerscope/algorithms/resample.hpp>
#include <layerscope/algorithms/sprite_sheet.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/tensor.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// The smallest square grid that holds `count` cells.
inline std::int64_t square_side(std::int64_t count) noexcept {
  std::int64_t side = 1;
  while (side * side < count) ++side;
  return side;
}

/// `image`, no larger than its cell, in the middle of a cell of the sheet.
inline void place_sprite(Image& sheet, const Image& image, std::int64_t cell, std::int64_t column, std::int64_t row) {
  const std::int64_t longest = (std::max)(image.width, image.height);
  const auto shrunk = [&](std::int64_t side) { return (std::max)(side * cell / longest, std::int64_t{1}); };
  const Image scaled =
      longest > cell ? resample(image, shrunk(image.width), shrunk(image.height), {.threads = 1}) : image;
  const Image pixels = scaled.format == sheet.format ? scaled : to_rgb(scaled);
  const std::int64_t x = column * cell + (cell - pixels.width) / 2;
  const std::int64_t y = row * cell + (cell - pixels.height) / 2;
  const auto line = static_cast<std::size_t>(pixels.width * channels(pixels.format));
  for (std::int64_t i = 0; i < pixels.height; ++i) std::memcpy(sheet.at(x, y + i), pixels.at(0, i), line);
}

/// A sheet of `count` images of at most `longest` pixels a side, drawn later by `image_at`.
inline SpriteSheet plan_sprites(std::int64_t count, std::int64_t longest, PixelFormat format,
                                const SpriteSheetOptions& options, std::function<Image(std::int64_t)> image_at) {
  const auto check = [](const char* what, std::int64_t value) {
    if (value < 1) {
      throw Error(ErrorCode::invalid_argument,
                  "sprite sheet: " + std::string(what) + " " + to_text(value) + "; expected at least 1");
    }
  };
  check("max_thumbnail", options.max_thumbnail);
  check("max_side", options.max_side);
  if (count == 0) throw Error(ErrorCode::empty, "sprite sheet: no images; expected at least one");
  const std::int64_t cells = square_side(count);
  if (cells > options.max_side) {
    throw Error(ErrorCode::too_large, "sprite sheet: " + to_text(count) + " images; expected at most " +
                                          to_text(options.max_side) + " a side");
  }
  const std::int64_t wanted = (std::min)(longest, options.max_thumbnail);
  const std::int64_t cell = (std::min)(wanted, options.max_side / cells);
  SpriteSheet result;
  if (cell < wanted) {
    result.warnings.push_back("thumbnails shrunk from " + to_text(wanted) + " to " + to_text(cell) +
                              " pixels, as the sheet may have " + to_text(options.max_side) + " a side");
  }
  result.sprites.width = cell;
  result.sprites.height = cell;
  result.sprites.sheet = Picture([count, cells, cell, format, image_at = std::move(image_at)] {
    Image sheet = make_image(cells * cell, cells * cell, format);
    for (std::int64_t i = 0; i < count; ++i) place_sprite(sheet, image_at(i), cell, i % cells, i / cells);
    return sheet;
  });
  return result;
}

/// The axes of images as N, C, H, W; C may be missing.
inline AnyView sprite_axes(const AnyView& images, const std::optional<Layout>& given) {
  const Layout layout = given ? *given : images.rank() == 3 ? layouts::nhw : layouts::nchw;
  const bool channels = layout.find('C') >= 0;
  bool known = layout.rank() == (channels ? 4 : 3) && layout.rank() == images.rank();
  std::vector<int> order;
  for (const char letter : std::string(channels ? "NCHW" : "NHW")) {
    order.push_back(layout.find(letter));
    known = known && order.back() >= 0;
  }
  if (!known) {
    throw Error(ErrorCode::invalid_argument, "sprite sheet: shape " + to_text(images.shape()) + " as " +
                                                 std::string(layout.axes()) + "; expected NHW or NCHW in some order");
  }
  AnyView ordered = images.permute(order);
  if (channels && ordered.extent(1) != 1 && ordered.extent(1) != 3) {
    throw Error(ErrorCode::invalid_argument,
                "sprite sheet: " + to_text(ordered.extent(1)) + " channels; expected 1 (grey) or 3 (RGB)");
  }
  return ordered;
}

inline Range sprite_range(const Tensor& values) {
  Range range{0, 0};
  bool first = true;
  const float* data = values.data<float>();
  for (std::int64_t i = 0; i < values.size(); ++i) {
    if (!is_finite(data[i])) continue;
    const auto value = static_cast<double>(data[i]);
    range = first ? Range{value, value} : Range{(std::min)(range.min, value), (std::max)(range.max, value)};
    first = false;
  }
  return range;
}

/// One image [channels, height, width] as pixels.
inline Image sprite_pixels(const float* data, std::int64_t planes, std::int64_t height, std::int64_t width,
                           const Range& range) {
  Image image = make_image(width, height, planes == 3 ? PixelFormat::rgb : PixelFormat::gray);
  const double scale = range.max > range.min ? 255 / (range.max - range.min) : 0;
  for (std::int64_t plane = 0; plane < planes; ++plane) {
    for (std::int64_t i = 0; i < height * width; ++i) {
      const auto value = static_cast<double>(*data++);
      double level = 0;
      if (is_finite(value)) level = (std::clamp)((value - range.min) * scale, 0.0, 255.0);
      image.pixels[static_cast<std::size_t>(i * planes + plane)] = static_cast<std::uint8_t>(level + 0.5);
    }
  }
  return image;
}

}  // namespace detail

LAYERSCOPE_INLINE SpriteSheet sprite_sheet(std::vector<Image> images, const SpriteSheetOptions& options) {
  std::int64_t longest = 1;
  PixelFormat format = PixelFormat::gray;
  for (const Image& image : images) {
    check_image(image, "sprite sheet");
    longest = (std::max)({longest, image.width, image.height});
    if (image.format != PixelFormat::gray) format = PixelFormat::rgb;
  }
  const auto count = static_cast<std::int64_t>(images.size());
  return detail::plan_sprites(count, longest, format, options,
                              [all = std::make_shared<const std::vector<Image>>(std::move(images))](std::int64_t i) {
                                return (*all)[static_cast<std::size_t>(i)];
                              });
}

LAYERSCOPE_INLINE SpriteSheet sprite_sheet(const AnyView& images, const std::optional<Layout>& layout,
                                           const SpriteSheetOptions& options) {
  if (images.empty()) {
    throw Error(ErrorCode::empty, "sprite sheet: shape " + to_text(images.shape()) + "; expected images");
  }
  const AnyView ordered = detail::sprite_axes(images, layout);
  const int last = ordered.rank() - 1;
  const std::int64_t width = ordered.extent(last);
  const std::int64_t height = ordered.extent(last - 1);
  const std::int64_t planes = last == 3 ? ordered.extent(1) : 1;
  const bool bytes = images.dtype() == DType::u8;
  // An owned view is converted when the sheet is drawn, if ever.
  const AnyView kept = ordered.owner() != nullptr ? ordered : copy(ordered).view();
  struct Drawing {
    Tensor values;
    Range range;
  };
  const auto drawing = std::make_shared<std::optional<Drawing>>();
  return detail::plan_sprites(
      ordered.extent(0), (std::max)(width, height), planes == 3 ? PixelFormat::rgb : PixelFormat::gray, options,
      [=, range = options.range](std::int64_t i) {
        if (!*drawing) {
          Tensor values = convert(kept, DType::f32);
          const Range derived = bytes ? Range{0, 255} : range ? Range{} : detail::sprite_range(values);
          *drawing = Drawing{std::move(values), range.value_or(derived)};
        }
        const float* data = (*drawing)->values.template data<float>() + i * planes * height * width;
        return detail::sprite_pixels(data, planes, height, width, (*drawing)->range);
      });
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
