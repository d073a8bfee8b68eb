// Body of algorithms/resample.hpp.
#pragma once

#include <layerscope/algorithms/resample.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/parallel.hpp>
#include <layerscope/impl/resample_axis.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE const char* name(ResampleFilter filter) noexcept {
  switch (filter) {
    case ResampleFilter::nearest: return "nearest";
    case ResampleFilter::area: return "area";
    case ResampleFilter::bilinear: return "bilinear";
    case ResampleFilter::lanczos: return "lanczos";
  }
  return "unknown";
}

namespace detail {

/// A finite number as Real, the largest of its sign where it is beyond; others kept, by bits, whatever -ffast-math
/// does.
template <class Real>
Real saturated(double value) noexcept {
  constexpr auto largest = (std::numeric_limits<Real>::max)();
  if (!is_finite(value)) {
    if constexpr (sizeof(Real) == 8) return value;
    const std::uint32_t sign = sign_bit(value) ? 0x80000000u : 0;
    return std::bit_cast<float>(sign | (is_nan(value) ? 0x7FC00000u : 0x7F800000u));
  }
  return static_cast<Real>((std::clamp)(value, -static_cast<double>(largest), static_cast<double>(largest)));
}

/// The number that weights of each kind lead to, in doubles that are not finite where nothing finite weighs.
inline double of_kinds(double sum, double finite, double nan, double positive, double negative) noexcept {
  if (finite > 0) return sum / finite;
  constexpr std::uint64_t infinity = 0x7FF0000000000000u;
  if (nan >= (std::max)(positive, negative)) return std::bit_cast<double>(infinity | std::uint64_t{1} << 51);
  return std::bit_cast<double>(positive >= negative ? infinity : infinity | std::uint64_t{1} << 63);
}

/// What has to be known of a matrix before its numbers are added up.
struct MatrixFacts {
  bool all_finite = true;
  bool large = false;  // beyond 2^900, where sums may overflow
};

inline MatrixFacts facts_of(const AnyView& x, int threads) {
  const DType type = x.dtype();
  if (type != DType::f64 && type != DType::f32 && type != DType::f16 && type != DType::bf16) return {};
  std::atomic<bool> all_finite{true};
  std::atomic<bool> large{false};
  constexpr std::int64_t block = 64;
  parallel_for((x.extent(0) - 1) / block + 1, threads, [&](std::int64_t part) {
    std::vector<double> row(static_cast<std::size_t>(x.extent(1)));
    for (std::int64_t y = part * block; y < (std::min)(x.extent(0), (part + 1) * block); ++y) {
      convert_into(x.narrow(0, y, 1), DType::f64, row.data());
      for (const double value : row) {
        if (!is_finite(value)) {
          all_finite = false;
        } else if (std::fabs(value) > 0x1p900) {
          large = true;
        }
      }
    }
  });
  return {all_finite, large};
}

/// resample() of a matrix into Real.
template <class Real>
class MatrixResampling {
 public:
  MatrixResampling(const AnyView& x, const Shape& shape, const ResampleOptions& options)
      : x_(x), width_(x.extent(1)), options_(options), result_(dtype_of<Real>, shape) {}

  Tensor run() {
    if (options_.filter == ResampleFilter::nearest) {
      nearest();
      return std::move(result_);
    }
    const MatrixFacts facts = facts_of(x_, options_.threads);
    choose(options_.filter);
    // A power of two, so that nothing but the exponents changes.
    unit_ = facts.large ? std::ldexp(1.0, -std::ilogb(rows_.total * columns_.total) - 4) : 1;
    if (facts.all_finite) {
      finite();
    } else {
      mixed();
    }
    return std::move(result_);
  }

 private:
  void choose(ResampleFilter filter) {
    rows_ = axis_kernel(filter, x_.extent(0), result_.extent(0));
    columns_ = axis_kernel(filter, width_, result_.extent(1));
  }

  void nearest() {
    const std::int64_t height = result_.extent(0);
    const std::int64_t width = result_.extent(1);
    Real* const out = result_.mutable_data<Real>();
    constexpr std::int64_t block = 64;
    parallel_for((height - 1) / block + 1, options_.threads, [&](std::int64_t part) {
      std::vector<Real> row(static_cast<std::size_t>(width_));
      for (std::int64_t y = part * block; y < (std::min)(height, (part + 1) * block); ++y) {
        convert_into(x_.narrow(0, nearest_input(y, x_.extent(0), height), 1), dtype_of<Real>, row.data());
        for (std::int64_t x = 0; x < width; ++x) {
          out[y * width + x] = row[static_cast<std::size_t>(nearest_input(x, width_, width))];
        }
      }
    });
  }

  void read(std::int64_t y, double* to) const {
    convert_into(x_.narrow(0, y, 1), DType::f64, to);
    if (unit_ != 1) {
      for (std::int64_t x = 0; x < width_; ++x) to[x] *= unit_;
    }
  }

  Real finished(double value) const {
    constexpr auto largest = static_cast<double>((std::numeric_limits<Real>::max)());
    if (!is_finite(value) || unit_ == 1) return saturated<Real>(value);
    return saturated<Real>((std::clamp)(value, -largest * unit_, largest * unit_) / unit_);
  }

  void finite() {
    const std::int64_t width = result_.extent(1);
    Real* const out = result_.mutable_data<Real>();
    weighted_sums(
        rows_, columns_, width_, 1, options_.threads, [&](std::int64_t y, double* to) { read(y, to); },
        [&](std::int64_t y, const double* sums) {
          for (std::int64_t x = 0; x < width; ++x) {
            out[y * width + x] = finished(sums[x] / rows_.total / columns_.total);
          }
        });
  }

  /// A plane of the finite numbers and one for each kind.
  void read_kinds(std::int64_t y, double* to) const {
    read(y, to);
    for (std::int64_t x = 0; x < width_; ++x) {
      const double value = to[x];
      const bool is_number = is_finite(value);
      if (!is_number) to[x] = 0;
      to[width_ + x] = is_number ? 1 : 0;
      to[2 * width_ + x] = is_nan(value) ? 1 : 0;
      to[3 * width_ + x] = !is_number && !is_nan(value) && !sign_bit(value) ? 1 : 0;
      to[4 * width_ + x] = !is_number && !is_nan(value) && sign_bit(value) ? 1 : 0;
    }
  }

  void mixed() {
    const std::int64_t width = result_.extent(1);
    Real* const out = result_.mutable_data<Real>();
    const auto read_all = [&](std::int64_t y, double* to) { read_kinds(y, to); };
    const auto renormalised = [&](std::int64_t y, const double* sums) {
      for (std::int64_t x = 0; x < width; ++x) {
        out[y * width + x] =
            finished(of_kinds(sums[x], sums[width + x], sums[2 * width + x], sums[3 * width + x], sums[4 * width + x]));
      }
    };
    if (options_.filter != ResampleFilter::lanczos) {
      return weighted_sums(rows_, columns_, width_, 5, options_.threads, read_all, renormalised);
    }
    choose(ResampleFilter::bilinear);
    weighted_sums(rows_, columns_, width_, 5, options_.threads, read_all, renormalised);
    choose(ResampleFilter::lanczos);
    std::vector<double> touched(static_cast<std::size_t>(result_.size()));
    weighted_sums(
        touching(rows_), touching(columns_), width_, 1, options_.threads,
        [&](std::int64_t y, double* to) {
          read(y, to);
          for (std::int64_t x = 0; x < width_; ++x) to[x] = is_finite(to[x]) ? 0 : 1;
        },
        [&](std::int64_t y, const double* sums) { std::copy_n(sums, width, touched.data() + y * width); });
    weighted_sums(
        rows_, columns_, width_, 1, options_.threads,
        [&](std::int64_t y, double* to) {
          read(y, to);
          for (std::int64_t x = 0; x < width_; ++x) {
            if (!is_finite(to[x])) to[x] = 0;
          }
        },
        [&](std::int64_t y, const double* sums) {
          for (std::int64_t x = 0; x < width; ++x) {
            if (touched[static_cast<std::size_t>(y * width + x)] == 0) out[y * width + x] = finished(sums[x]);
          }
        });
  }

  const AnyView& x_;
  std::int64_t width_;
  const ResampleOptions& options_;
  Tensor result_;
  AxisKernel rows_, columns_;
  double unit_ = 1;
};

inline std::uint8_t to_byte(double value) noexcept {
  return static_cast<std::uint8_t>((std::clamp)(std::floor(value + 0.5), 0.0, 255.0));
}

inline Image nearest_image(const Image& image, std::int64_t width, std::int64_t height) {
  Image result = make_image(width, height, image.format);
  result.palette = image.palette;
  const int bytes = channels(image.format);
  std::vector<std::int64_t> from(static_cast<std::size_t>(width));
  for (std::int64_t x = 0; x < width; ++x) from[static_cast<std::size_t>(x)] = nearest_input(x, image.width, width);
  for (std::int64_t y = 0; y < height; ++y) {
    const std::uint8_t* const in = image.at(0, nearest_input(y, image.height, height));
    std::uint8_t* out = result.at(0, y);
    for (const std::int64_t x : from) out = std::copy_n(in + x * bytes, bytes, out);
  }
  return result;
}

/// Grey and RGB: a plane a channel. RGBA: colours times alpha, alpha, and colours for where alpha is nothing.
inline Image mixed_image(const Image& image, std::int64_t width, std::int64_t height, const ResampleOptions& options) {
  Image result = make_image(width, height, image.format);
  const int bytes = channels(image.format);
  const bool alpha = image.format == PixelFormat::rgba;
  const AxisKernel rows = axis_kernel(options.filter, image.height, height);
  const AxisKernel columns = axis_kernel(options.filter, image.width, width);
  const double total = rows.total * columns.total;
  const auto read = [&](std::int64_t y, double* to) {
    const std::uint8_t* in = image.at(0, y);
    for (std::int64_t x = 0; x < image.width; ++x, in += bytes) {
      for (int c = 0; c < bytes; ++c) to[c * image.width + x] = in[c];
      for (int c = 0; alpha && c < 3; ++c) to[(4 + c) * image.width + x] = in[c] * in[3];
    }
  };
  const auto write = [&](std::int64_t y, const double* sums) {
    std::uint8_t* out = result.at(0, y);
    for (std::int64_t x = 0; x < width; ++x, out += bytes) {
      for (int c = 0; c < bytes; ++c) out[c] = to_byte(sums[c * width + x] / total);
      if (!alpha || out[3] == 0) continue;
      for (int c = 0; c < 3; ++c) out[c] = to_byte(sums[(4 + c) * width + x] / sums[3 * width + x]);
    }
  };
  weighted_sums(rows, columns, image.width, alpha ? 7 : bytes, options.threads, read, write);
  return result;
}

}  // namespace detail

LAYERSCOPE_INLINE Tensor resample(const AnyView& x, const Shape& shape, const ResampleOptions& options) {
  if (x.rank() == 0 || x.empty()) {
    throw Error(ErrorCode::empty, "resample: shape " + to_text(x.shape()) + " has no numbers");
  }
  if (x.rank() != 2) {
    throw Error(ErrorCode::invalid_argument, "resample: an input of shape " + to_text(x.shape()) + "; expected [h, w]");
  }
  if (shape.rank() != 2 || shape[0] < 1 || shape[1] < 1) {
    throw Error(ErrorCode::invalid_argument,
                "resample: to shape " + to_text(shape) + "; expected [height, width] of 1 or more");
  }
  constexpr std::int64_t limit = std::int64_t{1} << 31;
  if ((std::max)({x.extent(0), x.extent(1), shape[0], shape[1]}) >= limit) {
    throw Error(ErrorCode::too_large, "resample: shape " + to_text(x.shape()) + " to " + to_text(shape) +
                                          "; expected extents below 2147483648");
  }
  if (x.dtype() == DType::f64) return detail::MatrixResampling<double>(x, shape, options).run();
  return detail::MatrixResampling<float>(x, shape, options).run();
}

LAYERSCOPE_INLINE Image resample(const Image& image, std::int64_t width, std::int64_t height,
                                 const ResampleOptions& options) {
  check_image(image, "resample");
  if (width < 1 || height < 1) {
    throw Error(ErrorCode::invalid_argument,
                "resample: " + to_text(width) + " × " + to_text(height) + " pixels; expected sides of 1 or more");
  }
  if (options.filter == ResampleFilter::nearest) return detail::nearest_image(image, width, height);
  if (image.format == PixelFormat::indexed) return resample(to_rgb(image), width, height, options);
  if (width == image.width && height == image.height) return image;
  return detail::mixed_image(image, width, height, options);
}

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
