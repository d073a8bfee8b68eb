#include <layerscope/algorithms/colormap.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <set>
#include <string>
#include <tuple>

#include "support/catch.hpp"
#include "support/error.hpp"

namespace ls = layerscope;

TEST_CASE("every entry of every colormap is matplotlib's byte (the formula's for blue_white_red)") {
  std::ifstream file(LAYERSCOPE_TESTS_DIR "/reference/colormaps.txt");
  std::string name;
  std::string bytes;
  int maps = 0;
  while (file >> name >> bytes) {
    ++maps;
    const auto table = ls::colormap_table(ls::colormap_from_name(name));
    REQUIRE(bytes.size() == 256 * 6);
    for (std::size_t i = 0; i < 256; ++i) {
      const int rgb = std::stoi(bytes.substr(6 * i, 6), nullptr, 16);
      INFO(name << " entry " << i);
      REQUIRE(int{table[i].r} << 16 == (rgb & 0xFF0000));
      REQUIRE(int{table[i].g} << 8 == (rgb & 0x00FF00));
      REQUIRE(int{table[i].b} == (rgb & 0x0000FF));
    }
  }
  REQUIRE(maps == static_cast<int>(ls::all_colormaps.size()));
}

TEST_CASE("the index of a colour is min(floor(256 t), 255), clamped, and 0 for NaN") {
  const auto table = ls::colormap_table(ls::Colormap::viridis);
  for (const auto& [t, index] : {std::pair{0.0, 0},
                                 {0.0039, 0},
                                 {0.00390625, 1},
                                 {0.5, 128},
                                 {0.999, 255},
                                 {1.0, 255},
                                 {2.0, 255},
                                 {-0.1, 0},
                                 {1e300, 255},
                                 {-1e300, 0}}) {
    CHECK(ls::colour(ls::Colormap::viridis, t) == table[static_cast<std::size_t>(index)]);
  }
  CHECK(ls::colour(ls::Colormap::viridis, std::numeric_limits<double>::quiet_NaN()) == table[0]);
  CHECK(ls::colour(ls::Colormap::viridis, std::numeric_limits<double>::infinity()) == table[255]);
}

TEST_CASE("blue_white_red is white in the middle and its arms darken alike") {
  const auto table = ls::colormap_table(ls::Colormap::blue_white_red);
  CHECK(table[127] == ls::Rgb{255, 255, 255});
  CHECK(table[128] == ls::Rgb{255, 255, 255});
  CHECK(table[0].b > 2 * table[0].r);
  CHECK(table[255].r > 2 * table[255].b);
  // OKLab lightness from the bytes, as Ottosson 2020 defines it.
  const auto lightness = [](ls::Rgb c) {
    const auto linear = [](double v) { return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4); };
    const double r = linear(c.r / 255.0);
    const double g = linear(c.g / 255.0);
    const double b = linear(c.b / 255.0);
    return 0.2104542553 * std::cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) +
           0.7936177850 * std::cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) -
           0.0040720468 * std::cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  };
  for (std::size_t i = 0; i < 128; ++i) {
    CHECK(std::fabs(lightness(table[127 - i]) - lightness(table[128 + i])) < 0.005);
    CHECK(std::fabs(lightness(table[128 + i]) - (1 - 0.65 * static_cast<double>(i) / 127)) < 0.005);
  }
}

TEST_CASE("names read back, and an unknown one lists those there are") {
  for (const ls::Colormap map : ls::all_colormaps) CHECK(ls::colormap_from_name(ls::name(map)) == map);
  const ls::Error error = layerscope_test::error_of([] { ls::colormap_from_name("jet"); });
  CHECK(error.code() == ls::ErrorCode::invalid_argument);
  CHECK(std::string(error.what()) ==
        "colormap: \"jet\" is not known; expected one of viridis, magma, inferno, plasma, cividis, gray, turbo, "
        "blue_white_red");
}

TEST_CASE("48 classes look different, then styles repeat; labels below zero are grey") {
  std::set<std::tuple<int, int, int, int>> styles;
  for (std::int64_t label = 0; label < 48; ++label) {
    const ls::ClassStyle style = ls::class_style(label);
    styles.insert({style.colour.r, style.colour.g, style.colour.b, static_cast<int>(style.marker)});
  }
  CHECK(styles.size() == 48);
  CHECK(ls::class_style(48) == ls::class_style(0));
  CHECK(ls::class_style(3).colour == ls::okabe_ito[3]);
  CHECK(ls::class_style(11).colour == ls::okabe_ito[3]);
  CHECK(ls::class_style(-1) == ls::ClassStyle{{0xA0, 0xA0, 0xA0}, ls::Marker::disc});
  CHECK(ls::class_style(std::numeric_limits<std::int64_t>::max()).marker <= ls::Marker::plus);
}
