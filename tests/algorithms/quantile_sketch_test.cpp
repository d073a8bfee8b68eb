#include <layerscope/algorithms/quantile_sketch.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "support/catch.hpp"
#include "support/statistics_reference.hpp"

namespace ls = layerscope;

namespace {

ls::QuantileSketch sketch_of(const std::vector<double>& values) {
  ls::QuantileSketch sketch;
  sketch.add(values);
  return sketch;
}

/// The bound of QuantileSketch: relative to the values at the two ranks that numpy interpolates between.
bool within_bound(double found, std::vector<double> sorted, double q) {
  const double position = q * static_cast<double>(sorted.size() - 1);
  const auto rank = static_cast<std::size_t>(position);
  const double fraction = position - std::floor(position);
  const double low = sorted[rank];
  const double high = sorted[(std::min)(rank + 1, sorted.size() - 1)];
  const double exact = low * (1 - fraction) + high * fraction;
  const double bound = std::abs(low) * (1 - fraction) + std::abs(high) * fraction;
  return std::abs(found - exact) <= ls::QuantileSketch::relative_error * bound * (1 + 1e-12) + 1e-310;
}

}  // namespace

TEST_CASE("quantiles lie within the stated error of numpy's") {
  for (const auto& words : statistics_reference("quantiles")) {
    CAPTURE(words[0]);
    std::vector<double> x = statistics_case(words[0]);
    const ls::QuantileSketch sketch = sketch_of(x);
    std::sort(x.begin(), x.end());
    REQUIRE(sketch.count() == x.size());
    for (std::size_t i = 0; i <= 20; ++i) {
      const double q = static_cast<double>(i) / 20.0;
      CAPTURE(q, sketch.quantile(q), exact_number(words[1 + i]));
      CHECK(within_bound(sketch.quantile(q), x, q));
      // The reference itself, through the same bound: it is numpy that defines the quantile.
      const double exact = exact_number(words[1 + i]);
      CHECK(std::abs(sketch.quantile(q) - exact) <=
            std::abs(exact) * ls::QuantileSketch::relative_error + (x.back() - x.front()) * 1e-3);
    }
    CHECK(sketch.quantile(0) == x.front());
    CHECK(sketch.quantile(1) == x.back());
  }
}

TEST_CASE("the order of arrival does not matter") {
  std::vector<double> x = statistics_case("cubed");
  const ls::QuantileSketch hashed = sketch_of(x);
  std::sort(x.begin(), x.end());
  const ls::QuantileSketch ascending = sketch_of(x);
  std::reverse(x.begin(), x.end());
  const ls::QuantileSketch descending = sketch_of(x);
  std::vector<double> zigzag;
  for (std::size_t i = 0; i < x.size() / 2; ++i) {
    zigzag.push_back(x[i]);
    zigzag.push_back(x[x.size() - 1 - i]);
  }
  CHECK(hashed == ascending);
  CHECK(hashed == descending);
  CHECK(hashed == sketch_of(zigzag));
  CHECK_FALSE(hashed == sketch_of(statistics_case("uniform")));
}

TEST_CASE("merging equals concatenation exactly") {
  std::vector<double> x = statistics_case("cubed");
  for (double& value : x) value = value * value * value * 1e20;
  const ls::QuantileSketch whole = sketch_of(x);
  for (const std::size_t cut : {std::size_t{0}, std::size_t{1}, std::size_t{777}, x.size()}) {
    const auto at = x.begin() + static_cast<std::ptrdiff_t>(cut);
    ls::QuantileSketch left = sketch_of({x.begin(), at});
    ls::QuantileSketch right = sketch_of({at, x.end()});
    ls::QuantileSketch both = left;
    both.merge(right);
    right.merge(left);
    CHECK(both == whole);
    CHECK(right == whole);
  }
  ls::QuantileSketch twice = whole;
  twice.merge(twice);
  CHECK(twice.count() == 2 * whole.count());
  CHECK(std::abs(twice.quantile(0.3) - whole.quantile(0.3)) <= std::abs(whole.quantile(0.3)) * 0x1p-6);
}

TEST_CASE("numbers of eight significant bits are exact") {
  ls::QuantileSketch sketch;
  std::vector<float> values(257);
  std::iota(values.begin(), values.end(), 0.0f);
  sketch.add(values);
  for (int i = 0; i <= 256; ++i) CHECK(sketch.quantile(i / 256.0) == i);
  CHECK(sketch.quantile(0.5 / 256) == 0.5);  // between ranks, as numpy
}

TEST_CASE("copies count as often as given") {
  ls::QuantileSketch sketch;
  sketch.add(1, 3);
  sketch.add(2, 7);
  sketch.add(5, 0);
  CHECK(sketch.count() == 10);
  CHECK(sketch.quantile(2.0 / 9) == 1);
  CHECK(sketch.quantile(3.0 / 9) == 2);
  CHECK(sketch.quantile(1) == 2);
}

TEST_CASE("extreme magnitudes, zeros of both signs and subnormals keep their order") {
  const double smallest = std::numeric_limits<double>::denorm_min();
  const double largest = (std::numeric_limits<double>::max)();
  const std::vector<double> sorted{-largest, -1.5, -smallest, -0.0, 0.0, smallest, 1e-310, 1.0, 1e38, largest};
  const ls::QuantileSketch sketch = sketch_of(sorted);
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const double found = sketch.quantile(static_cast<double>(i) / 9.0);
    CAPTURE(i, found, sorted[i]);
    CHECK(std::isfinite(found));
    CHECK(std::abs(found - sorted[i]) <= std::abs(sorted[i]) * ls::QuantileSketch::relative_error + 1e-310);
  }
}

TEST_CASE("a sketch refuses what it cannot take or answer") {
  ls::QuantileSketch sketch;
  CHECK_THROWS_AS(sketch.quantile(0.5), ls::Error);
  CHECK_THROWS_AS(sketch.add(std::numeric_limits<double>::quiet_NaN()), ls::Error);
  const std::vector<float> bad{1.0f, std::numeric_limits<float>::infinity()};
  CHECK_THROWS_AS(sketch.add(bad), ls::Error);
  CHECK(sketch.count() == 0);
  sketch.add(1.0);
  CHECK_THROWS_AS(sketch.quantile(-0.1), ls::Error);
  CHECK_THROWS_AS(sketch.quantile(1.1), ls::Error);
  CHECK_THROWS_AS(sketch.quantile(std::numeric_limits<double>::quiet_NaN()), ls::Error);
}
