#include <layerscope/core/kernels/matmul.hpp>

#include "core/kernels/levels.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#ifdef LAYERSCOPE_HEADER_ONLY
// The 16-wide body, lowered by the compiler to what it has: the logic of the AVX-512 level on any processor.
#define LAYERSCOPE_LEVEL level_wide_test
#define LAYERSCOPE_LEVEL_WIDTH 16
#define LAYERSCOPE_LEVEL_FN inline
#include <layerscope/impl/kernels/gemm_body.inc>
#include <layerscope/impl/kernels/pack_body.inc>
#undef LAYERSCOPE_LEVEL
#undef LAYERSCOPE_LEVEL_WIDTH
#undef LAYERSCOPE_LEVEL_FN
#endif

namespace {

namespace ls = layerscope;
using ls::StridedMatrix;
using Size = std::int64_t;

/// Memory that the functions must not write beyond: filled with a pattern, checked after.
template <class T>
struct Guarded {
  explicit Guarded(Size size) : values(static_cast<std::size_t>(size + 64), T(-77)), size_(size) {}
  bool intact() const {
    return std::all_of(values.begin() + size_, values.end(), [](T x) { return x == T(-77); });
  }
  std::vector<T> values;
  Size size_;
};

template <class T>
double at(const StridedMatrix<T>& x, Size r, Size c) {
  double value = static_cast<double>(x.data[r * x.row_stride + c * x.column_stride]);
  if (x.row_shift != nullptr) value -= static_cast<double>(x.row_shift[r]);
  if (x.column_shift != nullptr) value -= static_cast<double>(x.column_shift[c]);
  return value;
}

/// Largest |found − Σ a·b| / Σ |a||b| over all elements.
template <class T>
double product_error(Size m, Size n, Size k, const StridedMatrix<T>& a, const StridedMatrix<T>& b, const T* c,
                     Size stride) {
  double worst = 0;
  for (Size i = 0; i < m; ++i) {
    for (Size j = 0; j < n; ++j) {
      double sum = 0;
      double magnitude = 1e-30;
      for (Size t = 0; t < k; ++t) {
        const double term = at(a, i, t) * at(b, t, j);
        sum += term;
        magnitude += std::abs(term);
      }
      worst = std::max(worst, std::abs(static_cast<double>(c[i * stride + j]) - sum) / magnitude);
    }
  }
  return worst;
}

template <class T>
constexpr double tolerance = sizeof(T) == 4 ? 4e-6 : 1e-14;

#ifdef LAYERSCOPE_HEADER_ONLY
using Kernels = ls::detail::MatrixKernels;

std::vector<std::pair<std::string, Kernels>> all_kernels() {
  std::vector<std::pair<std::string, Kernels>> all;
  for (const ls::IsaLevel level : runnable_levels()) all.emplace_back(name(level), ls::detail::matrix_kernels(level));
  namespace wide = ls::detail::level_wide_test;
  all.emplace_back(
      "wide",
      Kernels{{wide::f32::multiply_block, wide::f32::strips_from_panels, wide::f32::panel_rows, wide::f32::strip_rows},
              {wide::f64::multiply_block, wide::f64::strips_from_panels, wide::f64::panel_rows, wide::f64::strip_rows},
              {wide::pack_depth_contiguous, wide::pack_rows_contiguous}});
  return all;
}

template <class T>
void check_products(const Kernels& kernels) {
  const Size sizes[][3] = {{1, 1, 1},     {3, 5, 7},       {4, 24, 256}, {5, 25, 257},  {97, 49, 3}, {96, 48, 300},
                           {13, 770, 19}, {101, 103, 131}, {31, 1, 515}, {1, 53, 1030}, {2, 3, 0}};
  for (const auto& [m, n, k] : sizes) {
    CAPTURE(m, n, k);
    const auto a = random_values<T>(m * k + 1, 1);
    const auto b = random_values<T>(k * n + 1, 2);
    const auto row_shift = random_values<T>(m + 1, 3);
    const auto column_shift = random_values<T>(k + 1, 4);
    const Size stride = n + 3;
    for (int variant = 0; variant < 6; ++variant) {
      CAPTURE(variant);
      StridedMatrix<T> left{a.data(), k, 1};
      StridedMatrix<T> right{b.data(), n, 1};
      if (variant == 1 || variant == 3) left = {a.data(), 1, m};
      if (variant == 2 || variant == 3) right = {b.data(), 1, k};
      if (variant == 4 && m * k > 0) {  // both axes reversed
        left = {a.data() + m * k - 1, -k, -1};
        left.row_shift = row_shift.data();
      }
      if (variant == 5) {
        left.column_shift = column_shift.data();
        right = {b.data(), 0, 1};  // one row repeated
      }
      Guarded<T> c(m * stride);
      ls::detail::product<T>(kernels, m, n, k, left, right.transposed(), c.values.data(), stride, {}, 1);
      CHECK(product_error(m, n, k, left, right, c.values.data(), stride) < tolerance<T>);
      CHECK(c.intact());
      for (Size i = 0; i < m; ++i) {  // the gap between rows stays as it was
        for (Size j = n; j < stride; ++j) REQUIRE(c.values[static_cast<std::size_t>(i * stride + j)] == T(-77));
      }
    }
  }
}

TEST_CASE("products of every level equal the naive sum in float64") {
  for (const auto& [level, kernels] : all_kernels()) {
    CAPTURE(level);
    check_products<float>(kernels);
    check_products<double>(kernels);
  }
}

template <class Source, class Real>
void check_symmetric(const Kernels& kernels, double limit) {
  const Size sizes[][2] = {{1, 1},   {7, 3},      {300, 24},  {3000, 17}, {2049, 128},
                           {5, 130}, {1111, 131}, {523, 397}, {40, 801}};
  for (const auto& [rows, columns] : sizes) {
    CAPTURE(rows, columns);
    const auto x = random_values<Source>(rows * columns, 5);
    const auto shift = random_values<Source>(std::max(rows, columns), 6);
    for (int variant = 0; variant < 3; ++variant) {
      CAPTURE(variant);
      StridedMatrix<Source> matrix{x.data(), columns, 1};
      if (variant == 1) matrix.column_shift = shift.data();
      if (variant == 2) {
        matrix = {x.data(), 1, rows};  // stored by columns
        matrix.row_shift = shift.data();
      }
      Guarded<double> c(columns * columns);
      std::fill_n(c.values.begin(), columns * columns, 0.0);
      ls::detail::add_symmetric<Source, Real>(kernels, rows, columns, matrix, c.values.data(), 1);
      ls::mirror_upper_triangle(columns, c.values.data());
      CHECK(c.intact());
      double worst = 0;
      for (Size i = 0; i < columns; ++i) {
        for (Size j = 0; j < columns; ++j) {
          if (rows * columns > 20000 && (i * columns + j) % 37 != 0) continue;  // a sample keeps this quick
          double sum = 0;
          double magnitude = 1e-30;
          for (Size r = 0; r < rows; ++r) {
            const double term = at(matrix, r, i) * at(matrix, r, j);
            sum += term;
            magnitude += std::abs(term);
          }
          worst = std::max(worst, std::abs(c.values[static_cast<std::size_t>(i * columns + j)] - sum) / magnitude);
        }
      }
      CHECK(worst < limit);
    }
  }
}

TEST_CASE("symmetric products of every level equal the naive sum in float64") {
  for (const auto& [level, kernels] : all_kernels()) {
    CAPTURE(level);
    check_symmetric<float, float>(kernels, 2e-6);
    check_symmetric<float, double>(kernels, 1e-14);
    check_symmetric<double, double>(kernels, 1e-14);
  }
}

TEST_CASE("packed squared distances of every level equal the naive ones") {
  for (const auto& [level, kernels] : all_kernels()) {
    for (const auto& [m, n, k] : {std::array<Size, 3>{1, 1, 1}, {5, 7, 3}, {100, 61, 50}, {97, 130, 784}, {3, 2, 0}}) {
      CAPTURE(level, m, n, k);
      const auto a = random_values<float>(m * k + 1, 8);
      const auto b = random_values<float>(n * k + 1, 9);
      std::vector<float> a_norms(static_cast<std::size_t>(m));
      std::vector<float> b_norms(static_cast<std::size_t>(n));
      ls::squared_norms(m, k, {a.data(), k}, a_norms.data(), 1);
      ls::squared_norms(n, k, {b.data(), k}, b_norms.data(), 1);
      const Size panel = kernels.f32.panel_rows;
      const ls::detail::AlignedBuffer<float> a_packed((m + panel) * k + 1);
      const ls::detail::AlignedBuffer<float> b_packed((n + panel) * k + 1);
      for (Size i = 0; i < m; i += panel) {
        ls::detail::pack(
            kernels, ls::detail::PackJob<float, float>{
                         {a.data(), k}, i, std::min(panel, m - i), 0, k, panel, panel * k, a_packed.data() + i * k});
      }
      for (Size i = 0; i < n; i += panel) {
        ls::detail::pack(
            kernels, ls::detail::PackJob<float, float>{
                         {b.data(), k}, i, std::min(panel, n - i), 0, k, panel, panel * k, b_packed.data() + i * k});
      }
      const ls::detail::AlignedBuffer<float> scratch(ls::packed_scratch_size());
      Guarded<float> out(m * n);
      ls::detail::distances_packed(kernels, m, n, k, a_packed.data(), a_norms.data(), b_packed.data(), b_norms.data(),
                                   out.values.data(), n, scratch.data());
      CHECK(out.intact());
      for (Size i = 0; i < m; ++i) {
        for (Size j = 0; j < n; ++j) {
          double expected = 0;
          for (Size t = 0; t < k; ++t) {
            const double difference = static_cast<double>(a[static_cast<std::size_t>(i * k + t)]) -
                                      static_cast<double>(b[static_cast<std::size_t>(j * k + t)]);
            expected += difference * difference;
          }
          const double scale = static_cast<double>(a_norms[static_cast<std::size_t>(i)]) +
                               static_cast<double>(b_norms[static_cast<std::size_t>(j)]);
          REQUIRE(std::abs(static_cast<double>(out.values[static_cast<std::size_t>(i * n + j)]) - expected) <=
                  1e-6 * scale);
        }
      }
    }
  }
}
#endif

TEST_CASE("matmul takes every storage order") {
  const Size m = 37;
  const Size n = 41;
  const Size k = 43;
  const auto a = random_values<float>(m * k, 10);
  const auto b = random_values<float>(n * k, 11);
  const StridedMatrix<float> left{a.data(), k};
  const StridedMatrix<float> right{b.data(), k};
  std::vector<float> c(static_cast<std::size_t>(m * n));
  ls::matmul(m, n, k, left, right.transposed(), c.data(), n, 2);
  CHECK(product_error(m, n, k, left, right.transposed(), c.data(), n) < tolerance<float>);
  std::vector<float> d(static_cast<std::size_t>(k * k));
  ls::matmul(k, k, m, left.transposed(), right, d.data(), k, 2);  // Aᵀ · B over the first m rows
  CHECK(product_error(k, k, m, left.transposed(), right, d.data(), k) < tolerance<float>);
}

TEST_CASE("empty products") {
  float c = 5;
  ls::matmul(0, 0, 3, StridedMatrix<float>{}, {}, &c, 1, 1);
  CHECK(c == 5);
  ls::matmul(1, 1, 0, StridedMatrix<float>{}, {}, &c, 1, 1);
  CHECK(c == 0);
  double s = 5;
  ls::symmetric_product(0, 1, StridedMatrix<float>{}, &s, ls::ProductPrecision::single_blocks, 1);
  CHECK(s == 0);
  ls::symmetric_product(0, 0, StridedMatrix<double>{}, nullptr, 1);
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

TEST_CASE("matmul: the number of threads does not change a bit") {
  const Size m = 203;
  const Size n = 1000;
  const Size k = 601;
  const auto a = random_values<float>(m * k, 12);
  const auto b = random_values<float>(n * k, 13);
  const auto wide = random_values<float>(2500 * 900, 14);
  std::vector<float> a_norms(static_cast<std::size_t>(m));
  std::vector<float> b_norms(static_cast<std::size_t>(n));
  ls::squared_norms(m, k, {a.data(), k}, a_norms.data(), 3);
  ls::squared_norms(n, k, {b.data(), k}, b_norms.data(), 3);
  std::vector<float> first_product;
  std::vector<float> first_distances;
  std::vector<double> first_narrow;
  std::vector<double> first_wide;
  for (const int threads : {1, 2, 8}) {
    CAPTURE(threads);
    std::vector<float> product(static_cast<std::size_t>(m * n));
    ls::matmul(m, n, k, {a.data(), k}, StridedMatrix<float>{b.data(), k}.transposed(), product.data(), n, threads);
    std::vector<float> distances(static_cast<std::size_t>(m * n));
    ls::squared_distances(m, n, k, {a.data(), k}, a_norms.data(), {b.data(), k}, b_norms.data(), distances.data(), n,
                          threads);
    std::vector<double> narrow(100 * 100);
    ls::symmetric_product(22500, 100, {wide.data(), 100}, narrow.data(), ls::ProductPrecision::single_blocks, threads);
    std::vector<double> broad(900 * 900);
    ls::symmetric_product(2500, 900, {wide.data(), 900}, broad.data(), ls::ProductPrecision::single_blocks, threads);
    if (threads == 1) {
      first_product = product;
      first_distances = distances;
      first_narrow = narrow;
      first_wide = broad;
    }
    CHECK(same_bits(product, first_product));
    CHECK(same_bits(distances, first_distances));
    CHECK(same_bits(narrow, first_narrow));
    CHECK(same_bits(broad, first_wide));
  }
}

TEST_CASE("packed distances have the bits of the plain ones") {
  const Size m = 130;
  const Size n = 75;
  const Size k = 300;
  const auto a = random_values<float>(m * k, 15);
  const auto b = random_values<float>(n * k, 16);
  std::vector<float> a_norms(static_cast<std::size_t>(m));
  std::vector<float> b_norms(static_cast<std::size_t>(n));
  ls::squared_norms(m, k, {a.data(), k}, a_norms.data(), 1);
  ls::squared_norms(n, k, {b.data(), k}, b_norms.data(), 1);
  std::vector<float> plain(static_cast<std::size_t>(m * n));
  ls::squared_distances(m, n, k, {a.data(), k}, a_norms.data(), {b.data(), k}, b_norms.data(), plain.data(), n, 1);

  const auto aligned = [](Size size) {
    struct Free {
      void operator()(float* p) const { ::operator delete (p, std::align_val_t{64}); }
    };
    return std::unique_ptr<float, Free>(
        static_cast<float*>(::operator new (static_cast<std::size_t>(size) * sizeof(float), std::align_val_t{64})));
  };
  const auto a_packed = aligned(ls::packed_size(m, k));
  const auto b_packed = aligned(ls::packed_size(n, k));
  const auto scratch = aligned(ls::packed_scratch_size());
  ls::pack_rows(m, k, {a.data(), k}, a_packed.get(), 2);
  ls::pack_rows(n, k, {b.data(), k}, b_packed.get(), 2);
  std::vector<float> packed(static_cast<std::size_t>(m * n));
  ls::squared_distances_packed(m, n, k, a_packed.get(), a_norms.data(), b_packed.get(), b_norms.data(), packed.data(),
                               n, scratch.get());
  CHECK(same_bits(plain, packed));
}

TEST_CASE("distances of a point to itself are never negative") {
  const Size n = 60;
  const Size k = 33;
  auto x = random_values<float>(n * k, 17);
  for (float& value : x) value = value * 1e-3F + 1000.0F;
  std::vector<float> norms(static_cast<std::size_t>(n));
  ls::squared_norms(n, k, {x.data(), k}, norms.data(), 1);
  std::vector<float> out(static_cast<std::size_t>(n * n));
  ls::squared_distances(n, n, k, {x.data(), k}, norms.data(), {x.data(), k}, norms.data(), out.data(), n, 1);
  CHECK(*std::min_element(out.begin(), out.end()) >= 0.0F);
}

}  // namespace
