#include <layerscope/algorithms/grid.hpp>
#include <layerscope/core/finite.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error.hpp"
#include "support/pictures.hpp"

namespace ls = layerscope;
using layerscope_test::count_colour;
using layerscope_test::error_of;

namespace {

/// The numbers of tests/reference/grid.py.
ls::Tensor numbers(const ls::Shape& shape) {
  ls::Tensor x(ls::DType::f32, shape);
  for (std::int64_t i = 0; i < x.size(); ++i) {
    x.mutable_data<float>()[i] = static_cast<float>((i * 7919) % 1009 - 500) / 64.0f;
  }
  return x;
}

ls::Grid tiles(std::int64_t count, std::int64_t width, std::int64_t height, ls::Rgb colour = {10, 20, 30}) {
  ls::Grid grid;
  for (std::int64_t i = 0; i < count; ++i) grid.tiles.push_back(ls::make_image(width, height, colour));
  return grid;
}

/// No ink in the outermost pixels: nothing is clipped.
bool has_margin(const ls::Image& image, ls::Rgb background = {255, 255, 255}) {
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      const bool edge = x < 4 || y < 4 || x >= image.width - 4 || y >= image.height - 4;
      const std::uint8_t* p = image.at(x, y);
      if (edge && !(ls::Rgb{p[0], p[1], p[2]} == background)) return false;
    }
  }
  return true;
}

}  // namespace

TEST_CASE("make_grid gives torchvision's numbers") {
  std::ifstream file(LAYERSCOPE_TESTS_DIR "/reference/grid.txt");
  int cases = 0;
  for (std::string line; std::getline(file, line); ++cases) {
    INFO(line);
    std::istringstream words(line);
    std::string word;
    int rank = 0;
    words >> word >> rank;
    ls::Shape shape;
    for (int axis = 0; axis < rank; ++axis) {
      std::int64_t extent = 0;
      words >> extent;
      shape.push_back(extent);
    }
    ls::MakeGridOptions options;
    std::string mode, low, high;
    words >> word >> options.columns >> word >> options.padding >> word >> mode >> word >> low >> word >> high >>
        word >> options.pad_value >> word;
    if (mode == "batch") options.normalization = ls::GridNormalization::batch;
    if (mode == "each") options.normalization = ls::GridNormalization::each;
    if (low != "-")
      options.value_range = ls::Range{std::strtod(low.c_str(), nullptr), std::strtod(high.c_str(), nullptr)};
    ls::Shape expected_shape;
    for (int axis = 0; axis < 3; ++axis) {
      std::int64_t extent = 0;
      words >> extent;
      expected_shape.push_back(extent);
    }
    const ls::Tensor grid = ls::make_grid(numbers(shape).view(), options);
    REQUIRE(grid.shape() == expected_shape);
    REQUIRE(std::getline(file, line));
    std::istringstream values(line);
    for (std::int64_t i = 0; i < grid.size(); ++i) {
      values >> word;
#ifdef __FAST_MATH__  // divides by multiplying with the reciprocal
      REQUIRE(grid.data<float>()[i] == Catch::Approx(std::strtod(word.c_str(), nullptr)).margin(1e-6));
#else
      REQUIRE(static_cast<double>(grid.data<float>()[i]) == std::strtod(word.c_str(), nullptr));
#endif
    }
  }
  CHECK(cases == 9);
}

TEST_CASE("make_grid of strided and double input") {
  const ls::Tensor x = numbers({4, 3, 5, 6});
  const ls::AnyView turned = x.view().permute({0, 1, 3, 2}).narrow(0, 3, 4, -1);
  const ls::Tensor a = ls::make_grid(turned);
  const ls::Tensor b = ls::make_grid(ls::copy(turned).view());
  CHECK(std::equal(a.data<float>(), a.data<float>() + a.size(), b.data<float>(), b.data<float>() + b.size()));
  const ls::Tensor wide = ls::make_grid(ls::convert(turned, ls::DType::f64).view());
  CHECK(wide.dtype() == ls::DType::f64);
  CHECK(std::equal(a.data<float>(), a.data<float>() + a.size(), wide.data<double>()));
}

TEST_CASE("make_grid spreads NaN as torchvision does") {
  ls::Tensor x = numbers({2, 1, 2, 2});
  x.mutable_data<float>()[1] = std::bit_cast<float>(0x7FC00000u);
  const auto nans = [&](const ls::MakeGridOptions& options) {
    const ls::Tensor grid = ls::make_grid(x.view(), options);
    return std::count_if(grid.data<float>(), grid.data<float>() + grid.size(), [](float v) { return ls::is_nan(v); });
  };
  CHECK(nans({}) == 3);
  CHECK(nans({.normalization = ls::GridNormalization::batch}) == 24);
  CHECK(nans({.normalization = ls::GridNormalization::each}) == 12);
  CHECK(nans({.normalization = ls::GridNormalization::batch, .value_range = ls::Range{0, 1}}) == 3);
}

TEST_CASE("make_grid refuses what is no batch") {
  const float one = 1;
  const auto view = [&](const ls::Shape& shape) { return ls::AnyView(&one, ls::DType::f32, shape); };
  CHECK(std::string(error_of([&] { ls::make_grid(view({})); }).what()) == "make_grid: shape [] holds no image");
  CHECK(error_of([&] { ls::make_grid(view({0, 3, 2, 2})); }).code() == ls::ErrorCode::empty);
  CHECK(error_of([&] { ls::make_grid(view({1, 1, 1, 1, 1})); }).code() == ls::ErrorCode::invalid_argument);
  CHECK(std::string(error_of([&] {
                      ls::make_grid(view({1, 1}), {.columns = 0});
                    }).what()) == "make_grid: columns 0; expected 1 or more");
  CHECK(std::string(error_of([&] {
                      ls::make_grid(view({1, 1}), {.padding = -1});
                    }).what()) == "make_grid: padding -1; expected 0 or more");
  const ls::Tensor two = numbers({2, 1, 1, 1});
  CHECK(error_of([&] { ls::make_grid(two.view(), {.padding = std::int64_t{1} << 62}); }).code() ==
        ls::ErrorCode::too_large);
}

TEST_CASE("render_grid draws every pixel of every tile, enlarged") {
  const ls::Image picture = ls::render_grid(tiles(10, 3, 2), {.columns = 4, .zoom = 5});
  CHECK(count_colour(picture, {10, 20, 30}) == 10 * 6 * 25);
  CHECK(has_margin(picture));
  const ls::Image derived = ls::render_grid(tiles(10, 3, 3));
  CHECK(count_colour(derived, {10, 20, 30}) == 10 * 96 * 96);
}

TEST_CASE("titles, labels, captions and colour bars clip nothing") {
  for (const std::int64_t count : {1, 2, 7, 30}) {
    for (const std::int64_t side : {1, 3, 28, 200}) {
      ls::Grid grid = tiles(count, side, side);
      for (std::int64_t i = 0; i < count; ++i) grid.labels.push_back("a/label/that/is/long " + std::string(40, 'x'));
      ls::GridOptions options;
      options.title = std::string(200, 'W') + " and several words more \xFF 日本語";
      options.captions = {std::string(300, 'g'), "8 of 64 channels shown"};
      options.colour_bar = ls::ColourBar{.range = {-1.234567e-30, 9.87654e30}, .label = "a label of the bar"};
      options.column_labels.assign(static_cast<std::size_t>(std::min<std::int64_t>(count, 8)),
                                   "column with a long name");
      options.row_labels.assign(static_cast<std::size_t>((count - 1) / 8 + 1), "a row with a really rather long name");
      options.background = {250, 250, 250};
      const ls::Image picture = ls::render_grid(grid, options);
      INFO(count << " tiles of " << side);
      CHECK(has_margin(picture, options.background));
      CHECK(count_colour(picture, {10, 20, 30}) >= count * side * side);
    }
  }
}

TEST_CASE("tiles of all formats and sizes may stand together") {
  ls::Grid grid;
  grid.tiles = {ls::make_image(3, 9, ls::PixelFormat::gray), ls::make_image(9, 3, ls::PixelFormat::rgba),
                ls::make_image(5, 5, ls::PixelFormat::indexed)};
  grid.tiles[2].palette = {{1, 2, 3}};
  const ls::Image picture = ls::render_grid(grid, {.zoom = 2});
  CHECK(count_colour(picture, {1, 2, 3}) == 100);
  CHECK(count_colour(picture, {0, 0, 0}) == 2 * 27 * 4);
}

TEST_CASE("a grid beyond the cap is averaged down, and says so") {
  const ls::Image big = ls::make_image(9500, 9500, ls::PixelFormat::gray);
  ls::Grid grid;
  grid.tiles = {big};
  const ls::Image picture = ls::render_grid(grid);
  CHECK(static_cast<std::int64_t>(picture.pixels.size()) <= ls::max_image_bytes);
  CHECK(count_colour(picture, {0, 0, 0}) == 4750 * 4750);
}

TEST_CASE("render_grid names what it cannot draw") {
  const auto message = [](auto body) { return std::string(error_of(body).what()); };
  CHECK(error_of([] { ls::render_grid({}); }).code() == ls::ErrorCode::empty);
  CHECK(message([] { ls::render_grid({}); }) == "render_grid: no tiles given");
  ls::Grid grid = tiles(3, 2, 2);
  CHECK(message([&] { ls::render_grid(grid, {.columns = 0}); }) == "render_grid: columns 0; expected 1 or more");
  CHECK(message([&] { ls::render_grid(grid, {.zoom = 0}); }) == "render_grid: zoom 0; expected 1 to 4096");
  CHECK(message([&] { ls::render_grid(grid, {.padding = -1}); }) == "render_grid: padding -1; expected 0 to 4096");
  CHECK(message([&] {
          ls::render_grid(grid, {.row_labels = {"a", "b"}});
        }) == "render_grid: 2 row labels; expected none or 1");
  CHECK(message([&] {
          ls::render_grid(grid, {.colour_bar = ls::ColourBar{.range = {2, 1}}});
        }) == "render_grid: colour bar from 2 to 1; expected finite numbers, min <= max (and min > 0 on a log scale)");
  grid.labels = {"one"};
  CHECK(message([&] { ls::render_grid(grid); }) == "render_grid: 1 labels; expected none or 3");
  grid.labels.clear();
  grid.tiles[1].pixels.pop_back();
  CHECK(error_of([&] { ls::render_grid(grid); }).code() == ls::ErrorCode::invalid_argument);
}
