// Bodies of core/kernels/pixels.hpp.
#pragma once

#include <layerscope/core/finite.hpp>
#include <layerscope/core/kernels/isa.hpp>
#include <layerscope/core/kernels/pixels.hpp>
#include <layerscope/core/parallel.hpp>
#include <layerscope/impl/kernels/exact_double_inl.hpp>
#include <layerscope/impl/kernels/x86_inl.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <vector>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// entry = clamp((x − lo) · factor, 0, top), truncated; the entries of the special values.
struct PixelScale {
  float lo;
  float factor;
  float top;
  std::int32_t nan;
  std::int32_t positive_infinity;
  std::int32_t negative_infinity;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

#define LAYERSCOPE_KERNEL_BODY <layerscope/impl/kernels/pixels_body.inc>
#include <layerscope/impl/kernels/for_each_level.inc>
#undef LAYERSCOPE_KERNEL_BODY

namespace layerscope::inline LAYERSCOPE_ABI::detail {

struct PixelKernels {
  void (*entries)(const float*, std::int64_t, const PixelScale&, std::int32_t*);
  void (*range)(const float*, std::int64_t, FiniteRange*);
};

LAYERSCOPE_INLINE PixelKernels pixel_kernels(IsaLevel level) noexcept {
#ifdef LAYERSCOPE_X86_KERNELS_
  if (level == IsaLevel::avx512) {
    return {level_avx512::pixel_entries, level_avx512::finite_range};
  }
  if (level == IsaLevel::avx2) return {level_avx2::pixel_entries, level_avx2::finite_range};
#endif
  static_cast<void>(level);
  return {level_portable::pixel_entries, level_portable::finite_range};
}

/// Values per task.
inline constexpr std::int64_t pixel_block = std::int64_t{1} << 16;
/// Values whose entries stay in the first cache between finding and using them.
inline constexpr std::int64_t pixel_run = 1024;

/// How values become entries: by float32 arithmetic, or by float64 where the range is too small or too large for it.
struct PixelMapping {
  PixelScale scale;
  double lo;
  double factor;
  bool wide;

  PixelMapping(float low, float high, int levels, std::int32_t nan, std::int32_t positive_infinity,
               std::int32_t negative_infinity) noexcept
      : lo(exact_double(low)) {
    const double range = exact_double(high) - lo;
    const double top = levels - 1;
    if (range == 0) {
      // Every value to the middle: (x − lo) · 0 would still be NaN under a far x, so the top is the bottom here.
      lo = 0;
      factor = 0;
      wide = true;
      middle_ = levels / 2;
    } else {
      factor = levels / range;
      const double magnitude = range < 0 ? -range : range;
      wide = magnitude < 0x1p-80 || magnitude > 0x1p120;
    }
    scale = {low,
             wide ? 0.0F : static_cast<float>(factor),
             static_cast<float>(top),
             nan,
             positive_infinity,
             negative_infinity};
  }

  std::int32_t entry(float x) const noexcept {
    if (!is_finite(x)) {
      if (is_nan(x)) return scale.nan;
      return sign_bit(x) ? scale.negative_infinity : scale.positive_infinity;
    }
    if (factor == 0) return middle_;
    const double t = (exact_double(x) - lo) * factor;
    return static_cast<std::int32_t>((std::min)((std::max)(t, 0.0), static_cast<double>(scale.top)));
  }

 private:
  std::int32_t middle_ = 0;
};

/// Entries of `count` values of one task into `entries`.
LAYERSCOPE_INLINE void map_run(const PixelKernels& kernels, const PixelMapping& mapping, const float* values,
                               std::int64_t count, std::int32_t* entries) {
  if (mapping.wide) {
    for (std::int64_t i = 0; i < count; ++i) entries[i] = mapping.entry(values[i]);
  } else {
    kernels.entries(values, count, mapping.scale, entries);
  }
}

/// The three bytes of each entry's colour, the first in the lowest bits of its word.
LAYERSCOPE_INLINE void expand_entries(const std::int32_t* entries, std::int64_t count, const std::uint64_t* colours,
                                      std::uint8_t* out) {
  std::int64_t i = 0;
  if constexpr (std::endian::native == std::endian::little) {
    for (; i + 8 <= count; i += 8, out += 24) {
      const std::uint64_t c2 = colours[entries[i + 2]];
      const std::uint64_t c5 = colours[entries[i + 5]];
      // Three stores: an array copied as one would be read back before its parts have left the store buffer.
      const std::uint64_t word0 = colours[entries[i]] | colours[entries[i + 1]] << 24 | c2 << 48;
      const std::uint64_t word1 = c2 >> 16 | colours[entries[i + 3]] << 8 | colours[entries[i + 4]] << 32 | c5 << 56;
      const std::uint64_t word2 = c5 >> 8 | colours[entries[i + 6]] << 16 | colours[entries[i + 7]] << 40;
      std::memcpy(out, &word0, 8);
      std::memcpy(out + 8, &word1, 8);
      std::memcpy(out + 16, &word2, 8);
    }
  }
  for (; i < count; ++i, out += 3) {
    const std::uint64_t colour = colours[entries[i]];
    out[0] = static_cast<std::uint8_t>(colour);
    out[1] = static_cast<std::uint8_t>(colour >> 8);
    out[2] = static_cast<std::uint8_t>(colour >> 16);
  }
}

/// Entries below 256 as bytes.
LAYERSCOPE_INLINE void narrow_entries(const std::int32_t* entries, std::int64_t count, std::uint8_t* out) {
  std::int64_t i = 0;
#ifdef __SSE2__
  const auto load = [entries](std::int64_t at) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(entries + at));
  };
  for (; i + 16 <= count; i += 16) {
    const __m128i low = _mm_packs_epi32(load(i), load(i + 4));
    const __m128i high = _mm_packs_epi32(load(i + 8), load(i + 12));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), _mm_packus_epi16(low, high));
  }
#endif
  for (; i < count; ++i) out[i] = static_cast<std::uint8_t>(entries[i]);
}

LAYERSCOPE_INLINE void map_pixels_rgb(const PixelKernels& kernels, const float* values, std::int64_t count, float lo,
                                      float hi, const PixelColours& colours, std::uint8_t* out, int threads) {
  const PixelMapping mapping(lo, hi, 256, 256, 257, 258);
  std::array<std::uint64_t, 259> table{};
  for (std::size_t i = 0; i < table.size(); ++i) {
    const Rgb colour = i < 256    ? colours.map[i]
                       : i == 256 ? colours.nan
                       : i == 257 ? colours.positive_infinity
                                  : colours.negative_infinity;
    table[i] = std::uint64_t{colour.b} << 16 | std::uint64_t{colour.g} << 8 | colour.r;
  }
  parallel_for((count + pixel_block - 1) / pixel_block, threads, [&](std::int64_t block) {
    alignas(64) std::array<std::int32_t, pixel_run> entries;
    const std::int64_t last = (std::min)(count, (block + 1) * pixel_block);
    for (std::int64_t first = block * pixel_block; first < last; first += pixel_run) {
      const std::int64_t run = (std::min)(pixel_run, last - first);
      map_run(kernels, mapping, values + first, run, entries.data());
      expand_entries(entries.data(), run, table.data(), out + 3 * first);
    }
  });
}

LAYERSCOPE_INLINE void map_pixels_index(const PixelKernels& kernels, const float* values, std::int64_t count, float lo,
                                        float hi, const PixelLevels& levels, std::uint8_t* out, int threads) {
  const PixelMapping mapping(lo, hi, levels.levels, levels.nan, levels.positive_infinity, levels.negative_infinity);
  parallel_for((count + pixel_block - 1) / pixel_block, threads, [&](std::int64_t block) {
    alignas(64) std::array<std::int32_t, pixel_run> entries;
    const std::int64_t last = (std::min)(count, (block + 1) * pixel_block);
    for (std::int64_t first = block * pixel_block; first < last; first += pixel_run) {
      const std::int64_t run = (std::min)(pixel_run, last - first);
      map_run(kernels, mapping, values + first, run, entries.data());
      narrow_entries(entries.data(), run, out + first);
    }
  });
}

LAYERSCOPE_INLINE FiniteRange reduce_finite_range(const PixelKernels& kernels, const float* values, std::int64_t count,
                                                  int threads) {
  const std::int64_t blocks = (count + pixel_block - 1) / pixel_block;
  std::vector<FiniteRange> parts(static_cast<std::size_t>((std::max<std::int64_t>)(blocks, 0)));
  parallel_for(blocks, blocks < 4 ? 1 : threads, [&](std::int64_t block) {
    const std::int64_t first = block * pixel_block;
    kernels.range(values + first, (std::min)(count - first, pixel_block), &parts[static_cast<std::size_t>(block)]);
  });
  FiniteRange all;
  for (const FiniteRange& part : parts) {
    if (part.finite > 0) {
      all.min = all.finite == 0 ? part.min : (std::min)(all.min, part.min);
      all.max = all.finite == 0 ? part.max : (std::max)(all.max, part.max);
    }
    all.finite += part.finite;
    all.nan += part.nan;
    all.positive_infinity += part.positive_infinity;
    all.negative_infinity += part.negative_infinity;
  }
  return all;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE void colormap_rgb(const float* values, std::int64_t count, float lo, float hi,
                                    const PixelColours& colours, std::uint8_t* out, int threads) {
  detail::map_pixels_rgb(detail::pixel_kernels(isa_level()), values, count, lo, hi, colours, out, threads);
}

LAYERSCOPE_INLINE void colormap_index(const float* values, std::int64_t count, float lo, float hi,
                                      const PixelLevels& levels, std::uint8_t* out, int threads) {
  detail::map_pixels_index(detail::pixel_kernels(isa_level()), values, count, lo, hi, levels, out, threads);
}

LAYERSCOPE_INLINE FiniteRange finite_min_max(const float* values, std::int64_t count, int threads) {
  return detail::reduce_finite_range(detail::pixel_kernels(isa_level()), values, count, threads);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
