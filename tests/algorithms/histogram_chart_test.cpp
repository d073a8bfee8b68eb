#include <layerscope/algorithms/colormap.hpp>
#include <layerscope/algorithms/histogram_chart.hpp>

#include <bit>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error.hpp"

namespace ls = layerscope;
using layerscope_test::error_of;

namespace {

/// Height of the bars in each column of pixels.
std::vector<std::int64_t> columns(const ls::Image& image) {
  std::vector<std::int64_t> heights(static_cast<std::size_t>(image.width));
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      const std::uint8_t* p = image.at(x, y);
      heights[static_cast<std::size_t>(x)] += ls::Rgb{p[0], p[1], p[2]} == ls::okabe_ito[0] ? 1 : 0;
    }
  }
  return heights;
}

std::int64_t bar_at(const std::vector<std::int64_t>& heights, double share) {
  std::size_t first = 0;
  std::size_t last = heights.size() - 1;
  while (heights[first] == 0) ++first;
  while (heights[last] == 0) --last;
  return heights[first + static_cast<std::size_t>(share * static_cast<double>(last - first))];
}

}  // namespace

TEST_CASE("bars are as high as their counts") {
  const auto heights = columns(ls::histogram_chart({{0, 1, 2, 3, 4}, {10, 20, 40, 10}}));
  CHECK(bar_at(heights, 0.375) == Catch::Approx(2 * bar_at(heights, 0.125)).margin(2));
  CHECK(bar_at(heights, 0.625) == Catch::Approx(4 * bar_at(heights, 0.125)).margin(4));
}

TEST_CASE("bins of different widths keep their areas") {
  const auto heights = columns(ls::histogram_chart({{0, 1, 4}, {30, 30}}));
  CHECK(bar_at(heights, 0.1) == Catch::Approx(3 * bar_at(heights, 0.6)).margin(3));
}

TEST_CASE("a log axis shows single counts beside thousands") {
  const auto heights = columns(ls::histogram_chart({{0, 1, 2}, {999999, 1}}, {.count_scale = ls::AxisScale::log}));
  CHECK(bar_at(heights, 0.75) == Catch::Approx(static_cast<double>(bar_at(heights, 0.25)) * 0.301 / 6).margin(2));
}

TEST_CASE("hostile histograms are drawn inside the picture") {
  const double huge = 1.7e308;
  std::vector<ls::Histogram> all{{{5, 5, 5}, {0, 3}},  // TensorBoard's all-equal data
                                 {{-huge, 0, huge}, {1, std::numeric_limits<std::uint64_t>::max()}},
                                 {{0, 5e-324}, {7}},
                                 {{0, 5e-324, 1}, {7, 1}},
                                 {{0, 1}, {0}},
                                 {{}, {}}};
  for (int i = 0; i <= 5000; ++i) all.back().edges.push_back(i);
  for (int i = 0; i < 5000; ++i) all.back().counts.push_back(static_cast<std::uint64_t>(i % 17));
  for (const ls::Histogram& histogram : all) {
    for (const auto scale : {ls::AxisScale::linear, ls::AxisScale::log}) {
      const ls::Image image = ls::histogram_chart(histogram, {.title = "t", .count_scale = scale});
      CHECK(image.width == 720);
      const bool any = histogram.counts.size() > 1 || histogram.counts[0] > 0;
      std::int64_t ink = 0;
      for (const std::int64_t height : columns(image)) ink += height;
      CHECK((ink > 0) == any);
    }
  }
}

TEST_CASE("histograms that are none are refused by name") {
  const auto message = [](const ls::Histogram& histogram) {
    return std::string(error_of([&] { ls::histogram_chart(histogram); }).what());
  };
  CHECK(message({}) == "histogram_chart: no bins given");
  CHECK(message({{0, 1}, {1, 2}}) == "histogram_chart: 2 edges for 2 bins; expected one more");
  CHECK(message({{0, 2, 1}, {1, 2}}) == "histogram_chart: edge 2 is 1 after 2; expected increasing edges");
  CHECK(message({{0, std::bit_cast<double>(0x7FF0000000000000u)}, {1}}) == "histogram_chart: edge 1 is inf");
}
