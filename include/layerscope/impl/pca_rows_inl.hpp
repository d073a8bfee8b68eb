// The rows that pca() reads: which ones, their column means, and centred copies of parts of them.
#pragma once

#include <layerscope/algorithms/non_finite_rows.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/kernels/isa.hpp>
#include <layerscope/core/kernels/matmul.hpp>
#include <layerscope/core/parallel.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/impl/kernels/exact_double_inl.hpp>
#include <layerscope/impl/kernels/x86_inl.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#define LAYERSCOPE_KERNEL_BODY <layerscope/impl/kernels/columns_body.inc>
#include <layerscope/impl/kernels/for_each_level.inc>
#undef LAYERSCOPE_KERNEL_BODY

namespace layerscope::inline LAYERSCOPE_ABI::detail {

using AddColumns = std::uint32_t (*)(const float*, std::int64_t, std::int64_t, std::int64_t, double*);

LAYERSCOPE_INLINE AddColumns add_columns_kernel(IsaLevel level) noexcept {
#ifdef LAYERSCOPE_X86_KERNELS_
  if (level == IsaLevel::avx512) return level_avx512::add_columns;
  if (level == IsaLevel::avx2) return level_avx2::add_columns;
#endif
  static_cast<void>(level);
  return level_portable::add_columns;
}

constexpr bool may_be_non_finite(DType type) noexcept {
  return type == DType::f16 || type == DType::bf16 || type == DType::f32 || type == DType::f64;
}

/// to[count, columns] = the block of the matrix as float64, on the calling thread.
LAYERSCOPE_INLINE void read_doubles(const AnyView& x, std::int64_t first_row, std::int64_t count,
                                    std::int64_t first_column, std::int64_t columns, double* to) {
  if (x.dtype() != DType::f32) {
    return convert_into(x.narrow(0, first_row, count).narrow(1, first_column, columns), DType::f64, to);
  }
  const float* data = static_cast<const float*>(x.data());
  for (std::int64_t r = 0; r < count; ++r) {
    const float* row = data + (first_row + r) * x.strides()[0] + first_column * x.strides()[1];
    for (std::int64_t c = 0; c < columns; ++c) to[r * columns + c] = exact_double(row[c * x.strides()[1]]);
  }
}

/// A matrix [n, d] with its non-finite rows left out, scaled by a power of two where its numbers are too large or too
/// small for float32 products.
class PcaRows {
 public:
  /// Throws Error(non_finite), Error(empty) when no row is left, Error(invalid_argument) for values beyond 1e150.
  PcaRows(const AnyView& x, NonFiniteRows policy, int threads) : x_(x), threads_(threads), d_(x.extent(1)) {
    n_ = x.extent(0);
    if (!find_means()) {
      drop_rows(policy);
      find_means();
    }
    if (magnitude_ > 1e150) {
      throw Error(ErrorCode::invalid_argument, "pca: a value of magnitude " + to_text(magnitude_) +
                                                   " was found; at most 1e150 is expected, since "
                                                   "variances are squares");
    }
    set_scale(scale_for(magnitude_));
  }

  /// The power of two by which values of this largest magnitude are multiplied.
  static double scale_for(double magnitude) noexcept {
    const bool plain = magnitude == 0 || (magnitude >= 0x1p-40 && magnitude <= 0x1p40);
    return plain ? 1 : std::ldexp(1.0, -std::ilogb(magnitude));
  }

  /// Another power of two, to join these rows to others.
  void set_scale(double scale) noexcept {
    for (double& mean : means_) mean *= scale / scale_;
    scale_ = scale;
  }

  std::int64_t rows() const noexcept { return n_; }
  std::int64_t columns() const noexcept { return d_; }
  std::int64_t dropped() const noexcept { return x_.extent(0) - n_; }
  DType dtype() const noexcept { return x_.dtype(); }
  /// Multiplies every value; the means, too, are those of the scaled values.
  double scale() const noexcept { return scale_; }
  const std::vector<double>& means() const noexcept { return means_; }
  /// Largest magnitude of the scaled values.
  double magnitude() const noexcept { return magnitude_ * scale_; }
  double unscaled_magnitude() const noexcept { return magnitude_; }

  /// The matrix in place when its elements are T and need no treatment.
  template <class T>
  std::optional<StridedMatrix<T>> in_place() const {
    if (x_.dtype() != dtype_of<T> || dropped() > 0 || scale_ != 1) return std::nullopt;
    return StridedMatrix<T>{static_cast<const T*>(x_.data()), x_.strides()[0], x_.strides()[1]};
  }

  /// to[count, columns] = rows [first_row, first_row + count) minus the means, for some columns, on several threads.
  template <class T>
  void centred(std::int64_t first_row, std::int64_t count, std::int64_t first_column, std::int64_t columns,
               T* to) const {
    const std::int64_t piece = (std::clamp)(std::int64_t{8192} / columns, std::int64_t{1}, count);
    parallel_for((count + piece - 1) / piece, threads_, [&](std::int64_t task) {
      const std::int64_t first = task * piece;
      const std::int64_t size = (std::min)(piece, count - first);
      std::vector<double> values(static_cast<std::size_t>(size * columns));
      read_scaled(first_row + first, size, first_column, columns, values.data());
      T* out = to + first * columns;
      for (std::int64_t r = 0; r < size; ++r) {
        for (std::int64_t c = 0; c < columns; ++c) {
          const std::size_t at = static_cast<std::size_t>(r * columns + c);
          out[at] = static_cast<T>(values[at] - means_[static_cast<std::size_t>(first_column + c)]);
        }
      }
    });
  }

 private:
  void read_kept(std::int64_t first_row, std::int64_t count, std::int64_t first_column, std::int64_t columns,
                 double* to) const {
    if (kept_.empty()) return read_doubles(x_, first_row, count, first_column, columns, to);
    for (std::int64_t r = 0; r < count; ++r) {
      read_doubles(x_, kept_[static_cast<std::size_t>(first_row + r)], 1, first_column, columns, to + r * columns);
    }
  }

  void read_scaled(std::int64_t first_row, std::int64_t count, std::int64_t first_column, std::int64_t columns,
                   double* to) const {
    read_kept(first_row, count, first_column, columns, to);
    if (scale_ == 1) return;
    for (std::int64_t i = 0; i < count * columns; ++i) to[i] *= scale_;
  }

  /// Means of the columns and the largest magnitude; false when a value is not finite.
  bool find_means() {
    // At most 64 partial sums, added in order.
    const std::int64_t block_rows = (std::max<std::int64_t>)(256, (n_ + 63) / 64);
    const std::int64_t blocks = (n_ + block_rows - 1) / block_rows;
    const std::size_t d = static_cast<std::size_t>(d_);
    std::vector<double> sums(static_cast<std::size_t>(blocks) * d);
    std::vector<double> largest(static_cast<std::size_t>(blocks));
    const bool direct = x_.dtype() == DType::f32 && kept_.empty() && (x_.strides()[1] == 1 || d_ == 1);
    const AddColumns add_columns = add_columns_kernel(isa_level());
    // float64 sums of float32 are exact but for 2^29 rows; those of float64 are taken from the first row, so that a
    // constant column has exactly its value as mean.
    std::vector<double> origin(d);
    if (!direct) read_kept(0, 1, 0, d_, origin.data());
    parallel_for(blocks, n_ * d_ < (std::int64_t{1} << 18) ? 1 : threads_, [&](std::int64_t block) {
      const std::int64_t first = block * block_rows;
      const std::int64_t last = (std::min)(n_, first + block_rows);
      double* sum = sums.data() + static_cast<std::size_t>(block) * d;
      double most = 0;
      if (direct) {
        const float* data = static_cast<const float*>(x_.data()) + first * x_.strides()[0];
        const std::uint32_t bits = add_columns(data, last - first, d_, x_.strides()[0], sum);
        most = bits >= 0x7F800000U ? (std::numeric_limits<double>::max)() : exact_double(std::bit_cast<float>(bits));
      } else {
        std::vector<double> row(d);
        for (std::int64_t r = first; r < last; ++r) {
          read_kept(r, 1, 0, d_, row.data());
          for (std::size_t c = 0; c < d; ++c) {
            most = is_finite(row[c]) ? (std::max)(most, std::abs(row[c])) : (std::numeric_limits<double>::max)();
            sum[c] += row[c] - origin[c];
          }
        }
      }
      largest[static_cast<std::size_t>(block)] = most;
    });
    magnitude_ = largest.empty() ? 0 : *std::max_element(largest.begin(), largest.end());
    if (magnitude_ == (std::numeric_limits<double>::max)()) return false;
    means_.assign(d, 0);
    for (std::size_t block = 0; block < static_cast<std::size_t>(blocks); ++block) {
      for (std::size_t c = 0; c < d; ++c) means_[c] += sums[block * d + c];
    }
    for (std::size_t c = 0; c < d; ++c) means_[c] = origin[c] + means_[c] / static_cast<double>(n_);
    return true;
  }

  /// Finds the rows without NaN and infinity, after find_means() has seen that there are others.
  void drop_rows(NonFiniteRows policy) {
    std::vector<double> row(static_cast<std::size_t>(d_));
    std::vector<std::int64_t> kept;
    for (std::int64_t r = 0; r < n_; ++r) {
      read_doubles(x_, r, 1, 0, d_, row.data());
      const auto bad = std::find_if(row.begin(), row.end(), [](double value) { return !is_finite(value); });
      if (bad == row.end()) {
        kept.push_back(r);
      } else if (policy == NonFiniteRows::error) {
        throw Error(ErrorCode::non_finite, "pca: row " + to_text(r) + ", column " + to_text(bad - row.begin()) +
                                               " is " + to_text(*bad) + "; finite values are expected");
      }
    }
    if (kept.empty()) {
      throw Error(ErrorCode::empty, "pca: 0 of " + to_text(n_) + " rows are finite; at least one is expected");
    }
    n_ = static_cast<std::int64_t>(kept.size());
    if (n_ < x_.extent(0)) kept_ = std::move(kept);
  }

  const AnyView& x_;
  int threads_;
  std::int64_t n_ = 0;
  std::int64_t d_;
  double scale_ = 1;
  double magnitude_ = 0;
  std::vector<double> means_;
  std::vector<std::int64_t> kept_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
