#include <layerscope/algorithms/similarity.hpp>

#include <layerscope/algorithms/heatmap.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/core/tensor.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
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
using Measure = ls::SimilarityMeasure;
using Size = std::int64_t;
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

struct Matrix {
  std::vector<double> values;
  Size columns;
  Size rows() const { return static_cast<Size>(values.size()) / columns; }
  double& operator()(Size r, Size c) { return values[static_cast<std::size_t>(r * columns + c)]; }
  ls::AnyView view() const { return ls::TensorView<double>(values.data(), {rows(), columns}); }
};

Matrix normal(Size rows, Size columns, std::uint64_t stream) {
  const ls::Random random(3, stream);
  Matrix x{std::vector<double>(static_cast<std::size_t>(rows * columns)), columns};
  for (std::size_t i = 0; i < x.values.size(); ++i) x.values[i] = random.normal(i);
  return x;
}

/// Rotated by Givens rotations of every two columns, one column mirrored, times `factor`, every column moved.
Matrix turned(Matrix x, double factor) {
  for (Size a = 0; a + 1 < x.columns; ++a) {
    for (Size b = a + 1; b < x.columns; ++b) {
      const double angle = static_cast<double>(3 * a + 5 * b + 1);
      for (Size r = 0; r < x.rows(); ++r) {
        const double p = x(r, a), q = x(r, b);
        x(r, a) = std::cos(angle) * p - std::sin(angle) * q;
        x(r, b) = std::sin(angle) * p + std::cos(angle) * q;
      }
    }
  }
  for (Size r = 0; r < x.rows(); ++r) {
    x(r, 0) = -x(r, 0);
    for (Size c = 0; c < x.columns; ++c) x(r, c) = factor * x(r, c) + static_cast<double>(c) - 2;
  }
  return x;
}

/// One of the three functions.
double measured(Measure measure, const ls::AnyView& x, const ls::AnyView& y) {
  switch (measure) {
    case Measure::linear_cka: return ls::linear_cka(x, y);
    case Measure::debiased_cka: return ls::debiased_cka(x, y);
    case Measure::procrustes: break;
  }
  return ls::procrustes_distance(x, y);
}

constexpr Measure all_measures[] = {Measure::linear_cka, Measure::debiased_cka, Measure::procrustes};

/// The three layers of the reference.
struct Reference {
  std::map<std::string, std::vector<double>> values = reference_values("similarity.txt");
  ls::AnyView layer(const std::string& name) const {
    const std::vector<double>& x = values.at(name);
    return ls::TensorView<double>(x.data(), {24, static_cast<Size>(x.size()) / 24});
  }
  std::vector<ls::Representation> layers(Size first = 0, Size count = 24) const {
    std::vector<ls::Representation> all;
    for (const char* name : {"narrow", "wide", "other"}) all.push_back({name, layer(name).narrow(0, first, count)});
    return all;
  }
};

const char* prefix(Measure measure) {
  return measure == Measure::linear_cka ? "cka_" : measure == Measure::debiased_cka ? "debiased_" : "procrustes_";
}

void check_against(const Reference& reference, const std::string& what, const ls::SimilarityMatrix& matrix) {
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK_THAT(matrix(i, i), WithinAbs(matrix.measure == Measure::procrustes ? 0 : 1, 1e-12));
    for (std::size_t j = i + 1; j < 3; ++j) {
      const std::string pair = what + matrix.row_names[i] + "_" + matrix.column_names[j];
      INFO(pair);
      CHECK_THAT(matrix(i, j), WithinAbs(reference.values.at(pair)[0], 1e-11));
      CHECK(matrix(j, i) == matrix(i, j));
    }
  }
}

}  // namespace

TEST_CASE("similarity: a rotated, mirrored, scaled and moved copy is the same, by features and by samples") {
  for (const auto& [rows, columns] : {std::pair<Size, Size>{60, 6}, {12, 30}, {5, 4}, {40, 1}}) {
    const Matrix x = normal(rows, columns, 1);
    for (const double factor : {1.0, 7.0, -1e-9, 1e12}) {
      const Matrix y = turned(x, factor);
      INFO(rows << " x " << columns << ", times " << factor);
      // Offsets of order 1 leave 1e-9 of the precision that 1e-9 times the numbers have.
      const double tolerance = factor == -1e-9 ? 1e-6 : 1e-9;
      CHECK_THAT(ls::linear_cka(x.view(), y.view()), WithinAbs(1, tolerance));
      CHECK_THAT(ls::debiased_cka(x.view(), y.view()), WithinAbs(1, tolerance));
      CHECK_THAT(ls::procrustes_distance(x.view(), y.view()), WithinAbs(0, tolerance));
    }
  }
}

TEST_CASE("similarity: orthogonal features have linear CKA 0 and Procrustes distance 2") {
  const Matrix x{{1, -1, 1, -1}, 1}, y{{1, 1, -1, -1}, 1};
  CHECK(ls::linear_cka(x.view(), y.view()) == 0);
  CHECK(ls::procrustes_distance(x.view(), y.view()) == 2);
  // One of two directions of equal length shared: ‖XᵀY‖² is a half of what two would give.
  const Matrix both{{1, 1, -1, 1, 1, -1, -1, -1}, 2};
  CHECK_THAT(ls::linear_cka(x.view(), both.view()), WithinAbs(std::sqrt(0.5), 1e-15));
  CHECK_THAT(ls::procrustes_distance(x.view(), both.view()), WithinAbs(2 - std::sqrt(2.0), 1e-14));
}

TEST_CASE("similarity: independent wide layers look alike to linear CKA, and not to the debiased one") {
  // One value has a standard deviation near √2 / n = 0.035.
  double sum = 0;
  for (std::uint64_t draw = 0; draw < 20; ++draw) {
    const Matrix x = normal(40, 300, 2 * draw), y = normal(40, 400, 2 * draw + 1);
    CHECK(ls::linear_cka(x.view(), y.view()) > 0.85);
    sum += ls::debiased_cka(x.view(), y.view());
  }
  CHECK(std::fabs(sum / 20) < 0.035);
}

TEST_CASE("similarity: equals the definitions in NumPy, by samples and by features") {
  const Reference reference;
  const std::vector<ls::Representation> layers = reference.layers();
  for (const Measure measure : all_measures) {
    check_against(reference, prefix(measure), ls::similarity(layers, measure));  // 52 features: by samples
    ls::SimilarityAccumulator sums;
    sums.add(layers);
    check_against(reference, prefix(measure), sums.result(measure));  // by features
    CHECK_THAT(measured(measure, reference.layer("narrow"), reference.layer("other")),
               WithinAbs(reference.values.at(std::string(prefix(measure)) + "narrow_other")[0], 1e-11));
  }
}

TEST_CASE("similarity: minibatches give what all samples give") {
  const Reference reference;
  for (const Size batch : {1, 5, 8, 23}) {
    ls::SimilarityAccumulator sums;
    for (Size first = 0; first < 24; first += batch) sums.add(reference.layers(first, (std::min)(batch, 24 - first)));
    CHECK(sums.samples() == 24);
    for (const Measure measure : all_measures) check_against(reference, prefix(measure), sums.result(measure));
  }
  ls::MinibatchCka cka;
  for (Size first = 0; first < 24; first += 8) cka.add(reference.layers(first, 8));
  CHECK(cka.batches() == 3);
  check_against(reference, "minibatch_", cka.result());
}

TEST_CASE("similarity: rows against columns are a part of all against all") {
  const Reference reference;
  const std::vector<ls::Representation> all = reference.layers();
  for (const Measure measure : all_measures) {
    const ls::SimilarityMatrix whole = ls::similarity(all, measure);
    const ls::SimilarityMatrix part = ls::between(whole, 1);
    const ls::SimilarityMatrix direct = ls::similarity(std::span(all).first(1), std::span(all).subspan(1), measure);
    CHECK(part.row_names == std::vector<std::string>{"narrow"});
    CHECK(part.column_names == std::vector<std::string>{"wide", "other"});
    CHECK(direct.row_names == part.row_names);
    CHECK(direct.column_names == part.column_names);
    REQUIRE(direct.values.size() == 2);
    CHECK_THAT(direct(0, 0), WithinAbs(part(0, 0), 1e-12));
    CHECK_THAT(direct(0, 1), WithinAbs(part(0, 1), 1e-12));
    CHECK(part(0, 1) == whole(0, 2));
  }
}

TEST_CASE("similarity: the order of samples, element types, strides and later axes say nothing") {
  const ls::Tensor x = layerscope_test::normal_tensor({10, 2, 3, 4}, 1);
  const ls::Tensor y = layerscope_test::normal_tensor({10, 5}, 2);
  for (const Measure measure : all_measures) {
    const double expected = measured(measure, x.view(), y.view());
    CHECK_THAT(measured(measure, x.view().narrow(0, 9, 10, -1), y.view().narrow(0, 9, 10, -1)),
               WithinAbs(expected, 1e-12));
    CHECK_THAT(measured(measure, x.view().permute({0, 2, 3, 1}), ls::convert(y.view(), ls::DType::f64).view()),
               WithinAbs(expected, 1e-12));
    ls::SimilarityOptions options;
    options.threads = 1;
    const std::vector<ls::Representation> both{{"x", x.view()}, {"y", y.view()}};
    const std::vector<double> one = ls::similarity(both, measure, options).values;
    options.threads = 4;
    CHECK(ls::similarity(both, measure, options).values == one);
  }
}

TEST_CASE("similarity: huge and tiny numbers") {
  const Matrix x = normal(30, 4, 1);
  for (const double factor : {1e59, 1e-60}) {
    Matrix y = x;
    for (double& value : y.values) value *= factor / 10;
    CHECK_THAT(ls::linear_cka(x.view(), y.view()), WithinAbs(1, 1e-12));
    CHECK_THAT(ls::debiased_cka(x.view(), y.view()), WithinAbs(1, 1e-12));
    CHECK_THAT(ls::procrustes_distance(y.view(), y.view()), WithinAbs(0, 1e-12));
  }
}

TEST_CASE("similarity: samples that are not finite are refused, or left out of every layer") {
  const Reference reference;
  ls::Tensor narrow = ls::copy(reference.layer("narrow"));
  narrow.mutable_data<double>()[3 * 5 + 2] = not_a_number;
  ls::Tensor other = ls::copy(reference.layer("other"));
  other.mutable_data<double>()[7 * 7] = -std::numeric_limits<double>::infinity();
  const std::vector<ls::Representation> broken{{"narrow", narrow.view()}, {"other", other.view()}};
  const ls::Error error = error_of([&] { ls::similarity(broken); });
  CHECK(error.code() == ls::ErrorCode::non_finite);
  CHECK_THAT(error.what(), ContainsSubstring("layer narrow, sample 3, feature 2 is nan; expected finite values"));

  std::vector<double> kept_narrow, kept_other;
  for (Size r = 0; r < 24; ++r) {
    if (r == 3 || r == 7) continue;
    for (Size c = 0; c < 5; ++c)
      kept_narrow.push_back(reference.values.at("narrow")[static_cast<std::size_t>(r * 5 + c)]);
    for (Size c = 0; c < 7; ++c)
      kept_other.push_back(reference.values.at("other")[static_cast<std::size_t>(r * 7 + c)]);
  }
  ls::SimilarityOptions options;
  options.non_finite = ls::NonFiniteRows::drop;
  const ls::TensorView<double> x(kept_narrow.data(), {22, 5}), y(kept_other.data(), {22, 7});
  for (const Measure measure : all_measures) {
    const ls::SimilarityMatrix matrix = ls::similarity(broken, measure, options);
    CHECK_THAT(matrix(0, 1), WithinAbs(measured(measure, x, y), 1e-12));
    CHECK(matrix.samples == 22);
    CHECK(matrix.dropped_samples == 2);
    CHECK(matrix.warnings == std::vector<std::string>{"2 samples left out for NaN or infinity"});
  }
}

TEST_CASE("similarity: a layer that says nothing is named, and does not spoil the others") {
  const Reference reference;
  const std::vector<double> constant(24 * 3, 0.1);
  std::vector<ls::Representation> layers = reference.layers();
  layers.push_back({"dead", ls::TensorView<double>(constant.data(), {24, 3})});
  for (const Measure measure : all_measures) {
    for (const bool by_features : {false, true}) {
      ls::SimilarityAccumulator sums;
      sums.add(layers);
      const ls::SimilarityMatrix matrix = by_features ? sums.result(measure) : ls::similarity(layers, measure);
      for (std::size_t i = 0; i < 4; ++i) {
        CHECK(ls::is_nan(matrix(i, 3)));
        CHECK(ls::is_nan(matrix(3, i)));
      }
      CHECK_THAT(matrix(0, 1), WithinAbs(reference.values.at(std::string(prefix(measure)) + "narrow_wide")[0], 1e-11));
      REQUIRE(matrix.warnings.size() == 1);
      CHECK_THAT(matrix.warnings[0], ContainsSubstring("dead"));
    }
    const ls::Error error = error_of([&] { measured(measure, layers[0].values, layers[3].values); });
    CHECK(error.code() == ls::ErrorCode::invalid_argument);
    CHECK_THAT(error.what(), ContainsSubstring(ls::name(measure)));
  }
}

TEST_CASE("similarity: what cannot be compared is refused with a reason") {
  const Matrix x = normal(6, 2, 1), y = normal(5, 2, 2), few = normal(3, 2, 3), one = normal(1, 2, 4);
  CHECK_THAT(error_of([&] { ls::linear_cka(x.view(), y.view()); }).what(),
             ContainsSubstring("layer y of shape [5, 2]; expected 6 samples as of x"));
  CHECK_THAT(error_of([&] { ls::debiased_cka(few.view(), few.view()); }).what(),
             ContainsSubstring("debiased CKA: 3 samples; expected 4 or more"));
  CHECK_THAT(error_of([&] { ls::procrustes_distance(one.view(), one.view()); }).what(),
             ContainsSubstring("1 samples; expected 2 or more"));
  CHECK(error_of([&] { ls::linear_cka(x.view().narrow(0, 0, 0), x.view().narrow(0, 0, 0)); }).code() ==
        ls::ErrorCode::empty);
  CHECK(error_of([] { ls::similarity(std::vector<ls::Representation>{}); }).code() == ls::ErrorCode::empty);
  Matrix large = x;
  large(2, 1) = -2e60;
  CHECK_THAT(error_of([&] { ls::linear_cka(x.view(), large.view()); }).what(),
             ContainsSubstring("layer y, sample 2, feature 1 is -2e+60; expected at most 1e60"));

  ls::SimilarityAccumulator sums;
  CHECK(error_of([&] { sums.result(); }).code() == ls::ErrorCode::empty);
  sums.add(std::vector<ls::Representation>{{"x", x.view()}});
  CHECK_THAT(error_of([&] {
               sums.add(std::vector<ls::Representation>{{"y", y.view()}});
             }).what(),
             ContainsSubstring("a batch of the layers y; expected x as before"));
  CHECK_THAT(error_of([&] {
               sums.add(std::vector<ls::Representation>{{"x", x.view().narrow(1, 0, 1)}});
             }).what(),
             ContainsSubstring("layer x of shape [6, 1]; expected 2 features a sample as before"));
  CHECK(sums.samples() == 6);
  const std::vector<float> zero(33000);
  ls::SimilarityAccumulator wide;
  CHECK(error_of([&] {
          wide.add(std::vector<ls::Representation>{{"x", ls::TensorView<float>(zero.data(), {1, 33000})}});
        }).code() == ls::ErrorCode::too_large);
  ls::MinibatchCka batches;
  CHECK(error_of([&] { batches.result(); }).code() == ls::ErrorCode::empty);
  CHECK(error_of([&] {
          batches.add(std::vector<ls::Representation>{{"x", few.view()}});
        }).code() == ls::ErrorCode::invalid_argument);
  CHECK(error_of([&] {
          ls::between(ls::similarity(std::vector<ls::Representation>{{"x", x.view()}}), 1);
        }).code() == ls::ErrorCode::invalid_argument);
  ls::SimilarityOptions stopped;
  std::stop_source source;
  source.request_stop();
  stopped.stop = source.get_token();
  CHECK(error_of([&] { ls::linear_cka(x.view(), x.view(), stopped); }).code() == ls::ErrorCode::cancelled);
}

TEST_CASE("similarity_chart: cells in the colours of their numbers, NaN in its own") {
  ls::SimilarityMatrix matrix;
  matrix.row_names = {"conv1", "fc"};
  matrix.column_names = {"conv1", "fc", "dead"};
  matrix.values = {1, 0.25, not_a_number, 0.25, 1, not_a_number};
  matrix.samples = 500;
  const ls::Image image = ls::similarity_chart(matrix, {.cell = 8});
  const auto pixels = [&](ls::Rgb colour) { return layerscope_test::count_colour(image, colour); };
  CHECK(pixels({255, 0, 255}) == 2 * 8 * 8);
  CHECK(pixels(ls::colour(ls::Colormap::viridis, 0.25)) >= 2 * 8 * 8);  // the bar has it too
  CHECK(pixels(ls::colour(ls::Colormap::viridis, 1)) >= 2 * 8 * 8);
  const ls::Image numbers = ls::similarity_chart(matrix, {.title = "step 3", .row_label = "epoch 3"});
  CHECK(numbers.width > image.width);
  // A larger network: cells shrink, the picture stays within a screen.
  ls::SimilarityMatrix large;
  for (int i = 0; i < 120; ++i) large.row_names.push_back("encoder/layer" + std::to_string(i));
  large.column_names = large.row_names;
  large.values.assign(120 * 120, 0.5);
  const ls::Image shrunk = ls::similarity_chart(large);
  CHECK(shrunk.width < 1400);
  CHECK(shrunk.height < 1400);

  CHECK(error_of([] { ls::similarity_chart({}); }).code() == ls::ErrorCode::empty);
  CHECK_THAT(error_of([&] { ls::similarity_chart(matrix, {.cell = 0}); }).what(), ContainsSubstring("cell 0"));
  matrix.values.pop_back();
  CHECK_THAT(error_of([&] { ls::similarity_chart(matrix); }).what(),
             ContainsSubstring("5 numbers for 2 x 3 names; expected 6"));
}
