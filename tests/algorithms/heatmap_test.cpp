#include <layerscope/algorithms/heatmap.hpp>
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

// By bits, so that -ffast-math cannot fold them away.
const double nan64 = std::bit_cast<double>(0x7FF8000000000000u);
const double inf64 = std::bit_cast<double>(0x7FF0000000000000u);

template <class T>
ls::AnyView matrix(const std::vector<T>& x, std::int64_t height) {
  return ls::AnyView(x.data(), ls::dtype_of<T>, {height, static_cast<std::int64_t>(x.size()) / height});
}

template <class T>
std::vector<int> indices(const std::vector<T>& x, ls::HeatmapOptions options = {}) {
  options.scale = 1;
  const ls::Image image = ls::heatmap(matrix(x, 1), options);
  REQUIRE(image.format == ls::PixelFormat::indexed);
  return {image.pixels.begin(), image.pixels.end()};
}

ls::Rgb pixel(const ls::Image& image, std::int64_t x, std::int64_t y) {
  const ls::Image rgb = ls::to_rgb(image);
  return {rgb.at(x, y)[0], rgb.at(x, y)[1], rgb.at(x, y)[2]};
}

}  // namespace

TEST_CASE("indices are floor(256 t) for every element type") {
  const std::vector<int> expected{0, 64, 128, 192, 255};
  CHECK(indices(std::vector<float>{0, 1, 2, 3, 4}) == expected);
  CHECK(indices(std::vector<double>{0, 1, 2, 3, 4}) == expected);
  CHECK(indices(std::vector<std::uint8_t>{0, 1, 2, 3, 4}) == expected);
  CHECK(indices(std::vector<std::int8_t>{-2, -1, 0, 1, 2}) == expected);
  CHECK(indices(std::vector<std::int64_t>{-20, -10, 0, 10, 20}) == expected);
  CHECK(indices(std::vector<ls::Half>{{0}, {0x3C00}, {0x4000}, {0x4200}, {0x4400}}) == expected);
  CHECK(indices(std::vector<ls::BFloat16>{{0}, {0x3F80}, {0x4000}, {0x4040}, {0x4080}}) == expected);
  CHECK(indices(std::vector<std::uint64_t>{0, 1u << 30, 2u << 30, 3u << 30, std::uint64_t{4} << 30}) == expected);
}

TEST_CASE("an indexed picture has the colormap as its palette") {
  const std::vector<float> x{0, 1};
  const ls::Image image = ls::heatmap(matrix(x, 1), {.colormap = ls::Colormap::magma});
  const auto table = ls::colormap_table(ls::Colormap::magma);
  CHECK(std::equal(image.palette.begin(), image.palette.end(), table.begin(), table.end()));
  ls::check_image(image, "test");
}

TEST_CASE("ranges beyond what float32 or float64 can subtract are mapped all the same") {
  const std::vector<int> expected{0, 128, 255};
  CHECK(indices(std::vector<float>{-3e38f, 0, 3e38f}) == expected);
  CHECK(indices(std::vector<double>{-1.7e308, 0, 1.7e308}) == expected);
  CHECK(indices(std::vector<double>{1e308, 1.3e308, 1.6e308}) == expected);
  CHECK(indices(std::vector<double>{1e300, 2e300, 3e300}) == expected);
#ifndef __FAST_MATH__  // which flushes subnormals to zero
  CHECK(indices(std::vector<float>{0, 2.8e-45f, 5.6e-45f}) == expected);
  CHECK(indices(std::vector<double>{0, 1e-323, 2e-323}) == expected);
#endif
}

TEST_CASE("a constant matrix gets the middle colour") {
  for (const auto normalization : {ls::Normalization::min_max, ls::Normalization::percentile, ls::Normalization::log}) {
    CHECK(indices(std::vector<float>{7, 7}, {.normalization = normalization}) == std::vector<int>{128, 128});
    CHECK(indices(std::vector<double>{7e300, 7e300}, {.normalization = normalization}) == std::vector<int>{128, 128});
  }
  CHECK(indices(std::vector<float>{0, 0}, {.normalization = ls::Normalization::symmetric}) ==
        std::vector<int>{128, 128});
}

TEST_CASE("normalisations choose the ends they promise") {
  std::vector<double> x(101);
  for (int i = 0; i <= 100; ++i) x[static_cast<std::size_t>((i * 37) % 101)] = i - 20;
  const auto range = [&](ls::HeatmapOptions options) { return ls::heatmap_scale(matrix(x, 1), options).range; };
  CHECK(range({}) == ls::Range{-20, 80});
  CHECK(range({.normalization = ls::Normalization::symmetric}) == ls::Range{-80, 80});
  CHECK(range({.normalization = ls::Normalization::log}) == ls::Range{1, 80});
  CHECK(range({.normalization = ls::Normalization::fixed, .range = ls::Range{-3, 5}}) == ls::Range{-3, 5});
  const ls::HeatmapScale percentile = ls::heatmap_scale(
      matrix(x, 1), {.normalization = ls::Normalization::percentile, .low_percentile = 10, .high_percentile = 95});
  CHECK(percentile.range == ls::Range{-10, 75});
  CHECK(percentile.below == 10);
  CHECK(percentile.above == 5);
  // numpy.percentile([1, 2, 4, 8], [25, 75]) = [1.75, 5.0]
  const std::vector<float> four{8, 1, 4, 2};
  const ls::Range quartiles =
      ls::heatmap_scale(matrix(four, 2),
                        {.normalization = ls::Normalization::percentile, .low_percentile = 25, .high_percentile = 75})
          .range;
  CHECK(quartiles.min == Catch::Approx(1.75));
  CHECK(quartiles.max == Catch::Approx(5.0));
  // Decades are a third of the map each; what has no logarithm takes the first colour.
  CHECK(indices(std::vector<double>{1, 10, 100, 1000, 0, -5}, {.normalization = ls::Normalization::log}) ==
        std::vector<int>{0, 85, 170, 255, 0, 0});
  const std::vector<double> low{-1, 0, 0, 1};
  CHECK(ls::heatmap_scale(matrix(low, 1), {.normalization = ls::Normalization::log}).below == 3);
}

TEST_CASE("the middle of a symmetric diverging map is white exactly at zero") {
  const std::vector<float> x{-0.5f, 0, 2};
  const ls::Image image = ls::heatmap(
      matrix(x, 1),
      {.colormap = ls::Colormap::blue_white_red, .normalization = ls::Normalization::symmetric, .scale = 1});
  CHECK(pixel(image, 1, 0) == ls::Rgb{255, 255, 255});
}

TEST_CASE("NaN and infinities have colours of their own and are counted") {
  const ls::HeatmapOptions options{.scale = 1};
  for (const ls::DType dtype : {ls::DType::f64, ls::DType::f32}) {
    std::vector<double> x{0, nan64, inf64, -inf64, 1, nan64};
    std::vector<float> narrow;
    for (const double value : x) narrow.push_back(static_cast<float>(value));
    narrow[1] = narrow[5] = std::bit_cast<float>(0x7FC00000u);
    narrow[2] = std::bit_cast<float>(0x7F800000u);
    narrow[3] = std::bit_cast<float>(0xFF800000u);
    const ls::AnyView view = dtype == ls::DType::f64 ? matrix(x, 2) : matrix(narrow, 2);
    const ls::HeatmapScale scale = ls::heatmap_scale(view, options);
    CHECK(scale.range == ls::Range{0, 1});
    CHECK(scale.nan_count == 2);
    CHECK(scale.positive_infinities == 1);
    CHECK(scale.negative_infinities == 1);
    const ls::Image image = ls::heatmap(view, options);
    CHECK(image.format == ls::PixelFormat::rgb);
    CHECK(pixel(image, 0, 0) == ls::colour(ls::Colormap::viridis, 0));
    CHECK(pixel(image, 1, 0) == options.nan_colour);
    CHECK(pixel(image, 2, 0) == options.positive_infinity_colour);
    CHECK(pixel(image, 0, 1) == options.negative_infinity_colour);
    CHECK(pixel(image, 1, 1) == ls::colour(ls::Colormap::viridis, 1));
  }
  const std::vector<double> nothing(4, nan64);
  CHECK(ls::heatmap_scale(matrix(nothing, 2)).range == ls::Range{0, 0});
  CHECK(pixel(ls::heatmap(matrix(nothing, 2), options), 1, 1) == options.nan_colour);
}

TEST_CASE("the colours of what is not finite are in no colormap") {
  const ls::HeatmapOptions options;
  for (const ls::Colormap map : ls::all_colormaps) {
    for (const ls::Rgb colour : ls::colormap_table(map)) {
      CHECK_FALSE(colour == options.nan_colour);
      CHECK_FALSE(colour == options.positive_infinity_colour);
      CHECK_FALSE(colour == options.negative_infinity_colour);
    }
  }
}

TEST_CASE("strides, transposes and broadcasts look like their contiguous copies, for any number of threads") {
  ls::Tensor x(ls::DType::f32, {300, 500});
  const ls::Random random(1);
  for (std::int64_t i = 0; i < x.size(); ++i) {
    x.mutable_data<float>()[i] = static_cast<float>(random.normal(static_cast<std::uint64_t>(i)));
  }
  const ls::AnyView whole = x.view();
  const ls::AnyView broadcast(whole.data(), whole.dtype(), {300, 500}, ls::Strides{0, 1});
  for (const ls::AnyView& view :
       {whole, whole.permute({1, 0}), whole.narrow(1, 499, 250, -2), whole.narrow(0, 299, 300, -1), broadcast}) {
    for (const auto normalization :
         {ls::Normalization::min_max, ls::Normalization::percentile, ls::Normalization::log}) {
      const ls::Image expected = ls::heatmap(ls::copy(view).view(), {.normalization = normalization, .threads = 1});
      for (const int threads : {1, 2, 8}) {
        CHECK(ls::heatmap(view, {.normalization = normalization, .threads = threads}) == expected);
      }
    }
  }
}

TEST_CASE("the scale enlarges by whole pixels; by itself up to 256") {
  const std::vector<float> x{0, 1, 2, 3, 4, 5};
  const ls::Image derived = ls::heatmap(matrix(x, 2));
  CHECK(derived.width == 255);
  CHECK(derived.height == 170);
  const ls::Image given = ls::heatmap(matrix(x, 2), {.scale = 2});
  CHECK(given.width == 6);
  CHECK(pixel(given, 5, 3) == ls::colour(ls::Colormap::viridis, 1));
  const std::vector<float> wide(1000);
  CHECK(ls::heatmap(matrix(wide, 1)).width == 1000);
  const ls::AnyView row(x.data(), ls::DType::f32, {6});
  CHECK(ls::heatmap(row, {.scale = 1}) == ls::heatmap(matrix(x, 1), {.scale = 1}));
}

TEST_CASE("several matrices on one scale") {
  const std::vector<float> x{0, 1};
  const ls::Image image = ls::heatmap(matrix(x, 1), {.range = {-1, 3}}, {.scale = 1});
  CHECK(std::vector<int>(image.pixels.begin(), image.pixels.end()) == std::vector<int>{64, 128});
}

TEST_CASE("heatmaps of nothing and options out of range are refused by name") {
  const float number = 1;
  const auto message = [](auto body) { return std::string(error_of(body).what()); };
  const auto view = [&](const ls::Shape& shape) { return ls::AnyView(&number, ls::DType::f32, shape); };
  CHECK(error_of([&] { ls::heatmap(view({})); }).code() == ls::ErrorCode::empty);
  CHECK(message([&] { ls::heatmap(view({})); }) == "heatmap: shape [] has nothing to show");
  CHECK(message([&] { ls::heatmap(view({0, 4})); }) == "heatmap: shape [0, 4] has nothing to show");
  CHECK(message([&] { ls::heatmap(ls::AnyView()); }) == "heatmap: shape [0] has nothing to show");
  CHECK(message([&] { ls::heatmap(view({1, 1, 1})); }) == "heatmap: shape [1, 1, 1]; expected [h, w] or [w]");
  CHECK(message([&] { ls::heatmap(view({1}), {.scale = 0}); }) == "heatmap: scale 0; expected 1 or more");
  CHECK(message([&] { ls::heatmap(view({1}), {.normalization = ls::Normalization::fixed}); }) ==
        "heatmap: normalization fixed without a range");
  CHECK(message([&] {
          ls::heatmap(view({1}), {.normalization = ls::Normalization::fixed, .range = ls::Range{2, 1}});
        }) == "heatmap: range 2 to 1; expected finite numbers, min <= max");
  CHECK(message([&] {
          ls::heatmap(view({1}),
                      {.normalization = ls::Normalization::percentile, .low_percentile = 60, .high_percentile = 40});
        }) == "heatmap: percentiles 60 and 40; expected 0 <= low < high <= 100");
  CHECK(error_of([&] { ls::heatmap(view({1}), {.scale = 1 << 20}); }).code() == ls::ErrorCode::too_large);
}
