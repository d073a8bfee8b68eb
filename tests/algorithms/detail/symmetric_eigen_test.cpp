#include <layerscope/algorithms/detail/symmetric_eigen.hpp>

#include "support/catch.hpp"

#include <layerscope/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace {

namespace detail = layerscope::detail;
using Size = std::int64_t;

std::size_t at(Size i) {
  return static_cast<std::size_t>(i);
}

std::vector<double> normals(Size count, std::uint64_t seed) {
  const layerscope::Random random(seed);
  std::vector<double> values(at(count));
  for (Size i = 0; i < count; ++i) values[at(i)] = random.normal(static_cast<std::uint64_t>(i));
  return values;
}

/// H · diag(values) · H with the reflection H = I − 2uuᵀ: known eigenvalues, column i of H the i-th eigenvector.
struct Known {
  explicit Known(const std::vector<double>& spectrum)
      : values(spectrum), m(static_cast<Size>(spectrum.size())), basis(at(m * m)), c(at(m * m)) {
    std::vector<double> u = normals(m, 3);
    double norm = 0;
    for (const double x : u) norm += x * x;
    for (Size i = 0; i < m; ++i) {
      for (Size j = 0; j < m; ++j) basis[at(i * m + j)] = (i == j ? 1.0 : 0.0) - 2 * u[at(i)] * u[at(j)] / norm;
    }
    for (Size i = 0; i < m; ++i) {
      for (Size j = 0; j < m; ++j) {
        for (Size k = 0; k < m; ++k) c[at(i * m + j)] += basis[at(i * m + k)] * values[at(k)] * basis[at(k * m + j)];
      }
    }
  }
  std::vector<double> values;
  Size m;
  std::vector<double> basis;
  std::vector<double> c;
};

void check_pairs(const detail::EigenPairs& pairs, const Known& known, Size k, double tolerance) {
  REQUIRE(pairs.values.size() == at(k));
  for (Size i = 0; i < k; ++i) {
    CAPTURE(i);
    CHECK(pairs.values[at(i)] == Catch::Approx(known.values[at(i)]).epsilon(tolerance));
    double cosine = 0;
    for (Size j = 0; j < known.m; ++j) cosine += pairs.vectors[at(i * known.m + j)] * known.basis[at(i * known.m + j)];
    CHECK(std::abs(cosine) > 1 - tolerance);
  }
}

std::vector<double> falling(Size m, double power) {
  std::vector<double> values(at(m));
  for (Size i = 0; i < m; ++i) values[at(i)] = 1 / std::pow(static_cast<double>(i + 1), power);
  return values;
}

TEST_CASE("dense eigenpairs of a known matrix") {
  const Known known(falling(60, 1));
  check_pairs(detail::dense_eigenpairs(60, 60, known.c.data()), known, 60, 1e-9);
}

TEST_CASE("leading eigenpairs of a known matrix, in few applications") {
  const Known known(falling(300, 1));
  const detail::PackedSymmetric packed(300, known.c.data(), 2);
  const auto pairs = detail::leading_eigenpairs(
      300, 20, 1e-9, 1, 2, [&](const double* from, Size count, double* to) { packed.apply(from, count, to); });
  check_pairs(pairs, known, 20, 1e-10);
  CHECK(pairs.residual <= 1e-9);
  CHECK(pairs.applications <= 30);
}

TEST_CASE("the Chebyshev filter earns its name on a spectrum without gaps") {
  // λ = 1 − i/600: 20 wanted and 32 carried. x = 2·λ20/λ32 − 1 = 1.042, so each application gains x + √(x² − 1) = 1.34,
  // and some 80 of them 1e-9 and the room that restarts take; a plain power iteration gains 1.021, and needs 1000.
  const Size m = 300;
  const auto pairs = detail::leading_eigenpairs(m, 20, 1e-9, 1, 1, [&](const double* from, Size count, double* to) {
    for (Size i = 0; i < count * m; ++i) to[i] = from[i] * (1 - static_cast<double>(i % m) / 600);
  });
  REQUIRE(pairs.values.size() == 20);
  CHECK(pairs.values[19] == Catch::Approx(1 - 19.0 / 600).epsilon(1e-12));
  CHECK(pairs.applications <= 160);
}

TEST_CASE("leading eigenpairs of a matrix of zeros are left to the dense solver") {
  const auto pairs = detail::leading_eigenpairs(
      300, 20, 1e-9, 1, 1, [](const double*, Size count, double* to) { std::fill_n(to, count * 300, 0.0); });
  CHECK(pairs.values.empty());
}

TEST_CASE("randomized eigenpairs come near") {
  const Known known(falling(200, 2));
  const detail::PackedSymmetric packed(200, known.c.data(), 1);
  const auto pairs = detail::randomized_eigenpairs(
      200, 5, 10, 4, 1, 1, [&](const double* from, Size count, double* to) { packed.apply(from, count, to); });
  check_pairs(pairs, known, 5, 1e-6);
  CHECK(pairs.applications == 6);
}

TEST_CASE("rows become orthonormal in their order") {
  const Size m = 50;
  const Size count = 12;
  std::vector<double> rows = normals(count * m, 4);
  const std::vector<double> before = rows;
  const bool dependent = GENERATE(false, true);
  if (dependent) {
    for (Size j = 0; j < m; ++j) rows[at(5 * m + j)] = rows[at(2 * m + j)] - rows[at(j)];
    std::fill_n(rows.begin() + 7 * m, m, 0.0);
  }
  detail::orthonormalize_rows(count, m, rows.data(), 1);
  for (Size i = 0; i < count; ++i) {
    for (Size k = 0; k <= i; ++k) {
      double product = 0;
      for (Size j = 0; j < m; ++j) product += rows[at(i * m + j)] * rows[at(k * m + j)];
      CHECK(std::abs(product - (i == k ? 1 : 0)) < 1e-13);
    }
  }
  double first = 0;
  double norm = 0;
  for (Size j = 0; j < m; ++j) {
    first += rows[at(j)] * before[at(j)];
    norm += before[at(j)] * before[at(j)];
  }
  CHECK(std::abs(first) == Catch::Approx(std::sqrt(norm)));  // the first row keeps its direction
}

TEST_CASE("a packed symmetric matrix applied to rows") {
  for (const Size m : {1, 5, 12, 97, 300}) {
    for (const Size count : {1, 3, 9}) {
      CAPTURE(m, count);
      const std::vector<double> half = normals(m * m, 6);
      std::vector<double> c(at(m * m));
      for (Size i = 0; i < m; ++i) {
        for (Size j = 0; j < m; ++j) c[at(i * m + j)] = half[at(i * m + j)] + half[at(j * m + i)];
      }
      const std::vector<double> rows = normals(count * m, 7);
      std::vector<double> found(at(count * m));
      detail::PackedSymmetric(m, c.data(), 2).apply(rows.data(), count, found.data());
      for (Size r = 0; r < count; ++r) {
        for (Size j = 0; j < m; ++j) {
          double expected = 0;
          for (Size i = 0; i < m; ++i) expected += rows[at(r * m + i)] * c[at(i * m + j)];
          REQUIRE(std::abs(found[at(r * m + j)] - expected) < 1e-11);
        }
      }
    }
  }
}

}  // namespace
