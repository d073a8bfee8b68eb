#include <layerscope/algorithms/colormap.hpp>
#include <layerscope/algorithms/scatter.hpp>
#include <layerscope/core/random.hpp>

#include <bit>
#include <cmath>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error.hpp"

namespace ls = layerscope;
using layerscope_test::error_of;

namespace {

ls::Points points(const std::vector<double>& coordinates, std::int64_t dimensions) {
  ls::Points result;
  result.coordinates =
      ls::Tensor(ls::DType::f64, {static_cast<std::int64_t>(coordinates.size()) / dimensions, dimensions});
  std::copy(coordinates.begin(), coordinates.end(), result.coordinates.mutable_data<double>());
  return result;
}

struct Place {
  double x = 0, y = 0;
  std::int64_t count = 0;
};

/// Centre of the pixels of a colour.
Place place(const ls::Image& image, ls::Rgb colour) {
  Place found;
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      const std::uint8_t* p = image.at(x, y);
      if (!(ls::Rgb{p[0], p[1], p[2]} == colour)) continue;
      found.x += static_cast<double>(x) + 0.5;
      found.y += static_cast<double>(y) + 0.5;
      ++found.count;
    }
  }
  found.x /= static_cast<double>(found.count);
  found.y /= static_cast<double>(found.count);
  return found;
}

const ls::ScatterOptions plain{.point_size = 9, .opacity = 1};

}  // namespace

TEST_CASE("points lie where their coordinates say, in equal units") {
  ls::Points p = points({0, 0, 4, 0, 0, 2}, 2);
  p.labels = {0, 1, 2};
  const ls::Image image = ls::scatter(p, plain);
  // Legend markers share the colours: draw without.
  p.class_names = {};
  const auto at = [&](std::int64_t label) {
    ls::Points one = p;
    one.labels.assign(3, 7);
    one.labels[static_cast<std::size_t>(label)] = 0;
    ls::Image single = ls::scatter(one, plain);
    for (std::int64_t y = 0; y < single.height; ++y) {  // the legend's column away
      for (std::int64_t x = 740; x < single.width; ++x) std::fill_n(single.at(x, y), 3, std::uint8_t{255});
    }
    return place(single, ls::okabe_ito[0]);
  };
  const Place origin = at(0);
  const Place right = at(1);
  const Place up = at(2);
  CHECK(right.y == Catch::Approx(origin.y).margin(0.6));
  CHECK(up.x == Catch::Approx(origin.x).margin(0.6));
  CHECK(right.x - origin.x == Catch::Approx(2 * (origin.y - up.y)).margin(1.5));
  CHECK(right.x - origin.x > 400);
  CHECK(image.width == 800);
}

TEST_CASE("one point, equal points and far points stay in the centre") {
  for (const auto& coordinates :
       {std::vector<double>{3, 4}, {3, 4, 3, 4, 3, 4}, {1e300, 1e300}, {1e-320, 0, 1e-320, 0}}) {
    const Place found = place(ls::scatter(points(coordinates, 2), plain), ls::okabe_ito[0]);
    CHECK(found.x == Catch::Approx(400).margin(2));
    CHECK(found.y == Catch::Approx(320).margin(2));
    CHECK(found.count > 30);
  }
}

TEST_CASE("points that are not finite are left out") {
  const double nan64 = std::bit_cast<double>(0x7FF8000000000000u);
  const double inf64 = std::bit_cast<double>(0x7FF0000000000000u);
  const ls::Image with = ls::scatter(points({0, 0, nan64, 1, 1, inf64, 1, 1}, 2), plain);
  const ls::Image none = ls::scatter(points({nan64, nan64}, 2), plain);
  CHECK(place(with, ls::okabe_ito[0]).count > 60);
  CHECK(place(none, ls::okabe_ito[0]).count == 0);
}

TEST_CASE("space is drawn far points first") {
  // Along the direction of sight: (0.5198, −0.7424, 0.4226) points at the reader.
  ls::Points p = points({0, 0, 0, 51.98, -74.24, 42.26, 0, 0, 200}, 3);
  p.labels = {0, 1, 2};
  const ls::Image image = ls::scatter(p, {.point_size = 32, .opacity = 1});
  CHECK(place(image, ls::okabe_ito[1]).count > place(image, ls::okabe_ito[0]).count);
}

TEST_CASE("hostile points, labels and names are drawn inside the picture") {
  for (const std::int64_t dimensions : {2, 3}) {
    ls::Points p;
    p.coordinates = ls::Tensor(ls::DType::f32, {500, dimensions});
    const ls::Random random(3);
    for (std::int64_t i = 0; i < p.coordinates.size(); ++i) {
      p.coordinates.mutable_data<float>()[i] =
          static_cast<float>(3e38 * (2 * random.uniform(static_cast<std::uint64_t>(i)) - 1));
    }
    for (std::int64_t i = 0; i < 500; ++i) p.labels.push_back(i % 60 - 2);
    p.class_names = {"\xFF\xFE", std::string(1000, 'x'), "日本語"};
    for (const auto axes : {ls::Axes::hidden, ls::Axes::ticks}) {
      for (const auto& [width, height] : {std::pair<std::int64_t, std::int64_t>{160, 120}, {800, 640}, {300, 2000}}) {
        const ls::Image image = ls::scatter(p, {.title = "a\nb " + std::string(90, 'W'),
                                                .x_label = "x",
                                                .y_label = "y",
                                                .width = width,
                                                .height = height,
                                                .axes = axes});
        CHECK(image.width == width);
        CHECK(image.height == height);
      }
    }
  }
}

TEST_CASE("trajectories fade into the past and end in a ringed marker") {
  // The corners put the plot's units where they are; the line runs through the middle, away from them.
  ls::Points p = points({-10, -10, 10, 10}, 2);
  ls::ScatterOptions options = plain;
  const ls::Image bare = ls::scatter(p, options);
  const auto darkness = [&](const ls::Image& image, double x, double y) {
    // Pixel of a position: the corners' markers say where the units are.
    const Place low = place(bare, ls::okabe_ito[0]);  // both corners together: the centre of the plot
    const double unit = 20.0;                         // about (plot height) / 21.6 pixels
    double darkest = 255;
    for (std::int64_t dy = -3; dy <= 3; ++dy) {
      for (std::int64_t dx = -3; dx <= 3; ++dx) {
        const auto* pixel = image.at(static_cast<std::int64_t>(low.x + x * unit) + dx,
                                     static_cast<std::int64_t>(low.y - y * unit) + dy);
        darkest = (std::min)(darkest, static_cast<double>(pixel[0]));
      }
    }
    return 255 - darkest;
  };
  // Horizontal lines at y = 0, so that the unit along x hardly matters: −6 … −2 old, −2 … 2 newer, 2 … 6 newest.
  options.trajectories = {{points({-6, 0, -2, 0, 2, 0, 6, 0}, 2).coordinates, 3, "#7"}};
  const ls::Image drawn = ls::scatter(p, options);
  const double oldest = darkness(drawn, -4, 0), middle = darkness(drawn, 0, 0), newest = darkness(drawn, 4, 0);
  CHECK(oldest > 15);
  CHECK(middle > oldest + 30);
  CHECK(newest > middle + 30);
  CHECK(newest > 180);                               // nearly the whole ink, which is 221
  CHECK(place(drawn, ls::okabe_ito[3]).count > 60);  // the end, in the colour of its class
  const double gap = std::bit_cast<double>(0x7FF8000000000000u);
  options.trajectories = {{points({-6, 0, gap, 0, 2, 0, 6, 0}, 2).coordinates}};
  const ls::Image broken = ls::scatter(p, options);
  CHECK(darkness(broken, -4, 0) == darkness(bare, -4, 0));
  CHECK(darkness(broken, 0, 0) == darkness(bare, 0, 0));
  CHECK(darkness(broken, 4, 0) > 180);
  // What leaves the plot is cut off, and what cannot be drawn leaves the picture as it was.
  options.trajectories = {{points({0, 0, 1e300, 1e300}, 2).coordinates, 2, "far"}};
  const ls::Image far = ls::scatter(p, options);
  CHECK(far.width == bare.width);
  CHECK(far != bare);
  CHECK(std::equal(far.at(0, 0), far.at(0, 0) + 3 * far.width * 12, bare.at(0, 0)));  // the upper margin
  options.trajectories = {{ls::Tensor(ls::DType::f32, {0, 2})}, {points({gap, gap}, 2).coordinates, 1, "none"}};
  CHECK(ls::scatter(p, options) == bare);
}

TEST_CASE("names of trajectories that end at one place stand beside each other, or are left out") {
  const ls::Points p = points({-10, -10, 10, 10}, 2);
  ls::ScatterOptions options = plain;
  const ls::Tensor end = points({0, 0}, 2).coordinates;
  // Each name adds ink of its own: a name drawn over another would add next to none. Six places, so the seventh is out.
  std::vector<std::int64_t> ink;
  for (std::size_t count = 0; count <= 7; ++count) {
    options.trajectories.assign(count, {end, 3, "#888"});
    const ls::Image image = ls::scatter(p, options);
    std::int64_t dark = 0;
    for (std::int64_t y = 0; y < image.height; ++y) {
      for (std::int64_t x = 0; x < image.width; ++x) dark += image.at(x, y)[0] < 60 && image.at(x, y)[2] < 60 ? 1 : 0;
    }
    ink.push_back(dark);
  }
  const std::int64_t name = ink[2] - ink[1];
  CHECK(name > 40);
  for (std::size_t count = 2; count <= 6; ++count) CHECK(std::abs(ink[count] - ink[count - 1] - name) <= 12);
  CHECK(ink[7] == ink[6]);
}

TEST_CASE("classes of ten points are named at their median, smaller ones and those without room are not") {
  ls::Points p;
  p.coordinates = ls::Tensor(ls::DType::f64, {41, 2});
  for (std::int64_t i = 0; i < 41; ++i) {
    p.labels.push_back(i < 20 ? 0 : i < 40 ? 4 : 5);
    p.coordinates.mutable_data<double>()[2 * i] = i < 20 ? -10 : i < 40 ? 10 : 0;
    p.coordinates.mutable_data<double>()[2 * i + 1] = i == 40 ? 5 : 0;
  }
  // Black pixels of letters left and right of the middle, and above it; the legend is beyond 700.
  const auto letters = [](const ls::Image& image, std::int64_t from, std::int64_t to, std::int64_t top,
                          std::int64_t end) {
    std::int64_t count = 0;
    for (std::int64_t y = top; y < end; ++y) {
      for (std::int64_t x = from; x < to; ++x) count += image.at(x, y)[0] == 0x22 && image.at(x, y)[2] == 0x22 ? 1 : 0;
    }
    return count;
  };
  const ls::Image both = ls::scatter(p);
  const ls::Image legend = ls::scatter(p, {.class_names = ls::ClassNames::legend});
  CHECK(letters(both, 20, 360, 60, 580) > 20);
  CHECK(letters(both, 440, 720, 60, 580) > 20);
  CHECK(letters(both, 360, 440, 60, 580) == 0);  // one point
  CHECK(letters(legend, 20, 720, 60, 580) == 0);
  CHECK(letters(legend, 720, 800, 30, 200) == letters(both, 720, 800, 30, 200));
  // Both classes in one place: one name.
  for (std::int64_t i = 0; i < 41; ++i) p.coordinates.mutable_data<double>()[2 * i] = 0;
  p.class_names = {"zebra", "", "", "", "yak"};
  ls::Points alone = p;
  alone.labels.assign(41, 0);
  CHECK(letters(ls::scatter(p), 20, 720, 60, 580) == letters(ls::scatter(alone), 20, 720, 60, 580));
}

TEST_CASE("the same points give the same picture") {
  ls::Points p = points({0, 0, 1, 1, 2, 0.5, 3, 3}, 2);
  p.labels = {0, 1, 0, 1};
  CHECK(ls::scatter(p) == ls::scatter(p));
}

TEST_CASE("points that are none are refused by name") {
  const auto message = [](const ls::Points& p, const ls::ScatterOptions& options = {}) {
    return std::string(error_of([&] { ls::scatter(p, options); }).what());
  };
  CHECK(message({}) == "scatter: no points given");
  CHECK(message(points({1, 2, 3, 4}, 4)) == "scatter: coordinates of shape [1, 4]; expected [n, 2] or [n, 3]");
  ls::Points p = points({1, 2}, 2);
  p.labels = {1, 2};
  CHECK(message(p) == "scatter: 2 labels for 1 points; expected none or as many");
  p.labels.clear();
  CHECK(message(p, {.point_size = 0}) == "scatter: point_size 0; expected 1 to 32");
  CHECK(message(p, {.opacity = 0}) == "scatter: opacity 0; expected above 0, at most 1");
  CHECK(message(p, {.width = 9000}) == "scatter: size 9000 × 640 pixels; expected 160 × 120 to 8192 × 8192");
  ls::ScatterOptions options;
  options.trajectories = {{points({1, 2, 3}, 3).coordinates}};
  CHECK(message(p, options) == "scatter: a trajectory of shape [1, 3]; expected [t, 2] as the points have");
  options.trajectories = {{ls::Tensor(ls::DType::i64, {1, 2})}};
  CHECK(message(p, options) == "scatter: a trajectory is int64; expected float32 or float64");
  p.coordinates = ls::Tensor(ls::DType::i64, {1, 2});
  CHECK(message(p) == "scatter: coordinates are int64; expected float32 or float64");
}
