#include <layerscope/algorithms/unit_health.hpp>

#include <layerscope/core/finite.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/core/tensor.hpp>

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
using Catch::Matchers::WithinRel;
using layerscope_test::error_of;
using layerscope_test::normal_tensor;
using layerscope_test::reference_values;
using Size = std::int64_t;
using Units = std::vector<Size>;
const ls::EffectiveRankOptions as_given{.centring = ls::Centring::none};

/// Columns of a Hadamard matrix of 8 rows, which are orthogonal, times factors.
std::vector<double> orthogonal(const std::vector<double>& factors) {
  std::vector<double> x;
  for (unsigned row = 0; row < 8; ++row) {
    for (std::size_t c = 0; c < factors.size(); ++c) {
      bool odd = false;
      for (unsigned both = row & static_cast<unsigned>(c); both != 0; both &= both - 1) odd = !odd;
      x.push_back(odd ? -factors[c] : factors[c]);
    }
  }
  return x;
}

ls::AnyView matrix(const std::vector<double>& x, Size columns) {
  return ls::TensorView<double>(x.data(), {static_cast<Size>(x.size()) / columns, columns});
}

}  // namespace

TEST_CASE("effective rank: of r orthogonal columns of one length it is r") {
  for (const Size r : {1, 3, 8}) {
    const std::vector<double> x = orthogonal(std::vector<double>(static_cast<std::size_t>(r), 2.5));
    const ls::EffectiveRank found = ls::effective_rank(matrix(x, r), as_given);
    CHECK_THAT(found.effective_rank, WithinRel(static_cast<double>(r), 1e-12));
    CHECK_THAT(found.participation_ratio, WithinRel(static_cast<double>(r), 1e-12));
    CHECK(found.rank == r);
    CHECK_THAT(found.singular_values[0], WithinRel(2.5 * std::sqrt(8.0), 1e-12));
    // The same of the transposed matrix, which has more columns than rows.
    CHECK_THAT(ls::effective_rank(matrix(x, r).permute({1, 0}), as_given).effective_rank,
               WithinRel(static_cast<double>(r), 1e-12));
  }
}

TEST_CASE("effective rank: two directions of lengths 3 and 1") {
  const std::vector<double> x = orthogonal({3, 1});
  const ls::EffectiveRank found = ls::effective_rank(matrix(x, 2), as_given);
  CHECK_THAT(found.effective_rank, WithinRel(std::exp(-0.75 * std::log(0.75) - 0.25 * std::log(0.25)), 1e-12));
  CHECK_THAT(found.participation_ratio, WithinRel(100.0 / 82, 1e-12));
  // A constant column has no direction once the means are off: column 0 of a Hadamard matrix is one.
  CHECK(ls::effective_rank(matrix(x, 2)).rank == 1);
  const std::vector<double> constant(12, 4.0);
  const ls::EffectiveRank none = ls::effective_rank(matrix(constant, 3));
  CHECK(none.rank == 0);
  CHECK(none.effective_rank == 0);
  CHECK(none.participation_ratio == 0);
}

TEST_CASE("effective rank: equals NumPy's singular values, at any scale") {
  const auto expected = reference_values("similarity.txt");
  for (const std::string name : {"narrow", "wide", "other"}) {
    for (const double factor : {1.0, 1e50, 1e-50}) {
      std::vector<double> x = expected.at(name);
      for (double& value : x) value *= factor;
      const ls::AnyView view = matrix(x, static_cast<Size>(x.size()) / 24);
      INFO(name << " times " << factor);
      CHECK_THAT(ls::effective_rank(view, as_given).effective_rank, WithinRel(expected.at("rank_" + name)[0], 1e-9));
      CHECK_THAT(ls::effective_rank(view, as_given).participation_ratio,
                 WithinRel(expected.at("rank_" + name)[1], 1e-9));
      CHECK_THAT(ls::effective_rank(view).effective_rank, WithinRel(expected.at("centred_rank_" + name)[0], 1e-9));
      CHECK_THAT(ls::effective_rank(view).participation_ratio, WithinRel(expected.at("centred_rank_" + name)[1], 1e-9));
    }
  }
}

TEST_CASE("effective rank: what is refused") {
  std::vector<double> x{1, 2, 3, 4};
  x[3] = std::numeric_limits<double>::infinity();
  CHECK_THAT(error_of([&] { ls::effective_rank(matrix(x, 2)); }).what(),
             ContainsSubstring("effective_rank: layer x, sample 1, feature 1 is inf"));
  CHECK(error_of([&] { ls::effective_rank(matrix(x, 2).narrow(0, 0, 0)); }).code() == ls::ErrorCode::empty);
}

TEST_CASE("unit health: dead, constant, saturated and duplicate units are found, over samples and positions") {
  // 7 channels of [6, 7, 3, 5]: noise, dead, the mirror image of 0, constant, noise, 0 with a little noise, tanh.
  ls::Tensor x = normal_tensor({6, 7, 3, 5}, 1);
  float* const data = x.mutable_data<float>();
  const auto at = [&](Size sample, Size channel, Size position) -> float& {
    return data[(sample * 7 + channel) * 15 + position];
  };
  for (Size sample = 0; sample < 6; ++sample) {
    for (Size p = 0; p < 15; ++p) {
      at(sample, 1, p) = 0;
      at(sample, 2, p) = -2 * at(sample, 0, p);
      at(sample, 3, p) = 0.5f;
      at(sample, 5, p) = at(sample, 0, p) + 0.01f * at(sample, 5, p);
      at(sample, 6, p) = at(sample, 6, p) > 0 ? 1 : -1;
    }
  }
  ls::UnitHealthOptions options;
  options.bounds = ls::Range{-1, 1};
  options.threads = 1;
  const ls::UnitHealth found = ls::unit_health(x, ls::layouts::nchw, options);
  CHECK(found.units == 7);
  CHECK(found.numbers == 90);
  CHECK(found.dead == Units{1});
  CHECK(found.constant == Units{3});
  CHECK(found.saturated == Units{6});
  CHECK(found.duplicates == std::vector<Units>{{0, 2, 5}});
  const double* const r = found.correlation.data<double>();
  CHECK_THAT(r[0 * 7 + 2], WithinAbs(-1, 1e-12));
  CHECK(r[2 * 7 + 0] == r[0 * 7 + 2]);
  CHECK(r[4 * 7 + 4] == 1);
  CHECK(ls::is_nan(r[1 * 7 + 1]));
  CHECK(ls::is_nan(r[3 * 7 + 0]));
  CHECK(found.rank.rank == 4);  // 0 and its mirror image are one direction, and that of 5 a second
  CHECK(found.warnings.empty());
  CHECK_THAT(ls::describe(found), ContainsSubstring("7 units, 1 dead (1), 1 constant (3), 1 saturated (6), 1 group of "
                                                    "duplicates (0 2 5); effective rank "));
  // The same from the same numbers as tokens, and with more threads.
  const ls::Tensor tokens = ls::copy(x.view().permute({0, 2, 3, 1}));
  options.threads = 4;
  const ls::UnitHealth same = ls::unit_health(*tokens.view().reshape({6, 15, 7}), ls::layouts::ntd, options);
  CHECK(same.duplicates == found.duplicates);
  CHECK(same.rank.effective_rank == found.rank.effective_rank);
  // A stricter idea of duplicates.
  options.duplicate_correlation = 1;
  CHECK(ls::unit_health(x, ls::layouts::nchw, options).duplicates == std::vector<Units>{{0, 2}});
}

TEST_CASE("unit health: many rows are summed in pieces, far from zero") {
  const Size n = 10000;
  std::vector<double> x;
  const ls::Random random(9, 1);
  for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(n); ++i) {
    const double a = random.normal(2 * i), b = random.normal(2 * i + 1);
    x.insert(x.end(), {1e6 + a, 0.6 * a + 0.8 * b, 1e6 - 1e-3 * b, 0.1});
  }
  const ls::UnitHealth found = ls::unit_health(matrix(x, 4), ls::layouts::nc);
  const double* const r = found.correlation.data<double>();
  CHECK_THAT(r[1], WithinAbs(0.6, 0.03));
  CHECK_THAT(r[4 + 2], WithinAbs(-0.8, 0.03));
  CHECK(found.constant == Units{3});
  CHECK(ls::is_nan(r[15]));
  CHECK(found.rank.rank == 2);  // the second is made of the others
}

TEST_CASE("unit health: rows that are not finite are left out and counted, and hostile options refused") {
  ls::Tensor x = normal_tensor({30, 3}, 1);
  x.mutable_data<float>()[3 * 4 + 1] = std::numeric_limits<float>::quiet_NaN();
  const ls::UnitHealth found = ls::unit_health(x, ls::layouts::nc);
  CHECK(found.numbers == 29);
  REQUIRE(found.warnings.size() == 1);
  CHECK_THAT(found.warnings[0], ContainsSubstring("1 of 30 rows left out"));
  CHECK(found.rank.rank == 3);
  const ls::UnitHealth one = ls::unit_health(x.view().narrow(0, 0, 1), ls::layouts::nc);  // nothing varies
  CHECK(one.rank.rank == 0);
  CHECK(one.duplicates.empty());

  const auto refused = [&](const ls::UnitHealthOptions& options) {
    return std::string(error_of([&] { ls::unit_health(x, ls::layouts::nc, options); }).what());
  };
  CHECK_THAT(refused({.bounds = ls::Range{1, 1}}), ContainsSubstring("bounds 1 to 1"));
  CHECK_THAT(refused({.margin = 0.5}), ContainsSubstring("margin 0.5"));
  CHECK_THAT(refused({.saturated_share = 0}), ContainsSubstring("saturated_share 0"));
  CHECK_THAT(refused({.duplicate_correlation = 1.5}), ContainsSubstring("duplicate_correlation 1.5"));
  CHECK(error_of([&] { ls::unit_health(x, ls::layouts::nchw); }).code() == ls::ErrorCode::invalid_argument);
  CHECK(error_of([&] { ls::unit_health(x.view().narrow(0, 0, 0), ls::layouts::nc); }).code() == ls::ErrorCode::empty);
  const std::vector<float> wide(2049);
  CHECK_THAT(error_of([&] {
               ls::unit_health(ls::TensorView<float>(wide.data(), {1, 2049}), ls::layouts::nc);
             }).what(),
             ContainsSubstring("2049 units; expected at most 2048"));
}

TEST_CASE("unit_health_chart: units that do not vary are magenta") {
  ls::Tensor x = normal_tensor({30, 12}, 1);
  for (Size row = 0; row < 30; ++row) x.mutable_data<float>()[12 * row + 3] = 0;
  const ls::Image image = ls::unit_health_chart(ls::unit_health(x, ls::layouts::nc), {.title = "fc1"});
  CHECK(layerscope_test::count_colour(image, {255, 0, 255}) > 20 * 40 * 40);  // 23 cells, less their letters
  CHECK(error_of([] { ls::unit_health_chart({}); }).code() == ls::ErrorCode::empty);
}
