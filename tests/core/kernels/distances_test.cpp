#include <layerscope/core/kernels/distances.hpp>

#include <layerscope/core/kernels/matmul.hpp>
#include <layerscope/core/tensor.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/kernels/levels.hpp"
#include "support/catch.hpp"

namespace {

namespace ls = layerscope;
using Size = std::int64_t;

constexpr ls::Difference kinds[] = {ls::Difference::squared, ls::Difference::absolute};

double sum_of(ls::Difference what, Size d, const float* a, const float* b, double shift = 0, double scale = 1) {
  double sum = 0;
  for (Size c = 0; c < d; ++c) {
    const double x = static_cast<double>(a[c]) - (static_cast<double>(b[c]) - shift) * scale;
    sum += what == ls::Difference::squared ? x * x : std::abs(x);
  }
  return sum;
}

void check_close(double found, double expected, double tolerance) {
  CHECK(std::abs(found - expected) <= tolerance * expected);
}

ls::Tensor packed(const std::vector<float>& rows, Size count, Size d) {
  ls::Tensor to(ls::DType::f32, {ls::packed_size(count, d)});
  ls::pack_rows(count, d, {rows.data(), d}, to.mutable_data<float>(), 1);
  return to;
}

}  // namespace

TEST_CASE("gathered rows, at every width around a vector's") {
  for (const ls::Difference what : kinds) {
    for (Size d = 1; d < 150; d += d < 70 ? 1 : 13) {
      const auto a = random_values(d, 1);
      const auto b = random_values(7 * (d + 3), 2);
      const std::vector<std::int32_t> rows{4, 0, 6, 6, 1};
      std::vector<float> out(rows.size() + 1, -1);
      ls::gathered_distances(what, d, a.data(), b.data(), d + 3, rows.data(), 5, out.data());
      CAPTURE(d);
      for (std::size_t r = 0; r < 5; ++r)
        check_close(out[r], sum_of(what, d, a.data(), b.data() + rows[r] * (d + 3)), 1e-5);
      CHECK(out[5] == -1);
    }
  }
}

TEST_CASE("exact distances are float64") {
  for (const ls::Difference what : kinds) {
    for (Size d = 1; d < 90; d += d < 40 ? 1 : 7) {
      const auto a = random_values(d, 3);
      const auto b = random_values(d, 4);
      const std::vector<double> a_doubles(a.begin(), a.end());
      const std::vector<double> b_doubles(b.begin(), b.end());
      CAPTURE(d);
      check_close(ls::exact_distance(what, d, a_doubles.data(), b_doubles.data()), sum_of(what, d, a.data(), b.data()),
                  1e-14);
      check_close(ls::exact_distance(what, d, a_doubles.data(), b.data(), 0.25, 3),
                  sum_of(what, d, a.data(), b.data(), 0.25, 3), 1e-14);
      CHECK(ls::exact_distance(what, d, a_doubles.data(), a.data(), 0, 1) == 0);
    }
  }
}

TEST_CASE("packed blocks of differences") {
  for (const ls::Difference what : kinds) {
    for (const auto& [m, n, d] :
         {std::tuple<Size, Size, Size>{1, 1, 1}, {7, 50, 3}, {96, 131, 8}, {97, 49, 300}, {30, 20, 513}}) {
      const auto a = random_values(m * d, 5);
      const auto b = random_values(n * d, 6);
      const ls::Tensor a_packed = packed(a, m, d);
      const ls::Tensor b_packed = packed(b, n, d);
      ls::Tensor scratch(ls::DType::f32, {ls::packed_scratch_size()});
      std::vector<float> out(static_cast<std::size_t>(m * (n + 2)), -1);
      ls::differences_packed(what, m, n, d, a_packed.data<float>(), b_packed.data<float>(), out.data(), n + 2,
                             scratch.mutable_data<float>());
      double worst = 0;
      bool untouched = true;
      for (Size i = 0; i < m; ++i) {
        for (Size j = 0; j < n; ++j) {
          const double expected =
              sum_of(what, d, &a[static_cast<std::size_t>(i * d)], &b[static_cast<std::size_t>(j * d)]);
          worst = std::max(
              worst, std::abs(static_cast<double>(out[static_cast<std::size_t>(i * (n + 2) + j)]) / expected - 1));
        }
        untouched = untouched && out[static_cast<std::size_t>(i * (n + 2) + n)] == -1;
      }
      CAPTURE(m, n, d);
      CHECK(worst < 2e-5);
      CHECK(untouched);
    }
  }
}

TEST_CASE("numbers within a limit are found") {
  for (Size count = 0; count < 70; ++count) {
    const auto values = random_values(count, 7);
    auto limits = random_values(count, 8);
    if (count > 3) limits[3] = values[3];  // equal is within
    for (const bool with_limits : {false, true}) {
      for (const float limit : {-2.0F, -0.3F, count > 0 ? values[0] : 0.0F, 2.0F}) {
        std::vector<std::int32_t> expected;
        for (std::size_t j = 0; j < values.size(); ++j) {
          if (values[j] <= limit || (with_limits && values[j] <= limits[j])) {
            expected.push_back(static_cast<std::int32_t>(j));
          }
        }
        std::vector<std::int32_t> hits(values.size() + 16);
        hits.resize(static_cast<std::size_t>(
            ls::find_within(values.data(), count, limit, with_limits ? limits.data() : nullptr, hits.data())));
        CHECK(hits == expected);
      }
    }
  }
}

#ifdef LAYERSCOPE_HEADER_ONLY
TEST_CASE("distances: every instruction set gives the same up to rounding") {
  const Size d = 77;
  const auto a = random_values(d, 9);
  const auto b = random_values(3 * d, 10);
  const std::vector<double> a_doubles(a.begin(), a.end());
  const std::vector<std::int32_t> rows{2, 0, 1};
  for (const ls::IsaLevel level : runnable_levels()) {
    CAPTURE(name(level));
    const ls::detail::DistanceKernels& kernels = ls::detail::distance_kernels(level);
    for (const ls::Difference what : kinds) {
      float out[3];
      kernels.of(what).gathered(d, a.data(), b.data(), d, rows.data(), 3, out);
      for (int r = 0; r < 3; ++r)
        check_close(out[r],
                    sum_of(what, d, a.data(), &b[static_cast<std::size_t>(rows[static_cast<std::size_t>(r)] * d)]),
                    1e-5);
      check_close(kernels.of(what).exact_of_floats(d, a_doubles.data(), b.data(), 0.5, 2),
                  sum_of(what, d, a.data(), b.data(), 0.5, 2), 1e-14);
    }
    std::int32_t hits[100];
    const Size found = kernels.find_within(b.data(), d, 0, nullptr, hits);
    CHECK(found == std::count_if(b.begin(), b.begin() + d, [](float x) { return x <= 0; }));
    const ls::detail::MatrixKernels& matrix = ls::detail::matrix_kernels(level);
    const Size rows_packed = ls::detail::round_up(3, matrix.f32.panel_rows);
    ls::Tensor panels(ls::DType::f32, {rows_packed * d});
    ls::detail::pack(
        matrix,
        ls::detail::PackJob<float, float>{
            {b.data(), d}, 0, 3, 0, d, matrix.f32.panel_rows, matrix.f32.panel_rows * d, panels.mutable_data<float>()});
    ls::Tensor scratch(ls::DType::f32, {ls::packed_scratch_size()});
    float tile[9];
    ls::detail::differences_of(matrix, kernels, ls::Difference::squared, 3, 3, d, panels.data<float>(),
                               panels.data<float>(), tile, 3, scratch.mutable_data<float>());
    for (int i = 0; i < 9; ++i) {
      const double expected = sum_of(ls::Difference::squared, d, &b[static_cast<std::size_t>(i / 3 * d)],
                                     &b[static_cast<std::size_t>(i % 3 * d)]);
      CHECK(std::abs(static_cast<double>(tile[i]) - expected) <= 1e-5 * expected);
    }
  }
}
#endif
