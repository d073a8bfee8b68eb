// Bodies of Pca::transform and Pca::inverse_transform.
#pragma once

#include <layerscope/algorithms/pca.hpp>
#include <layerscope/impl/kernels/matmul_inl.hpp>
#include <layerscope/impl/pca_rows_inl.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// Rows [first, first + count) of a matrix as float64; throws when one is not finite.
LAYERSCOPE_INLINE void read_finite(const AnyView& x, std::int64_t first, std::int64_t count, const char* what,
                                   double* to) {
  const std::int64_t columns = x.extent(1);
  read_doubles(x, first, count, 0, columns, to);
  if (!may_be_non_finite(x.dtype())) return;
  for (std::int64_t i = 0; i < count * columns; ++i) {
    if (!is_finite(to[i])) {
      throw Error(ErrorCode::non_finite, std::string("pca: ") + what + ": row " + to_text(first + i / columns) +
                                             ", column " + to_text(i % columns) + " is " + to_text(to[i]) +
                                             "; finite values are expected");
    }
  }
}

LAYERSCOPE_INLINE void check_columns(const AnyView& x, std::int64_t expected, const char* what) {
  if (x.rank() == 2 && x.extent(1) == expected) return;
  throw Error(ErrorCode::invalid_argument, std::string("pca: ") + what + ": an input of shape " + to_text(x.shape()) +
                                               "; [n, " + to_text(expected) + "] is expected");
}

/// The rows of x that hold no NaN or infinity, as a copy; x itself when all are.
LAYERSCOPE_INLINE AnyView finite_rows(const AnyView& x) {
  if (!may_be_non_finite(x.dtype()) || x.empty()) return x;
  std::vector<double> row(static_cast<std::size_t>(x.extent(1)));
  std::vector<std::int64_t> kept;
  for (std::int64_t r = 0; r < x.extent(0); ++r) {
    read_doubles(x, r, 1, 0, x.extent(1), row.data());
    if (std::all_of(row.begin(), row.end(), [](double value) { return is_finite(value); })) kept.push_back(r);
  }
  if (static_cast<std::int64_t>(kept.size()) == x.extent(0)) return x;
  Tensor rest(x.dtype(), {static_cast<std::int64_t>(kept.size()), x.extent(1)});
  const std::size_t row_bytes = static_cast<std::size_t>(x.extent(1)) * size_of(x.dtype());
  std::byte* to = rest.mutable_raw();
  for (const std::int64_t r : kept) {
    convert_into(x.narrow(0, r, 1), x.dtype(), to);
    to += row_bytes;
  }
  return rest.view();
}

/// Rows that transform() and inverse_transform() copy at a time.
inline constexpr std::int64_t projected_rows = 512;

template <class Real>
Tensor project(const Pca& model, const AnyView& x, int threads) {
  const std::int64_t n = x.extent(0);
  const std::int64_t d = model.mean.extent(0);
  const std::int64_t k = model.components.extent(0);
  Tensor scores(dtype_of<Real>, {n, k});
  Real* to = scores.mutable_data<Real>();
  const double* mean = model.mean.data<double>();
  const double* components = model.components.data<double>();
  const std::int64_t blocks = ceil_divide(n, projected_rows);
  parallel_for(blocks, threads, [&](std::int64_t block) {
    const std::int64_t first = block * projected_rows;
    const std::int64_t count = (std::min)(projected_rows, n - first);
    std::vector<double> part(static_cast<std::size_t>(count * d));
    read_finite(x, first, count, "transform", part.data());
    for (std::int64_t r = 0; r < count; ++r) {
      for (std::int64_t c = 0; c < d; ++c) part[static_cast<std::size_t>(r * d + c)] -= mean[c];
    }
    const StridedMatrix<double> turned = StridedMatrix<double>{components, d}.transposed();
    std::vector<double> out(static_cast<std::size_t>(count * k));
    matmul(count, k, d, {part.data(), d}, turned, out.data(), k, 1);
    constexpr double largest = static_cast<double>((std::numeric_limits<Real>::max)());
    for (std::size_t i = 0; i < out.size(); ++i) {
      to[first * k + static_cast<std::int64_t>(i)] = static_cast<Real>((std::clamp)(out[i], -largest, largest));
    }
  });
  return scores;
}

template <class Real>
Tensor unproject(const Pca& model, const AnyView& scores, int threads) {
  const std::int64_t n = scores.extent(0);
  const std::int64_t d = model.mean.extent(0);
  const std::int64_t k = model.components.extent(0);
  Tensor rows(dtype_of<Real>, {n, d});
  Real* to = rows.mutable_data<Real>();
  const double* mean = model.mean.data<double>();
  const double* components = model.components.data<double>();
  parallel_for(ceil_divide(n, projected_rows), threads, [&](std::int64_t block) {
    const std::int64_t first = block * projected_rows;
    const std::int64_t count = (std::min)(projected_rows, n - first);
    std::vector<double> part(static_cast<std::size_t>(count * k));
    read_finite(scores, first, count, "inverse_transform", part.data());
    std::vector<double> out(static_cast<std::size_t>(count * d));
    matmul(count, d, k, {part.data(), k}, {components, d}, out.data(), d, 1);
    constexpr double largest = static_cast<double>((std::numeric_limits<Real>::max)());
    for (std::int64_t r = 0; r < count; ++r) {
      for (std::int64_t c = 0; c < d; ++c) {
        const double value = out[static_cast<std::size_t>(r * d + c)] + mean[c];
        to[(first + r) * d + c] = static_cast<Real>((std::clamp)(value, -largest, largest));
      }
    }
  });
  return rows;
}

}  // namespace detail

LAYERSCOPE_INLINE Tensor Pca::transform(const AnyView& x, int threads, NonFiniteRows non_finite) const {
  detail::check_columns(x, mean.extent(0), "transform");
  const AnyView rows_kept = non_finite == NonFiniteRows::drop ? detail::finite_rows(x) : x;
  return x.dtype() == DType::f64 ? detail::project<double>(*this, rows_kept, threads)
                                 : detail::project<float>(*this, rows_kept, threads);
}

LAYERSCOPE_INLINE Tensor Pca::inverse_transform(const AnyView& scores, int threads) const {
  detail::check_columns(scores, components.extent(0), "inverse_transform");
  return scores.dtype() == DType::f64 ? detail::unproject<double>(*this, scores, threads)
                                      : detail::unproject<float>(*this, scores, threads);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
