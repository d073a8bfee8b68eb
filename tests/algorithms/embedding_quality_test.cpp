#include <layerscope/algorithms/embedding_quality.hpp>

#include <layerscope/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/error.hpp"
#include "support/reference.hpp"

namespace {

namespace ls = layerscope;
using Catch::Matchers::ContainsSubstring;
using layerscope_test::error_of;
using layerscope_test::reference_values;
using Size = std::int64_t;

std::size_t at(Size i) {
  return static_cast<std::size_t>(i);
}

ls::AnyView matrix(const std::vector<double>& values, Size columns) {
  return ls::TensorView<double>(values.data(), {static_cast<Size>(values.size()) / columns, columns});
}

std::vector<double> normal(Size count, std::uint64_t stream) {
  const ls::Random random(4, stream);
  std::vector<double> x(at(count));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = random.normal(i);
  return x;
}

/// The other rows by squared distance from row r, then by number.
std::vector<Size> order(const std::vector<double>& x, Size d, Size r) {
  const Size n = static_cast<Size>(x.size()) / d;
  std::vector<std::pair<double, Size>> all;
  for (Size j = 0; j < n; ++j) {
    double sum = 0;
    for (Size c = 0; c < d; ++c) sum += (x[at(r * d + c)] - x[at(j * d + c)]) * (x[at(r * d + c)] - x[at(j * d + c)]);
    if (j != r) all.emplace_back(sum, j);
  }
  std::sort(all.begin(), all.end());
  std::vector<Size> rows;
  for (const auto& entry : all) rows.push_back(entry.second);
  return rows;
}

/// Trustworthiness by its definition, ranks from sorting all rows.
double trustworthiness(const std::vector<double>& high, Size d, const std::vector<double>& low, Size e, Size k) {
  const Size n = static_cast<Size>(high.size()) / d;
  double excess = 0;
  for (Size r = 0; r < n; ++r) {
    const auto above = order(high, d, r);
    const auto below = order(low, e, r);
    for (Size c = 0; c < k; ++c) {
      const Size rank = std::find(above.begin(), above.end(), below[at(c)]) - above.begin() + 1;
      excess += static_cast<double>((std::max)(Size{0}, rank - k));
    }
  }
  return 1 - 2 * excess / (static_cast<double>(n * k) * static_cast<double>(2 * n - 3 * k - 1));
}

ls::EmbeddingQualityOptions with_neighbors(Size k) {
  ls::EmbeddingQualityOptions options;
  options.trustworthiness_neighbors = k;
  options.preservation_neighbors = k;
  options.label_neighbors = k;
  return options;
}

}  // namespace

TEST_CASE("embedding quality as scikit-learn computes it") {
  const auto expected = reference_values("embedding_quality.txt");
  const std::vector<double>& high = expected.at("high");
  const std::vector<double>& low = expected.at("low");
  const std::vector<Size> labels(expected.at("labels").begin(), expected.at("labels").end());
  for (const Size k : {1, 5, 15, 40}) {
    CAPTURE(k);
    const std::string number = std::to_string(k);
    const auto found = ls::embedding_quality(matrix(high, 8), matrix(low, 2), labels, with_neighbors(k));
    CHECK(std::abs(found.trustworthiness.value - expected.at("trustworthiness" + number)[0]) < 1e-9);
    CHECK(std::abs(found.continuity.value - expected.at("continuity" + number)[0]) < 1e-9);
    CHECK(std::abs(found.neighbor_preservation.value - expected.at("preservation" + number)[0]) < 1e-9);
    CHECK(std::abs(found.label_accuracy.value().value - expected.at("accuracy" + number)[0]) < 1e-9);
    CHECK(found.trustworthiness.standard_error == 0);
    CHECK(found.sampled_rows == 160);
    CHECK(found.warnings.empty());
    auto cosine = with_neighbors(k);
    cosine.metric = ls::Metric::cosine;
    CHECK(std::abs(ls::embedding_quality(matrix(high, 8), matrix(low, 2), {}, cosine).trustworthiness.value -
                   expected.at("cosine_trustworthiness" + number)[0]) < 1e-9);
  }
}

TEST_CASE("a layout that is the data, and one that is noise") {
  const auto x = normal(500 * 6, 1);
  std::vector<double> moved;
  for (const double value : x) moved.push_back(3 * value - 7);
  const auto same = ls::embedding_quality(matrix(x, 6), matrix(moved, 6));
  CHECK(same.trustworthiness.value == 1);
  CHECK(same.continuity.value == 1);
  CHECK(same.neighbor_preservation.value == 1);
  CHECK_FALSE(same.label_accuracy.has_value());
  const auto noise = normal(500 * 2, 2);
  const auto unrelated = ls::embedding_quality(matrix(x, 6), matrix(noise, 2));
  CHECK(std::abs(unrelated.trustworthiness.value - 0.5) < 0.03);  // ranks are uniform
  CHECK(std::abs(unrelated.continuity.value - 0.5) < 0.03);
  CHECK(unrelated.neighbor_preservation.value < 0.05);
}

TEST_CASE("ranks by products are those of sorting, in every range of columns") {
  for (const Size d : {1, 3, 9, 40, 300}) {
    CAPTURE(d);
    const Size n = d == 300 ? 200 : 400;
    auto high = normal(n * d, 3);
    for (double& value : high) value += 50;
    // Ties: whole numbers, and rows that repeat.
    if (d == 3) std::transform(high.begin(), high.end(), high.begin(), [](double value) { return std::round(value); });
    for (Size r = 0; r < n; r += 5) std::copy_n(high.begin(), d, high.begin() + r * d);
    const auto low = normal(n * 2, 4);
    const auto found = ls::embedding_quality(matrix(high, d), matrix(low, 2), {}, with_neighbors(12));
    CHECK(std::abs(found.trustworthiness.value - trustworthiness(high, d, low, 2, 12)) < 1e-12);
    CHECK(std::abs(found.continuity.value - trustworthiness(low, 2, high, d, 12)) < 1e-12);
  }
}

TEST_CASE("a sample comes within its stated error") {
  const Size n = 3000;
  const auto high = normal(n * 10, 5);
  std::vector<double> low(at(n * 2));
  const auto noise = normal(n * 2, 6);
  for (Size r = 0; r < n; ++r) {
    for (Size c = 0; c < 2; ++c) low[at(r * 2 + c)] = high[at(r * 10 + c)] + 0.3 * noise[at(r * 2 + c)];
  }
  std::vector<Size> labels;
  for (Size r = 0; r < n; ++r) labels.push_back(high[at(r * 10)] > 0 ? 1 : 0);
  ls::EmbeddingQualityOptions options;
  options.sample = n;
  const auto all = ls::embedding_quality(matrix(high, 10), matrix(low, 2), labels, options);
  CHECK(all.sampled_rows == n);
  options.sample = 400;
  int beyond = 0;
  const int runs = 10;
  for (int seed = 0; seed < runs; ++seed) {
    options.seed = static_cast<std::uint64_t>(seed);
    const auto some = ls::embedding_quality(matrix(high, 10), matrix(low, 2), labels, options);
    CHECK(some.sampled_rows == 400);
    const auto check = [&](const ls::QualityScore& score, const ls::QualityScore& truth) {
      CHECK(score.standard_error > 0);
      CHECK(score.standard_error < 0.03);
      beyond += std::abs(score.value - truth.value) > 2 * score.standard_error ? 1 : 0;
      CHECK(std::abs(score.value - truth.value) < 5 * score.standard_error);
    };
    check(some.trustworthiness, all.trustworthiness);
    check(some.continuity, all.continuity);
    check(some.neighbor_preservation, all.neighbor_preservation);
    check(*some.label_accuracy, *all.label_accuracy);
  }
  CHECK(beyond <= 4 * runs / 5);  // 1 in 20 is expected
}

TEST_CASE("embedding quality: the number of threads does not change a bit") {
  const auto high = normal(1200 * 30, 7);
  const auto low = normal(1200 * 2, 8);
  ls::EmbeddingQualityOptions options;
  options.sample = 500;
  options.threads = 1;
  const auto first = ls::embedding_quality(matrix(high, 30), matrix(low, 2), {}, options);
  for (const int threads : {2, 8}) {
    options.threads = threads;
    const auto again = ls::embedding_quality(matrix(high, 30), matrix(low, 2), {}, options);
    CHECK(again.trustworthiness.value == first.trustworthiness.value);
    CHECK(again.trustworthiness.standard_error == first.trustworthiness.standard_error);
    CHECK(again.continuity.value == first.continuity.value);
    CHECK(again.neighbor_preservation.value == first.neighbor_preservation.value);
  }
}

TEST_CASE("embedding quality of hard input") {
  const std::vector<double> same(600, 2.5);
  const auto constant = ls::embedding_quality(matrix(same, 3), matrix(same, 3));
  CHECK(constant.trustworthiness.value == 1);  // every tie falls the same way in both
  auto outlier = normal(200 * 3, 9);
  outlier[30] = 1e30;
  const auto low = normal(200 * 2, 10);
  const auto far = ls::embedding_quality(matrix(outlier, 3), matrix(low, 2), {}, with_neighbors(7));
  CHECK(std::abs(far.trustworthiness.value - trustworthiness(outlier, 3, low, 2, 7)) < 1e-12);
  CHECK(std::abs(far.continuity.value - trustworthiness(low, 2, outlier, 3, 7)) < 1e-12);
  const std::vector<double> three{0, 1, 3};
  const auto few = ls::embedding_quality(matrix(three, 1), matrix(three, 1));
  CHECK(few.trustworthiness_neighbors == 1);
  CHECK(few.trustworthiness.value == 1);
  CHECK(few.warnings.size() == 3);
}

TEST_CASE("embedding quality: misuse is named") {
  const auto x = normal(20, 11);
  const auto refused = [&](auto... arguments) {
    const ls::Error error = error_of([&] { ls::embedding_quality(arguments...); });
    CHECK(error.code() == ls::ErrorCode::invalid_argument);
    return std::string(error.what());
  };
  CHECK_THAT(refused(matrix(x, 2), matrix(x, 4)), ContainsSubstring("5 rows; expected the 10"));
  const std::vector<Size> labels{1, 2, 3};
  CHECK_THAT(refused(matrix(x, 2), matrix(x, 2), std::span<const Size>(labels)), ContainsSubstring("3 labels"));
  CHECK_THAT(refused(matrix(x, 10), matrix(x, 10)), ContainsSubstring("expected 3 or more"));
  ls::EmbeddingQualityOptions options;
  options.label_neighbors = 0;
  CHECK_THAT(refused(matrix(x, 2), matrix(x, 2), std::span<const Size>(), options),
             ContainsSubstring("label_neighbors is 0"));
  options = {};
  options.sample = 0;
  CHECK_THAT(refused(matrix(x, 2), matrix(x, 2), std::span<const Size>(), options), ContainsSubstring("sample is 0"));
  auto bad = x;
  bad[5] = std::numeric_limits<double>::quiet_NaN();
  const ls::Error error = error_of([&] { ls::embedding_quality(matrix(x, 2), matrix(bad, 2)); });
  CHECK(error.code() == ls::ErrorCode::non_finite);
  CHECK_THAT(error.what(), ContainsSubstring("embedding_quality: row 2, column 1"));
}
