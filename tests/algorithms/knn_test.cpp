#include <layerscope/algorithms/knn.hpp>

#include <layerscope/core/finite.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/readers/idx.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/error.hpp"

namespace {

namespace ls = layerscope;
using Catch::Matchers::ContainsSubstring;
using layerscope_test::error_of;
using Size = std::int64_t;

std::size_t at(Size i) {
  return static_cast<std::size_t>(i);
}

template <class T>
ls::AnyView matrix(const std::vector<T>& values, Size rows, Size columns) {
  return ls::TensorView<T>(values.data(), {rows, columns});
}

/// Normal numbers around `offset`.
template <class T>
std::vector<T> normal(Size n, Size d, double offset = 0, double spread = 1, std::uint64_t stream = 0) {
  const ls::Random random(3, stream);
  std::vector<T> x(at(n * d));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<T>(offset + spread * random.normal(i));
  return x;
}

/// The distance of two rows by its definition, in float64.
double distance(ls::Metric metric, const double* a, const double* b, Size d) {
  double sum = 0;
  if (metric == ls::Metric::euclidean || metric == ls::Metric::manhattan) {
    for (Size c = 0; c < d; ++c) {
      sum += metric == ls::Metric::manhattan ? std::abs(a[c] - b[c]) : (a[c] - b[c]) * (a[c] - b[c]);
    }
    return metric == ls::Metric::manhattan ? sum : std::sqrt(sum);
  }
  double mean_a = 0;
  double mean_b = 0;
  if (metric == ls::Metric::correlation) {
    for (Size c = 0; c < d; ++c) {
      mean_a += a[c] / static_cast<double>(d);
      mean_b += b[c] / static_cast<double>(d);
    }
  }
  double aa = 0;
  double bb = 0;
  double ab = 0;
  for (Size c = 0; c < d; ++c) {
    aa += (a[c] - mean_a) * (a[c] - mean_a);
    bb += (b[c] - mean_b) * (b[c] - mean_b);
    ab += (a[c] - mean_a) * (b[c] - mean_b);
  }
  if (aa == 0 && bb == 0) return 0;
  if (aa == 0 || bb == 0) return 1;
  return (std::max)(0.0, 1 - ab / std::sqrt(aa * bb));
}

/// Every row of `found` against the sorted distances of all pairs: the c-th neighbour is as far as the c-th nearest
/// row, up to `tolerance`, relative and absolute.
void check_exact(const ls::Neighbors& found, const std::vector<double>& query, const std::vector<double>& data, Size d,
                 ls::Metric metric, bool same, double tolerance = 1e-12, bool include = false, Size step = 1) {
  const Size m = found.indices.extent(0);
  const Size k = found.indices.extent(1);
  const Size n = static_cast<Size>(data.size()) / d;
  REQUIRE(found.distances.shape() == found.indices.shape());
  REQUIRE(m == static_cast<Size>(query.size()) / d);
  const std::int32_t* indices = found.indices.data<std::int32_t>();
  const float* distances = found.distances.data<float>();
  std::vector<double> all(at(n));
  for (Size r = 0; r < m; r += step) {
    CAPTURE(r, m, n, d, k, name(metric));
    for (Size j = 0; j < n; ++j) all[at(j)] = distance(metric, &query[at(r * d)], &data[at(j * d)], d);
    std::vector<double> sorted;
    for (Size j = 0; j < n; ++j) {
      if (!same || include || j != r) sorted.push_back(all[at(j)]);
    }
    std::sort(sorted.begin(), sorted.end());
    std::set<std::int32_t> seen;
    bool right = true;
    for (Size c = 0; c < k; ++c) {
      const std::int32_t index = indices[r * k + c];
      REQUIRE(index >= 0);
      REQUIRE(index < n);
      right = right && (!same || include || index != r) && seen.insert(index).second;
      const double allowed =
          tolerance * (sorted[at(c)] + (metric == ls::Metric::cosine || metric == ls::Metric::correlation));
      right = right && std::abs(all[at(index)] - sorted[at(c)]) <= allowed;
      right = right &&
              std::abs(static_cast<double>(distances[r * k + c]) - all[at(index)]) <= 1e-7 * all[at(index)] + allowed;
      if (c > 0) right = right && distances[r * k + c] >= distances[r * k + c - 1];
    }
    REQUIRE(right);
  }
}

std::vector<double> doubles(const std::vector<float>& x) {
  return {x.begin(), x.end()};
}

ls::Neighbors search(const ls::AnyView& x, Size k, ls::Metric metric = ls::Metric::euclidean, int threads = 2) {
  ls::KnnOptions options;
  options.k = k;
  options.metric = metric;
  options.method = ls::KnnMethod::exact;
  options.threads = threads;
  return ls::knn(x, options);
}

bool same_bits(const ls::Tensor& a, const ls::Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

constexpr ls::Metric metrics[] = {ls::Metric::euclidean, ls::Metric::cosine, ls::Metric::correlation,
                                  ls::Metric::manhattan};

}  // namespace

// --------------------------------------------------------------------------------------------------- closed forms

TEST_CASE("knn: points on a line") {
  const std::vector<float> x{0, 1, 3, 7, 8};
  const ls::Neighbors found = search(matrix(x, 5, 1), 2);
  CHECK(found.method == ls::KnnMethod::exact);
  CHECK(found.warnings.empty());
  CHECK(found.rows.empty());
  const std::vector<std::int32_t> expected{1, 2, 0, 2, 1, 0, 4, 2, 3, 2};
  const std::vector<float> far{1, 3, 1, 2, 2, 3, 1, 4, 1, 5};
  CHECK(std::equal(expected.begin(), expected.end(), found.indices.data<std::int32_t>()));
  CHECK(std::equal(far.begin(), far.end(), found.distances.data<float>()));
}

TEST_CASE("knn: ties go to the lower row number") {
  const std::vector<double> x{0, 0, 1, 0, 0, 1, -1, 0, 0, -1};  // a centre and four at distance 1
  const ls::Neighbors found = search(matrix(x, 5, 2), 3);
  const std::int32_t* indices = found.indices.data<std::int32_t>();
  CHECK(std::vector<std::int32_t>(indices, indices + 3) == std::vector<std::int32_t>{1, 2, 3});
  // On a grid almost every distance is shared by several rows.
  std::vector<std::uint8_t> grid;
  for (int i = 0; i < 40 * 40; ++i) {
    grid.push_back(static_cast<std::uint8_t>(i / 40));
    grid.push_back(static_cast<std::uint8_t>(i % 40));
  }
  const ls::Neighbors near = search(matrix(grid, 1600, 2), 8);
  for (Size r = 0; r < 1600; ++r) {
    std::vector<std::pair<Size, Size>> all;
    for (Size j = 0; j < 1600; ++j) {
      const Size dx = r / 40 - j / 40;
      const Size dy = r % 40 - j % 40;
      if (j != r) all.emplace_back(dx * dx + dy * dy, j);
    }
    std::sort(all.begin(), all.end());
    for (Size c = 0; c < 8; ++c) REQUIRE(near.indices.data<std::int32_t>()[r * 8 + c] == all[at(c)].second);
  }
}

// --------------------------------------------------------------------------------------------------- all pairs

TEST_CASE("knn: every metric and many shapes as float64 compares all pairs") {
  for (const ls::Metric metric : metrics) {
    for (const auto& [n, d, k] : {std::tuple<Size, Size, Size>{2, 3, 1},
                                  {3, 1, 2},
                                  {97, 5, 4},
                                  {300, 8, 15},
                                  {300, 9, 15},
                                  {800, 50, 90},
                                  {1000, 300, 15},
                                  {1700, 33, 10}}) {
      const auto x = normal<float>(n, d, 0.5);
      const Size step = n > 500 ? 13 : 1;
      check_exact(search(matrix(x, n, d), k, metric), doubles(x), doubles(x), d, metric, true, 1e-12, false, step);
    }
  }
}

TEST_CASE("knn: query rows against other data") {
  for (const ls::Metric metric : metrics) {
    for (const auto& [m, n, d, k] :
         {std::tuple<Size, Size, Size, Size>{1, 1, 1, 1}, {5, 2000, 20, 7}, {1200, 30, 60, 30}, {150, 900, 784, 12}}) {
      const auto x = normal<float>(n, d);
      const auto q = normal<float>(m, d, 0.1, 1, 5);
      ls::KnnOptions options;
      options.k = k;
      options.metric = metric;
      const Size step = m > 100 ? 7 : 1;
      check_exact(ls::knn(matrix(q, m, d), matrix(x, n, d), options), doubles(q), doubles(x), d, metric, false, 1e-12,
                  false, step);
    }
  }
}

TEST_CASE("knn: the row itself where it is asked for") {
  const auto x = normal<float>(200, 12);
  ls::KnnOptions options;
  options.k = 5;
  options.self = ls::SelfNeighbor::include;
  const ls::Neighbors found = ls::knn(matrix(x, 200, 12), options);
  for (Size r = 0; r < 200; ++r) {
    REQUIRE(found.indices.data<std::int32_t>()[r * 5] == r);
    REQUIRE(found.distances.data<float>()[r * 5] == 0);
  }
  check_exact(found, doubles(x), doubles(x), 12, options.metric, true, 1e-12, true);
}

TEST_CASE("knn: MNIST in bytes and as fractions") {
  const auto path = layerscope_test::data_file("mnist/t10k-images-idx3-ubyte.gz");
  if (!path) return;
#ifdef LAYERSCOPE_WITH_ZLIB
  const ls::Tensor images = ls::read_idx(*path);
  const Size n = 3000;
  const ls::AnyView rows = images.view().reshape({10000, 784}).value().narrow(0, 0, n);
  ls::Tensor x = ls::convert(rows, ls::DType::f64);
  const std::vector<double> values(x.data<double>(), x.data<double>() + x.size());
  const ls::Neighbors bytes = search(rows, 15);
  check_exact(bytes, values, values, 784, ls::Metric::euclidean, true, 1e-12, false, 97);
  CHECK(bytes.rechecked_rows < n / 100);
  std::vector<float> fractions(values.size());
  std::transform(values.begin(), values.end(), fractions.begin(),
                 [](double value) { return static_cast<float>(value) / 255; });
  check_exact(search(matrix(fractions, n, 784), 15), doubles(fractions), doubles(fractions), 784, ls::Metric::euclidean,
              true, 1e-12, false, 97);
#endif
}

// --------------------------------------------------------------------------------------------------- hard input

TEST_CASE("knn: data far from the origin") {
  const Size n = 700;
  for (const Size d : {2, 30}) {
    const auto floats = normal<float>(n, d, 1e4, 1);  // float32 has steps of 0.001 there
    check_exact(search(matrix(floats, n, d), 10), doubles(floats), doubles(floats), d, ls::Metric::euclidean, true);
    for (const ls::Metric metric : {ls::Metric::euclidean, ls::Metric::manhattan}) {
      const auto x = normal<double>(n, d, 1e9, 1);
      check_exact(search(matrix(x, n, d), 10, metric), x, x, d, metric, true, 1e-9);
    }
  }
}

TEST_CASE("knn: crowds that float32 cannot tell apart") {
  // 1,200 rows in each of three places 1,000 apart, within 1e-4: more of a kind than the slack of the first pass, and
  // of the second.
  const Size n = 3600;
  const Size d = 12;
  auto x = normal<double>(n, d, 0, 1e-4);
  for (Size r = 0; r < n; ++r) x[at(r * d + r % 3)] += 1000;
  const ls::Neighbors found = search(matrix(x, n, d), 10);
  check_exact(found, x, x, d, ls::Metric::euclidean, true, 1e-9, false, 31);
  CHECK(found.rechecked_rows > n / 2);
  const auto line = normal<double>(3000, 1);  // one dimension is crowded by itself
  check_exact(search(matrix(line, 3000, 1), 10), line, line, 1, ls::Metric::euclidean, true);
}

TEST_CASE("knn: duplicates, constant rows and columns") {
  for (const ls::Metric metric : metrics) {
    const Size n = 1500;
    const Size d = 20;
    auto x = normal<float>(n, d);
    for (Size r = 0; r < n; ++r) {
      if (r % 10 != 0) std::copy_n(x.begin() + d, d, x.begin() + r * d);  // 90 % are row 1
    }
    check_exact(search(matrix(x, n, d), 15, metric), doubles(x), doubles(x), d, metric, true, 1e-12, false, 3);
    for (const float value : {0.0F, 0.1F, -3e20F}) {
      const std::vector<float> constant(at(n * d), value);
      const ls::Neighbors found = search(matrix(constant, n, d), 15, metric);
      CHECK(std::all_of(found.distances.data<float>(), found.distances.data<float>() + n * 15,
                        [](float distance) { return distance == 0; }));
      check_exact(found, doubles(constant), doubles(constant), d, metric, true, 1e-12, false, 50);
    }
  }
}

TEST_CASE("knn: rows of zeros have a cosine") {
  auto x = normal<float>(60, 4, 1);
  std::fill_n(x.begin() + 8, 12, 0.0F);
  for (const ls::Metric metric : {ls::Metric::cosine, ls::Metric::correlation}) {
    const ls::Neighbors found = search(matrix(x, 60, 4), 40, metric);
    check_exact(found, doubles(x), doubles(x), 4, metric, true);
    CHECK(found.distances.data<float>()[2 * 40] == 0);
    CHECK(found.distances.data<float>()[2 * 40 + 2] == 1);
  }
}

TEST_CASE("knn: outliers and extreme scales") {
  const Size n = 600;
  const Size d = 16;
  for (const double outlier : {1e15, 1e30}) {
    for (const ls::Metric metric : metrics) {
      auto x = normal<float>(n, d);
      x[at(77 * d + 3)] = static_cast<float>(outlier);
      x[at(300 * d + 3)] = static_cast<float>(-outlier);
      const ls::Neighbors found = search(matrix(x, n, d), 8, metric);
      check_exact(found, doubles(x), doubles(x), d, metric, true, 1e-12, false, n / 60);
      check_exact(search(matrix(x, 78, d), 8, metric), std::vector<double>(x.begin(), x.begin() + 78 * d),
                  std::vector<double>(x.begin(), x.begin() + 78 * d), d, metric, true);
    }
  }
  for (const double scale : {1e-40, 1e-18, 1e18, 1e37}) {
    for (const ls::Metric metric : {ls::Metric::euclidean, ls::Metric::manhattan}) {
      auto x = normal<double>(n, d);
      for (double& value : x) value *= scale;
      const ls::Neighbors found = search(matrix(x, n, d), 8, metric);
      auto unit = normal<double>(n, d);
      ls::Neighbors expected = search(matrix(unit, n, d), 8, metric);
      CHECK(same_bits(found.indices, expected.indices));
    }
  }
  // Beyond the range of float32 the distances are its largest number.
  std::vector<double> huge{0, 1e100, 1e140};
  const ls::Neighbors found = search(matrix(huge, 3, 1), 2);
  CHECK(found.indices.data<std::int32_t>()[4] == 0);  // as float64 has it, both others are as far
  CHECK(found.distances.data<float>()[5] == (std::numeric_limits<float>::max)());
  huge[1] = 1e200;
  CHECK_THAT(error_of([&] { search(matrix(huge, 3, 1), 1); }).what(), ContainsSubstring("1e150"));
}

#ifdef LAYERSCOPE_HEADER_ONLY  // elsewhere the rows are inside the library
TEST_CASE("knn: rows beyond 2^50 units of the others are far rows") {
  const Size n = 40;
  const Size d = 9;
  auto x = normal<float>(n, d);
  x[at(5 * d)] = 1e17F;  // its square would be a finite float32
  ls::detail::KnnRows rows(matrix(x, n, d), ls::Metric::euclidean, ls::NonFiniteRows::error, 1, "knn");
  rows.use_frame(rows.make_frame(false));
  std::vector<float> copy(at(d));
  for (const std::int32_t r : {4, 5}) {
    CHECK(rows.far_row(r) == (r == 5));
    rows.copy(&r, 0, 1, false, copy.data());
    CHECK(std::all_of(copy.begin(), copy.end(), [](float value) { return std::abs(value) < 10; }));
    rows.copy(&r, 0, 1, true, copy.data());
    CHECK(std::all_of(copy.begin(), copy.end(), [&](float value) { return (value == 1e16F) == (r == 5); }));
  }
}
#endif

TEST_CASE("knn: many columns") {
  const Size n = 120;
  const Size d = 20000;
  const auto x = normal<float>(n, d, 2);
  for (const ls::Metric metric : metrics) {
    check_exact(search(matrix(x, n, d), 5, metric), doubles(x), doubles(x), d, metric, true, 1e-12, false, 11);
  }
}

TEST_CASE("knn: few rows, and more neighbours than rows") {
  const std::vector<float> x{1, 2, 4, 8, 16, 32};
  const ls::Neighbors one = search(matrix(x, 1, 6), 15);
  CHECK(one.indices.shape() == ls::Shape{1, 0});
  REQUIRE(one.warnings.size() == 1);
  CHECK_THAT(one.warnings[0], ContainsSubstring("15") && ContainsSubstring("0 is used"));
  const ls::Neighbors two = search(matrix(x, 2, 3), 15);
  CHECK(two.indices.shape() == ls::Shape{2, 1});
  CHECK(two.indices.data<std::int32_t>()[0] == 1);
  CHECK(two.indices.data<std::int32_t>()[1] == 0);
  const ls::Neighbors three = search(matrix(x, 3, 2), 3);
  CHECK(three.indices.shape() == ls::Shape{3, 2});
  check_exact(three, doubles(x), doubles(x), 2, ls::Metric::euclidean, true);
  CHECK(search(matrix(x, 3, 2), 2).warnings.empty());
  ls::KnnOptions include;
  include.self = ls::SelfNeighbor::include;
  CHECK(ls::knn(matrix(x, 1, 6), include).indices.shape() == ls::Shape{1, 1});
  CHECK(ls::knn(matrix(x, 2, 3), matrix(x, 2, 3)).indices.shape() == ls::Shape{2, 2});
}

TEST_CASE("knn: rows with NaN or infinity") {
  auto x = normal<float>(100, 6);
  x[at(10 * 6 + 2)] = std::numeric_limits<float>::quiet_NaN();
  x[at(50 * 6)] = -std::numeric_limits<float>::infinity();
  const ls::Error error = error_of([&] { search(matrix(x, 100, 6), 3); });
  CHECK(error.code() == ls::ErrorCode::non_finite);
  CHECK_THAT(error.what(), ContainsSubstring("row 10, column 2"));
  ls::KnnOptions options;
  options.k = 4;
  options.non_finite = ls::NonFiniteRows::drop;
  const ls::Neighbors found = ls::knn(matrix(x, 100, 6), options);
  CHECK(found.dropped_rows == 2);
  REQUIRE(found.indices.shape() == ls::Shape{98, 4});
  REQUIRE(found.rows.size() == 98);
  CHECK(found.rows[9] == 9);
  CHECK(found.rows[10] == 11);
  CHECK(found.rows[97] == 99);
  std::vector<float> rest;
  for (const Size r : found.rows) rest.insert(rest.end(), x.begin() + r * 6, x.begin() + (r + 1) * 6);
  const ls::Neighbors expected = search(matrix(rest, 98, 6), 4);
  CHECK(same_bits(found.distances, expected.distances));
  for (Size i = 0; i < 98 * 4; ++i) {
    REQUIRE(found.indices.data<std::int32_t>()[i] == found.rows[at(expected.indices.data<std::int32_t>()[i])]);
  }
  const ls::Neighbors both = ls::knn(matrix(x, 100, 6).narrow(0, 0, 20), matrix(x, 100, 6), options);
  CHECK(both.indices.shape() == ls::Shape{19, 4});
  CHECK(both.dropped_rows == 3);
  CHECK(both.rows[10] == 11);
  std::fill(x.begin(), x.end(), std::numeric_limits<float>::quiet_NaN());
  CHECK(error_of([&] { ls::knn(matrix(x, 100, 6), options); }).code() == ls::ErrorCode::empty);
}

// --------------------------------------------------------------------------------------------------- layouts, threads

TEST_CASE("knn: strides and element types do not matter") {
  const Size n = 150;
  const Size d = 7;
  std::vector<float> x(at(n * d));
  const ls::Random random(8);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(random.below(i, 120));
  const ls::Neighbors expected = search(matrix(x, n, d), 9);
  std::vector<float> turned(x.size());
  std::vector<float> backwards(x.rbegin(), x.rend());
  for (Size r = 0; r < n; ++r) {
    for (Size c = 0; c < d; ++c) turned[at(c * n + r)] = x[at(r * d + c)];
  }
  const auto check = [&](const ls::AnyView& view) {
    const ls::Neighbors found = search(view, 9);
    CHECK(same_bits(found.indices, expected.indices));
    CHECK(same_bits(found.distances, expected.distances));
  };
  check(ls::TensorView<float>(turned.data(), {n, d}, {1, n}));
  check(ls::TensorView<float>(backwards.data() + backwards.size() - 1, {n, d}, {-d, -1}));
  check(matrix(std::vector<double>(x.begin(), x.end()), n, d));
  check(matrix(std::vector<std::uint8_t>(x.begin(), x.end()), n, d));
  check(matrix(std::vector<std::int64_t>(x.begin(), x.end()), n, d));
}

TEST_CASE("knn: the number of threads does not change a bit") {
  for (const ls::Metric metric : metrics) {
    const Size n = 1700;
    const Size d = metric == ls::Metric::euclidean ? 70 : 20;
    auto x = normal<float>(n, d);
    for (Size r = 0; r < n; r += 3) std::copy_n(x.begin(), d, x.begin() + r * d);
    const ls::Neighbors first = search(matrix(x, n, d), 12, metric, 1);
    for (int run = 0; run < 10; ++run) {
      const ls::Neighbors again = search(matrix(x, n, d), 12, metric, run < 5 ? 2 : 8);
      REQUIRE(same_bits(first.indices, again.indices));
      REQUIRE(same_bits(first.distances, again.distances));
      REQUIRE(first.rechecked_rows == again.rechecked_rows);
    }
  }
}

TEST_CASE("knn: misuse is named") {
  const auto x = normal<float>(10, 3);
  CHECK_THAT(error_of([&] { search(matrix(x, 10, 3), 0); }).what(), ContainsSubstring("k is 0"));
  CHECK(error_of([&] { search(ls::TensorView<float>(x.data(), {30}), 1); }).code() == ls::ErrorCode::invalid_argument);
  CHECK(error_of([&] { search(ls::TensorView<float>(x.data(), {0, 3}), 1); }).code() == ls::ErrorCode::empty);
  CHECK(error_of([&] { search(ls::TensorView<float>(x.data(), {3, 0}), 1); }).code() == ls::ErrorCode::empty);
  CHECK_THAT(error_of([&] { ls::knn(matrix(x, 10, 3), matrix(x, 15, 2)); }).what(),
             ContainsSubstring("3 columns; expected the 2"));
  CHECK_THAT(error_of([&] { ls::metric_from_name("jaccard"); }).what(), ContainsSubstring("manhattan"));
  for (const ls::Metric metric : metrics) CHECK(ls::metric_from_name(name(metric)) == metric);
  std::stop_source source;
  source.request_stop();
  ls::KnnOptions options;
  options.stop = source.get_token();
  CHECK(error_of([&] { ls::knn(matrix(x, 10, 3), options); }).code() == ls::ErrorCode::cancelled);
}

TEST_CASE("knn: progress rises to the end") {
  const auto x = normal<float>(3000, 40);
  ls::KnnOptions options;
  double last = 0;
  int calls = 0;
  options.progress = [&](double fraction, std::string_view stage) {
    CHECK(fraction >= last);
    CHECK(fraction <= 1);
    CHECK_FALSE(stage.empty());
    last = fraction;
    ++calls;
  };
  ls::knn(matrix(x, 3000, 40), options);
  CHECK(calls > 0);
}

// --------------------------------------------------------------------------------------------------- approximate

namespace {

/// Twenty clouds of twenty columns, as activations of classes are.
std::vector<float> clouds(Size n, Size d) {
  auto x = normal<float>(n, d, 0, 1, 21);
  const auto centres = normal<float>(20, d, 0, 2, 22);
  for (Size r = 0; r < n; ++r) {
    for (Size c = 0; c < d; ++c) x[at(r * d + c)] += centres[at(r % 20 * d + c)];
  }
  return x;
}

ls::KnnOptions approximate(Size k, ls::Metric metric = ls::Metric::euclidean) {
  ls::KnnOptions options;
  options.k = k;
  options.metric = metric;
  options.method = ls::KnnMethod::approximate;
  options.threads = 2;
  return options;
}

/// Fraction of the rows of `found` that are among those of `exact`.
double recall_of(const ls::Neighbors& found, const ls::Neighbors& exact) {
  const Size k = exact.indices.extent(1);
  const std::int32_t* a = found.indices.data<std::int32_t>();
  const std::int32_t* b = exact.indices.data<std::int32_t>();
  Size common = 0;
  for (Size i = 0; i < exact.indices.size(); i += k) {
    const std::set<std::int32_t> truth(b + i, b + i + k);
    common += std::count_if(a + i, a + i + k, [&](std::int32_t row) { return truth.count(row) != 0; });
  }
  return static_cast<double>(common) / static_cast<double>(exact.indices.size());
}

}  // namespace

TEST_CASE("knn: the approximate search finds nearly all, and tells how many") {
  const Size n = 4000;
  const Size d = 20;
  const auto x = clouds(n, d);
  for (const ls::Metric metric : metrics) {
    CAPTURE(name(metric));
    ls::KnnOptions options = approximate(15, metric);
    options.recall_sample = n;
    const ls::Neighbors found = ls::knn(matrix(x, n, d), options);
    const ls::Neighbors exact = search(matrix(x, n, d), 15, metric);
    CHECK(found.method == ls::KnnMethod::approximate);
    CHECK(found.clusters_searched > 0);
    CHECK(found.iterations == 0);
    const double recall = recall_of(found, exact);
    CHECK(recall > 0.98);
    CHECK(std::abs(found.recall.value() - recall) < 1e-3);  // ties count as found
    for (Size r = 0; r < n; ++r) {
      std::set<std::int32_t> seen{static_cast<std::int32_t>(r)};
      for (Size c = 0; c < 15; ++c) {
        REQUIRE(seen.insert(found.indices.data<std::int32_t>()[r * 15 + c]).second);
        // No list is nearer than the exact one.
        REQUIRE(found.distances.data<float>()[r * 15 + c] >= exact.distances.data<float>()[r * 15 + c]);
        if (c > 0) {
          REQUIRE(found.distances.data<float>()[r * 15 + c] >= found.distances.data<float>()[r * 15 + c - 1]);
        }
      }
    }
  }
  const auto wide = clouds(2500, 300);
  const ls::Neighbors exact = search(matrix(wide, 2500, 300), 40);
  CHECK(recall_of(ls::knn(matrix(wide, 2500, 300), approximate(40)), exact) > 0.98);
}

TEST_CASE("knn: the approximate search gives the same bits for any number of threads") {
  const Size n = 2500;
  const Size d = 18;
  auto x = clouds(n, d);
  for (Size r = 0; r < n; r += 4) std::copy_n(x.begin(), d, x.begin() + r * d);
  ls::KnnOptions options = approximate(12);
  options.threads = 1;
  options.seed = 9;
  const ls::Neighbors first = ls::knn(matrix(x, n, d), options);
  for (int run = 0; run < 10; ++run) {
    options.threads = run < 5 ? 2 : 8;
    const ls::Neighbors again = ls::knn(matrix(x, n, d), options);
    REQUIRE(same_bits(first.indices, again.indices));
    REQUIRE(same_bits(first.distances, again.distances));
    REQUIRE(first.iterations == again.iterations);
  }
}

TEST_CASE("knn: the descent starts from the lists of an earlier epoch") {
  const Size n = 4000;
  const Size d = 20;
  auto x = clouds(n, d);
  const ls::Neighbors before = search(matrix(x, n, d), 15);
  const auto change = normal<float>(n, d, 0, 0.05, 30);
  std::transform(x.begin(), x.end(), change.begin(), x.begin(), [](float a, float b) { return a + b; });
  const ls::Neighbors exact = search(matrix(x, n, d), 15);
  ls::KnnOptions options = approximate(15);
  options.initial = before.indices.view();
  const ls::Neighbors warm = ls::knn(matrix(x, n, d), options);
  CHECK(recall_of(warm, exact) > 0.98);
  CHECK(warm.iterations > 0);
  CHECK(warm.clusters_searched == 0);
  CHECK(recall_of(before, exact) < 0.98);
  // Rows that have to be copied: of another type, and of another metric.
  const std::vector<double> wider(x.begin(), x.end());
  const ls::Neighbors of_doubles = ls::knn(matrix(wider, n, d), options);
  CHECK(of_doubles.iterations > 0);
  CHECK(recall_of(of_doubles, exact) > 0.98);
  for (const ls::Metric metric : {ls::Metric::cosine, ls::Metric::manhattan}) {
    const ls::Neighbors as_before = search(matrix(x, n, d), 15, metric);
    ls::KnnOptions same = approximate(15, metric);
    same.initial = as_before.indices.view();
    const ls::Neighbors again = ls::knn(matrix(x, n, d), same);
    CHECK(again.iterations == 1);
    CHECK(recall_of(again, as_before) > 0.99);
  }
  // Numbers that are no rows are passed over.
  const std::vector<std::int64_t> odd{-1, 5, 5, n, 0, 1, 2, 3};
  std::vector<std::int64_t> start;
  for (Size r = 0; r < n; ++r) start.insert(start.end(), odd.begin(), odd.end());
  options.initial = ls::TensorView<std::int64_t>(start.data(), {n, 8});
  const ls::Neighbors lost = ls::knn(matrix(x, n, d), options);
  CHECK(recall_of(lost, exact) > 0.98);
  CHECK(lost.iterations == 0);  // nothing to start from: the clusters were searched
  CHECK(lost.clusters_searched > 0);
  // With a row dropped the numbers stay those of the matrix given.
  auto holed = x;
  holed[at(11 * d)] = std::numeric_limits<float>::quiet_NaN();
  options.initial = before.indices.view();
  options.non_finite = ls::NonFiniteRows::drop;
  const ls::Neighbors rest = ls::knn(matrix(holed, n, d), options);
  CHECK(rest.indices.shape() == ls::Shape{n - 1, 15});
  const std::int32_t* const numbers = rest.indices.data<std::int32_t>();
  CHECK(std::find(numbers, numbers + rest.indices.size(), 11) == numbers + rest.indices.size());
  CHECK(std::equal(numbers, numbers + 15, exact.indices.data<std::int32_t>()));
  options.initial = ls::TensorView<std::int64_t>(start.data(), {8, n});
  CHECK_THAT(error_of([&] { ls::knn(matrix(x, n, d), options); }).what(), ContainsSubstring("4000 rows"));
  options.initial = ls::TensorView<float>(x.data(), {n, d});
  CHECK_THAT(error_of([&] { ls::knn(matrix(x, n, d), options); }).what(), ContainsSubstring("float32"));
}

TEST_CASE("knn: the approximate search on hard input") {
  for (const Size n : {1, 2, 3, 10, 40}) {  // one leaf: exact
    const auto x = normal<float>(n, 5);
    const ls::Neighbors found = ls::knn(matrix(x, n, 5), approximate(6));
    const ls::Neighbors exact = search(matrix(x, n, 5), 6);
    CHECK(same_bits(found.indices, exact.indices));
    CHECK(same_bits(found.distances, exact.distances));
  }
  const Size n = 1600;
  const Size d = 12;
  for (const ls::Metric metric : metrics) {
    auto x = normal<float>(n, d);
    for (Size r = 0; r < n; ++r) {
      if (r % 10 != 0) std::copy_n(x.begin() + d, d, x.begin() + r * d);
    }
    x[at(20 * d + 1)] = 1e30F;
    const ls::Neighbors found = ls::knn(matrix(x, n, d), approximate(15, metric));
    const ls::Neighbors exact = search(matrix(x, n, d), 15, metric);
    for (Size i = 0; i < n * 15; ++i) {
      if (i / 15 % 10 != 0) REQUIRE(found.distances.data<float>()[i] == exact.distances.data<float>()[i]);
      REQUIRE(ls::is_finite(found.distances.data<float>()[i]));
    }
    const std::vector<float> constant(at(n * d), 0.3F);
    const ls::Neighbors same = ls::knn(matrix(constant, n, d), approximate(15, metric));
    CHECK(std::all_of(same.distances.data<float>(), same.distances.data<float>() + n * 15,
                      [](float distance) { return distance == 0; }));
  }
  auto line = normal<double>(3000, 1, 1e6);
  const ls::Neighbors exact = search(matrix(line, 3000, 1), 10);
  CHECK(recall_of(ls::knn(matrix(line, 3000, 1), approximate(10)), exact) > 0.98);
  line[7] = std::numeric_limits<double>::quiet_NaN();
  ls::KnnOptions options = approximate(10);
  options.self = ls::SelfNeighbor::include;
  options.non_finite = ls::NonFiniteRows::drop;
  const ls::Neighbors rest = ls::knn(matrix(line, 3000, 1), options);
  CHECK(rest.indices.shape() == ls::Shape{2999, 10});
  CHECK(rest.indices.data<std::int32_t>()[70] == 8);  // the row itself, by its number in the input
}

TEST_CASE("knn: wide rows are searched along few directions, and only where that suffices") {
  // Clouds within 30 directions of 240: a sketch of 96 holds all. Distances are those of the whole rows.
  const Size n = 3000;
  const Size d = 240;
  const auto narrow = clouds(n, 30);
  const auto directions = normal<float>(30, d, 0, 1, 41);
  std::vector<float> x(at(n * d));
  for (Size r = 0; r < n; ++r) {
    for (Size i = 0; i < 30; ++i) {
      for (Size c = 0; c < d; ++c) x[at(r * d + c)] += narrow[at(r * 30 + i)] * directions[at(i * d + c)];
    }
  }
  for (const ls::Metric metric : {ls::Metric::euclidean, ls::Metric::cosine}) {
    const ls::Neighbors exact = search(matrix(x, n, d), 15, metric);
    const ls::Neighbors found = ls::knn(matrix(x, n, d), approximate(15, metric));
    CHECK(found.method == ls::KnnMethod::approximate);
    CHECK(recall_of(found, exact) > 0.98);
    for (Size i = 0; i < n * 15; ++i) REQUIRE(found.distances.data<float>()[i] >= exact.distances.data<float>()[i]);
  }
  std::vector<std::int16_t> whole(x.size());
  std::transform(x.begin(), x.end(), whole.begin(), [](float value) { return static_cast<std::int16_t>(50 * value); });
  const ls::Neighbors exact = search(matrix(whole, n, d), 15);
  CHECK(recall_of(ls::knn(matrix(whole, n, d), approximate(15)), exact) > 0.98);
  // Clouds in all directions: a sketch does not tell neighbours within one, whole rows do.
  const auto full = clouds(n, d);
  const ls::Neighbors found = ls::knn(matrix(full, n, d), approximate(15));
  CHECK(found.method == ls::KnnMethod::approximate);
  CHECK(recall_of(found, search(matrix(full, n, d), 15)) > 0.98);
}

TEST_CASE("knn: noise without structure is compared in all pairs, and the result says so") {
  const Size n = 2500;
  const Size d = 220;
  const auto x = normal<float>(n, d);
  ls::KnnOptions options = approximate(10);
  options.recall_sample = 20;
  const ls::Neighbors found = ls::knn(matrix(x, n, d), options);
  const ls::Neighbors exact = search(matrix(x, n, d), 10);
  CHECK(found.method == ls::KnnMethod::exact);
  CHECK_THAT(found.reason, ContainsSubstring("asked for") && ContainsSubstring("all pairs were compared") &&
                               ContainsSubstring("clusters"));
  CHECK(found.recall == 1.0);
  CHECK(same_bits(found.indices, exact.indices));
  const ls::Neighbors few = ls::knn(matrix(x, 300, d), options);
  CHECK(few.method == ls::KnnMethod::exact);
  CHECK_THAT(few.reason, ContainsSubstring("few rows"));
}

TEST_CASE("knn: rows with fewer candidates than neighbours are compared with all") {
  // Three rows far from everybody: the clusters nearest to them hold fewer than 60 rows.
  const Size n = 3000;
  const Size d = 10;
  auto x = normal<float>(n, d, 0, 0.05);
  for (Size r = 0; r < n; ++r) x[at(r * d + r % 10)] += static_cast<float>(20 * (1 + r / 300));
  for (Size r = 0; r < 3; ++r) x[at(r * d)] = static_cast<float>(-4000 * (r + 1));
  ls::KnnOptions options = approximate(60);
  const ls::Neighbors exact = search(matrix(x, n, d), 60);
  CHECK(recall_of(ls::knn(matrix(x, n, d), options), exact) > 0.98);
  // Lists of which a few are empty.
  ls::Tensor start = exact.indices;
  for (Size i = 0; i < 20 * 60; ++i) start.mutable_data<std::int32_t>()[i] = -1;
  options.initial = start.view();
  const ls::Neighbors warm = ls::knn(matrix(x, n, d), options);
  CHECK(recall_of(warm, exact) > 0.98);
}

TEST_CASE("knn: the method is chosen by the shape, and the choice is explained") {
  const auto few = normal<float>(500, 4);
  const ls::Neighbors small = ls::knn(matrix(few, 500, 4));
  CHECK(small.method == ls::KnnMethod::exact);
  CHECK_THAT(small.reason, ContainsSubstring("few rows"));
  const Size n = 20000;
  const std::vector<float> many(at(n * 784), 1.0F);
  const ls::Neighbors large = ls::knn(matrix(many, n, 784), {.k = 5, .threads = 2});
  CHECK(large.method == ls::KnnMethod::approximate);
  CHECK_THAT(large.reason, ContainsSubstring("all pairs would take about"));
  CHECK(search(matrix(few, 500, 4), 5).reason == "asked for");
  ls::KnnOptions options = approximate(5);
  CHECK_THAT(error_of([&] { ls::knn(matrix(few, 500, 4), matrix(few, 500, 4), options); }).what(),
             ContainsSubstring("approximate"));
  options.recall_sample = -1;
  CHECK_THAT(error_of([&] { ls::knn(matrix(few, 500, 4), options); }).what(), ContainsSubstring("recall_sample is -1"));
}
