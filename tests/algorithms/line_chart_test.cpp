#include <layerscope/algorithms/colormap.hpp>
#include <layerscope/algorithms/line_chart.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>

#include <bit>
#include <cmath>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error.hpp"
#include "support/ieee.hpp"

namespace ls = layerscope;
using layerscope_test::error_of;

namespace {

const double nan64 = std::bit_cast<double>(0x7FF8000000000000u);
const double inf64 = std::bit_cast<double>(0x7FF0000000000000u);

struct Ink {
  std::int64_t count = 0, left = 1 << 20, right = -1, top = 1 << 20, bottom = -1;
};

Ink ink(const ls::Image& image, ls::Rgb colour) {
  Ink found;
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      const std::uint8_t* p = image.at(x, y);
      if (!(ls::Rgb{p[0], p[1], p[2]} == colour)) continue;
      ++found.count;
      found.left = std::min(found.left, x);
      found.right = std::max(found.right, x);
      found.top = std::min(found.top, y);
      found.bottom = std::max(found.bottom, y);
    }
  }
  return found;
}

bool edges_are_paper(const ls::Image& image) {
  for (std::int64_t x = 0; x < image.width; ++x) {
    for (std::int64_t y : {std::int64_t{0}, image.height - 1}) {
      if (*image.at(x, y) != 255) return false;
    }
  }
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x : {std::int64_t{0}, image.width - 1}) {
      if (*image.at(x, y) != 255) return false;
    }
  }
  return true;
}

}  // namespace

TEST_CASE("ticks are multiples of 1, 2 or 5 and cover the range") {
  LAYERSCOPE_NEEDS_IEEE_ROUNDING();
  CHECK(ls::nice_ticks(0, 1) == std::vector<double>{0, 0.2, 0.4, 0.6, 0.8, 1});
  CHECK(ls::nice_ticks(0, 0.3, 4) == std::vector<double>{0, 0.1, 0.2, 0.3});
  CHECK(ls::nice_ticks(-7, 93) == std::vector<double>{-20, 0, 20, 40, 60, 80, 100});
  CHECK(ls::nice_ticks(0, 1000, 3) == std::vector<double>{0, 500, 1000});
  for (const double low : {-1e12, -3.7, 0.0, 1e-9, 5.5, 12345.0}) {
    for (const double span : {1e-3, 0.7, 3.0, 1e4, 1e13}) {
      for (int target = 2; target < 12; ++target) {
        if (span < 1e-12 * std::fabs(low)) continue;
        const std::vector<double> ticks = ls::nice_ticks(low, low + span, target);
        INFO(low << " + " << span << ", " << target);
        REQUIRE(ticks.size() >= 2);
        const double step = ticks[1] - ticks[0];
        CHECK(ticks.front() <= low + 1e-6 * step);
        CHECK(ticks.back() >= low + span - 1e-6 * step);
        CHECK(ticks.size() <= static_cast<std::size_t>(2 * target + 3));
        const double mantissa = step / std::pow(10, std::floor(std::log10(step) + 1e-4));
        const bool nice =
            std::fabs(mantissa - 1) < 1e-2 || std::fabs(mantissa - 2) < 1e-2 || std::fabs(mantissa - 5) < 1e-2;
        CHECK(nice);
      }
    }
  }
}

TEST_CASE("ticks of degenerate ranges are finite and increasing") {
  for (const auto& [low, high] :
       {std::pair{5.0, 5.0}, {0.0, 0.0}, {-1.7e308, 1.7e308}, {1e-320, 2e-320}, {1e16, 1e16 + 2}, {1.7e308, 1.7e308}}) {
    const std::vector<double> ticks = ls::nice_ticks(low, high);
    REQUIRE(!ticks.empty());
    REQUIRE(ticks.size() < 40);
    for (std::size_t i = 0; i < ticks.size(); ++i) {
      CHECK(ls::is_finite(ticks[i]));
      if (i > 0) CHECK(ticks[i] >= ticks[i - 1]);
    }
  }
  CHECK(error_of([] { ls::nice_ticks(2, 1); }).code() == ls::ErrorCode::invalid_argument);
  CHECK(error_of([] { ls::nice_ticks(0, inf64); }).code() == ls::ErrorCode::invalid_argument);
  CHECK(error_of([] { ls::nice_ticks(0, 1, 1); }).code() == ls::ErrorCode::invalid_argument);
}

TEST_CASE("a rising line runs from the lower left to the upper right of the plot") {
  ls::Series series;
  for (int i = 0; i <= 100; ++i) {
    series.x.push_back(i);
    series.y.push_back(i);
  }
  const ls::Image image = ls::line_chart(series, {.title = "rising", .x_label = "x", .y_label = "y"});
  CHECK(image.width == 720);
  CHECK(image.height == 420);
  const Ink line = ink(image, ls::okabe_ito[0]);
  CHECK(line.count > 300);
  CHECK(line.left < 70);
  CHECK(line.right > 680);
  CHECK(line.top < 50);
  CHECK(line.bottom > 350);
  CHECK(edges_are_paper(image));
}

TEST_CASE("gaps stay empty and lonely points are dots") {
  ls::Series series{"", {0, 1, 2, 3, 4, 5, 6}, {1, 1, nan64, 1, inf64, 1, 1}};
  ls::Series whole{"", {0, 1, 2, 3, 4, 5, 6}, {1, 1, 1, 1, 1, 1, 1}};
  const Ink cut = ink(ls::line_chart(series), ls::okabe_ito[0]);
  const Ink full = ink(ls::line_chart(whole), ls::okabe_ito[0]);
  CHECK(cut.count > full.count / 4);
  CHECK(cut.count < full.count / 2);
  CHECK(ink(ls::line_chart(ls::Series{"", {3}, {5}}), ls::okabe_ito[0]).count > 5);
}

TEST_CASE("hostile numbers and sizes draw without leaving the picture") {
  const std::vector<ls::Series> hostile{{"huge", {0, 1e308, -1e308}, {1.7e308, -1.7e308, 0}},
                                        {"tiny", {0, 1e-320}, {1e-320, 0}},
                                        {std::string(500, 'n') + "\xFF", {0, nan64}, {nan64, 0}}};
  for (const auto scale : {ls::AxisScale::linear, ls::AxisScale::log}) {
    for (const auto& [width, height] : {std::pair<std::int64_t, std::int64_t>{160, 120}, {161, 400}, {8192, 120}}) {
      ls::LineChartOptions options{.title = std::string(300, 'W') + " title",
                                   .x_label = std::string(300, 'x'),
                                   .y_label = std::string(300, 'y'),
                                   .width = width,
                                   .height = height,
                                   .y_scale = scale,
                                   .captions = {std::string(100, 'c') + " d", "e", "f"}};
      const ls::Image image = ls::line_chart(hostile, options);
      CHECK(image.width == width);
      CHECK(image.height == height);
    }
  }
}

TEST_CASE("a hundred thousand points and many series are drawn") {
  std::vector<ls::Series> many(20);
  for (std::size_t k = 0; k < many.size(); ++k) {
    many[k].name = "series " + ls::to_text(k);
    for (int i = 0; i < 5000; ++i) {
      many[k].x.push_back(i);
      many[k].y.push_back(std::sin(0.001 * i + static_cast<double>(k)));
    }
  }
  const ls::Image image = ls::line_chart(many);
  for (const ls::Rgb colour : ls::okabe_ito) CHECK(ink(image, colour).count > 100);
}

TEST_CASE("a log axis leaves out what is not positive") {
  const ls::Series series{"", {0, 1, 2, 3}, {1, 0, -5, 100}};
  CHECK(ink(ls::line_chart(series, {.y_scale = ls::AxisScale::log}), ls::okabe_ito[0]).count > 4);
  const ls::Series none{"", {0, 1}, {0, -1}};
  CHECK(error_of([&] { ls::line_chart(none, {.y_scale = ls::AxisScale::log}); }).code() == ls::ErrorCode::empty);
}

TEST_CASE("charts of nothing and wrong options are refused by name") {
  const auto message = [](auto body) { return std::string(error_of(body).what()); };
  CHECK(message([] { ls::line_chart(std::vector<ls::Series>{}); }) == "line_chart: no series given");
  CHECK(message([] { ls::line_chart(ls::Series{}); }) == "line_chart: no point of the 1 series can be drawn");
  CHECK(message([] {
          ls::line_chart(ls::Series{"loss", {1, 2}, {1}});
        }) == "line_chart: series \"loss\" has 2 x for 1 y; expected as many");
  CHECK(message([] {
          ls::line_chart(ls::Series{"", {1}, {1}}, {.width = 100});
        }) == "line_chart: size 100 × 420 pixels; expected 160 × 120 to 8192 × 8192");
  CHECK(message([] {
          ls::line_chart(ls::Series{"", {1}, {1}}, {.y_range = ls::Range{1, 1}});
        }) == "line_chart: y_range 1 to 1; expected finite numbers, min < max (and min > 0 on a log scale)");
}
