// Text on images, with a small embedded bitmap font.
//
// The font is X11's misc-fixed 6x13 and its bold ("Public domain font. Share and enjoy."): ASCII, Latin-1, Greek, and
// the punctuation and signs listed in tests/reference/font.py.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/image.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace layerscope::inline LAYERSCOPE_ABI {

enum class FontWeight : std::uint8_t { regular, bold };

struct TextOptions {
  /// Side of the square of pixels that each font pixel becomes, 1 to 64. Default 1: cells of 6 × 13 pixels.
  int scale = 1;
  /// Default regular.
  FontWeight weight = FontWeight::regular;
};

/// Width and height in pixels.
struct TextExtent {
  std::int64_t width = 0;
  std::int64_t height = 0;
  friend bool operator==(const TextExtent&, const TextExtent&) = default;
};

/// Draws `utf8` with the top left corner of its first cell at (x, y); parts outside the image are cut off. One line:
/// control characters, code points without a glyph, and bytes that are no valid UTF-8 are drawn as a frame around their
/// hexadecimal digits. Throws Error(invalid_argument) for PixelFormat::indexed and for a scale outside 1 to 64.
void draw_text(Image& image, std::int64_t x, std::int64_t y, std::string_view utf8, Rgb colour,
               const TextOptions& options = {});

/// The pixels that draw_text() covers. Throws as it does for the scale.
TextExtent text_extent(std::string_view utf8, const TextOptions& options = {});

/// `utf8` cut to at most `width` pixels, ending in "…" where something was cut: "conv1/very…". Never splits a
/// character; empty when not even "…" fits.
std::string elide(std::string_view utf8, std::int64_t width, const TextOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/text_inl.hpp>
#endif
