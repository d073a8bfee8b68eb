#include <layerscope/adapters/std.hpp>
#include <layerscope/algorithms/histogram.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/random.hpp>

#include <cmath>
#include <limits>
#include <numeric>

#include "support/catch.hpp"
#include "support/ieee.hpp"
#include "support/statistics_reference.hpp"

namespace ls = layerscope;

namespace {

std::uint64_t counted(const ls::HistogramResult& r) {
  return std::accumulate(r.histogram.counts.begin(), r.histogram.counts.end(), std::uint64_t{0}) + r.below + r.above +
         r.nan + r.positive_infinity + r.negative_infinity;
}

ls::HistogramOptions options_of(const std::string& label) {
  std::vector<double> numbers;
  std::string tail = label.substr(label.find('=') + 1) + ',';
  for (std::size_t at = 0; at < tail.size(); at = tail.find(',', at) + 1) {
    numbers.push_back(std::strtod(tail.c_str() + at, nullptr));
  }
  if (label.starts_with("range=")) return {.range = ls::Range{numbers[0], numbers[1]}};
  if (label.starts_with("edges=")) return {.edges = numbers};
  return {};
}

}  // namespace

TEST_CASE("edges and counts equal numpy.histogram bit for bit") {
  LAYERSCOPE_NEEDS_IEEE_ROUNDING();
  const auto reference = statistics_reference("histogram");
  REQUIRE(reference.size() == 31);
  for (const auto& words : reference) {
    CAPTURE(words[0], words[1]);
    const std::vector<double> x = statistics_case(words[0]);
    const auto bins = static_cast<std::size_t>(std::stoul(words[2]));
    ls::HistogramOptions options = options_of(words[1]);
    options.bins = static_cast<int>(bins);
    const ls::HistogramResult found = ls::histogram(ls::view(x), options);
    std::vector<std::uint64_t> counts;
    std::vector<double> edges;
    for (std::size_t i = 0; i < bins; ++i) counts.push_back(std::stoull(words[3 + i]));
    for (std::size_t i = 0; i <= bins; ++i) edges.push_back(exact_number(words[3 + bins + i]));
    CHECK(found.histogram.edges == edges);
    CHECK(found.histogram.counts == counts);
    CHECK(counted(found) == x.size());
  }
}

TEST_CASE("every element is counted once, wherever it falls") {
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> x{nan, inf, -inf, inf, -2, -1, 0, 0.5, 1, 1.5, 9, -nan};
  const ls::HistogramResult r = ls::histogram(ls::view(x), {.bins = 2, .range = ls::Range{-1, 1}});
  CHECK(r.histogram.counts == std::vector<std::uint64_t>{1, 3});
  CHECK(r.nan == 2);
  CHECK(r.positive_infinity == 2);
  CHECK(r.negative_infinity == 1);
  CHECK(r.below == 1);
  CHECK(r.above == 2);

  const ls::HistogramResult derived = ls::histogram(ls::view(x), {.bins = 11});
  CHECK(derived.histogram.edges.front() == -2);
  CHECK(derived.histogram.edges.back() == 9);
  CHECK(derived.histogram.counts.back() == 1);
  CHECK(derived.below + derived.above == 0);
  CHECK(counted(derived) == x.size());
}

TEST_CASE("without a finite number the range is that of numpy for nothing") {
  const std::vector<float> x(5, std::numeric_limits<float>::quiet_NaN());
  const ls::HistogramResult r = ls::histogram(ls::view(x));
  CHECK(r.histogram.edges.front() == 0);
  CHECK(r.histogram.edges.back() == 1);
  CHECK(r.histogram.counts == std::vector<std::uint64_t>(30, 0));
  CHECK(r.nan == 5);
}

TEST_CASE("ranges too narrow or too wide for plain arithmetic still count every number") {
  const double largest = (std::numeric_limits<double>::max)();
  const double smallest = std::numeric_limits<double>::denorm_min();
  for (const auto& x : std::vector<std::vector<double>>{{1e17, 1e17},
                                                        {1e16, 1e16 + 2},
                                                        {-largest, 0, largest},
                                                        {largest, largest},
                                                        {0, smallest},
                                                        {0, 1e-310, 5e-311},
                                                        {0, 0}}) {
    const ls::HistogramResult r = ls::histogram(ls::view(x), {.bins = 30});
    CAPTURE(x.front(), x.back());
    REQUIRE(r.histogram.edges.size() == 31);
    for (std::size_t i = 0; i < 30; ++i) {
      CHECK(std::isfinite(r.histogram.edges[i]));
      CHECK(r.histogram.edges[i] < r.histogram.edges[i + 1]);
    }
    CHECK(r.below + r.above == 0);
    CHECK(counted(r) == x.size());
  }
}

TEST_CASE("counts follow the edges, in every element type, for any stride and number of threads") {
  const ls::Random random(7);
  std::vector<float> x(600000);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(random.normal(i));
  x[77] = std::numeric_limits<float>::quiet_NaN();
  const ls::HistogramResult one = ls::histogram(ls::view(x), {.threads = 1});
  std::vector<std::uint64_t> expected(30);
  for (const float value : x) {
    for (std::size_t bin = 0; bin < 30; ++bin) {
      const bool last = bin == 29 && value == one.histogram.edges[30];
      if (value >= one.histogram.edges[bin] && (value < one.histogram.edges[bin + 1] || last)) ++expected[bin];
    }
  }
  CHECK(one.histogram.counts == expected);
  for (const int threads : {2, 8}) {
    const ls::HistogramResult more = ls::histogram(ls::view(x), {.threads = threads});
    CHECK(more.histogram.counts == one.histogram.counts);
    CHECK(more.histogram.edges == one.histogram.edges);
  }
  const ls::AnyView matrix = ls::view(x.data(), {600, 1000});
  CHECK(ls::histogram(matrix.permute({1, 0})).histogram.counts == one.histogram.counts);
  CHECK(ls::histogram(ls::view(x.data() + 599999, {600000}, {-1})).histogram.counts == one.histogram.counts);
  CHECK(counted(ls::histogram(ls::view(x.data(), {10, 3}, {0, 1}))) == 30);

  const std::vector<std::uint8_t> bytes{0, 1, 2, 2, 255};
  CHECK(ls::histogram(ls::view(bytes), {.bins = 255}).histogram.counts[2] == 2);
}

TEST_CASE("a histogram refuses options out of range") {
  const std::vector<double> x{1, 2};
  const auto code = [&](const ls::AnyView& view, const ls::HistogramOptions& options) {
    try {
      (void)ls::histogram(view, options);
    } catch (const ls::Error& error) {
      return std::string(ls::name(error.code()));
    }
    return std::string("none");
  };
  CHECK(code(ls::view(x), {.bins = 0}) == "invalid_argument");
  CHECK(code(ls::view(x), {.bins = 65537}) == "invalid_argument");
  CHECK(code(ls::view(x), {.range = ls::Range{2, 1}}) == "invalid_argument");
  CHECK(code(ls::view(x), {.range = ls::Range{0, std::numeric_limits<double>::infinity()}}) == "invalid_argument");
  CHECK(code(ls::view(x), {.range = ls::Range{1e16, 1e16 + 2}}) == "invalid_argument");
  CHECK(code(ls::view(x), {.edges = std::vector<double>{1}}) == "invalid_argument");
  CHECK(code(ls::view(x), {.edges = std::vector<double>{1, 1}}) == "invalid_argument");
  CHECK(code(ls::view(x), {.edges = std::vector<double>{0, std::nan("")}}) == "invalid_argument");
  CHECK(code(ls::view(x), {}) == "none");
  CHECK(code(ls::view(std::vector<float>{}), {}) == "empty");
}
