#include <layerscope/algorithms/pca.hpp>

#include "support/catch.hpp"
#include "support/ieee.hpp"
#include "support/tables.hpp"

#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/core/tensor_view.hpp>
#include <layerscope/readers/idx.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace ls = layerscope;
using Catch::Matchers::ContainsSubstring;
using Size = std::int64_t;

template <class T>
ls::AnyView matrix(const std::vector<T>& values, Size rows, Size columns) {
  return ls::TensorView<T>(values.data(), {rows, columns});
}

std::size_t at(Size i) {
  return static_cast<std::size_t>(i);
}

/// n rows in d columns whose variances fall as scale², around means of `offset`; rank min(rank, d).
template <class T>
std::vector<T> sample(Size n, Size d, Size rank, double offset = 3, double decay = 0.8) {
  const ls::Random random(11);
  const ls::Random mix(12);
  std::vector<double> scores(at(n * rank));
  std::vector<double> directions(at(rank * d));
  for (Size i = 0; i < n * rank; ++i) {
    scores[at(i)] = random.normal(static_cast<std::uint64_t>(i)) * std::pow(decay, static_cast<double>(i % rank));
  }
  for (Size i = 0; i < rank * d; ++i) directions[at(i)] = mix.normal(static_cast<std::uint64_t>(i));
  std::vector<T> x(at(n * d));
  std::vector<double> row(at(d));
  for (Size r = 0; r < n; ++r) {
    for (Size c = 0; c < d; ++c) row[at(c)] = offset * static_cast<double>(c + 1) / static_cast<double>(d);
    for (Size k = 0; k < rank; ++k) {
      for (Size c = 0; c < d; ++c) row[at(c)] += scores[at(r * rank + k)] * directions[at(k * d + c)];
    }
    std::transform(row.begin(), row.end(), x.begin() + r * d, [](double value) { return static_cast<T>(value); });
  }
  return x;
}

double dot(const double* a, const double* b, Size size) {
  double sum = 0;
  for (Size i = 0; i < size; ++i) sum += a[i] * b[i];
  return sum;
}

/// Orthonormal rows up to the rank, zero beyond, the largest entry positive; variances fall and are finite.
void check_form(const ls::Pca& model, double tolerance = 1e-9) {
  const Size k = model.components.extent(0);
  const Size d = model.components.extent(1);
  const double* components = model.components.data<double>();
  REQUIRE(model.explained_variance.size() == at(k));
  REQUIRE(model.explained_variance_ratio.size() == at(k));
  for (Size i = 0; i < k; ++i) {
    const double* row = components + i * d;
    REQUIRE(std::all_of(row, row + d, [](double x) { return ls::is_finite(x); }));
    REQUIRE(ls::is_finite(model.explained_variance[at(i)]));
    if (i > 0) REQUIRE(model.explained_variance[at(i)] <= model.explained_variance[at(i - 1)]);
    if (i >= model.rank) {
      REQUIRE(std::all_of(row, row + d, [](double x) { return x == 0; }));
      REQUIRE(model.explained_variance[at(i)] == 0);
      continue;
    }
    const double largest =
        *std::max_element(row, row + d, [](double a, double b) { return std::abs(a) < std::abs(b); });
    CHECK(largest > 0);
    for (Size j = 0; j <= i; ++j) {
      REQUIRE(std::abs(dot(row, components + j * d, d) - (i == j ? 1 : 0)) < tolerance);
    }
  }
}

/// Largest difference of the variances, relative to each, and smallest |cosine| between the components.
void check_same(const ls::Pca& found, const ls::Pca& expected, double variance_tolerance, double cosine_tolerance) {
  REQUIRE(found.rank == expected.rank);
  const Size d = expected.components.extent(1);
  for (Size i = 0; i < expected.rank; ++i) {
    CAPTURE(i);
    CHECK(std::abs(found.explained_variance[at(i)] / expected.explained_variance[at(i)] - 1) < variance_tolerance);
    CHECK(dot(found.components.data<double>() + i * d, expected.components.data<double>() + i * d, d) >
          1 - cosine_tolerance);
  }
}

bool same_bits(const ls::Tensor& a, const ls::Tensor& b) {
  return a.bytes() == b.bytes() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

std::string message_of(const std::function<void()>& f, ls::ErrorCode code) {
  try {
    f();
  } catch (const ls::Error& error) {
    CHECK(error.code() == code);
    return error.what();
  }
  return "nothing thrown";
}

// ------------------------------------------------------------------------------------------------- closed forms

TEST_CASE("points on a line have one component") {
  const std::vector<double> x{0, 0, 1, 2, 2, 4, 3, 6};
  const ls::Pca model = ls::pca(matrix(x, 4, 2));
  CHECK(model.rank == 1);
  CHECK(model.explained_variance[0] == Catch::Approx(5.0 * 5 / 3));  // squared steps of √5 over 0 … 3: 5 · 5/3
  CHECK(model.explained_variance_ratio[0] == Catch::Approx(1));
  CHECK(model.total_variance == Catch::Approx(25.0 / 3));
  CHECK(model.components.data<double>()[0] == Catch::Approx(1 / std::sqrt(5.0)));
  CHECK(model.components.data<double>()[1] == Catch::Approx(2 / std::sqrt(5.0)));
  CHECK(model.mean.data<double>()[0] == Catch::Approx(1.5));
  check_form(model);
  const ls::Tensor scores = model.transform(matrix(x, 4, 2));
  REQUIRE(scores.dtype() == ls::DType::f64);
  CHECK(scores.data<double>()[0] == Catch::Approx(-1.5 * std::sqrt(5.0)));
  CHECK(scores.data<double>()[1] == 0);
  const ls::Tensor back = model.inverse_transform(scores);
  for (Size i = 0; i < 8; ++i) CHECK(std::abs(back.data<double>()[i] - x[at(i)]) < 1e-12);
}

TEST_CASE("uncorrelated columns are the components") {
  // ±a in one column at a time: the covariance is diagonal, 2a²/(n − 1).
  const std::vector<float> x{3, 0, 0, -3, 0, 0, 0, 1, 0, 0, -1, 0, 0, 0, 2, 0, 0, -2};
  const ls::Pca model = ls::pca(matrix(x, 6, 3));
  CHECK(model.explained_variance[0] == Catch::Approx(18.0 / 5));
  CHECK(model.explained_variance[1] == Catch::Approx(8.0 / 5));
  CHECK(model.explained_variance[2] == Catch::Approx(2.0 / 5));
  CHECK(model.components.data<double>()[0] == Catch::Approx(1));
  CHECK(model.components.data<double>()[5] == Catch::Approx(1));
  CHECK(model.components.data<double>()[7] == Catch::Approx(1));
}

// ------------------------------------------------------------------------------------------------- scikit-learn

std::map<std::string, std::vector<double>> reference() {
  std::map<std::string, std::vector<double>> all;
  std::ifstream file(LAYERSCOPE_TESTS_DIR "/reference/pca.txt");
  std::string line;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string data;
    std::string what;
    words >> data >> what;
    std::vector<double>& values = all[data + " " + what];
    for (double value = 0; words >> value;) values.push_back(value);
  }
  return all;
}

/// Against the full decomposition: variances to 1e-6, |cosine| to 1e-5, scores to 1e-4 of the largest.
void check_reference(const std::string& data, const ls::AnyView& x, ls::PcaSolver solver) {
  const auto expected = reference();
  const std::vector<double>& variance = expected.at(data + " variance");
  const std::vector<double>& ratio = expected.at(data + " ratio");
  const std::vector<double>& components = expected.at(data + " components");
  const std::vector<double>& scores = expected.at(data + " scores");
  const Size d = x.extent(1);
  ls::PcaOptions options;
  options.components = static_cast<Size>(variance.size());
  options.solver = solver;
  const ls::Pca model = ls::pca(x, options);
  check_form(model);
  CHECK(model.warnings.empty());
  for (std::size_t i = 0; i < variance.size(); ++i) {
    CAPTURE(data, i);
    CHECK(std::abs(model.explained_variance[i] / variance[i] - 1) < 1e-6);
    CHECK(std::abs(model.explained_variance_ratio[i] / ratio[i] - 1) < 1e-6);
  }
  const Size shown = static_cast<Size>(components.size()) / d;
  const ls::Tensor found_scores = model.transform(x.narrow(0, 0, 20));
  const ls::Tensor as_double = ls::convert(found_scores.view(), ls::DType::f64);
  for (Size i = 0; i < shown; ++i) {
    CAPTURE(data, i);
    const double cosine = dot(model.components.data<double>() + i * d, components.data() + i * d, d);
    CHECK(std::abs(cosine) >= 1 - 1e-5);
    for (Size r = 0; r < 20; ++r) {
      const double found = as_double.data<double>()[r * model.components.extent(0) + i] * (cosine < 0 ? -1 : 1);
      CHECK(std::abs(found - scores[at(r * shown + i)]) < 1e-4 * std::sqrt(variance[0]));
    }
  }
}

TEST_CASE("optdigits as scikit-learn decomposes it") {
  const auto digits = layerscope_test::optdigits();
  if (!digits) return;
  const std::vector<std::uint8_t> bytes(digits->x.data<float>(), digits->x.data<float>() + digits->x.size());
  check_reference("optdigits", digits->x.view(), ls::PcaSolver::automatic);
  check_reference("optdigits", ls::convert(digits->x, ls::DType::f64).view(), ls::PcaSolver::automatic);
  check_reference("optdigits", matrix(bytes, 1797, 64), ls::PcaSolver::automatic);
  // Three columns never hold ink: 61 components, the rest zero.
  const ls::Pca all = ls::pca(digits->x.view());
  CHECK(all.rank == 61);
  check_form(all);
}

#ifdef LAYERSCOPE_WITH_ZLIB
TEST_CASE("iris as scikit-learn decomposes it") {
  const auto iris = layerscope_test::iris();
  if (!iris) return;
  // The table's decimals in float64, which the float32 rows are within half a unit in the last place of.
  ls::Tensor exact = ls::convert(iris->x, ls::DType::f64);
  for (std::int64_t i = 0; i < exact.size(); ++i) {
    exact.mutable_data<double>()[i] = std::round(10 * exact.data<double>()[i]) / 10;
  }
  check_reference("iris", exact.view(), ls::PcaSolver::automatic);
  check_reference("iris", exact.view(), ls::PcaSolver::gram);
  check_reference("iris", iris->x.view(), ls::PcaSolver::covariance);
}

TEST_CASE("MNIST as scikit-learn decomposes it") {
  const auto path = layerscope_test::data_file("mnist/t10k-images-idx3-ubyte.gz");
  if (!path) return;
  const ls::Tensor images = ls::read_idx(*path);
  const ls::AnyView bytes = images.view().reshape({10000, 784}).value();
  const ls::Tensor floats = ls::convert(bytes, ls::DType::f32);
  check_reference("mnist10k", floats.view(), ls::PcaSolver::automatic);
  check_reference("mnist10k", bytes, ls::PcaSolver::automatic);
}
#endif

// ------------------------------------------------------------------------------------------------- solvers agree

TEST_CASE("covariance and Gram matrices lead to the same components") {
  for (const auto& [n, d] : {std::pair<Size, Size>{40, 90}, {90, 40}, {60, 60}}) {
    CAPTURE(n, d);
    const auto x = sample<double>(n, d, 12);
    const ls::Pca covariance = ls::pca(matrix(x, n, d), {.components = 12, .solver = ls::PcaSolver::covariance});
    const ls::Pca gram = ls::pca(matrix(x, n, d), {.components = 12, .solver = ls::PcaSolver::gram});
    CHECK(covariance.solver == ls::PcaSolver::covariance);
    CHECK(gram.solver == ls::PcaSolver::gram);
    CHECK(covariance.total_variance == Catch::Approx(gram.total_variance));
    check_form(covariance);
    check_form(gram);
    check_same(gram, covariance, 1e-9, 1e-9);
  }
}

TEST_CASE("the iterative solver finds what the dense one finds") {
  const auto x = sample<double>(900, 400, 60, 3, 0.95);
  const ls::Pca few = ls::pca(matrix(x, 900, 400), {.components = 20});
  const ls::Pca many = ls::pca(matrix(x, 900, 400), {.components = 150});  // beyond a quarter: dense
  check_form(few);
  check_form(many);
  for (Size i = 0; i < 20; ++i) {
    CHECK(few.explained_variance[at(i)] == Catch::Approx(many.explained_variance[at(i)]).epsilon(1e-12));
    CHECK(dot(few.components.data<double>() + i * 400, many.components.data<double>() + i * 400, 400) > 1 - 1e-10);
  }
  CHECK(few.rank == 20);
  CHECK(many.rank == 60);
}

TEST_CASE("the iterative solver on a spectrum without gaps, and on fewer directions than asked for") {
  std::vector<double> noise(at(700 * 300));
  const ls::Random random(5);
  for (std::size_t i = 0; i < noise.size(); ++i) noise[i] = random.normal(i);
  const ls::Pca few = ls::pca(matrix(noise, 700, 300), {.components = 30});
  const ls::Pca many = ls::pca(matrix(noise, 700, 300), {.components = 100});
  for (Size i = 0; i < 30; ++i) {
    CHECK(few.explained_variance[at(i)] == Catch::Approx(many.explained_variance[at(i)]).epsilon(1e-10));
  }
  const auto x = sample<double>(700, 300, 5);
  const ls::Pca thin = ls::pca(matrix(x, 700, 300), {.components = 30});
  CHECK(thin.rank == 5);
  check_form(thin);
}

TEST_CASE("the randomized solver comes near the exact one") {
  const auto x = sample<float>(1500, 300, 40, 3, 0.8);
  const ls::Pca exact = ls::pca(matrix(x, 1500, 300), {.components = 10});
  const ls::Pca near = ls::pca(matrix(x, 1500, 300), {.components = 10, .solver = ls::PcaSolver::randomized});
  CHECK(near.solver == ls::PcaSolver::randomized);
  CHECK(near.total_variance == Catch::Approx(exact.total_variance).epsilon(1e-5));
  check_form(near);
  check_same(near, exact, 1e-4, 1e-4);
}

TEST_CASE("float32 blocks are as exact as float64 where they are used") {
  const Size n = 9000;
  const Size d = 700;  // 4.4 G operations: products in float32
  const auto x = sample<float>(n, d, 20, 5, 0.9);
  const ls::Pca single = ls::pca(matrix(x, n, d), {.components = 10});
  const ls::Pca full = ls::pca(matrix(x, n, d), {.components = d / 2});  // half of them: float64, dense
  for (Size i = 0; i < 10; ++i) {
    CHECK(single.explained_variance[at(i)] == Catch::Approx(full.explained_variance[at(i)]).epsilon(1e-7));
    CHECK(dot(single.components.data<double>() + i * d, full.components.data<double>() + i * d, d) > 1 - 1e-9);
  }
}

TEST_CASE("pca: the number of threads does not change a bit") {
  const auto x = sample<float>(2000, 500, 30);
  const auto wide = sample<float>(60, 3000, 30);
  for (const auto solver : {ls::PcaSolver::covariance, ls::PcaSolver::gram, ls::PcaSolver::randomized}) {
    CAPTURE(name(solver));
    const ls::AnyView input = solver == ls::PcaSolver::gram ? matrix(wide, 60, 3000) : matrix(x, 2000, 500);
    const ls::Pca first = ls::pca(input, {.components = 8, .solver = solver, .threads = 1});
    const ls::Tensor first_scores = first.transform(input, 1);
    for (const int threads : {2, 8}) {
      const ls::Pca again = ls::pca(input, {.components = 8, .solver = solver, .threads = threads});
      CHECK(same_bits(first.components, again.components));
      CHECK(same_bits(first.mean, again.mean));
      CHECK(first.explained_variance == again.explained_variance);
      CHECK(first.total_variance == again.total_variance);
      CHECK(same_bits(first_scores, again.transform(input, threads)));
    }
  }
}

// ------------------------------------------------------------------------------------------------- layouts and types

TEST_CASE("any strides give the components of the contiguous copy") {
  const Size n = 50;
  const Size d = 7;
  const auto x = sample<float>(n, d, 7);
  const ls::Pca expected = ls::pca(matrix(x, n, d));
  std::vector<float> by_column(x.size());
  std::vector<float> reversed(x.size());
  std::vector<float> spaced(x.size() * 3);
  for (Size r = 0; r < n; ++r) {
    for (Size c = 0; c < d; ++c) {
      const float value = x[at(r * d + c)];
      by_column[at(c * n + r)] = value;
      reversed[at((n - 1 - r) * d + (d - 1 - c))] = value;
      spaced[at((r * d + c) * 3)] = value;
    }
  }
  const ls::TensorView<float> column_view(by_column.data(), {n, d}, {1, n});
  const ls::TensorView<float> reversed_view(reversed.data() + reversed.size() - 1, {n, d}, {-d, -1});
  const ls::TensorView<float> spaced_view(spaced.data(), {n, d}, {3 * d, 3});
  check_same(ls::pca(column_view), expected, 1e-10, 1e-10);
  check_same(ls::pca(reversed_view), expected, 1e-10, 1e-10);
  check_same(ls::pca(spaced_view), expected, 1e-10, 1e-10);
  const ls::TensorView<float> repeated(x.data(), {n, d}, ls::Strides{0, 1});  // one row, n times
  CHECK(ls::pca(repeated).rank == 0);
}

TEST_CASE("element types") {
  const Size n = 64;
  const Size d = 5;
  std::vector<double> x(at(n * d));
  const ls::Random random(9);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(random.below(i, 100));
  const ls::Pca expected = ls::pca(matrix(x, n, d));
  check_same(ls::pca(matrix(std::vector<std::int8_t>(x.begin(), x.end()), n, d)), expected, 1e-10, 1e-10);
  check_same(ls::pca(matrix(std::vector<std::uint16_t>(x.begin(), x.end()), n, d)), expected, 1e-10, 1e-10);
  check_same(ls::pca(matrix(std::vector<std::int64_t>(x.begin(), x.end()), n, d)), expected, 1e-10, 1e-10);
  check_same(ls::pca(matrix(std::vector<float>(x.begin(), x.end()), n, d)), expected, 1e-10, 1e-10);
  std::vector<ls::BFloat16> short_floats(x.size());  // integers below 256 are exact
  for (std::size_t i = 0; i < x.size(); ++i) {
    short_floats[i].bits = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(static_cast<float>(x[i])) >> 16);
  }
  check_same(ls::pca(matrix(short_floats, n, d)), expected, 1e-10, 1e-10);
}

TEST_CASE("permuted rows, a shifted origin and a doubled column") {
  const Size n = 80;
  const Size d = 6;
  const auto x = sample<double>(n, d, 6);
  const ls::Pca expected = ls::pca(matrix(x, n, d));
  std::vector<double> permuted(x.size());
  std::vector<double> shifted(x.size());
  for (Size r = 0; r < n; ++r) {
    for (Size c = 0; c < d; ++c) {
      permuted[at((r * 37 % n) * d + c)] = x[at(r * d + c)];
      shifted[at(r * d + c)] = x[at(r * d + c)] + 1e6 * static_cast<double>(c - 2);
    }
  }
  check_same(ls::pca(matrix(permuted, n, d)), expected, 1e-12, 1e-12);
  check_same(ls::pca(matrix(shifted, n, d)), expected, 1e-7, 1e-7);
  std::vector<double> doubled(at(n * (d + 1)));
  for (Size r = 0; r < n; ++r) {
    for (Size c = 0; c <= d; ++c) doubled[at(r * (d + 1) + c)] = x[at(r * d + c % d)];
  }
  CHECK(ls::pca(matrix(doubled, n, d + 1)).rank == d);
}

// ------------------------------------------------------------------------------------------------- hostile numbers

TEST_CASE("a float32 offset far above the spread") {
  const Size n = 5000;
  const Size d = 4;
  std::vector<float> x(at(n * d));
  for (Size r = 0; r < n; ++r) {
    for (Size c = 0; c < d; ++c) x[at(r * d + c)] = 1e6F + static_cast<float>((r * (c + 3)) % 17);  // exact integers
  }
  std::vector<double> exact(x.begin(), x.end());
  for (double& value : exact) value -= 1e6;
  check_same(ls::pca(matrix(x, n, d)), ls::pca(matrix(exact, n, d)), 1e-9, 1e-9);
}

TEST_CASE("empty inputs and wrong shapes") {
  const std::vector<float> x(24);
  CHECK_THAT(message_of([&] { ls::pca(matrix(x, 0, 5)); }, ls::ErrorCode::empty),
             ContainsSubstring("shape [0, 5]; at least one row and one column"));
  CHECK_THAT(message_of([&] { ls::pca(matrix(x, 5, 0)); }, ls::ErrorCode::empty), ContainsSubstring("shape [5, 0]"));
  CHECK_THAT(message_of(
                 [&] {
                   ls::pca(ls::TensorView<float>(x.data(), {2, 3, 4}));
                 },
                 ls::ErrorCode::invalid_argument),
             ContainsSubstring("pca: an input of shape [2, 3, 4]; a matrix [n, d] is expected"));
  CHECK_THAT(message_of([&] { ls::pca(matrix(x, 4, 6), {.components = 0}); }, ls::ErrorCode::invalid_argument),
             ContainsSubstring("pca: components 0; at least 1 is expected"));
  CHECK_THAT(message_of([&] { ls::pca(matrix(x, 4, 6), {.oversampling = -1}); }, ls::ErrorCode::invalid_argument),
             ContainsSubstring("pca: oversampling -1; at least 0 is expected"));
  CHECK_THAT(message_of([&] { ls::pca(matrix(x, 4, 6), {.power_iterations = -2}); }, ls::ErrorCode::invalid_argument),
             ContainsSubstring("pca: power_iterations -2"));
}

TEST_CASE("one row is the origin; two and three rows span a line and a plane") {
  const std::vector<float> x{1, 2, 3, 4, 6, 8, 0, 0, 1};
  for (const auto solver : {ls::PcaSolver::automatic, ls::PcaSolver::covariance, ls::PcaSolver::randomized}) {
    CAPTURE(name(solver));
    const ls::Pca one = ls::pca(matrix(x, 1, 3), {.solver = solver});
    CHECK(one.rank == 0);
    CHECK(one.total_variance == 0);
    CHECK(one.explained_variance == std::vector<double>{0});
    CHECK(one.explained_variance_ratio == std::vector<double>{0});
    CHECK(one.mean.data<double>()[2] == 3);
    CHECK(one.transform(matrix(x, 1, 3)).data<float>()[0] == 0);
    check_form(one);
    CHECK(ls::pca(matrix(x, 2, 3), {.solver = solver}).rank == 1);
    CHECK(ls::pca(matrix(x, 3, 3), {.solver = solver}).rank == 2);
  }
}

TEST_CASE("constant input has rank 0") {
  for (const double value : {0.0, 0.1, -7.25, 1e30, 3e-40}) {
    CAPTURE(value);
    const ls::Pca doubles = ls::pca(matrix(std::vector<double>(300, value), 100, 3));
    CHECK(doubles.rank == 0);
    CHECK(doubles.total_variance == 0);
    CHECK(doubles.mean.data<double>()[1] == Catch::Approx(value));
    check_form(doubles);
    const ls::Pca floats = ls::pca(matrix(std::vector<float>(300, static_cast<float>(value)), 100, 3));
    CHECK(floats.rank == 0);
    check_form(floats);
  }
}

TEST_CASE("rank-deficient input: zero rows, and the rank is stated") {
  const auto x = sample<double>(200, 20, 3);
  const ls::Pca model = ls::pca(matrix(x, 200, 20));
  CHECK(model.rank == 3);
  CHECK(model.components.extent(0) == 20);
  check_form(model);
  const auto floats = sample<float>(200, 20, 3);
  CHECK(ls::pca(matrix(floats, 200, 20)).rank == 3);
  const auto wide = sample<float>(20, 200, 3);
  const ls::Pca gram = ls::pca(matrix(wide, 20, 200));
  CHECK(gram.solver == ls::PcaSolver::gram);
  CHECK(gram.rank == 3);
  check_form(gram);
}

TEST_CASE("more components than there can be are clamped, with a warning") {
  const auto x = sample<float>(10, 4, 4);
  const ls::Pca model = ls::pca(matrix(x, 10, 4), {.components = 9});
  CHECK(model.components.shape() == ls::Shape{4, 4});
  REQUIRE(model.warnings.size() == 1);
  CHECK(model.warnings[0] == "pca: components 9 exceeds min(n, d); 4 are computed");
}

TEST_CASE("rows with NaN or infinity") {
  const Size n = 30;
  auto x = sample<float>(n, 4, 4);
  const std::vector<float> clean(x.begin() + 2 * 4, x.end());
  x[1] = std::bit_cast<float>(0x7FC00000U);
  x[7] = std::bit_cast<float>(0xFF800000U);
  CHECK_THAT(message_of([&] { ls::pca(matrix(x, n, 4)); }, ls::ErrorCode::non_finite),
             ContainsSubstring("pca: row 0, column 1 is nan; finite values are expected"));
  const ls::Pca model = ls::pca(matrix(x, n, 4), {.non_finite = ls::NonFiniteRows::drop});
  CHECK(model.rows == n - 2);
  CHECK(model.dropped_rows == 2);
  REQUIRE(model.warnings.size() == 1);
  CHECK(model.warnings[0] == "pca: 2 of 30 rows hold NaN or infinity and are left out");
  check_same(model, ls::pca(matrix(clean, n - 2, 4)), 1e-12, 1e-12);

  CHECK_THAT(message_of([&] { model.transform(matrix(x, n, 4)); }, ls::ErrorCode::non_finite),
             ContainsSubstring("transform: row 0, column 1 is nan"));
  const ls::Tensor scores = model.transform(matrix(x, n, 4), 1, ls::NonFiniteRows::drop);
  CHECK(same_bits(scores, model.transform(matrix(clean, n - 2, 4), 1)));

  const std::vector<double> none(8, std::bit_cast<double>(0x7FF0000000000000U));
  CHECK_THAT(
      message_of([&] { ls::pca(matrix(none, 2, 4), {.non_finite = ls::NonFiniteRows::drop}); }, ls::ErrorCode::empty),
      ContainsSubstring("pca: 0 of 2 rows are finite"));
}

TEST_CASE("numbers too large or too small for their own squares are scaled") {
  LAYERSCOPE_NEEDS_IEEE_ROUNDING();
  const Size n = 40;
  const Size d = 5;
  const auto x = sample<double>(n, d, 5, 0);
  const ls::Pca expected = ls::pca(matrix(x, n, d));
  for (const double factor : {1e-38, 1e-30, 1e30, 3e37}) {
    CAPTURE(factor);
    std::vector<float> floats(x.size());
    std::vector<double> doubles(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      floats[i] = static_cast<float>(x[i] * factor);
      doubles[i] = x[i] * factor;
    }
    for (const ls::Pca& model : {ls::pca(matrix(floats, n, d)), ls::pca(matrix(doubles, n, d))}) {
      check_form(model);
      REQUIRE(model.rank == d);
      for (Size i = 0; i < d; ++i) {
        const double ratio = model.explained_variance[at(i)] / factor / factor / expected.explained_variance[at(i)];
        CHECK(std::abs(ratio - 1) < 1e-4);  // subnormal floats of this size keep 20 bits
      }
      CHECK(model.explained_variance_ratio[0] == Catch::Approx(expected.explained_variance_ratio[0]).epsilon(1e-4));
    }
  }
  // float64 whose squares would overflow or vanish: the shares of the variance survive.
  for (const double factor : {1e147, 1e-165}) {
    CAPTURE(factor);
    std::vector<double> doubles(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) doubles[i] = x[i] * factor;
    const ls::Pca model = ls::pca(matrix(doubles, n, d));
    check_form(model);
    CHECK(model.rank == d);
    for (Size i = 0; i < d; ++i) {
      CHECK(model.explained_variance_ratio[at(i)] == Catch::Approx(expected.explained_variance_ratio[at(i)]));
    }
  }
  // ±3.4e38: the difference of two of them is beyond float32.
  const std::vector<float> extreme{3.4e38F, 1, -3.4e38F, 1, 3.4e38F, 1, -3.4e38F, 1};
  const ls::Pca model = ls::pca(matrix(extreme, 4, 2));
  CHECK(model.rank == 1);
  CHECK(model.explained_variance[0] == Catch::Approx(3.4e38 * 3.4e38 * 4 / 3));
  const ls::Tensor scores = model.transform(matrix(extreme, 4, 2));
  CHECK(scores.data<float>()[0] == Catch::Approx(3.4e38));
  check_form(model);

  std::vector<double> beyond = x;
  beyond[0] = 1e151;
  CHECK_THAT(message_of([&] { ls::pca(matrix(beyond, n, d)); }, ls::ErrorCode::invalid_argument),
             ContainsSubstring("a value of magnitude 1e+151 was found; at most 1e150 is expected"));
}

TEST_CASE("duplicated points are harmless") {
  std::vector<float> x(at(100 * 3), 1.0F);
  x[0] = 2.0F;
  const ls::Pca model = ls::pca(matrix(x, 100, 3));
  CHECK(model.rank == 1);
  CHECK(model.components.data<double>()[0] == Catch::Approx(1));
  check_form(model);
}

// ------------------------------------------------------------------------------------------------- transform, control

TEST_CASE("scores have the variances found, and lead back") {
  const Size n = 300;
  const Size d = 12;
  const auto x = sample<float>(n, d, 12);
  const ls::Pca model = ls::pca(matrix(x, n, d));
  const ls::Tensor scores = model.transform(matrix(x, n, d));
  REQUIRE(scores.dtype() == ls::DType::f32);
  REQUIRE(scores.shape() == ls::Shape{n, d});
  for (Size i = 0; i < d; ++i) {
    double sum = 0;
    double squares = 0;
    for (Size r = 0; r < n; ++r) {
      const double value = static_cast<double>(scores.data<float>()[r * d + i]);
      sum += value;
      squares += value * value;
    }
    CHECK(std::abs(sum) / static_cast<double>(n) < 1e-5);
    CHECK(squares / static_cast<double>(n - 1) == Catch::Approx(model.explained_variance[at(i)]).epsilon(1e-5));
  }
  const ls::Tensor back = model.inverse_transform(scores.view());
  for (std::size_t i = 0; i < x.size(); ++i) REQUIRE(std::abs(back.data<float>()[i] - x[i]) < 1e-4F);
  CHECK_THAT(message_of([&] { model.transform(matrix(x, n * 2, d / 2)); }, ls::ErrorCode::invalid_argument),
             ContainsSubstring("transform: an input of shape [600, 6]; [n, 12] is expected"));
  CHECK_THAT(message_of([&] { model.inverse_transform(matrix(x, n * 2, d / 2)); }, ls::ErrorCode::invalid_argument),
             ContainsSubstring("inverse_transform: an input of shape [600, 6]; [n, 12] is expected"));
}

TEST_CASE("progress rises to 1, and a stop is obeyed") {
  const auto x = sample<float>(600, 300, 10);
  std::vector<double> fractions;
  ls::PcaOptions options;
  options.components = 5;
  options.progress = [&](double fraction, std::string_view) { fractions.push_back(fraction); };
  ls::pca(matrix(x, 600, 300), options);
  REQUIRE(fractions.size() >= 2);
  CHECK(std::is_sorted(fractions.begin(), fractions.end()));
  CHECK(fractions.back() == 1);

  std::stop_source source;
  options.stop = source.get_token();
  options.progress = [&](double, std::string_view) { source.request_stop(); };
  CHECK_THAT(message_of([&] { ls::pca(matrix(x, 600, 300), options); }, ls::ErrorCode::cancelled),
             ContainsSubstring("pca: stopped on request"));
}

}  // namespace
