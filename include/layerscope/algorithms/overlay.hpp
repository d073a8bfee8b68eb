// A heatmap laid over the image it belongs to: where an attribution, an attention map or an error lies in the input.
//
// Each pixel is (1 − a) · image + a · colour(map). Colour space: IEC 61966-2-1 (sRGB). Compositing: Porter and Duff's
// "atop", Computer Graphics 18(3), 1984.
#pragma once

#include <layerscope/algorithms/colormap.hpp>
#include <layerscope/algorithms/heatmap.hpp>
#include <layerscope/algorithms/resample.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/image.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

/// How much of the heatmap a pixel shows.
enum class OverlayOpacity : std::uint8_t {
  constant,      ///< OverlayOptions::alpha everywhere
  proportional,  ///< alpha times the place of the number on the scale: 0 at the low end and 1 at the high one; for
                 ///< Normalization::symmetric 0 in the middle and 1 at both ends. The image shows where nothing is.
};

/// The numbers that are mixed.
enum class BlendSpace : std::uint8_t {
  srgb,    ///< the bytes as they are stored, as web pages and most programs do
  linear,  ///< light: the bytes decoded, mixed and encoded again, which keeps bright details bright
};

struct OverlayOptions {
  /// Colours from the low end to the high end. Default turbo, whose colours are rare in photographs; blue_white_red
  /// goes with Normalization::symmetric.
  Colormap colormap = Colormap::turbo;
  /// Which numbers become the ends of the colormap, and their details: see HeatmapOptions.
  Normalization normalization = Normalization::min_max;
  double low_percentile = 1;
  double high_percentile = 99;
  std::optional<Range> range{};
  /// The largest opacity, in [0, 1]. Default 0.5.
  double alpha = 0.5;
  /// Default constant.
  OverlayOpacity opacity = OverlayOpacity::constant;
  /// Default srgb.
  BlendSpace space = BlendSpace::srgb;
  /// How the map gets the size of the image; numbers are resampled, not colours. Default bilinear.
  ResampleFilter filter = ResampleFilter::bilinear;
  /// Colours of what is not finite, always drawn with `alpha`. Defaults are those of heatmap().
  Rgb nan_colour{255, 0, 255};
  Rgb positive_infinity_colour{0, 255, 0};
  Rgb negative_infinity_colour{0, 255, 255};
  /// Threads at most, the caller's included; 0 means every core. Does not change the result.
  int threads = 0;
};

/// The image with the map over it, as large as the image: RGB, or RGBA with the image's alpha for an RGBA image. `map`
/// is [h, w] of any element type and any size; [w] is one row. A pixel whose area touches a number that is not finite
/// takes that number's colour (of several the kind that covers most), so that none is smoothed away; others do not
/// suffer from it. A constant map takes the middle colour, and half of `alpha` when proportional.
///
/// Throws Error(empty) for a map of rank 0 or with zero extents, Error(invalid_argument) for one of rank above 2, an
/// image that check_image() refuses and options outside their ranges.
Image overlay(const Image& image, const AnyView& map, const OverlayOptions& options = {});

struct OverlayPictureOptions {
  OverlayOptions overlay{};
  /// First line. Default none.
  std::string title{};
  /// What the numbers are, above the colour bar. Default none.
  std::string label{};
  /// Whether the image itself stands left of the overlay. Default beside.
  enum class Input : std::uint8_t { beside, hidden } input = Input::beside;
  /// Side of the square of pixels that each pixel of the image becomes. Derived when absent, see GridOptions::zoom.
  std::optional<std::int64_t> zoom{};
  /// Small lines below the picture, before those that it adds itself.
  std::vector<std::string> captions{};
};

/// overlay() as a picture to look at: colour bar with the range of the numbers, and in captions the opacity, the size
/// of the map and the numbers that are not finite or outside the range. Transparent images stand on white. Throws as
/// overlay() and render_grid().
Image overlay_picture(const Image& image, const AnyView& map, const OverlayPictureOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/overlay_inl.hpp>
#endif
