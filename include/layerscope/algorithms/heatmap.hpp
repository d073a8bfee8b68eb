// A matrix as coloured pixels, one per number.
#pragma once

#include <layerscope/algorithms/colormap.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/image.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <cstdint>
#include <optional>

namespace layerscope::inline LAYERSCOPE_ABI {

/// Which numbers become the two ends of the colormap.
enum class Normalization : std::uint8_t {
  min_max,     ///< the smallest and the largest finite number
  percentile,  ///< two percentiles of the finite numbers; what lies outside takes the end colours
  symmetric,   ///< −m and +m, m the largest finite magnitude: the middle of the map is 0
  log,         ///< log10 between the smallest and the largest positive number; zero and negative numbers take the
               ///< colour of the smallest positive one
  fixed,       ///< HeatmapOptions::range as given
};

/// Which numbers share one colour scale, where a picture has several heatmaps.
enum class Scaling : std::uint8_t {
  each,    ///< every tile its own, its range printed below it where there is room
  global,  ///< all tiles one, shown by a colour bar
};

struct HeatmapOptions {
  /// Colours from the low end to the high end. Default viridis; blue_white_red goes with Normalization::symmetric.
  Colormap colormap = Colormap::viridis;
  /// Which numbers become the ends of the colormap. Default min_max, the convention of matplotlib's imshow.
  Normalization normalization = Normalization::min_max;
  /// Ends for Normalization::percentile, in percent, 0 <= low < high <= 100, interpolated linearly between ranks as
  /// numpy.percentile does. Defaults 1 and 99.
  double low_percentile = 1;
  double high_percentile = 99;
  /// Ends for Normalization::fixed (required there, ignored otherwise), finite, min <= max.
  std::optional<Range> range{};
  /// Colours of the numbers that have no place on the scale. Defaults are outside every colormap here.
  Rgb nan_colour{255, 0, 255};
  Rgb positive_infinity_colour{0, 255, 0};
  Rgb negative_infinity_colour{0, 255, 255};
  /// Side of the square of pixels that each number becomes, 1 or more. Derived when absent: the largest that keeps both
  /// sides within 256 pixels, at least 1.
  std::optional<std::int64_t> scale{};
  /// Most threads to use, the caller's included; 0 means every core. Does not change the result.
  int threads = 0;
};

/// What the colours of a heatmap mean.
struct HeatmapScale {
  Range range{};                         ///< numbers at the two ends; 0 and 0 when nothing is finite
  std::int64_t nan_count = 0;            ///< elements that are NaN
  std::int64_t positive_infinities = 0;  ///< elements that are +infinity
  std::int64_t negative_infinities = 0;  ///< elements that are −infinity
  std::int64_t below = 0;                ///< finite numbers < range.min, drawn as range.min
  std::int64_t above = 0;                ///< finite numbers > range.max, drawn as range.max
  std::int64_t scale = 1;                ///< pixels a side per number
  std::int64_t reduction = 1;  ///< numbers a side averaged into one pixel, above 1 only beyond max_image_bytes

  bool all_finite() const noexcept { return nan_count + positive_infinities + negative_infinities == 0; }
};

/// The scale that heatmap() uses for `x` under `options`. Throws as heatmap(). Complexity: two passes over x;
/// Normalization::percentile copies the numbers and selects ranks.
HeatmapScale heatmap_scale(const AnyView& x, const HeatmapOptions& options = {});

/// The picture of `x`, [h, w] of any element type; [w] is one row. A constant matrix gets the middle colour.
///
/// PixelFormat::indexed with the colormap as its palette when every number is finite, else PixelFormat::rgb. Colour
/// index min(⌊256·(v − min)/(max − min)⌋, 255), in float32 for float32 and narrower numbers, in float64 for the others
/// and where float32 cannot hold the range; at the border of two colours the last bit of that arithmetic decides.
/// A picture beyond max_image_bytes is scaled down by averaging: HeatmapScale::reduction says by how much.
///
/// Throws Error(empty) for rank 0 and for zero extents, Error(invalid_argument) for rank above 2 and for options
/// outside their ranges, Error(too_large) when the scale given leads beyond max_image_bytes.
Image heatmap(const AnyView& x, const HeatmapOptions& options = {});

/// As above, between the ends scale.range that the caller has already, of these numbers or of others, so that several
/// matrices share one scale. Nothing else of `scale` is read, and of the normalisation in
/// `options` only whether it is log.
Image heatmap(const AnyView& x, const HeatmapScale& scale, const HeatmapOptions& options);

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/heatmap_inl.hpp>
#endif
