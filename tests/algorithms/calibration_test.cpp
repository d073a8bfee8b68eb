#include <layerscope/algorithms/calibration.hpp>

#include <layerscope/algorithms/colormap.hpp>
#include <layerscope/core/random.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
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
using layerscope_test::reference_values;
using Size = std::int64_t;

struct Forecasts {
  std::vector<double> probabilities;
  std::vector<Size> labels;
  Size classes = 2;

  Size rows() const { return static_cast<Size>(labels.size()); }
  ls::AnyView predictions() const { return ls::TensorView<double>(probabilities.data(), {rows(), classes}); }
  ls::AnyView truth() const { return ls::TensorView<Size>(labels.data(), {rows()}); }
};

ls::Calibration judge(const Forecasts& of, const ls::CalibrationOptions& options = {}) {
  return ls::calibration(of.predictions(), of.truth(), options);
}

/// `rows` forecasts of class 0 with this confidence, of which `right` are right.
Forecasts constant(double confidence, Size rows, Size right) {
  Forecasts result;
  for (Size i = 0; i < rows; ++i) {
    result.probabilities.insert(result.probabilities.end(), {confidence, 1 - confidence});
    result.labels.push_back(i < right ? 0 : 1);
  }
  return result;
}

Forecasts reference() {
  const auto values = reference_values("uncertainty.txt");
  Forecasts result;
  result.classes = 4;
  result.probabilities = values.at("forecasts");
  result.labels.assign(values.at("labels").begin(), values.at("labels").end());
  return result;
}

}  // namespace

TEST_CASE("calibration: constant confidence c at accuracy a is off by |c - a|") {
  for (const auto& [confidence, right] : {std::pair<double, Size>{0.75, 12}, {0.75, 20}, {0.9, 0}, {0.625, 13}}) {
    const ls::Calibration found = judge(constant(confidence, 20, right));
    const double accuracy = static_cast<double>(right) / 20;
    INFO(confidence << ", " << accuracy);
    CHECK_THAT(found.ece, WithinAbs(std::fabs(confidence - accuracy), 1e-15));
    CHECK_THAT(found.mce, WithinAbs(std::fabs(confidence - accuracy), 1e-15));
    CHECK_THAT(found.ace, WithinAbs(std::fabs(confidence - accuracy), 1e-15));
    CHECK_THAT(found.accuracy, WithinAbs(accuracy, 1e-15));
    CHECK_THAT(found.confidence, WithinAbs(confidence, 1e-15));
    CHECK_THAT(found.brier, WithinAbs(2 * (accuracy * (1 - confidence) * (1 - confidence) +
                                           (1 - accuracy) * confidence * confidence),
                                      1e-15));
    CHECK_THAT(found.nll,
               WithinAbs(-accuracy * std::log(confidence) - (1 - accuracy) * std::log(1 - confidence), 1e-14));
  }
}

TEST_CASE("calibration: a perfect forecast has no error at all") {
  const ls::Calibration found = judge(constant(1, 7, 7));
  CHECK(found.ece == 0);
  CHECK(found.mce == 0);
  CHECK(found.ace == 0);
  CHECK(found.brier == 0);
  CHECK(found.nll == 0);
  CHECK(found.bins.back().count == 7);
}

TEST_CASE("calibration: equals the definitions in NumPy") {
  const auto expected = reference_values("uncertainty.txt");
  const Forecasts forecasts = reference();
  for (const int bins : {1, 8, 10, 15}) {
    ls::CalibrationOptions options;
    options.bins = bins;
    const ls::Calibration found = judge(forecasts, options);
    INFO(bins << " bins");
    CHECK_THAT(found.ece, WithinAbs(expected.at("ece" + std::to_string(bins))[0], 1e-14));
    CHECK_THAT(found.mce, WithinAbs(expected.at("ece" + std::to_string(bins))[1], 1e-14));
  }
  for (const int ranges : {1, 3, 15, 50}) {
    ls::CalibrationOptions options;
    options.ranges = ranges;
    INFO(ranges << " ranges");
    CHECK_THAT(judge(forecasts, options).ace, WithinAbs(expected.at("ace" + std::to_string(ranges))[0], 1e-13));
  }
  const ls::Calibration found = judge(forecasts);
  CHECK_THAT(found.brier, WithinAbs(expected.at("brier")[0], 1e-14));
  CHECK_THAT(found.nll, WithinAbs(expected.at("nll")[0], 1e-13));
  CHECK_THAT(found.accuracy, WithinAbs(expected.at("accuracy")[0], 1e-14));
  CHECK_THAT(found.confidence, WithinAbs(expected.at("confidence")[0], 1e-14));
  REQUIRE(expected.at("impossible")[0] > 0);
  REQUIRE(found.warnings.size() == 1);
  CHECK_THAT(found.warnings[0], ContainsSubstring(std::to_string(static_cast<int>(expected.at("impossible")[0])) +
                                                  " rows give their class"));
}

TEST_CASE("calibration: the order of the rows changes no bit, whatever is equal") {
  const Forecasts forecasts = reference();
  const ls::Calibration before = judge(forecasts);
  const ls::Random random(5, 1);
  for (std::uint64_t round = 0; round < 5; ++round) {
    Forecasts mixed = forecasts;
    for (Size i = forecasts.rows() - 1; i > 0; --i) {
      const auto j =
          static_cast<Size>(random.uniform(round * 1000 + static_cast<std::uint64_t>(i)) * static_cast<double>(i + 1));
      std::swap(mixed.labels[static_cast<std::size_t>(i)], mixed.labels[static_cast<std::size_t>(j)]);
      for (Size c = 0; c < 4; ++c) {
        std::swap(mixed.probabilities[static_cast<std::size_t>(4 * i + c)],
                  mixed.probabilities[static_cast<std::size_t>(4 * j + c)]);
      }
    }
    REQUIRE(mixed.labels != forecasts.labels);
    const ls::Calibration after = judge(mixed);
    CHECK(after.ece == before.ece);
    CHECK(after.mce == before.mce);
    CHECK(after.ace == before.ace);
    CHECK(after.brier == before.brier);
    CHECK(after.nll == before.nll);
    CHECK(after.confidence == before.confidence);
    for (std::size_t i = 0; i < before.bins.size(); ++i) CHECK(after.bins[i].accuracy == before.bins[i].accuracy);
  }
}

TEST_CASE("calibration: a confidence at an edge belongs to the bin below") {
  ls::CalibrationOptions options;
  options.bins = 4;
  const ls::Calibration found = judge(constant(0.75, 4, 3), options);
  CHECK(found.bins[2].count == 4);
  CHECK(found.bins[3].count == 0);
  CHECK(found.bins[2].low == 0.5);
  CHECK(found.bins[2].accuracy == 0.75);
}

TEST_CASE("calibration: dense predictions, logits and threads") {
  const ls::Tensor logits = layerscope_test::normal_tensor({3, 5, 6, 7}, 1);
  std::vector<std::int32_t> labels(3 * 6 * 7);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int32_t>(i % 5);
  ls::CalibrationOptions options;
  options.predictions.kind = ls::PredictionKind::logits;
  options.predictions.threads = 1;
  const ls::TensorView<std::int32_t> truth(labels.data(), {3, 6, 7});
  const ls::Calibration dense = ls::calibration(logits, truth, options);
  CHECK(dense.rows == 126);
  const ls::Tensor rows = ls::copy(logits.view().permute({0, 2, 3, 1}));
  options.predictions.threads = 4;
  const ls::Calibration flat =
      ls::calibration(*rows.view().reshape({126, 5}), ls::TensorView<std::int32_t>(labels.data(), {126}), options);
  CHECK(flat.ece == dense.ece);
  CHECK(flat.ace == dense.ace);
  CHECK(flat.nll == dense.nll);
}

TEST_CASE("calibration: rows without a label or a number are left out and counted") {
  Forecasts forecasts = constant(0.75, 8, 6);
  forecasts.labels[0] = -100;
  forecasts.probabilities[2 * 1] = std::numeric_limits<double>::quiet_NaN();
  forecasts.probabilities[2 * 2] = 1.5;
  forecasts.probabilities[2 * 2 + 1] = 0.5;
  const ls::Calibration found = judge(forecasts);
  CHECK(found.rows == 6);
  CHECK(found.unlabelled_rows == 1);
  CHECK(found.undefined_rows == 1);
  CHECK_THAT(found.ece, WithinAbs(std::fabs(0.75 - 4.0 / 6), 1e-15));
  REQUIRE(found.warnings.size() == 4);
  CHECK(found.warnings[0] == "1 of 8 rows are undefined: NaN, infinity or no probability at all");
  CHECK(found.warnings[1] == "1 rows do not sum to 1 (row 2 sums to 2) and were divided by their sums");
  CHECK(found.warnings[2] == "1 of 8 rows have no label and were left out");
  CHECK_THAT(found.warnings[3], ContainsSubstring("ranges 15 exceed the rows; 6 are used"));
  const ls::Calibration one = judge(constant(0.75, 1, 1));
  CHECK(one.rows == 1);
  CHECK(one.ece == 0.25);
}

TEST_CASE("calibration: what cannot be judged is refused with a reason") {
  Forecasts forecasts = constant(0.75, 4, 3);
  forecasts.labels[2] = 2;
  CHECK_THAT(error_of([&] { judge(forecasts); }).what(),
             ContainsSubstring("label 2 of row 2; expected at most 1, or less than 0 where there is none"));
  forecasts.labels.assign(4, -1);
  CHECK(error_of([&] { judge(forecasts); }).code() == ls::ErrorCode::empty);
  forecasts.labels.assign(4, 0);
  CHECK_THAT(error_of([&] { ls::calibration(forecasts.predictions(), forecasts.truth().narrow(0, 0, 3)); }).what(),
             ContainsSubstring("labels of shape [3]; expected one for each prediction, [4]"));
  const std::vector<float> wrong(4);
  CHECK_THAT(
      error_of([&] { ls::calibration(forecasts.predictions(), ls::TensorView<float>(wrong.data(), {4})); }).what(),
      ContainsSubstring("expected integers"));
  CHECK_THAT(error_of([&] { ls::calibration(forecasts.predictions().narrow(1, 0, 1), forecasts.truth()); }).what(),
             ContainsSubstring("1 class"));
  forecasts.probabilities[1] = -0.25;
  CHECK_THAT(error_of([&] { judge(forecasts); }).what(), ContainsSubstring("row 0, class 1 is -0.25"));
  ls::CalibrationOptions options;
  options.bins = 0;
  CHECK_THAT(error_of([&] { judge(forecasts, options); }).what(), ContainsSubstring("bins 0; expected 1 to 1000"));
  options = {};
  options.ranges = 1001;
  CHECK_THAT(error_of([&] { judge(forecasts, options); }).what(), ContainsSubstring("ranges 1001"));
}

TEST_CASE("reliability_diagram: the gap has the colour of its sign") {
  const auto pixels = [](const Forecasts& of, ls::Rgb colour) {
    return layerscope_test::count_colour(ls::reliability_diagram(judge(of)), colour);
  };
  const std::int64_t key = 9 * 9;  // of the marker in the legend, at most
  CHECK(pixels(constant(0.9, 20, 10), ls::okabe_ito[1]) > 10 * key);
  CHECK(pixels(constant(0.9, 20, 10), ls::okabe_ito[5]) <= key);
  CHECK(pixels(constant(0.6, 20, 19), ls::okabe_ito[5]) > 10 * key);
  CHECK(pixels(constant(0.6, 20, 19), ls::okabe_ito[1]) <= key);
  CHECK(error_of([] { ls::reliability_diagram({}); }).code() == ls::ErrorCode::empty);
  CHECK_THAT(error_of([] { ls::reliability_diagram(judge(constant(0.6, 2, 1)), {.width = 100}); }).what(),
             ContainsSubstring("width 100; expected 240 to 4096"));
}
