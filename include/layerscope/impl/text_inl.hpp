// Body of algorithms/text.hpp.
#pragma once

#include <layerscope/algorithms/detail/text_layout.hpp>
#include <layerscope/algorithms/text.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>

#include <algorithm>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

inline void check_text(const TextOptions& options) {
  if (options.scale < 1 || options.scale > 64) {
    throw Error(ErrorCode::invalid_argument, "text: scale " + to_text(options.scale) + "; expected 1 to 64");
  }
}

/// Fills the part of a square that lies inside the image. No coordinate may be within 2^32 of the ends of 64 bits.
inline void fill_square(Image& image, std::int64_t x, std::int64_t y, std::int64_t side, Rgb colour) noexcept {
  const std::int64_t x_end = (std::min)(x + side, image.width);
  const std::int64_t y_end = (std::min)(y + side, image.height);
  for (std::int64_t row = (std::max<std::int64_t>)(y, 0); row < y_end; ++row) {
    for (std::int64_t column = (std::max<std::int64_t>)(x, 0); column < x_end; ++column) {
      std::uint8_t* const pixel = image.at(column, row);
      pixel[0] = colour.r;
      if (image.format == PixelFormat::gray) {
        pixel[0] = static_cast<std::uint8_t>((299 * colour.r + 587 * colour.g + 114 * colour.b + 500) / 1000);
        continue;
      }
      pixel[1] = colour.g;
      pixel[2] = colour.b;
      if (image.format == PixelFormat::rgba) pixel[3] = 255;
    }
  }
}

inline void check_drawable(const Image& image, const TextOptions& options) {
  check_text(options);
  if (image.format == PixelFormat::indexed) {
    throw Error(ErrorCode::invalid_argument, "text: the image is indexed; expected gray, rgb or rgba (see to_rgb)");
  }
  check_image(image, "text");
}

}  // namespace detail

LAYERSCOPE_INLINE void draw_text(Image& image, std::int64_t x, std::int64_t y, std::string_view utf8, Rgb colour,
                                 const TextOptions& options) {
  detail::check_drawable(image, options);
  if (x >= image.width || y >= image.height) return;
  detail::plot_text(utf8, options.weight, [&](std::int64_t column, std::int64_t row) {
    detail::fill_square(image, x + column * options.scale, y + row * options.scale, options.scale, colour);
  });
}

LAYERSCOPE_INLINE TextExtent text_extent(std::string_view utf8, const TextOptions& options) {
  detail::check_text(options);
  return {detail::font_pixels(utf8, options.weight) * options.scale, detail::font_height * options.scale};
}

LAYERSCOPE_INLINE std::string elide(std::string_view utf8, std::int64_t width, const TextOptions& options) {
  if (text_extent(utf8, options).width <= width) return std::string(utf8);
  const std::int64_t room = width / options.scale - detail::font_pixels("…", options.weight);
  if (room < 0) return {};
  std::int64_t used = 0;
  std::size_t at = 0;
  while (at < utf8.size()) {
    const detail::Utf8Character character = detail::decode_utf8(utf8, at);
    const std::int64_t next = used + detail::advance(character, options.weight);
    if (next > room) break;
    used = next;
    at += character.bytes;
  }
  return std::string(utf8.substr(0, at)) + "…";
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
