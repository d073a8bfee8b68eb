// Body of algorithms/resample.hpp.
#pragma once

#include <layerscope/algorithms/resample.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

inline void check_smaller(std::int64_t wanted, std::int64_t extent, const char* side) {
  if (wanted < 1 || wanted > extent) {
    throw Error(ErrorCode::invalid_argument, std::string("downscale: ") + side + " " + to_text(wanted) +
                                                 "; expected 1 to the " + to_text(extent) + " given");
  }
}

/// Which input cells output cell `index` of `count` covers, out of `extent`, and how much of each: in units of which an
/// input cell has `count` and an output cell `extent`, so that every share is an exact integer.
struct Cover {
  std::int64_t first, last;  // input cells, both included
  std::int64_t begin, end;   // units

  Cover(std::int64_t index, std::int64_t count, std::int64_t extent) noexcept
      : first(index * extent / count),
        last(((index + 1) * extent - 1) / count),
        begin(index * extent),
        end(begin + extent) {}

  std::int64_t share(std::int64_t cell, std::int64_t count) const noexcept {
    return (std::min)(end, (cell + 1) * count) - (std::max)(begin, cell * count);
  }
};

/// Weighted sums of one output row.
struct AreaSums {
  std::vector<double> sum, weight, nan, positive, negative;

  explicit AreaSums(std::size_t width) : sum(width), weight(width), nan(width), positive(width), negative(width) {}

  void clear() {
    for (std::vector<double>* part : {&sum, &weight, &nan, &positive, &negative}) {
      std::fill(part->begin(), part->end(), 0.0);
    }
  }

  void add(std::size_t at, double value, double share) {
    if (is_finite(value)) {
      sum[at] += share * value;
      weight[at] += share;
    } else if (is_nan(value)) {
      nan[at] += share;
    } else {
      (sign_bit(value) ? negative : positive)[at] += share;
    }
  }

  double result(std::size_t at) const {
    if (weight[at] > 0) return sum[at] / weight[at];
    const bool infinite = (std::max)(positive[at], negative[at]) > nan[at];
    // By bits, as -ffast-math need not keep arithmetic on infinities.
    constexpr std::uint64_t infinity_bits = 0x7FF0000000000000u;
    if (!infinite) return std::bit_cast<double>(infinity_bits | std::uint64_t{1} << 51);
    return std::bit_cast<double>(positive[at] >= negative[at] ? infinity_bits : infinity_bits | std::uint64_t{1} << 63);
  }
};

/// What shares are multiplied by: 1, or for doubles so large that their sums would overflow a power of two that
/// prevents it and keeps the shares exact.
inline double share_unit(const AnyView& x) {
  if (x.dtype() != DType::f64) return 1;
  std::vector<double> row(static_cast<std::size_t>(x.extent(1)));
  for (std::int64_t y = 0; y < x.extent(0); ++y) {
    convert_into(x.narrow(0, y, 1), DType::f64, row.data());
    const bool large = std::any_of(row.begin(), row.end(),
                                   [](double value) { return is_finite(value) && std::fabs(value) > 0x1p900; });
    if (large)
      return std::ldexp(1.0, -std::ilogb(static_cast<double>(x.extent(0)) * static_cast<double>(x.extent(1))) - 1);
  }
  return 1;
}

/// float32 of a double by rounding, with NaN and infinities kept even where -ffast-math is on.
inline float narrowed(double value) noexcept {
  if (is_finite(value)) return static_cast<float>(value);
  const std::uint32_t sign = sign_bit(value) ? 0x80000000u : 0;
  return std::bit_cast<float>(sign | (is_nan(value) ? 0x7FC00000u : 0x7F800000u));
}

}  // namespace detail

LAYERSCOPE_INLINE Image upscale(const Image& image, std::int64_t factor) {
  check_image(image, "upscale");
  if (factor < 1) {
    throw Error(ErrorCode::invalid_argument, "upscale: factor " + to_text(factor) + "; expected 1 or more");
  }
  if (factor == 1) return image;
  std::int64_t width = 0;
  std::int64_t height = 0;
  if (__builtin_mul_overflow(image.width, factor, &width) || __builtin_mul_overflow(image.height, factor, &height)) {
    throw Error(ErrorCode::too_large, "upscale: factor " + to_text(factor) + " leads beyond 2^63 - 1 pixels");
  }
  Image result = make_image(width, height, image.format);
  result.palette = image.palette;
  const std::int64_t bytes = channels(image.format);
  for (std::int64_t y = 0; y < image.height; ++y) {
    const std::uint8_t* in = image.at(0, y);
    std::uint8_t* const first = result.at(0, y * factor);
    std::uint8_t* out = first;
    for (std::int64_t x = 0; x < image.width; ++x, in += bytes) {
      for (std::int64_t i = 0; i < factor; ++i) out = std::copy_n(in, bytes, out);
    }
    for (std::int64_t i = 1; i < factor; ++i) std::copy_n(first, width * bytes, first + i * width * bytes);
  }
  return result;
}

LAYERSCOPE_INLINE Image downscale(const Image& image, std::int64_t width, std::int64_t height) {
  check_image(image, "downscale");
  detail::check_smaller(width, image.width, "width");
  detail::check_smaller(height, image.height, "height");
  if (image.format == PixelFormat::indexed) return downscale(to_rgb(image), width, height);
  if (width == image.width && height == image.height) return image;
  Image result = make_image(width, height, image.format);
  const int bytes = channels(image.format);
  const std::int64_t area = image.width * image.height;
  for (std::int64_t y = 0; y < height; ++y) {
    const detail::Cover rows(y, height, image.height);
    for (std::int64_t x = 0; x < width; ++x) {
      const detail::Cover columns(x, width, image.width);
      std::array<std::int64_t, 4> sums{};
      for (std::int64_t row = rows.first; row <= rows.last; ++row) {
        const std::int64_t row_share = rows.share(row, height);
        const std::uint8_t* in = image.at(columns.first, row);
        for (std::int64_t column = columns.first; column <= columns.last; ++column, in += bytes) {
          const std::int64_t share = row_share * columns.share(column, width);
          for (int c = 0; c < bytes; ++c) sums[static_cast<std::size_t>(c)] += share * in[c];
        }
      }
      std::uint8_t* const out = result.at(x, y);
      for (int c = 0; c < bytes; ++c) {
        out[c] = static_cast<std::uint8_t>((sums[static_cast<std::size_t>(c)] + area / 2) / area);
      }
    }
  }
  return result;
}

LAYERSCOPE_INLINE Tensor downscale(const AnyView& x, std::int64_t height, std::int64_t width) {
  if (x.rank() == 0 || x.empty()) {
    throw Error(ErrorCode::empty, "downscale: shape " + to_text(x.shape()) + " has nothing to average");
  }
  if (x.rank() != 2) {
    throw Error(ErrorCode::invalid_argument, "downscale: shape " + to_text(x.shape()) + "; expected [h, w]");
  }
  detail::check_smaller(height, x.extent(0), "height");
  detail::check_smaller(width, x.extent(1), "width");
  Tensor result(x.dtype() == DType::f64 ? DType::f64 : DType::f32, {height, width});

  const double unit = detail::share_unit(x);
  detail::AreaSums sums(static_cast<std::size_t>(width));
  std::vector<double> row_values(static_cast<std::size_t>(x.extent(1)));
  for (std::int64_t y = 0; y < height; ++y) {
    sums.clear();
    const detail::Cover rows(y, height, x.extent(0));
    for (std::int64_t row = rows.first; row <= rows.last; ++row) {
      convert_into(x.narrow(0, row, 1), DType::f64, row_values.data());
      const double row_share = static_cast<double>(rows.share(row, height)) * unit;
      for (std::int64_t column = 0; column < width; ++column) {
        const detail::Cover columns(column, width, x.extent(1));
        for (std::int64_t i = columns.first; i <= columns.last; ++i) {
          sums.add(static_cast<std::size_t>(column), row_values[static_cast<std::size_t>(i)],
                   row_share * static_cast<double>(columns.share(i, width)));
        }
      }
    }
    for (std::int64_t column = 0; column < width; ++column) {
      const double value = sums.result(static_cast<std::size_t>(column));
      const std::int64_t at = y * width + column;
      if (result.dtype() == DType::f64) {
        result.mutable_data<double>()[at] = value;
      } else {
        result.mutable_data<float>()[at] = detail::narrowed(value);
      }
    }
  }
  return result;
}

LAYERSCOPE_INLINE std::int64_t reduction_to_fit(std::int64_t width, std::int64_t height, int bytes_per_pixel,
                                                std::int64_t max_bytes) {
  if (width < 1 || height < 1 || bytes_per_pixel < 1 || max_bytes < bytes_per_pixel) {
    throw Error(ErrorCode::invalid_argument, "reduction_to_fit: " + to_text(width) + " × " + to_text(height) +
                                                 " pixels of " + to_text(bytes_per_pixel) + " bytes within " +
                                                 to_text(max_bytes) + "; expected positive sizes");
  }
  const std::int64_t pixels = max_bytes / bytes_per_pixel;
  const auto fits = [&](std::int64_t factor) {
    std::int64_t total = 0;
    const std::int64_t columns = (width - 1) / factor + 1;
    const std::int64_t rows = (height - 1) / factor + 1;
    return !__builtin_mul_overflow(columns, rows, &total) && total <= pixels;
  };
  std::int64_t low = 1;
  std::int64_t high = (std::max)(width, height);  // one pixel, which always fits
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    if (fits(middle)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
