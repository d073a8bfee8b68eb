// Body of algorithms/heatmap.hpp.
#pragma once

#include <layerscope/algorithms/heatmap.hpp>
#include <layerscope/algorithms/resample.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/kernels/pixels.hpp>
#include <layerscope/core/parallel.hpp>
#include <layerscope/core/tensor.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// The view as [h, w].
inline AnyView as_matrix(const AnyView& x, const char* what) {
  if (x.rank() == 0 || x.empty()) {
    throw Error(ErrorCode::empty, std::string(what) + ": shape " + to_text(x.shape()) + " has nothing to show");
  }
  if (x.rank() > 2) {
    throw Error(ErrorCode::invalid_argument,
                std::string(what) + ": shape " + to_text(x.shape()) + "; expected [h, w] or [w]");
  }
  if (x.rank() == 2) return x;
  return AnyView(x.data(), x.dtype(), {1, x.extent(0)}, {0, x.strides()[0]}, x.owner());
}

inline void check_heatmap(const HeatmapOptions& options) {
  const auto refuse = [](const std::string& problem) {
    throw Error(ErrorCode::invalid_argument, "heatmap: " + problem);
  };
  if (options.scale && *options.scale < 1) refuse("scale " + to_text(*options.scale) + "; expected 1 or more");
  if (options.normalization == Normalization::percentile) {
    const double low = options.low_percentile;
    const double high = options.high_percentile;
    if (!is_finite(low) || !is_finite(high) || low < 0 || high > 100 || low >= high) {
      refuse("percentiles " + to_text(low) + " and " + to_text(high) + "; expected 0 <= low < high <= 100");
    }
  }
  if (options.normalization == Normalization::fixed) {
    if (!options.range) refuse("normalization fixed without a range");
    const Range range = *options.range;
    if (!is_finite(range.min) || !is_finite(range.max) || range.min > range.max) {
      refuse("range " + to_text(range.min) + " to " + to_text(range.max) + "; expected finite numbers, min <= max");
    }
  }
}

/// A matrix cut into parts of at most 65,536 numbers, each a run of whole rows or a piece of one row: the unit of work
/// for threads, whatever their number.
struct MatrixBlocks {
  static constexpr std::int64_t numbers = std::int64_t{1} << 16;

  AnyView x;
  std::int64_t rows, columns;  // of a block
  std::int64_t down, across;   // blocks

  explicit MatrixBlocks(const AnyView& matrix)
      : x(matrix),
        rows((std::max<std::int64_t>)(1, numbers / matrix.extent(1))),
        columns((std::min)(numbers, matrix.extent(1))),
        down((matrix.extent(0) - 1) / rows + 1),
        across((matrix.extent(1) - 1) / columns + 1) {}

  std::int64_t count() const noexcept { return down * across; }
  std::int64_t first_row(std::int64_t block) const noexcept { return block / across * rows; }
  std::int64_t first_column(std::int64_t block) const noexcept { return block % across * columns; }

  AnyView view(std::int64_t block) const {
    const std::int64_t row = first_row(block);
    const std::int64_t column = first_column(block);
    return x.narrow(0, row, (std::min)(rows, x.extent(0) - row))
        .narrow(1, column, (std::min)(columns, x.extent(1) - column));
  }

  /// The numbers of a block as Work, row-major: in place where they lie so, else converted into `buffer`.
  template <class Work>
  const Work* read(const AnyView& part, std::vector<Work>& buffer) const {
    if (part.dtype() == dtype_of<Work> && part.contiguous()) return static_cast<const Work*>(part.data());
    buffer.resize(static_cast<std::size_t>(part.size()));
    convert_into(part, dtype_of<Work>, buffer.data());
    return buffer.data();
  }
};

/// Extremes and counts; identities of their reductions at first.
struct NumberSummary {
  double min = (std::numeric_limits<double>::max)();
  double max = std::numeric_limits<double>::lowest();
  double min_positive = (std::numeric_limits<double>::max)();
  std::int64_t finite = 0, nan = 0, positive_infinities = 0, negative_infinities = 0;

  void merge(const NumberSummary& other) noexcept {
    min = (std::min)(min, other.min);
    max = (std::max)(max, other.max);
    min_positive = (std::min)(min_positive, other.min_positive);
    finite += other.finite;
    nan += other.nan;
    positive_infinities += other.positive_infinities;
    negative_infinities += other.negative_infinities;
  }
};

inline NumberSummary summary_of(const FiniteRange& range) noexcept {
  NumberSummary summary;
  if (range.finite > 0) {
    summary.min = static_cast<double>(range.min);
    summary.max = static_cast<double>(range.max);
  }
  summary.finite = range.finite;
  summary.nan = range.nan;
  summary.positive_infinities = range.positive_infinity;
  summary.negative_infinities = range.negative_infinity;
  return summary;
}

template <class Work>
NumberSummary summary_of(const Work* values, std::int64_t count) noexcept {
  NumberSummary summary;
  for (std::int64_t i = 0; i < count; ++i) {
    const Work value = values[i];
    if (is_finite(value)) {
      const auto number = static_cast<double>(value);
      summary.min = (std::min)(summary.min, number);
      summary.max = (std::max)(summary.max, number);
      if (number > 0) summary.min_positive = (std::min)(summary.min_positive, number);
      ++summary.finite;
    } else if (is_nan(value)) {
      ++summary.nan;
    } else {
      ++(sign_bit(static_cast<double>(value)) ? summary.negative_infinities : summary.positive_infinities);
    }
  }
  return summary;
}

template <class Work>
NumberSummary summarise(const AnyView& matrix, const HeatmapOptions& options) {
  const bool positive_wanted = options.normalization == Normalization::log;
  if constexpr (std::is_same_v<Work, float>) {
    if (!positive_wanted && matrix.dtype() == DType::f32 && matrix.contiguous()) {
      return summary_of(finite_min_max(static_cast<const float*>(matrix.data()), matrix.size(), options.threads));
    }
  }
  const MatrixBlocks blocks(matrix);
  std::vector<NumberSummary> parts(static_cast<std::size_t>(blocks.count()));
  parallel_for(blocks.count(), options.threads, [&](std::int64_t block) {
    std::vector<Work> buffer;
    const AnyView part = blocks.view(block);
    parts[static_cast<std::size_t>(block)] = summary_of(blocks.read(part, buffer), part.size());
  });
  NumberSummary summary;
  for (const NumberSummary& part : parts) summary.merge(part);
  return summary;
}

/// numpy.percentile's default: linear between the two nearest ranks.
template <class Work>
Range percentiles(const AnyView& matrix, const HeatmapOptions& options) {
  std::vector<Work> values(static_cast<std::size_t>(matrix.size()));
  convert_into(matrix, dtype_of<Work>, values.data());
  values.erase(std::remove_if(values.begin(), values.end(), [](Work value) { return !is_finite(value); }),
               values.end());
  const auto at = [&values](double percent) {
    const double rank = percent / 100 * static_cast<double>(values.size() - 1);
    const auto below = values.begin() + static_cast<std::ptrdiff_t>(rank);
    std::nth_element(values.begin(), below, values.end());
    const auto low = static_cast<double>(*below);
    const double share = rank - std::floor(rank);
    if (share == 0 || below + 1 == values.end()) return low;
    const auto high = static_cast<double>(*std::min_element(below + 1, values.end()));
    return low * (1 - share) + high * share;  // high − low may overflow
  };
  return {at(options.low_percentile), at(options.high_percentile)};
}

/// Finite numbers outside the range.
template <class Work>
void count_outside(const AnyView& matrix, int threads, HeatmapScale& scale) {
  const MatrixBlocks blocks(matrix);
  std::atomic<std::int64_t> below{0};
  std::atomic<std::int64_t> above{0};
  parallel_for(blocks.count(), threads, [&](std::int64_t block) {
    std::vector<Work> buffer;
    const AnyView part = blocks.view(block);
    const Work* const values = blocks.read(part, buffer);
    std::int64_t low = 0;
    std::int64_t high = 0;
    for (std::int64_t i = 0; i < part.size(); ++i) {
      if (!is_finite(values[i])) continue;
      low += static_cast<double>(values[i]) < scale.range.min ? 1 : 0;
      high += static_cast<double>(values[i]) > scale.range.max ? 1 : 0;
    }
    below += low;
    above += high;
  });
  scale.below = below;
  scale.above = above;
}

/// The range and the counts, but for `below` and `above`.
template <class Work>
HeatmapScale find_scale(const AnyView& matrix, const HeatmapOptions& options) {
  const NumberSummary summary = summarise<Work>(matrix, options);
  HeatmapScale scale;
  scale.nan_count = summary.nan;
  scale.positive_infinities = summary.positive_infinities;
  scale.negative_infinities = summary.negative_infinities;
  if (options.normalization == Normalization::fixed) scale.range = *options.range;
  if (summary.finite == 0) return scale;
  switch (options.normalization) {
    case Normalization::min_max: scale.range = {summary.min, summary.max}; break;
    case Normalization::symmetric: {
      const double largest = (std::max)(std::fabs(summary.min), std::fabs(summary.max));
      scale.range = {-largest, largest};
      break;
    }
    case Normalization::percentile: scale.range = percentiles<Work>(matrix, options); break;
    case Normalization::log:
      if (summary.max > 0) scale.range = {summary.min_positive, summary.max};
      break;
    case Normalization::fixed: break;
  }
  return scale;
}

inline HeatmapScale find_scale_of(const AnyView& matrix, const HeatmapOptions& options) {
  return fits_float(matrix.dtype()) ? find_scale<float>(matrix, options) : find_scale<double>(matrix, options);
}

/// How one number becomes an entry of the colormap, in double.
class DoubleMapping {
 public:
  DoubleMapping(const Range& range, bool logarithmic) noexcept : logarithmic_(logarithmic && range.min > 0) {
    // Into the middle of the exponents, so that differences of huge numbers stay finite and of subnormal ones exact.
    const double largest = (std::max)(std::fabs(range.min), std::fabs(range.max));
    factor_ = largest > 0x1p1000 ? 0.5 : largest < 0x1p-900 ? 0x1p600 : 1.0;
    lo_ = scaled(range.min);
    width_ = scaled(range.max) - lo_;
  }

  std::uint8_t operator()(double value) const noexcept {
    if (!(width_ > 0)) return 128;
    if (logarithmic_ && value <= 0) return 0;
    const double t = (scaled(value) - lo_) / width_;
    if (t >= 1) return 255;
    return t > 0 ? static_cast<std::uint8_t>(256 * t) : std::uint8_t{0};
  }

 private:
  double scaled(double value) const noexcept { return logarithmic_ ? std::log(value) : value * factor_; }

  bool logarithmic_;
  double factor_;
  double lo_;
  double width_;
};

/// Colours of one block: entries of the map where all is finite, or RGB.
struct BlockPainter {
  const HeatmapOptions& options;
  std::span<const Rgb, 256> map;
  Range range;
  DoubleMapping mapping;
  bool as_float;

  BlockPainter(const HeatmapOptions& given, const Range& ends, DType dtype)
      : options(given),
        map(colormap_table(given.colormap)),
        range(ends),
        mapping(ends, given.normalization == Normalization::log) {
    const float lo = static_cast<float>(ends.min);
    const float hi = static_cast<float>(ends.max);
    as_float = fits_float(dtype) && given.normalization != Normalization::log && is_finite(lo) && is_finite(hi) &&
               (lo < hi) == (ends.min < ends.max);
  }

  void entries(const float* values, std::int64_t count, std::uint8_t* out, int threads) const {
    colormap_index(values, count, static_cast<float>(range.min), static_cast<float>(range.max), {256, 0, 0, 0}, out,
                   threads);
  }

  void rgb(const float* values, std::int64_t count, std::uint8_t* out, int threads) const {
    const PixelColours colours{map, options.nan_colour, options.positive_infinity_colour,
                               options.negative_infinity_colour};
    colormap_rgb(values, count, static_cast<float>(range.min), static_cast<float>(range.max), colours, out, threads);
  }

  void entries(const double* values, std::int64_t count, std::uint8_t* out, int) const {
    for (std::int64_t i = 0; i < count; ++i) out[i] = mapping(values[i]);
  }

  void rgb(const double* values, std::int64_t count, std::uint8_t* out, int) const {
    for (std::int64_t i = 0; i < count; ++i, out += 3) {
      Rgb colour = options.nan_colour;
      if (is_finite(values[i])) {
        colour = map[mapping(values[i])];
      } else if (!is_nan(values[i])) {
        colour = sign_bit(values[i]) ? options.negative_infinity_colour : options.positive_infinity_colour;
      }
      out[0] = colour.r;
      out[1] = colour.g;
      out[2] = colour.b;
    }
  }
};

/// Pixels of the matrix, one per number, row-major: indices when `format` is indexed, else RGB.
template <class Work>
void paint(const AnyView& matrix, const BlockPainter& painter, Image& image, int threads) {
  const bool indexed = image.format == PixelFormat::indexed;
  if (matrix.dtype() == dtype_of<Work> && matrix.contiguous() && std::is_same_v<Work, float>) {
    const auto* const values = static_cast<const Work*>(matrix.data());
    if (indexed) {
      painter.entries(values, matrix.size(), image.pixels.data(), threads);
    } else {
      painter.rgb(values, matrix.size(), image.pixels.data(), threads);
    }
    return;
  }
  const MatrixBlocks blocks(matrix);
  parallel_for(blocks.count(), threads, [&](std::int64_t block) {
    std::vector<Work> buffer;
    const AnyView part = blocks.view(block);
    const Work* const values = blocks.read(part, buffer);
    // Whole rows, or a piece of one: contiguous in the picture either way.
    std::uint8_t* const out = image.at(blocks.first_column(block), blocks.first_row(block));
    if (indexed) {
      painter.entries(values, part.size(), out, 1);
    } else {
      painter.rgb(values, part.size(), out, 1);
    }
  });
}

/// Pixels a side per number: as asked, else the largest that keeps both sides within 256.
inline std::int64_t heatmap_zoom(const AnyView& matrix, const HeatmapOptions& options) noexcept {
  if (options.scale) return *options.scale;
  return (std::max<std::int64_t>)(1, 256 / (std::max)(matrix.extent(0), matrix.extent(1)));
}

inline std::int64_t heatmap_reduction(const AnyView& matrix, bool finite) {
  const int bytes = channels(finite ? PixelFormat::indexed : PixelFormat::rgb);
  return reduction_to_fit(matrix.extent(1), matrix.extent(0), bytes);
}

LAYERSCOPE_INLINE Image paint_heatmap(const AnyView& matrix, const Range& range, bool finite,
                                      const HeatmapOptions& options) {
  const std::int64_t reduction = heatmap_reduction(matrix, finite);
  if (reduction > 1) {
    const Tensor smaller =
        resample(matrix, {(matrix.extent(0) - 1) / reduction + 1, (matrix.extent(1) - 1) / reduction + 1},
                 {.threads = options.threads});
    return paint_heatmap(smaller.view(), range, finite, options);
  }
  Image image = make_image(matrix.extent(1), matrix.extent(0), finite ? PixelFormat::indexed : PixelFormat::rgb);
  const BlockPainter painter(options, range, matrix.dtype());
  if (finite) image.palette.assign(painter.map.begin(), painter.map.end());
  if (painter.as_float) {
    paint<float>(matrix, painter, image, options.threads);
  } else {
    paint<double>(matrix, painter, image, options.threads);
  }
  const std::int64_t zoom = heatmap_zoom(matrix, options);
  if (zoom > 1) return upscale(image, zoom);
  return image;
}

}  // namespace detail

LAYERSCOPE_INLINE HeatmapScale heatmap_scale(const AnyView& x, const HeatmapOptions& options) {
  const AnyView matrix = detail::as_matrix(x, "heatmap");
  detail::check_heatmap(options);
  HeatmapScale scale = detail::find_scale_of(matrix, options);
  const bool whole =
      options.normalization == Normalization::min_max || options.normalization == Normalization::symmetric;
  if (!whole) {
    if (detail::fits_float(matrix.dtype())) {
      detail::count_outside<float>(matrix, options.threads, scale);
    } else {
      detail::count_outside<double>(matrix, options.threads, scale);
    }
  }
  scale.reduction = detail::heatmap_reduction(matrix, scale.all_finite());
  scale.scale = detail::heatmap_zoom(matrix, options);
  return scale;
}

LAYERSCOPE_INLINE Image heatmap(const AnyView& x, const HeatmapOptions& options) {
  const AnyView matrix = detail::as_matrix(x, "heatmap");
  detail::check_heatmap(options);
  const HeatmapScale scale = detail::find_scale_of(matrix, options);
  return detail::paint_heatmap(matrix, scale.range, scale.all_finite(), options);
}

LAYERSCOPE_INLINE Image heatmap(const AnyView& x, const HeatmapScale& scale, const HeatmapOptions& options) {
  const AnyView matrix = detail::as_matrix(x, "heatmap");
  HeatmapOptions fixed = options;
  fixed.normalization = Normalization::fixed;
  fixed.range = scale.range;
  detail::check_heatmap(fixed);
  const detail::NumberSummary summary = detail::fits_float(matrix.dtype()) ? detail::summarise<float>(matrix, fixed)
                                                                           : detail::summarise<double>(matrix, fixed);
  return detail::paint_heatmap(matrix, scale.range, summary.finite == matrix.size(), options);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
