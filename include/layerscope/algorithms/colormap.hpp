// Colours for numbers (perceptual colormaps of 256 entries) and for classes (the Okabe–Ito palette).
//
// viridis, magma, inferno, plasma: van der Walt and Smith 2015 (CC0). cividis: Nuñez, Anderton and Renslow 2018 (CC0).
// turbo: Mikhailov 2019 (Apache-2.0; its notice stands beside the table). Okabe and Ito 2008, "Color Universal Design".
// Tables hold round(255 · v) of the published numbers. blue_white_red is ours: see its enumerator.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/image.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace layerscope::inline LAYERSCOPE_ABI {

enum class Colormap : std::uint8_t {
  viridis,  ///< dark violet, green, yellow: the default for numbers without a special middle
  magma,    ///< black, purple, cream
  inferno,  ///< black, red, light yellow
  plasma,   ///< blue, magenta, yellow
  cividis,  ///< blue to yellow, made to look alike with and without colour-vision deficiency
  gray,     ///< black to white
  turbo,    ///< rainbow-like; not monotone in lightness, for telling levels apart only
  /// Diverging: dark blue, exact white in the middle (entries 127 and 128), dark red, for signed numbers such as
  /// weights. By formula in OKLab (Ottosson 2020): at the distance s in [0, 1] from the middle, lightness 1 − 0.65·s
  /// and chroma 0.14·sin(0.7πs) at hue 258° or 28°, so that +v and −v look equally strong.
  blue_white_red,
};

inline constexpr std::array<Colormap, 8> all_colormaps{Colormap::viridis, Colormap::magma,         Colormap::inferno,
                                                       Colormap::plasma,  Colormap::cividis,       Colormap::gray,
                                                       Colormap::turbo,   Colormap::blue_white_red};

/// The 256 colours from the smallest number to the largest.
std::span<const Rgb, 256> colormap_table(Colormap map) noexcept;

/// The colour of `t` in [0, 1]: entry min(⌊256·t⌋, 255). Numbers outside are clamped; NaN counts as 0.
Rgb colour(Colormap map, double t) noexcept;

/// "viridis", "blue_white_red" …
const char* name(Colormap map) noexcept;

/// The colormap of this name. Throws Error(invalid_argument), whose message lists the names there are.
Colormap colormap_from_name(std::string_view name);

/// The eight colours of Okabe and Ito, in an order that keeps the least legible on white (black aside) for last:
/// blue, vermilion, bluish green, reddish purple, orange, sky blue, black, yellow.
inline constexpr std::array<Rgb, 8> okabe_ito{Rgb{0x00, 0x72, 0xB2}, Rgb{0xD5, 0x5E, 0x00}, Rgb{0x00, 0x9E, 0x73},
                                              Rgb{0xCC, 0x79, 0xA7}, Rgb{0xE6, 0x9F, 0x00}, Rgb{0x56, 0xB4, 0xE9},
                                              Rgb{0x00, 0x00, 0x00}, Rgb{0xF0, 0xE4, 0x42}};

/// Shapes that tell classes apart once the colours are used up.
enum class Marker : std::uint8_t { disc, square, triangle, diamond, cross, plus };

/// How a class is drawn.
struct ClassStyle {
  Rgb colour;
  Marker marker = Marker::disc;
  friend bool operator==(const ClassStyle&, const ClassStyle&) = default;
};

/// The style of class `label`: okabe_ito[label mod 8] with marker number ⌊label / 8⌋ mod 6, so that 48 classes differ
/// before styles repeat. Negative labels (commonly "no label") are grey discs.
ClassStyle class_style(std::int64_t label) noexcept;

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/colormap_inl.hpp>
#endif
