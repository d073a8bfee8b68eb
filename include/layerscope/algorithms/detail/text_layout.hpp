// How a line of text becomes font pixels; shared by the drawing functions.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/parallel.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {
enum class FontWeight : std::uint8_t;
struct TextOptions;
}  // namespace layerscope::inline LAYERSCOPE_ABI

namespace layerscope::inline LAYERSCOPE_ABI::detail {

inline constexpr std::int64_t font_width = 6;
inline constexpr std::int64_t font_height = 13;

/// One character as read from UTF-8: a code point, or one byte that is not valid where it stands.
struct Utf8Character {
  std::uint32_t value = 0;
  std::size_t bytes = 1;
  bool valid = true;
};

/// The character at `at`, as core/detail/utf8.hpp reads it.
Utf8Character decode_utf8(std::string_view text, std::size_t at) noexcept;

/// Width of the text in font pixels.
std::int64_t font_pixels(std::string_view utf8, FontWeight weight) noexcept;

/// Font pixels from one character to the next. Bold has one more: its strokes fill the cell, and letters would touch.
std::int64_t advance(const Utf8Character& character, FontWeight weight) noexcept;

/// Calls `plot(x, y)` for every set font pixel of `utf8`, y in [0, font_height), from left to right by character.
void plot_text(std::string_view utf8, FontWeight weight, FunctionRef<void(std::int64_t, std::int64_t)> plot);

/// `utf8` broken at spaces (and at '\n') into lines of at most `width` pixels; words wider than that are elided.
std::vector<std::string> wrap_text(std::string_view utf8, std::int64_t width, const TextOptions& options);

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/text_layout_inl.hpp>
#endif
