#include <layerscope/algorithms/histogram.hpp>
#include <layerscope/algorithms/histogram_timeline.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/core/tensor.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error.hpp"

namespace ls = layerscope;
using layerscope_test::error_of;

namespace {

const double nan64 = std::bit_cast<double>(0x7FF8000000000000u);
const double inf64 = std::bit_cast<double>(0x7FF0000000000000u);

ls::AnyView view(const std::vector<double>& values) {
  return {values.data(), ls::DType::f64, {static_cast<std::int64_t>(values.size())}};
}

std::vector<double> normal(int step, double mean, double deviation, std::size_t count = 500) {
  const ls::Random random(9, static_cast<std::uint64_t>(step));
  std::vector<double> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = mean + deviation * random.normal(i);
  return values;
}

std::uint64_t total(const ls::HistogramTimeline::Step& step) {
  std::uint64_t sum = step.below + step.above + step.nan + step.positive_infinity + step.negative_infinity;
  for (const std::uint64_t count : step.counts) sum += count;
  return sum;
}

std::int64_t count_colour(const ls::Image& image, ls::Rgb colour, std::int64_t from, std::int64_t to) {
  std::int64_t count = 0;
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = from; x < to; ++x) {
      const std::uint8_t* p = image.at(x, y);
      count += ls::Rgb{p[0], p[1], p[2]} == colour ? 1 : 0;
    }
  }
  return count;
}

bool has_margin(const ls::Image& image) {
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      if (x >= 3 && y >= 3 && x < image.width - 3 && y < image.height - 3) continue;
      const std::uint8_t* p = image.at(x, y);
      if (!(ls::Rgb{p[0], p[1], p[2]} == ls::Rgb{255, 255, 255})) return false;
    }
  }
  return true;
}

}  // namespace

TEST_CASE("histogram_timeline: the first step's range, widened, and counts as histogram() finds them") {
  ls::HistogramTimeline timeline({.bins = 12});
  const std::vector<double> first{2, 3, 4}, second{-7, 0, 2.5, 3, 9, 6, nan64, inf64, -inf64};
  timeline.add(0, view(first));
  const std::vector<double> edges = timeline.edges();
  REQUIRE(edges.size() == 13);
  CHECK(edges.front() == 0);  // 2 − 1 · width 2
  CHECK(edges.back() == 6);
  timeline.add(1, view(second));
  CHECK(timeline.edges() == edges);  // and so they stay
  const auto steps = timeline.steps();
  REQUIRE(steps.size() == 2);
  CHECK(steps[0].counts == ls::histogram(view(first), {.edges = edges}).histogram.counts);
  CHECK(steps[1].counts == ls::histogram(view(second), {.edges = edges}).histogram.counts);
  CHECK(steps[1].below == 1);
  CHECK(steps[1].above == 1);
  CHECK(steps[1].nan == 1);
  CHECK(steps[1].positive_infinity == 1);
  CHECK(steps[1].negative_infinity == 1);
  CHECK(total(steps[1]) == second.size());
}

TEST_CASE("histogram_timeline: zero stays the border of numbers that never pass it") {
  ls::HistogramTimeline timeline({.margin = 2});
  const std::vector<double> relu{0, 0, 0, 1, 3};
  timeline.add(5, view(relu));
  CHECK(timeline.edges().front() == 0);
  CHECK(timeline.edges().back() == 9);
  ls::HistogramTimeline negative;
  const std::vector<double> minus{0, -4};
  negative.add(5, view(minus));
  CHECK(negative.edges().front() == -8);
  CHECK(negative.edges().back() == 0);
}

TEST_CASE("histogram_timeline: edges wait for numbers that differ") {
  ls::HistogramTimeline timeline({.bins = 30});
  const std::vector<double> zeros(10, 0.0), nothing(4, nan64), spread{-1, 1, 2, 0.5};
  timeline.add(0, view(nothing));
  CHECK(timeline.edges().front() == 0);
  CHECK(timeline.edges().back() == 1);
  timeline.add(1, view(zeros));
  CHECK(timeline.edges().front() == -0.5);
  CHECK(timeline.edges().back() == 0.5);
  CHECK(total(timeline.steps()[1]) == 10);
  timeline.add(2, view(spread));
  CHECK(timeline.edges().front() == -4);
  CHECK(timeline.edges().back() == 5);
  const auto steps = timeline.steps();
  CHECK(steps[0].nan == 4);
  CHECK(total(steps[0]) == 4);
  CHECK(steps[1].counts == ls::histogram(view(zeros), {.edges = timeline.edges()}).histogram.counts);
  CHECK(steps[2].counts == ls::histogram(view(spread), {.edges = timeline.edges()}).histogram.counts);

  // Constant, but not the same constant at every step; and one that lies outside what is chosen later.
  ls::HistogramTimeline moving;
  const std::vector<double> one(3, 1.0), two(3, 2.0);
  moving.add(0, view(one));
  moving.add(1, view(two));
  CHECK(moving.edges().front() == 0);
  CHECK(moving.edges().back() == 3);
  CHECK(total(moving.steps()[0]) == 3);
}

TEST_CASE("histogram_timeline: given edges and ranges") {
  const std::vector<double> values{-1, 0, 0.5, 1, 10, 99, 100, 101};
  ls::HistogramTimeline edges({.edges = std::vector<double>{0, 1, 10, 100}});
  edges.add(0, view(values));
  CHECK(edges.steps()[0].counts == std::vector<std::uint64_t>{2, 1, 3});
  CHECK(edges.steps()[0].below == 1);
  CHECK(edges.steps()[0].above == 1);
  ls::HistogramTimeline range({.bins = 4, .range = ls::Range{0, 100}});
  range.add(0, view(values));
  CHECK(range.edges() == std::vector<double>{0, 25, 50, 75, 100});
  CHECK(range.steps()[0].counts == std::vector<std::uint64_t>{4, 0, 0, 2});
}

TEST_CASE("histogram_timeline: a step given again replaces, and any order is kept sorted") {
  ls::HistogramTimeline timeline({.range = ls::Range{0, 10}});
  const std::vector<double> one{1}, three{1, 2, 3};
  for (const std::int64_t step : {5, 1, 9, 1, 3}) timeline.add(step, view(one));
  timeline.add(9, view(three));
  const auto steps = timeline.steps();
  REQUIRE(steps.size() == 4);
  CHECK(timeline.steps_added() == 4);
  for (std::size_t i = 0; i < 4; ++i) CHECK(steps[i].step == std::vector<std::int64_t>{1, 3, 5, 9}[i]);
  CHECK(total(steps[3]) == 3);
}

TEST_CASE("histogram_timeline: a long run is thinned evenly, and keeps its first and newest step") {
  const std::vector<double> values{1, 2};
  for (const int most : {2, 8, 128}) {
    ls::HistogramTimeline timeline({.range = ls::Range{0, 10}, .max_steps = most});
    for (std::int64_t step = 0; step < 1000; ++step) {
      timeline.add(10 * step, view(values));
      const auto steps = timeline.steps();
      REQUIRE(static_cast<int>(steps.size()) <= most);
      REQUIRE(steps.front().step == 0);
      REQUIRE(steps.back().step == 10 * step);
      for (std::size_t i = 0; i + 1 < steps.size(); ++i) {
        REQUIRE(steps[i].step == 10 * timeline.stride() * static_cast<std::int64_t>(i));
      }
      // At least half of the room is used.
      REQUIRE(static_cast<std::int64_t>(steps.size()) >= (std::min<std::int64_t>)(step + 1, most / 2));
    }
    CHECK(timeline.steps_added() == 1000);
  }
}

TEST_CASE("histogram_timeline: extreme numbers") {
  constexpr double huge = std::numeric_limits<double>::max();
  for (const std::vector<double>& values :
       {std::vector<double>{-huge, huge}, std::vector<double>{1, std::nextafter(1.0, 2.0)},
        std::vector<double>{0, 5e-324}, std::vector<double>{huge, std::nextafter(huge, 0.0)}}) {
    ls::HistogramTimeline timeline;
    timeline.add(0, view(values));
    const std::vector<double> edges = timeline.edges();
    for (std::size_t i = 1; i < edges.size(); ++i) REQUIRE(edges[i - 1] < edges[i]);
    CHECK(total(timeline.steps()[0]) == 2);
    CHECK_NOTHROW(ls::histogram_timeline_chart(timeline));
  }
}

TEST_CASE("histogram_timeline: the result does not depend on threads or on the element type") {
  ls::Tensor x(ls::DType::f32, {300, 100});
  const ls::Random random(4);
  for (std::int64_t i = 0; i < x.size(); ++i)
    x.mutable_data<float>()[i] = static_cast<float>(random.normal(static_cast<std::uint64_t>(i)));
  const ls::Tensor wide = ls::convert(x, ls::DType::f64);
  ls::HistogramTimeline one({.threads = 1}), many({.threads = 8}), doubles;
  one.add(0, x);
  many.add(0, x);
  doubles.add(0, wide.view().permute({1, 0}));
  CHECK(one.steps()[0].counts == many.steps()[0].counts);
  CHECK(one.steps()[0].counts == doubles.steps()[0].counts);
  CHECK(one.edges() == many.edges());
}

TEST_CASE("histogram_timeline: bad input is named, and changes nothing") {
  const auto message = [](const ls::HistogramTimelineOptions& options) {
    return std::string(error_of([&] { const ls::HistogramTimeline timeline(options); }).what());
  };
  CHECK(message({.bins = 0}) == "histogram_timeline: bins is 0; expected 1 to 65536");
  CHECK(message({.max_steps = 7}) == "histogram_timeline: max_steps is 7; expected an even number from 2 to 65536");
  CHECK(message({.range = ls::Range{1, 1}}) ==
        "histogram_timeline: range is 1 to 1; expected finite numbers, min < max");
  CHECK(message({.range = ls::Range{0, nan64}}).find("nan") != std::string::npos);
  CHECK(message({.edges = std::vector<double>{0, 0}}).find("increasing") != std::string::npos);
  CHECK(message({.edges = std::vector<double>{0, inf64}}).find("increasing") != std::string::npos);
  CHECK(message({.margin = -1}) == "histogram_timeline: margin is -1; expected 0 to 1000");
  ls::HistogramTimeline timeline;
  CHECK(error_of([&] { timeline.add(0, ls::AnyView(nullptr, ls::DType::f32, {0})); }).code() == ls::ErrorCode::empty);
  CHECK(timeline.steps_added() == 0);
  CHECK(error_of([&] { ls::ridge_plot(timeline); }).code() == ls::ErrorCode::empty);
  CHECK(error_of([&] { ls::histogram_heatmap(timeline); }).code() == ls::ErrorCode::empty);
  const std::vector<double> values{1, 2};
  timeline.add(0, view(values));
  CHECK(error_of([&] { ls::ridge_plot(timeline, {.width = 10}); }).code() == ls::ErrorCode::invalid_argument);
}

TEST_CASE("histogram_timeline: pictures of usual and hostile runs keep their margins") {
  const auto check = [](const ls::HistogramTimeline& timeline) {
    for (const ls::AxisScale scale : {ls::AxisScale::linear, ls::AxisScale::log}) {
      for (const ls::Image& image :
           {ls::ridge_plot(timeline, {.title = "weights", .value_label = "value", .count_scale = scale}),
            ls::histogram_heatmap(timeline, {.title = "weights", .value_label = "value", .count_scale = scale}),
            ls::histogram_timeline_chart(timeline, {.title = "weights", .count_scale = scale})}) {
        CHECK(has_margin(image));
      }
    }
  };
  for (const int steps : {1, 2, 20, 300}) {
    ls::HistogramTimeline timeline;
    for (int step = 0; step < steps; ++step) timeline.add(step, view(normal(step, 0.01 * step, 0.1)));
    check(timeline);
  }
  ls::HistogramTimeline constant, nothing;
  for (int step = 0; step < 5; ++step) {
    constant.add(step, view(std::vector<double>(50, -3.0)));
    nothing.add(step, view(std::vector<double>(50, nan64)));
  }
  check(constant);
  check(nothing);
}

TEST_CASE("histogram_timeline: ridges and colours stand where the numbers are") {
  // Numbers near 2 at first and near 8 in the end.
  ls::HistogramTimeline timeline({.bins = 20, .range = ls::Range{0, 10}});
  for (int step = 0; step < 10; ++step) timeline.add(step, view(normal(step, step < 5 ? 2 : 8, 0.3)));
  const ls::Image ridges = ls::ridge_plot(timeline, {.width = 600, .height = 400});
  // The newest ridge has the first colour of okabe_ito, and lies in the right half.
  CHECK(count_colour(ridges, ls::okabe_ito[0], 330, 600) > 500);
  CHECK(count_colour(ridges, ls::okabe_ito[0], 0, 330) == 0);

  const ls::Image heat = ls::histogram_heatmap(timeline, {.width = 600, .height = 400});
  const ls::Rgb empty = ls::colour(ls::Colormap::viridis, 0);
  // Steps are columns: brightness is in the lower half at first and in the upper half in the end.
  const auto bright = [&](std::int64_t x, std::int64_t y_from, std::int64_t y_to) {
    std::int64_t count = 0;
    for (std::int64_t y = y_from; y < y_to; ++y) {
      const std::uint8_t* p = heat.at(x, y);
      count += p[1] > 150 && p[2] < 200 ? 1 : 0;
    }
    return count;
  };
  CHECK(bright(100, 200, 350) > 10);
  CHECK(bright(100, 20, 170) == 0);
  CHECK(bright(480, 20, 170) > 10);
  CHECK(bright(480, 200, 350) == 0);
  CHECK(count_colour(heat, empty, 60, 500) > 10000);

  // A step of NaN is magenta in both.
  timeline.add(10, view(std::vector<double>(10, nan64)));
  CHECK(count_colour(ls::ridge_plot(timeline), {255, 0, 255}, 0, 560) > 300);
  CHECK(count_colour(ls::histogram_heatmap(timeline), {255, 0, 255}, 0, 560) > 3000);
}
