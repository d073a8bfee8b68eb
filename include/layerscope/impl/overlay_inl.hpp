// Body of algorithms/overlay.hpp.
#pragma once

#include <layerscope/algorithms/detail/canvas.hpp>
#include <layerscope/algorithms/grid.hpp>
#include <layerscope/algorithms/overlay.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/parallel.hpp>
#include <layerscope/impl/heatmap_inl.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// Light of an sRGB byte / 255, and back.
inline double srgb_decoded(double encoded) noexcept {
  return encoded <= 0.04045 ? encoded / 12.92 : std::pow((encoded + 0.055) / 1.055, 2.4);
}
inline double srgb_encoded(double light) noexcept {
  return light <= 0.0031308 ? 12.92 * light : 1.055 * std::pow(light, 1 / 2.4) - 0.055;
}

inline HeatmapOptions heatmap_options(const OverlayOptions& options) {
  HeatmapOptions heatmap;
  heatmap.colormap = options.colormap;
  heatmap.normalization = options.normalization;
  heatmap.low_percentile = options.low_percentile;
  heatmap.high_percentile = options.high_percentile;
  heatmap.range = options.range;
  heatmap.scale = 1;
  heatmap.threads = options.threads;
  return heatmap;
}

/// Which numbers of a map are not finite, as shares [height, width] of each pixel, by kind.
class NonFinitePixels {
 public:
  NonFinitePixels(const AnyView& map, std::int64_t height, std::int64_t width, int threads) {
    const Tensor numbers = convert(map, DType::f64);
    const double* const values = numbers.data<double>();
    for (std::size_t kind = 0; kind < shares_.size(); ++kind) {
      Tensor marks(DType::f32, map.shape());
      float* const mark = marks.mutable_data<float>();
      bool any = false;
      for (std::int64_t i = 0; i < numbers.size(); ++i) {
        if (is_finite(values[i]) || kind_of(values[i]) != kind) continue;
        mark[i] = 1;
        any = true;
      }
      if (any) shares_[kind] = resample(marks, {height, width}, {.filter = ResampleFilter::area, .threads = threads});
    }
  }

  /// The kind that covers most of pixel `at`: 0 NaN, 1 +infinity, 2 −infinity; 3 for none.
  std::size_t kind(std::int64_t at) const {
    std::size_t found = 3;
    float most = 0;
    for (std::size_t kind = 0; kind < shares_.size(); ++kind) {
      if (shares_[kind].empty()) continue;
      const float share = shares_[kind].data<float>()[at];
      if (share > most) {
        most = share;
        found = kind;
      }
    }
    return found;
  }

 private:
  static std::size_t kind_of(double value) noexcept { return is_nan(value) ? 0U : sign_bit(value) ? 2U : 1U; }

  std::array<Tensor, 3> shares_{};
};

/// Place of a finite number on the scale, in [0, 1].
inline double place_of(double value, const Range& range, Normalization normalization) noexcept {
  if (!(range.min < range.max)) return 0.5;
  if (normalization == Normalization::log) {
    if (!(value > range.min)) return 0;
    const double low = std::log10(range.min);
    return (std::min)((std::log10(value) - low) / (std::log10(range.max) - low), 1.0);
  }
  // Halved so that the difference of two finite doubles is finite.
  return (std::clamp)((value / 2 - range.min / 2) / (range.max / 2 - range.min / 2), 0.0, 1.0);
}

inline Image overlay_between(const Image& image, const AnyView& map, const HeatmapScale& scale,
                             const OverlayOptions& options) {
  const bool has_alpha = image.format == PixelFormat::rgba;
  Image result = has_alpha ? image : to_rgb(image);
  const int bytes = channels(result.format);
  const Tensor numbers = resample(map.dtype() == DType::f64 ? map : contiguous(map, DType::f64),
                                  {image.height, image.width}, {.filter = options.filter, .threads = options.threads});
  std::optional<NonFinitePixels> bad;
  if (!scale.all_finite()) bad.emplace(map, image.height, image.width, options.threads);
  const std::array<Rgb, 3> bad_colours{options.nan_colour, options.positive_infinity_colour,
                                       options.negative_infinity_colour};
  std::array<double, 256> light{};
  for (std::size_t i = 0; i < light.size(); ++i) light[i] = srgb_decoded(static_cast<double>(i) / 255);
  const auto mixed = [&](std::uint8_t below, std::uint8_t above, double share) {
    if (options.space == BlendSpace::srgb) return (1 - share) * below + share * above;
    return 255 * srgb_encoded((1 - share) * light[below] + share * light[above]);
  };

  constexpr std::int64_t block = 16;
  parallel_for((image.height - 1) / block + 1, options.threads, [&](std::int64_t part) {
    for (std::int64_t y = part * block; y < (std::min)(image.height, (part + 1) * block); ++y) {
      std::uint8_t* out = result.at(0, y);
      for (std::int64_t x = 0; x < image.width; ++x, out += bytes) {
        const std::int64_t at = y * image.width + x;
        const double value = numbers.data<double>()[at];
        std::size_t kind = bad ? bad->kind(at) : 3;
        Rgb top;
        double share = options.alpha;
        if (kind < bad_colours.size()) {
          top = bad_colours[kind];
        } else {
          const double place = place_of(value, scale.range, options.normalization);
          top = colour(options.colormap, place);
          if (options.opacity == OverlayOpacity::proportional)
            share *= options.normalization == Normalization::symmetric ? std::fabs(2 * place - 1) : place;
        }
        const std::array<std::uint8_t, 3> above{top.r, top.g, top.b};
        for (std::size_t c = 0; c < 3; ++c) {
          out[c] =
              static_cast<std::uint8_t>((std::clamp)(std::floor(mixed(out[c], above[c], share) + 0.5), 0.0, 255.0));
        }
      }
    }
  });
  return result;
}

inline void check_overlay(const Image& image, const OverlayOptions& options) {
  check_image(image, "overlay");
  if (!is_finite(options.alpha) || options.alpha < 0 || options.alpha > 1) {
    throw Error(ErrorCode::invalid_argument, "overlay: alpha " + to_text(options.alpha) + "; expected 0 to 1");
  }
}

/// The image on white, without alpha.
inline Image on_white(const Image& image) {
  Image flat = to_rgb(image);
  if (image.format != PixelFormat::rgba) return flat;
  for (std::size_t i = 0; i < flat.pixels.size() / 3; ++i) {
    const int alpha = image.pixels[4 * i + 3];
    for (std::size_t c = 0; c < 3; ++c) {
      flat.pixels[3 * i + c] =
          static_cast<std::uint8_t>((flat.pixels[3 * i + c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
  }
  return flat;
}

inline std::vector<std::string> overlay_captions(const Image& image, const AnyView& map, const HeatmapScale& scale,
                                                 const OverlayOptions& options) {
  std::vector<std::string> captions;
  std::string opacity = "Opacity " + to_short_text(options.alpha, 3);
  if (options.opacity == OverlayOpacity::proportional) {
    opacity += options.normalization == Normalization::symmetric ? " at both ends of the scale, 0 in its middle"
                                                                 : " at the high end of the scale, 0 at the low end";
  }
  if (options.space == BlendSpace::linear) opacity += ", mixed as light";
  captions.push_back(opacity);
  if (map.extent(0) != image.height || map.extent(1) != image.width) {
    captions.push_back("Map of " + to_text(map.extent(0)) + " × " + to_text(map.extent(1)) + " numbers, resampled (" +
                       name(options.filter) + ") to " + to_text(image.height) + " × " + to_text(image.width));
  }
  if (scale.below + scale.above > 0) {
    captions.push_back(to_text(scale.below) + " numbers below the scale and " + to_text(scale.above) +
                       " above it take the colours of its ends");
  }
  std::string bad;
  const auto add = [&bad](std::int64_t count, const char* kind) {
    if (count > 0) bad += (bad.empty() ? "" : ", ") + to_text(count) + kind;
  };
  const OverlayOptions usual;
  add(scale.nan_count, options.nan_colour == usual.nan_colour ? " NaN (magenta)" : " NaN");
  add(scale.positive_infinities,
      options.positive_infinity_colour == usual.positive_infinity_colour ? " +inf (green)" : " +inf");
  add(scale.negative_infinities,
      options.negative_infinity_colour == usual.negative_infinity_colour ? " -inf (cyan)" : " -inf");
  if (!bad.empty()) captions.push_back("Not finite: " + bad);
  return captions;
}

}  // namespace detail

LAYERSCOPE_INLINE Image overlay(const Image& image, const AnyView& map, const OverlayOptions& options) {
  detail::check_overlay(image, options);
  const AnyView matrix = detail::as_matrix(map, "overlay");
  return detail::overlay_between(image, matrix, heatmap_scale(matrix, detail::heatmap_options(options)), options);
}

LAYERSCOPE_INLINE Image overlay_picture(const Image& image, const AnyView& map, const OverlayPictureOptions& options) {
  detail::check_overlay(image, options.overlay);
  const AnyView matrix = detail::as_matrix(map, "overlay");
  const HeatmapScale scale = heatmap_scale(matrix, detail::heatmap_options(options.overlay));
  Grid grid;
  if (options.input == OverlayPictureOptions::Input::beside) grid.tiles.push_back(detail::on_white(image));
  grid.tiles.push_back(detail::on_white(detail::overlay_between(image, matrix, scale, options.overlay)));
  grid.columns = static_cast<std::int64_t>(grid.tiles.size());
  GridOptions look;
  look.title = options.title;
  look.zoom = options.zoom;
  look.captions = options.captions;
  for (std::string& caption : detail::overlay_captions(image, matrix, scale, options.overlay)) {
    look.captions.push_back(std::move(caption));
  }
  const bool any_finite = scale.nan_count + scale.positive_infinities + scale.negative_infinities < matrix.size();
  if (any_finite) {
    const bool logarithmic = options.overlay.normalization == Normalization::log && scale.range.min > 0;
    look.colour_bar = ColourBar{options.overlay.colormap, scale.range, options.label,
                                logarithmic ? ColourBar::Scale::log : ColourBar::Scale::linear};
  } else {
    look.captions.push_back("No number of the map is finite");
  }
  return render_grid(grid, look);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
