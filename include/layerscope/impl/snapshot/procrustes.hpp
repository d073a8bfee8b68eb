// Turning one layout onto another: the orthogonal Procrustes problem (Schönemann, Psychometrika 31, 1966) in two or
// three dimensions.
#pragma once

#include <layerscope/config.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Column by column: m[column][row].
using SmallMatrix = std::array<std::array<double, 3>, 3>;

inline double dot(const std::array<double, 3>& a, const std::array<double, 3>& b) noexcept {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/// Takes from `column` what lies along the first `count` columns of `basis`, and makes it a unit vector; false when
/// next to nothing is left.
inline bool orthonormalize(std::array<double, 3>& column, const SmallMatrix& basis, std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    const double along = dot(column, basis[i]);
    for (std::size_t row = 0; row < 3; ++row) column[row] -= along * basis[i][row];
  }
  const double length = std::sqrt(dot(column, column));
  if (!(length > 1e-6)) return false;
  for (double& value : column) value /= length;
  return true;
}

/// The orthogonal Q (rotation or reflection) of size k ≤ 3 that makes trace(Qᵀ·m) largest: with m = AᵀB, the one for
/// which A·Q is closest to B. Q = U·Vᵀ of the singular value decomposition of m, by one-sided Jacobi rotations; where
/// m has no full rank, a completion of it.
inline SmallMatrix nearest_orthogonal(const SmallMatrix& m, std::size_t k) noexcept {
  SmallMatrix w = m;  // becomes U·S
  SmallMatrix v{};
  for (std::size_t i = 0; i < k; ++i) v[i][i] = 1;
  for (int sweep = 0; sweep < 30; ++sweep) {
    bool rotated = false;
    for (std::size_t p = 0; p + 1 < k; ++p) {
      for (std::size_t q = p + 1; q < k; ++q) {
        const double pp = dot(w[p], w[p]), qq = dot(w[q], w[q]), pq = dot(w[p], w[q]);
        if (std::abs(pq) <= 1e-15 * std::sqrt(pp * qq) || pq == 0) continue;
        rotated = true;
        const double zeta = (qq - pp) / (2 * pq);
        const double t = (zeta >= 0 ? 1.0 : -1.0) / (std::abs(zeta) + std::sqrt(1 + zeta * zeta));
        const double c = 1 / std::sqrt(1 + t * t), s = c * t;
        for (SmallMatrix* const turned : {&w, &v}) {
          for (std::size_t row = 0; row < k; ++row) {
            const double a = (*turned)[p][row], b = (*turned)[q][row];
            (*turned)[p][row] = c * a - s * b;
            (*turned)[q][row] = s * a + c * b;
          }
        }
      }
    }
    if (!rotated) break;
  }
  // Columns in order of length, so that what is completed is what has least to say.
  std::array<std::size_t, 3> order{0, 1, 2};
  for (std::size_t i = 0; i + 1 < k; ++i) {
    for (std::size_t j = i + 1; j < k; ++j) {
      if (dot(w[order[j]], w[order[j]]) > dot(w[order[i]], w[order[i]])) std::swap(order[i], order[j]);
    }
  }
  const double largest = std::sqrt(dot(w[order[0]], w[order[0]]));
  SmallMatrix u{};
  SmallMatrix q{};
  for (std::size_t i = 0; i < k; ++i) {
    u[i] = w[order[i]];
    for (double& value : u[i]) value = largest > 0 ? value / largest : 0;
    // Without a direction of its own: that of its partner in v if free, else of any axis.
    if (!orthonormalize(u[i], u, i)) {
      u[i] = v[order[i]];
      for (std::size_t axis = 0; !orthonormalize(u[i], u, i) && axis < k; ++axis) {
        u[i] = {};
        u[i][axis] = 1;
      }
    }
    for (std::size_t row = 0; row < k; ++row) {
      for (std::size_t column = 0; column < k; ++column) q[column][row] += u[i][row] * v[order[i]][column];
    }
  }
  return q;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
