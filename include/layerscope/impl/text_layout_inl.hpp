// Body of algorithms/detail/text_layout.hpp.
#pragma once

#include <layerscope/algorithms/detail/text_layout.hpp>
#include <layerscope/algorithms/text.hpp>
#include <layerscope/core/detail/utf8.hpp>
#include <layerscope/impl/data/font.hpp>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

LAYERSCOPE_INLINE Utf8Character decode_utf8(std::string_view text, std::size_t at) noexcept {
  const Utf8Sequence sequence = read_utf8(text.substr(at));
  if (sequence.valid) return {sequence.code_point, sequence.bytes, true};
  return {static_cast<unsigned char>(text[at]), 1, false};
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

LAYERSCOPE_INLINE std::int64_t advance(const Utf8Character& character, FontWeight weight) noexcept {
  // The regular font has every glyph that the bold one has.
  const bool drawn = character.valid && find_glyph(character.value, FontWeight::regular) != nullptr;
  return drawn ? font_width + (weight == FontWeight::bold ? 1 : 0) : 4 * hex_digits(character) + 4;
}

LAYERSCOPE_INLINE std::int64_t font_pixels(std::string_view utf8, FontWeight weight) noexcept {
  std::int64_t width = 0;
  for (std::size_t at = 0; at < utf8.size();) {
    const Utf8Character character = decode_utf8(utf8, at);
    width += advance(character, weight);
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
    left += advance(character, weight);
    at += character.bytes;
  }
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

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
