#include <layerscope/algorithms/embedding_change.hpp>

#include <layerscope/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <limits>
#include <map>
#include <numeric>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/error.hpp"

namespace {

namespace ls = layerscope;
using Catch::Matchers::ContainsSubstring;
using layerscope_test::error_of;
using Size = std::int64_t;

std::size_t at(Size i) {
  return static_cast<std::size_t>(i);
}

ls::AnyView matrix(const std::vector<double>& values, Size columns) {
  return ls::TensorView<double>(values.data(), {static_cast<Size>(values.size()) / columns, columns});
}

std::vector<double> normal(Size count, std::uint64_t stream) {
  const ls::Random random(7, stream);
  std::vector<double> x(at(count));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = random.normal(i);
  return x;
}

std::map<std::string, std::vector<double>> reference() {
  std::map<std::string, std::vector<double>> all;
  std::ifstream file(LAYERSCOPE_TESTS_DIR "/reference/embedding_change.txt");
  std::string line;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string what;
    words >> what;
    for (double value = 0; words >> value;) all[what].push_back(value);
  }
  return all;
}

std::vector<Size> whole(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

/// Rows on a line that all move by their entry of `steps`.
std::vector<double> moved_by(const std::vector<double>& x, const std::vector<double>& steps) {
  std::vector<double> moved;
  std::transform(x.begin(), x.end(), steps.begin(), std::back_inserter(moved), std::plus<>());
  return moved;
}

}  // namespace

TEST_CASE("embedding change as scipy, scikit-learn and numpy compute it") {
  const auto expected = reference();
  const auto ids_before = whole(expected.at("ids_before"));
  const auto ids_now = whole(expected.at("ids_now"));
  const auto labels = whole(expected.at("labels_now"));
  const ls::EmbeddedRows before{matrix(expected.at("high_before"), 7), matrix(expected.at("low_before"), 2),
                                ids_before};
  const ls::EmbeddedRows now{matrix(expected.at("high_now"), 7), matrix(expected.at("low_now"), 2), ids_now, labels};
  for (const Size k : {3, 10}) {
    CAPTURE(k);
    const auto found = ls::embedding_change(before, now, {.neighbors = k, .most_moved = 5});
    CHECK(found.common_rows == 120);
    CHECK(found.new_rows == 20);
    CHECK(found.missing_rows == 30);
    CHECK(std::abs(found.stability - expected.at("stability")[0]) < 1e-12);
    CHECK(std::abs(found.stress - expected.at("stress")[0]) < 1e-9);
    CHECK(std::abs(found.neighbor_jaccard.value - expected.at("neighbor_jaccard" + std::to_string(k))[0]) < 1e-12);
    CHECK(std::abs(found.layout_jaccard.value - expected.at("layout_jaccard" + std::to_string(k))[0]) < 1e-12);
    CHECK(std::abs(found.cka.value - expected.at("cka")[0]) < 1e-12);
    CHECK(std::abs(found.separation_before.value() - expected.at("separation_before")[0]) < 1e-12);
    CHECK(std::abs(found.separation.value() - expected.at("separation")[0]) < 1e-12);
    std::vector<Size> most;
    for (const ls::MovedSample& sample : found.most_moved) {
      most.push_back(sample.id);
      CHECK(ids_now[at(sample.row)] == sample.id);
    }
    CHECK(most == whole(expected.at("most_moved")));
    CHECK(found.neighbor_jaccard.standard_error == 0);
    CHECK(found.cka.standard_error == 0);
    CHECK(found.warnings.empty());
  }
  // Displacements with ties, as rows on a line that start at 0.
  const std::vector<double>& high = expected.at("moved_high");
  const std::vector<double>& low = expected.at("moved_low");
  const std::vector<double> zero(high.size(), 0.0);
  const auto tied = ls::embedding_change({matrix(zero, 1), matrix(zero, 1)}, {matrix(high, 1), matrix(low, 1)});
  CHECK(std::abs(tied.stability - expected.at("tied_stability")[0]) < 1e-12);
}

TEST_CASE("linear CKA by rows, where they are fewer than features, is that of numpy") {
  const auto expected = reference();
  const auto ids_before = whole(expected.at("ids_before"));
  const auto ids_now = whole(expected.at("ids_now"));
  // The first five common samples in the order of the later epoch, as the reference took them.
  std::vector<double> before, now, low;
  for (std::size_t r = 0; r < ids_now.size() && low.size() < 5; ++r) {
    const auto old = std::find(ids_before.begin(), ids_before.end(), ids_now[r]);
    if (old == ids_before.end()) continue;
    const auto first = expected.at("high_before").begin() + (old - ids_before.begin()) * 7;
    before.insert(before.end(), first, first + 7);
    const auto next = expected.at("high_now").begin() + static_cast<std::ptrdiff_t>(r) * 7;
    now.insert(now.end(), next, next + 7);
    low.push_back(static_cast<double>(r));
  }
  const auto found = ls::embedding_change({matrix(before, 7), matrix(low, 1)}, {matrix(now, 7), matrix(low, 1)});
  CHECK(std::abs(found.cka.value - expected.at("cka_few_rows")[0]) < 1e-12);
  CHECK(found.cka_rows == 5);
}

TEST_CASE("an epoch and itself") {
  const auto x = normal(300 * 5, 1);
  const auto y = normal(300 * 2, 2);
  const auto same = ls::embedding_change({matrix(x, 5), matrix(y, 2)}, {matrix(x, 5), matrix(y, 2)});
  CHECK(same.common_rows == 300);
  CHECK(same.stability == 0);  // nothing moves, so nothing can agree
  CHECK(same.stress == 0);
  CHECK(same.neighbor_jaccard.value == 1);
  CHECK(same.layout_jaccard.value == 1);
  CHECK(std::abs(same.cka.value - 1) < 1e-14);
  CHECK_FALSE(same.separation.has_value());
}

TEST_CASE("a layout that moves as its data do, against them, and not at all") {
  const Size n = 400;
  const auto x = normal(n, 3);
  std::vector<double> steps(at(n)), same_order(at(n)), reversed(at(n));
  for (Size i = 0; i < n; ++i) {
    steps[at(i)] = 1 + 0.01 * static_cast<double>(i * 17 % n);
    same_order[at(i)] = steps[at(i)] * steps[at(i)];  // monotone, not linear
    reversed[at(i)] = 1 / steps[at(i)];
  }
  const auto now = moved_by(x, steps);
  const auto y = normal(n, 4);
  const auto change = [&](const std::vector<double>& layout) {
    return ls::embedding_change({matrix(x, 1), matrix(y, 1)}, {matrix(now, 1), matrix(layout, 1)});
  };
  CHECK(std::abs(change(moved_by(y, same_order)).stability - 1) < 1e-12);
  CHECK(std::abs(change(moved_by(y, reversed)).stability + 1) < 1e-12);
  const auto frozen = change(y);
  CHECK(frozen.stability == 0);  // freezing the layout wins nothing
  CHECK(frozen.stress == 1);
  CHECK(frozen.layout_jaccard.value == 1);
  const auto proportional = [&] {
    std::vector<double> layout;
    for (Size i = 0; i < n; ++i) layout.push_back(y[at(i)] - 250 * steps[at(i)]);
    return layout;
  };
  CHECK(change(proportional()).stress < 1e-12);
  CHECK(change(moved_by(y, reversed)).stress > 0.1);
  CHECK(change(y).most_moved.front().high == Catch::Approx(*std::max_element(steps.begin(), steps.end())));
}

TEST_CASE("CKA is blind to rotation, scale and place, and sees unrelated rows") {
  const Size n = 600;
  const auto x = normal(n * 2, 5);
  std::vector<double> turned;
  const double c = std::cos(0.7), s = std::sin(0.7);
  for (Size r = 0; r < n; ++r) {
    const double a = x[at(2 * r)], b = x[at(2 * r + 1)];
    turned.push_back(3 * (c * a - s * b) + 100);
    turned.push_back(3 * (s * a + c * b) - 50);
  }
  const auto y = normal(n * 2, 6);
  const auto cka = [&](const std::vector<double>& now) {
    return ls::embedding_change({matrix(x, 2), matrix(y, 2)}, {matrix(now, 2), matrix(y, 2)}).cka.value;
  };
  CHECK(std::abs(cka(turned) - 1) < 1e-12);
  CHECK(cka(normal(n * 2, 7)) < 0.02);
  CHECK(cka(std::vector<double>(at(n * 2), 4.25)) == 0);
}

TEST_CASE("what is drawn comes within its stated error") {
  const Size n = 3000;
  const auto before = normal(n * 8, 8);
  auto now = before;
  const auto noise = normal(n * 8, 9);
  for (std::size_t i = 0; i < now.size(); ++i) now[i] += 0.5 * noise[i];
  const auto y = normal(n * 2, 10);
  auto z = y;
  for (std::size_t i = 0; i < z.size(); ++i) z[i] += 0.2 * noise[i];
  const ls::EmbeddedRows old{matrix(before, 8), matrix(y, 2)}, young{matrix(now, 8), matrix(z, 2)};
  ls::EmbeddingChangeOptions options;
  options.sample = n;
  const auto all = ls::embedding_change(old, young, options);
  CHECK(all.sampled_rows == n);
  CHECK(all.cka_rows == n);
  options.sample = 400;
  options.cka_sample = 400;
  int beyond = 0;
  const int runs = 8;
  for (int seed = 0; seed < runs; ++seed) {
    options.seed = static_cast<std::uint64_t>(seed);
    const auto some = ls::embedding_change(old, young, options);
    CHECK(some.sampled_rows == 400);
    CHECK(some.cka_rows == 400);
    CHECK(some.stability == all.stability);  // takes all rows
    const auto check = [&](const ls::QualityScore& score, const ls::QualityScore& truth) {
      CHECK(score.standard_error > 0);
      CHECK(score.standard_error < 0.03);
      beyond += std::abs(score.value - truth.value) > 2 * score.standard_error ? 1 : 0;
      CHECK(std::abs(score.value - truth.value) < 5 * score.standard_error);
    };
    check(some.neighbor_jaccard, all.neighbor_jaccard);
    check(some.layout_jaccard, all.layout_jaccard);
    check(some.cka, all.cka);
  }
  CHECK(beyond <= 3 * runs / 4);  // 1 in 20 is expected
}

TEST_CASE("embedding change: threads, element types and strides do not matter") {
  const Size n = 700, d = 20;
  const auto before = normal(n * d, 11), now = normal(n * d, 12);
  const auto y = normal(n * 2, 13), z = normal(n * 2, 14);
  ls::EmbeddingChangeOptions options;
  options.sample = 300;
  options.cka_sample = 300;
  options.threads = 1;
  const auto first = ls::embedding_change({matrix(before, d), matrix(y, 2)}, {matrix(now, d), matrix(z, 2)}, options);
  for (const int threads : {2, 8}) {
    options.threads = threads;
    const auto again = ls::embedding_change({matrix(before, d), matrix(y, 2)}, {matrix(now, d), matrix(z, 2)}, options);
    CHECK(again.stability == first.stability);
    CHECK(again.stress == first.stress);
    CHECK(again.neighbor_jaccard.value == first.neighbor_jaccard.value);
    CHECK(again.cka.value == first.cka.value);
    CHECK(again.cka.standard_error == first.cka.standard_error);
  }
  std::vector<double> columns(now.size());  // the same numbers, column by column
  for (Size r = 0; r < n; ++r) {
    for (Size c = 0; c < d; ++c) columns[at(c * n + r)] = now[at(r * d + c)];
  }
  const ls::AnyView strided = ls::TensorView<double>(columns.data(), {n, d}, {1, n});
  const auto same = ls::embedding_change({matrix(before, d), matrix(y, 2)}, {strided, matrix(z, 2)}, options);
  CHECK(same.stability == first.stability);
  CHECK(same.cka.value == first.cka.value);
  const std::vector<float> floats(now.begin(), now.end());
  const ls::AnyView single = ls::TensorView<float>(floats.data(), {n, d});
  const auto near = ls::embedding_change({matrix(before, d), matrix(y, 2)}, {single, matrix(z, 2)}, options);
  CHECK(std::abs(near.cka.value - first.cka.value) < 1e-6);
}

TEST_CASE("separation of classes") {
  // Two classes at distance 10, whose rows lie 1 from their centroids: 10 / (1 + 1).
  const std::vector<double> x{-1, 0, 1, 0, 9, 0, 11, 0};
  const std::vector<Size> labels{0, 0, 3, 3};
  CHECK(ls::class_separation(matrix(x, 2), labels).value() == Catch::Approx(5));
  std::vector<double> huge;
  for (const double value : x) huge.push_back(1e300 * value / 16);
  CHECK(ls::class_separation(matrix(huge, 2), labels).value() == Catch::Approx(5));
  const std::vector<Size> unlabelled{0, 0, -1, -1};
  CHECK_FALSE(ls::class_separation(matrix(x, 2), unlabelled).has_value());
  const std::vector<Size> crossed{0, 3, 3, 0};
  CHECK(ls::class_separation(matrix(x, 2), crossed).value() == 0);
  const std::vector<double> points{1, 1, 2, 2};  // no spread at all
  CHECK_FALSE(ls::class_separation(matrix(points, 1), labels).has_value());
  const ls::Error error = error_of([&] { ls::class_separation(matrix(x, 4), labels); });
  CHECK_THAT(error.what(), ContainsSubstring("4 labels; expected one for each of the 2 rows"));
}

TEST_CASE("embedding change of hard input") {
  const std::vector<double> same(300, 2.5);
  const auto constant = ls::embedding_change({matrix(same, 3), matrix(same, 3)}, {matrix(same, 3), matrix(same, 3)});
  CHECK(constant.stability == 0);
  CHECK(constant.cka.value == 0);
  CHECK(constant.neighbor_jaccard.value == 1);
  auto far = normal(300, 15);
  auto farther = far;
  farther[30] = 1e149;
  const auto outlier = ls::embedding_change({matrix(far, 3), matrix(far, 3)}, {matrix(farther, 3), matrix(far, 3)});
  CHECK(outlier.most_moved.front().id == 10);
  CHECK(outlier.stability == 0);
  CHECK(outlier.stress == 1);
  CHECK(outlier.cka.value >= 0);
  CHECK(outlier.cka.value <= 1);
  const std::vector<double> three{0, 1, 3};
  const auto few = ls::embedding_change({matrix(three, 1), matrix(three, 1)}, {matrix(three, 1), matrix(three, 1)});
  CHECK(few.neighbors == 1);
  CHECK(few.most_moved.size() == 3);
  CHECK(few.warnings.size() == 1);
  // Of rows with one id the first counts.
  const std::vector<Size> twice{4, 4, 5, 6, 7}, once{7, 6, 5, 4, 4};
  const std::vector<double> a{0, 100, 1, 2, 3}, b{3, 2, 1, 0, 50};
  const auto repeated = ls::embedding_change({matrix(a, 1), matrix(a, 1), twice}, {matrix(b, 1), matrix(b, 1), once});
  CHECK(repeated.common_rows == 4);
  CHECK(repeated.most_moved.front().high == 0);
}

TEST_CASE("embedding change: misuse is named") {
  const auto x = normal(40, 16);
  const ls::EmbeddedRows rows{matrix(x, 4), matrix(x, 4)};
  const auto refused = [&](const ls::EmbeddedRows& before, const ls::EmbeddedRows& now,
                           const ls::EmbeddingChangeOptions& options = {}) {
    const ls::Error error = error_of([&] { ls::embedding_change(before, now, options); });
    CHECK(error.code() == ls::ErrorCode::invalid_argument);
    return std::string(error.what());
  };
  CHECK_THAT(refused(rows, {matrix(x, 4), matrix(x, 2)}),
             ContainsSubstring("the layout now has 20 rows; expected the 10"));
  CHECK_THAT(refused(rows, {matrix(x, 2), matrix(x, 2)}), ContainsSubstring("2 features; expected the 4 of before"));
  const std::vector<Size> other{20, 21, 22, 23, 24, 25, 26, 27, 0, 1};
  CHECK_THAT(refused(rows, {matrix(x, 4), matrix(x, 4), other}), ContainsSubstring("2 rows in common; expected 3"));
  const std::vector<Size> short_ids{1, 2};
  CHECK_THAT(refused({matrix(x, 4), matrix(x, 4), short_ids}, rows), ContainsSubstring("2 ids before"));
  CHECK_THAT(refused(rows, {matrix(x, 4), matrix(x, 4), {}, short_ids}), ContainsSubstring("2 labels now"));
  CHECK_THAT(refused(rows, rows, {.neighbors = 0}), ContainsSubstring("neighbors is 0; expected 1"));
  CHECK_THAT(refused(rows, rows, {.sample = 0}), ContainsSubstring("sample is 0"));
  CHECK_THAT(refused(rows, rows, {.cka_sample = 2}), ContainsSubstring("cka_sample is 2; expected 3"));
  CHECK_THAT(refused(rows, rows, {.most_moved = -1}), ContainsSubstring("most_moved is -1"));
  auto bad = x;
  bad[9] = std::numeric_limits<double>::quiet_NaN();
  const ls::Error error = error_of([&] { ls::embedding_change(rows, {matrix(bad, 4), matrix(x, 4)}); });
  CHECK(error.code() == ls::ErrorCode::non_finite);
  CHECK_THAT(error.what(), ContainsSubstring("common rows now: row 2, column 1"));
}
