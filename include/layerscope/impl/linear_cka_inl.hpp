// Body of algorithms/detail/linear_cka.hpp.
#pragma once

#include <layerscope/algorithms/detail/linear_cka.hpp>
#include <layerscope/core/kernels/matmul.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Takes the mean from each column and brings the largest entry to 1; false for a constant matrix, up to rounding. The
/// first row goes first, so that equal rows are zeros exactly.
inline bool centre_and_scale(std::int64_t rows, std::int64_t columns, std::vector<double>& x) {
  const auto d = static_cast<std::size_t>(columns);
  const double n = static_cast<double>(rows);
  std::vector<double> mean(d, 0.0);
  double largest = 0;
  const std::vector<double> first(x.begin(), x.begin() + columns);
  for (std::size_t i = 0; i < x.size(); ++i) {
    largest = (std::max)(largest, std::fabs(x[i]));
    x[i] -= first[i % d];
    mean[i % d] += x[i] / n;
  }
  double left = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] -= mean[i % d];
    left = (std::max)(left, std::fabs(x[i]));
  }
  if (!(left > 1e-14 * largest)) return false;
  for (double& value : x) value /= left;
  return true;
}

inline double sum_of_products(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

LAYERSCOPE_INLINE double linear_cka(std::int64_t rows, std::int64_t x_columns, std::vector<double> x,
                                    std::int64_t y_columns, std::vector<double> y, int threads) {
  if (!centre_and_scale(rows, x_columns, x) || !centre_and_scale(rows, y_columns, y)) return 0;
  const StridedMatrix<double> a{x.data(), x_columns};
  const StridedMatrix<double> b{y.data(), y_columns};
  const auto square = [](std::int64_t side) { return std::vector<double>(static_cast<std::size_t>(side * side)); };
  double cross = 0;
  std::vector<double> within_x;
  std::vector<double> within_y;
  if ((std::max)(x_columns, y_columns) <= rows) {
    within_x = square(x_columns);
    within_y = square(y_columns);
    symmetric_product(rows, x_columns, a, within_x.data(), threads);
    symmetric_product(rows, y_columns, b, within_y.data(), threads);
    std::vector<double> between(static_cast<std::size_t>(y_columns * x_columns));
    matmul(y_columns, x_columns, rows, b.transposed(), a, between.data(), x_columns, threads);
    cross = sum_of_products(between, between);
  } else {
    within_x = square(rows);
    within_y = square(rows);
    symmetric_product(x_columns, rows, a.transposed(), within_x.data(), threads);
    symmetric_product(y_columns, rows, b.transposed(), within_y.data(), threads);
    cross = sum_of_products(within_x, within_y);
  }
  const double norms = std::sqrt(sum_of_products(within_x, within_x)) * std::sqrt(sum_of_products(within_y, within_y));
  return (std::clamp)(cross / norms, 0.0, 1.0);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
