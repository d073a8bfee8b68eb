#include <layerscope/algorithms/uncertainty.hpp>

#include <layerscope/algorithms/colormap.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/tensor.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error.hpp"
#include "support/pictures.hpp"
#include "support/reference.hpp"

namespace {

namespace ls = layerscope;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::WithinAbs;
using layerscope_test::error_of;
using layerscope_test::normal_tensor;
using layerscope_test::reference_values;
using Size = std::int64_t;
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();
const ls::PredictionOptions of_logits{.kind = ls::PredictionKind::logits};

ls::AnyView view_of(const std::vector<double>& values, const ls::Shape& shape) {
  return ls::TensorView<double>(values.data(), shape);
}

double number(const ls::Tensor& tensor, Size i) {
  return tensor.data<double>()[i];
}

void check_numbers(const ls::Tensor& found, const std::vector<double>& expected) {
  REQUIRE(found.size() == static_cast<Size>(expected.size()));
  for (Size i = 0; i < found.size(); ++i) {
    CHECK_THAT(number(found, i), WithinAbs(expected[static_cast<std::size_t>(i)], 1e-14));
  }
}

bool same(const ls::Tensor& a, const ls::Tensor& b) {
  const auto* const x = static_cast<const std::byte*>(a.raw());
  return a.shape() == b.shape() && std::equal(x, x + a.bytes(), static_cast<const std::byte*>(b.raw()));
}

}  // namespace

TEST_CASE("uncertainty: identical members disagree by exactly nothing") {
  const ls::Tensor logits = normal_tensor({20, 7}, 1);
  ls::UncertaintyAccumulator sums(of_logits);
  for (int member = 0; member < 9; ++member) sums.add(logits);
  const ls::Uncertainty found = sums.result();
  CHECK(found.members == 9);
  CHECK(found.warnings.empty());
  for (Size i = 0; i < 20; ++i) {
    CHECK(number(found.mutual_information, i) == 0);
    CHECK(number(found.predictive_entropy, i) == number(found.expected_entropy, i));
  }
  for (Size i = 0; i < 140; ++i) CHECK(number(found.variance, i) == 0);
}

TEST_CASE("uncertainty: K members sure of K classes know log K less together") {
  for (const Size k : {2, 3, 10}) {
    std::vector<double> members(static_cast<std::size_t>(k * k));
    for (Size i = 0; i < k; ++i) members[static_cast<std::size_t>(i * k + i)] = 1;
    const ls::Uncertainty found = ls::uncertainty(view_of(members, {k, 1, k}));
    const double expected = std::log(static_cast<double>(k));
    CHECK_THAT(number(found.mutual_information, 0), WithinAbs(expected, 1e-15));
    CHECK_THAT(number(found.predictive_entropy, 0), WithinAbs(expected, 1e-15));
    CHECK(number(found.expected_entropy, 0) == 0);
    CHECK_THAT(number(found.variance, 0),
               WithinAbs((1 - 1.0 / static_cast<double>(k)) / static_cast<double>(k), 1e-15));
  }
}

TEST_CASE("uncertainty: the entropy of equal probabilities is log classes, and of one certain class 0") {
  const std::vector<double> rows{0.25, 0.25, 0.25, 0.25, 0, 1, 0, 0};
  const ls::Uncertainty found = ls::uncertainty(view_of(rows, {1, 2, 4}));
  CHECK_THAT(number(found.predictive_entropy, 0), WithinAbs(std::log(4.0), 1e-15));
  CHECK(number(found.predictive_entropy, 1) == 0);
  CHECK(found.predicted.data<Size>()[0] == 0);  // of equal ones the lowest
  CHECK(found.predicted.data<Size>()[1] == 1);
  REQUIRE(found.warnings.size() == 1);
  CHECK_THAT(found.warnings[0], ContainsSubstring("1 member"));
}

TEST_CASE("uncertainty: equals the definitions in NumPy, from logits and from probabilities, whole and streamed") {
  const auto expected = reference_values("uncertainty.txt");
  const ls::AnyView logits = view_of(expected.at("logits"), {5, 12, 3});
  const auto check = [&](const ls::Uncertainty& found) {
    check_numbers(found.mean, expected.at("mean"));
    check_numbers(found.variance, expected.at("variance"));
    check_numbers(found.predictive_entropy, expected.at("predictive_entropy"));
    check_numbers(found.expected_entropy, expected.at("expected_entropy"));
    check_numbers(found.mutual_information, expected.at("mutual_information"));
    for (Size i = 0; i < 12; ++i) {
      CHECK(static_cast<double>(found.predicted.data<Size>()[i]) ==
            expected.at("predicted")[static_cast<std::size_t>(i)]);
    }
    CHECK(found.warnings.empty());
  };
  check(ls::uncertainty(logits, of_logits));
  ls::Tensor probabilities = ls::copy(logits);
  double* p = probabilities.mutable_data<double>();
  for (Size row = 0; row < 60; ++row, p += 3) {
    const double sum = std::exp(p[0]) + std::exp(p[1]) + std::exp(p[2]);
    for (int c = 0; c < 3; ++c) p[c] = std::exp(p[c]) / sum;
  }
  check(ls::uncertainty(probabilities));
  ls::UncertaintyAccumulator sums(of_logits);
  for (Size member = 0; member < 5; ++member) sums.add(logits.select(0, member));
  CHECK(sums.members() == 5);
  check(sums.result());
}

TEST_CASE("uncertainty: dense predictions are rows like others, wherever the classes are") {
  const ls::Tensor members = normal_tensor({4, 2, 3, 5, 6}, 2);  // [K, n, classes, h, w]
  const ls::Uncertainty dense = ls::uncertainty(members, of_logits);
  CHECK(dense.mean.shape() == ls::Shape{2, 5, 6, 3});
  CHECK(dense.predictive_entropy.shape() == ls::Shape{2, 5, 6});
  ls::PredictionOptions last = of_logits;
  last.class_axis = -1;
  const ls::Uncertainty moved = ls::uncertainty(members.view().permute({0, 1, 3, 4, 2}), last);
  CHECK(same(moved.mean, dense.mean));
  CHECK(same(moved.mutual_information, dense.mutual_information));
  // As many rows [4, 60, 3].
  const ls::Tensor rows = ls::copy(members.view().permute({0, 1, 3, 4, 2}));
  const ls::Uncertainty flat = ls::uncertainty(*rows.view().reshape({4, 60, 3}), of_logits);
  CHECK(std::equal(flat.mutual_information.data<double>(), flat.mutual_information.data<double>() + 60,
                   dense.mutual_information.data<double>()));
}

TEST_CASE("uncertainty: the same bits for any number of threads") {
  const ls::Tensor members = normal_tensor({3, 30000, 4}, 3);
  ls::PredictionOptions options = of_logits;
  options.threads = 1;
  const ls::Uncertainty one = ls::uncertainty(members, options);
  options.threads = 4;
  const ls::Uncertainty four = ls::uncertainty(members, options);
  CHECK(same(one.mean, four.mean));
  CHECK(same(one.variance, four.variance));
  CHECK(same(one.mutual_information, four.mutual_information));
}

TEST_CASE("uncertainty: NaN, infinities and sums other than 1 are named, and spoil their own rows only") {
  std::vector<double> members{0.5, 0.5, 0.2, 0.8, 0.9, 0.1, 0.25, 0.25, 0.5,  0.5,
                              0.5, 0.5, 0.2, 0.8, 0.9, 0.1, 0.25, 0.25, 0.75, 0.25};
  members[2] = not_a_number;
  members[14] = infinity;
  const ls::Uncertainty found = ls::uncertainty(view_of(members, {2, 5, 2}));
  CHECK(found.undefined_rows == 2);
  CHECK(ls::is_nan(number(found.predictive_entropy, 1)));
  CHECK(ls::is_nan(number(found.mutual_information, 2)));
  CHECK(ls::is_nan(number(found.mean, 3)));
  CHECK(found.predicted.data<Size>()[1] == -1);
  CHECK_THAT(number(found.predictive_entropy, 0), WithinAbs(std::log(2.0), 1e-15));
  CHECK_THAT(number(found.predictive_entropy, 3), WithinAbs(std::log(2.0), 1e-15));  // 0.25, 0.25 means a half each
  CHECK(number(found.mean, 8) == 0.625);
  REQUIRE(found.warnings.size() == 2);
  CHECK(found.warnings[0] == "2 of 5 rows are undefined: NaN, infinity or no probability at all");
  CHECK(found.warnings[1] == "2 rows do not sum to 1 (member 0, row 3 sums to 0.5) and were divided by their sums");

  const std::vector<double> zeros{0, 0, 1, 0};
  CHECK(ls::uncertainty(view_of(zeros, {1, 2, 2})).undefined_rows == 1);
  // Rounding is no fault.
  const std::vector<double> rounded{1.0000001, -1e-9};
  CHECK(number(ls::uncertainty(view_of(rounded, {1, 1, 2})).predictive_entropy, 0) < 1e-6);
}

TEST_CASE("uncertainty: logits of any size, masked classes among them") {
  const std::vector<double> logits{-infinity, 3, 3, 1e308, -1e308, 0, -infinity, -infinity, -infinity, infinity, 0, 0};
  const ls::Uncertainty found = ls::uncertainty(view_of(logits, {1, 4, 3}), of_logits);
  CHECK_THAT(number(found.predictive_entropy, 0), WithinAbs(std::log(2.0), 1e-15));
  CHECK(number(found.mean, 0) == 0);
  CHECK(number(found.predictive_entropy, 1) == 0);
  CHECK(found.predicted.data<Size>()[1] == 0);
  CHECK(found.undefined_rows == 2);
}

TEST_CASE("uncertainty: what is no prediction is refused with a reason") {
  const ls::Tensor x = normal_tensor({3, 4, 5}, 1);
  CHECK_THAT(error_of([&] { ls::uncertainty(x); }).what(), ContainsSubstring("expected a probability of at least 0, or "
                                                                             "PredictionKind::logits"));
  CHECK_THAT(error_of([&] { ls::uncertainty(x.view().narrow(2, 0, 1), of_logits); }).what(),
             ContainsSubstring("1 class in predictions of shape [4, 1]; expected 2 or more"));
  CHECK_THAT(error_of([&] { ls::uncertainty(x.view().select(0, 0), of_logits); }).what(),
             ContainsSubstring("members of shape [4, 5]; expected [members, n, classes, …]"));
  CHECK(error_of([&] { ls::uncertainty(x.view().narrow(1, 0, 0), of_logits); }).code() == ls::ErrorCode::empty);
  ls::PredictionOptions options = of_logits;
  options.class_axis = 2;
  CHECK_THAT(error_of([&] { ls::uncertainty(x, options); }).what(), ContainsSubstring("class_axis 2"));
  options = of_logits;
  options.tolerance = 0;
  CHECK_THAT(error_of([&] { ls::uncertainty(x, options); }).what(), ContainsSubstring("tolerance 0"));
  ls::UncertaintyAccumulator sums(of_logits);
  CHECK(error_of([&] { sums.result(); }).code() == ls::ErrorCode::empty);
  sums.add(x.view().select(0, 0));
  CHECK_THAT(error_of([&] { sums.add(x.view().select(1, 0)); }).what(),
             ContainsSubstring("member 1 of shape [3, 5]; expected [4, 5] as before"));
  CHECK(error_of([&] { sums.add(x.view().select(0, 0).select(0, 0)); }).code() == ls::ErrorCode::invalid_argument);
  CHECK(sums.members() == 1);
}

TEST_CASE("uncertainty of regression: variances of the means and means of the variances add up") {
  // Members N(1, 4), N(3, 2): mean 2, epistemic 1, aleatoric 3, and the variance of the mixture is their sum.
  const std::vector<double> a{1, 5}, b{3, 5}, variance_a{4, 0}, variance_b{2, 0};
  ls::RegressionAccumulator sums;
  sums.add(view_of(a, {2}), view_of(variance_a, {2}));
  sums.add(view_of(b, {2}), view_of(variance_b, {2}));
  const ls::RegressionUncertainty found = sums.result();
  CHECK(number(found.mean, 0) == 2);
  CHECK(number(found.epistemic_variance, 0) == 1);
  CHECK(number(found.aleatoric_variance, 0) == 3);
  CHECK(number(found.total_variance, 0) == 4);
  CHECK(number(found.total_variance, 1) == 0);
  CHECK(found.warnings.empty());
}

TEST_CASE("uncertainty of regression: hostile input") {
  const std::vector<double> a{1, not_a_number}, b{3, 5}, negative{-1, 0};
  ls::RegressionAccumulator sums;
  CHECK(error_of([&] { sums.result(); }).code() == ls::ErrorCode::empty);
  sums.add(view_of(a, {2}));
  CHECK_THAT(sums.result().warnings.at(0), ContainsSubstring("1 member"));
  CHECK_THAT(error_of([&] { sums.add(view_of(a, {2, 1})); }).what(), ContainsSubstring("expected [2] as before"));
  CHECK_THAT(error_of([&] { sums.add(view_of(b, {2}), view_of(b, {2})); }).what(), ContainsSubstring("with variances"));
  sums.add(view_of(b, {2}));
  const ls::RegressionUncertainty found = sums.result();
  CHECK(number(found.mean, 0) == 2);
  CHECK(ls::is_nan(number(found.mean, 1)));
  CHECK(found.undefined == 1);
  CHECK(found.aleatoric_variance.empty());
  ls::RegressionAccumulator other;
  CHECK_THAT(error_of([&] { other.add(view_of(b, {2}), view_of(negative, {2})); }).what(),
             ContainsSubstring("variance -1 at number 0; expected 0 or more"));
  CHECK_THAT(error_of([&] {
               other.add(view_of(b, {2}), view_of(negative, {1, 2}));
             }).what(),
             ContainsSubstring("variances of shape [1, 2] for predictions of [2]"));
}

TEST_CASE("most_uncertain: by falling score, undefined first, equal ones by number") {
  std::vector<double> rows{0.9, 0.1, 0.5, 0.5, 0.7, 0.3, 0.5, 0.5, 0, 0};
  rows[8] = not_a_number;
  const ls::Uncertainty found = ls::uncertainty(view_of(rows, {1, 5, 2}));
  CHECK(ls::most_uncertain(found, 10) == std::vector<Size>{4, 1, 3, 2, 0});
  CHECK(ls::most_uncertain(found, 2, ls::UncertaintyScore::doubt) == std::vector<Size>{4, 1});
  CHECK(ls::most_uncertain(found, 10, ls::UncertaintyScore::mutual_information) == std::vector<Size>{4, 0, 1, 2, 3});
  CHECK(error_of([&] { ls::most_uncertain(found, 0); }).code() == ls::ErrorCode::invalid_argument);
  // A sample of dense predictions has the mean of its rows.
  const ls::Uncertainty dense =
      ls::uncertainty(view_of({1, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5}, {1, 2, 2, 2}), {.class_axis = -1});
  CHECK_THAT(ls::sample_scores(dense, ls::UncertaintyScore::predictive_entropy)[0],
             WithinAbs(std::log(2.0) / 2, 1e-15));
  CHECK(ls::most_uncertain(dense, 1) == std::vector<Size>{1});
}

TEST_CASE("uncertain_samples_chart: wrong predictions and NaN have their colours, and pictures their place") {
  std::vector<double> rows{0.9, 0.1, 0.6, 0.4, 0.7, 0.3, 0.2, 0.8};
  const ls::Uncertainty found = ls::uncertainty(view_of(rows, {1, 4, 2}));
  ls::UncertainSamplesOptions options;
  options.labels = {0, 0, 0, 1};
  const auto pixels = [&](ls::Rgb colour) {
    return layerscope_test::count_colour(ls::uncertain_samples_chart(found, options), colour);
  };
  CHECK(pixels(ls::okabe_ito[1]) == 0);
  options.labels = {0, 1, 0, 1};
  CHECK(pixels(ls::okabe_ito[1]) > 0);
  CHECK(pixels({255, 0, 255}) == 0);
  std::vector<std::uint8_t> images(4 * 8 * 8, 0);
  options.images = ls::TensorView<std::uint8_t>(images.data(), {4, 8, 8});
  CHECK(pixels({0, 0, 0}) == 4 * 56 * 56);  // black squares, seven times as large
  options.count = 2;
  CHECK(pixels({0, 0, 0}) == 2 * 56 * 56);
  rows[0] = not_a_number;
  const ls::Uncertainty broken = ls::uncertainty(view_of(rows, {1, 4, 2}));
  CHECK(layerscope_test::count_colour(ls::uncertain_samples_chart(broken, options), {255, 0, 255}) > 0);

  options.labels = {0};
  CHECK_THAT(error_of([&] { ls::uncertain_samples_chart(found, options); }).what(),
             ContainsSubstring("1 labels for 4 samples"));
  options.labels = {};
  options.count = 65;
  CHECK_THAT(error_of([&] { ls::uncertain_samples_chart(found, options); }).what(), ContainsSubstring("count 65"));
  options.count = 2;
  options.images = ls::TensorView<std::uint8_t>(images.data(), {2, 8, 8});
  CHECK_THAT(error_of([&] { ls::uncertain_samples_chart(found, options); }).what(),
             ContainsSubstring("images of shape [2, 8, 8]"));
  const ls::Uncertainty dense = ls::uncertainty(normal_tensor({2, 3, 4, 5}, 1), of_logits);
  CHECK(error_of([&] { ls::uncertain_samples_chart(dense); }).code() == ls::ErrorCode::invalid_argument);
}

TEST_CASE("uncertainty_maps: three maps a sample in one scale, NaN in its own colour") {
  ls::Tensor members = normal_tensor({3, 6, 4, 10, 12}, 1);
  const ls::Image few = ls::uncertainty_maps(ls::uncertainty(members, of_logits), {.count = 2});
  CHECK(layerscope_test::count_colour(few, {255, 0, 255}) == 0);
  members.mutable_data<float>()[5] = static_cast<float>(not_a_number);
  const ls::Image all = ls::uncertainty_maps(ls::uncertainty(members, of_logits), {.count = 6});
  CHECK(all.height > few.height);
  CHECK(layerscope_test::count_colour(all, {255, 0, 255}) > 0);
  const ls::Uncertainty rows = ls::uncertainty(normal_tensor({2, 3, 4}, 1), of_logits);
  CHECK_THAT(error_of([&] { ls::uncertainty_maps(rows); }).what(), ContainsSubstring("expected [n, l] or [n, h, w]"));
}
