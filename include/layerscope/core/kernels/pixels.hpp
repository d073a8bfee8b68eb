// Float32 values to colours, and the range of the finite ones, at the speed of memory.
//
// What is finite is decided by bits, so that NaN and infinities are told apart under -ffast-math and -Ofast as well.
// The instruction set is chosen at run time (isa.hpp); results do not depend on the number of threads. `threads` <= 0
// means every core.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/image.hpp>

#include <cstdint>
#include <span>

namespace layerscope::inline LAYERSCOPE_ABI {

/// The 256 colours of a range, smallest number first, and those of what has no place in it.
struct PixelColours {
  std::span<const Rgb, 256> map;
  Rgb nan;
  Rgb positive_infinity;
  Rgb negative_infinity;
};

/// out[3 · i …] = the colour of values[i]: entry min(⌊256·t⌋, 255) of the map, t = (value − lo) / (hi − lo) clamped to
/// [0, 1]. `lo` and `hi` are finite; lo > hi runs the map backwards; where they are equal every finite value gets the
/// middle entry 128. At the border of two entries the last bit of the float32 arithmetic decides.
void colormap_rgb(const float* values, std::int64_t count, float lo, float hi, const PixelColours& colours,
                  std::uint8_t* out, int threads);

/// Entries of a palette image: `levels` entries for the range and one for each kind of value outside it.
struct PixelLevels {
  int levels = 253;  ///< 1 … 256
  std::uint8_t nan = 253;
  std::uint8_t positive_infinity = 254;
  std::uint8_t negative_infinity = 255;
};

/// out[i] = min(⌊levels·t⌋, levels − 1), t as in colormap_rgb(), or the entry of the special values.
void colormap_index(const float* values, std::int64_t count, float lo, float hi, const PixelLevels& levels,
                    std::uint8_t* out, int threads);

/// Extremes of the finite values, and how many of each kind there are. `min` and `max` are 0 when none is finite.
struct FiniteRange {
  float min = 0;
  float max = 0;
  std::int64_t finite = 0;
  std::int64_t nan = 0;
  std::int64_t positive_infinity = 0;
  std::int64_t negative_infinity = 0;
  friend bool operator==(const FiniteRange&, const FiniteRange&) = default;
};

FiniteRange finite_min_max(const float* values, std::int64_t count, int threads);

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/kernels/pixels_inl.hpp>
#endif
