// Body of algorithms/colormap.hpp.
#pragma once

#include <layerscope/algorithms/colormap.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/impl/data/colormaps.hpp>

#include <cstddef>
#include <string>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

constexpr std::array<Rgb, 256> unpacked(const std::array<std::uint32_t, 256>& packed) noexcept {
  std::array<Rgb, 256> table{};
  for (std::size_t i = 0; i < packed.size(); ++i) {
    table[i] = {static_cast<std::uint8_t>(packed[i] >> 16), static_cast<std::uint8_t>(packed[i] >> 8 & 0xFF),
                static_cast<std::uint8_t>(packed[i] & 0xFF)};
  }
  return table;
}

/// In the order of the enumerators.
inline constexpr std::array<std::array<Rgb, 256>, 8> colormap_tables{
    unpacked(viridis_table), unpacked(magma_table), unpacked(inferno_table), unpacked(plasma_table),
    unpacked(cividis_table), unpacked(gray_table),  unpacked(turbo_table),   unpacked(blue_white_red_table)};

inline constexpr std::array<const char*, 8> colormap_names{"viridis", "magma", "inferno", "plasma",
                                                           "cividis", "gray",  "turbo",   "blue_white_red"};

}  // namespace detail

LAYERSCOPE_INLINE std::span<const Rgb, 256> colormap_table(Colormap map) noexcept {
  return detail::colormap_tables[static_cast<std::size_t>(map)];
}

LAYERSCOPE_INLINE Rgb colour(Colormap map, double t) noexcept {
  // Comparisons are ordered so that NaN takes the first entry without ever being converted to an integer.
  std::size_t index = 0;
  if (t >= 1) {
    index = 255;
  } else if (t > 0) {
    index = static_cast<std::size_t>(256 * t);
  }
  return colormap_table(map)[index];
}

LAYERSCOPE_INLINE const char* name(Colormap map) noexcept {
  return detail::colormap_names[static_cast<std::size_t>(map)];
}

LAYERSCOPE_INLINE Colormap colormap_from_name(std::string_view wanted) {
  std::string names;
  for (const Colormap map : all_colormaps) {
    if (wanted == name(map)) return map;
    names += (names.empty() ? "" : ", ") + std::string(name(map));
  }
  throw Error(ErrorCode::invalid_argument,
              "colormap: \"" + std::string(wanted) + "\" is not known; expected one of " + names);
}

LAYERSCOPE_INLINE ClassStyle class_style(std::int64_t label) noexcept {
  if (label < 0) return {{0xA0, 0xA0, 0xA0}, Marker::disc};
  return {okabe_ito[static_cast<std::size_t>(label % 8)], static_cast<Marker>(label / 8 % 6)};
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
