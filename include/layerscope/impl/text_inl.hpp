// Body of algorithms/text.hpp and algorithms/detail/text_layout.hpp.
#pragma once

#include <layerscope/algorithms/detail/text_layout.hpp>
#include <layerscope/algorithms/text.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/impl/data/font.hpp>

#include <algorithm>
#include <array>
#include <span>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

LAYERSCOPE_INLINE Utf8Character decode_utf8(std::string_view text, std::size_t at) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(at);
  if (lead < 0x80) return {lead, 1, true};
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() - at < length) return {lead, 1, false};
  std::uint32_t value = lead & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return {lead, 1, false};
    value = value << 6 | (byte(at + i) & 0x3Fu);
  }
  constexpr std::uint32_t smallest[] = {0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < smallest[length - 2] || surrogate || value > 0x10FFFF) return {lead, 1, false};
  return {value, length, true};
}

/// The glyph of a code point, or null. Signs that the bold font lacks come from the regular one.
inline const Glyph* find_glyph(std::uint32_t code_point, FontWeight weight) noexcept {
  const auto find = [code_point](std::span<const Glyph> glyphs) -> const Glyph* {
    const auto found = std::lower_bound(glyphs.begin(), glyphs.end(), code_point,
                                        [](const Glyph& glyph, std::uint32_t code) { return glyph.code_point < code; });
    return found != glyphs.end() && found->code_point == code_point ? &*found : nullptr;
  };
  const Glyph* glyph = weight == FontWeight::bold ? find(bold_glyphs) : nullptr;
  return glyph != nullptr ? glyph : find(regular_glyphs);
}

/// Rows of three bits, the first row in the highest bits: digits small enough for a box that names a code point.
inline constexpr std::array<std::uint16_t, 16> small_digits{
    0b111'101'101'101'111, 0b010'110'010'010'111, 0b111'001'111'100'111, 0b111'001'111'001'111,
    0b101'101'111'001'001, 0b111'100'111'001'111, 0b111'100'111'101'111, 0b111'001'001'001'001,
    0b111'101'111'101'111, 0b111'101'111'001'111, 0b010'101'111'101'101, 0b110'101'110'101'110,
    0b011'100'100'100'011, 0b110'101'101'101'110, 0b111'100'110'100'111, 0b111'100'110'100'100};

inline int hex_digits(const Utf8Character& character) noexcept {
  return !character.valid || character.value < 0x100 ? 2 : character.value < 0x10000 ? 4 : 6;
}

/// Font pixels from one character to the next.
inline std::int64_t advance(const Utf8Character& character) noexcept {
  // The regular font has every glyph that the bold one has.
  const bool drawn = character.valid && find_glyph(character.value, FontWeight::regular) != nullptr;
  return drawn ? font_width : 4 * hex_digits(character) + 4;
}

inline void check_text(const TextOptions& options) {
  if (options.scale < 1 || options.scale > 64) {
    throw Error(ErrorCode::invalid_argument, "text: scale " + to_text(options.scale) + "; expected 1 to 64");
  }
}

/// Width of the text in font pixels.
inline std::int64_t font_pixels(std::string_view utf8) noexcept {
  std::int64_t width = 0;
  for (std::size_t at = 0; at < utf8.size();) {
    const Utf8Character character = decode_utf8(utf8, at);
    width += advance(character);
    at += character.bytes;
  }
  return width;
}

LAYERSCOPE_INLINE void plot_text(std::string_view utf8, FontWeight weight,
                                 FunctionRef<void(std::int64_t, std::int64_t)> plot) {
  std::int64_t left = 0;
  for (std::size_t at = 0; at < utf8.size();) {
    const Utf8Character character = decode_utf8(utf8, at);
    const Glyph* const glyph = character.valid ? find_glyph(character.value, weight) : nullptr;
    if (glyph != nullptr) {
      for (int y = 0; y < font_height; ++y) {
        const std::uint64_t row = y < 7 ? glyph->top >> (6 * (6 - y)) : glyph->bottom >> (6 * (12 - y));
        for (int x = 0; x < font_width; ++x) {
          if ((row >> (5 - x) & 1) != 0) plot(left + x, y);
        }
      }
    } else {
      const int digits = hex_digits(character);
      const std::int64_t right = 4 * digits + 2;
      for (std::int64_t x = 0; x <= right; ++x) {
        plot(left + x, 2);
        plot(left + x, 10);
      }
      for (int y = 3; y < 10; ++y) {
        plot(left, y);
        plot(left + right, y);
      }
      for (int digit = 0; digit < digits; ++digit) {
        const std::uint16_t rows = small_digits[character.value >> (4 * (digits - 1 - digit)) & 0xF];
        for (int bit = 0; bit < 15; ++bit) {
          if ((rows >> (14 - bit) & 1) != 0) plot(left + 2 + 4 * digit + bit % 3, 4 + bit / 3);
        }
      }
    }
    left += advance(character);
    at += character.bytes;
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

LAYERSCOPE_INLINE void draw_text_upwards(Image& image, std::int64_t x, std::int64_t y, std::string_view utf8,
                                         Rgb colour, const TextOptions& options) {
  check_drawable(image, options);
  if (x >= image.width || y >= image.height) return;
  const std::int64_t bottom = font_pixels(utf8) - 1;
  plot_text(utf8, options.weight, [&](std::int64_t column, std::int64_t row) {
    fill_square(image, x + row * options.scale, y + (bottom - column) * options.scale, options.scale, colour);
  });
}

LAYERSCOPE_INLINE std::vector<std::string> wrap_text(std::string_view utf8, std::int64_t width,
                                                     const TextOptions& options) {
  std::vector<std::string> lines;
  std::string line;
  const auto flush = [&] {
    lines.push_back(std::move(line));
    line.clear();
  };
  for (std::size_t at = 0; at < utf8.size();) {
    const std::size_t end = (std::min)(utf8.find_first_of(" \n", at), utf8.size());
    const std::string word = elide(utf8.substr(at, end - at), width, options);
    const std::string longer = line.empty() ? word : line + " " + word;
    if (text_extent(longer, options).width <= width) {
      line = longer;
    } else {
      flush();
      line = word;
    }
    if (end < utf8.size() && utf8[end] == '\n') flush();
    at = end + 1;
  }
  if (!line.empty()) flush();
  return lines;
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
  return {detail::font_pixels(utf8) * options.scale, detail::font_height * options.scale};
}

LAYERSCOPE_INLINE std::string elide(std::string_view utf8, std::int64_t width, const TextOptions& options) {
  if (text_extent(utf8, options).width <= width) return std::string(utf8);
  const std::int64_t room = width / options.scale - detail::font_width;  // font pixels left of the "…"
  if (room < 0) return {};
  std::int64_t used = 0;
  std::size_t at = 0;
  while (at < utf8.size()) {
    const detail::Utf8Character character = detail::decode_utf8(utf8, at);
    const std::int64_t next = used + detail::advance(character);
    if (next > room) break;
    used = next;
    at += character.bytes;
  }
  return std::string(utf8.substr(0, at)) + "…";
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
