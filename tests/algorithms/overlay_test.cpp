#include <layerscope/algorithms/overlay.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/core/tensor.hpp>

#include <bit>
#include <cmath>
#include <cstdlib>
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

ls::Image random_image(std::int64_t width, std::int64_t height, ls::PixelFormat format) {
  ls::Image image = ls::make_image(width, height, format);
  const ls::Random random(3);
  for (std::size_t i = 0; i < image.pixels.size(); ++i)
    image.pixels[i] = static_cast<std::uint8_t>(random.below(i, format == ls::PixelFormat::indexed ? 4 : 256));
  if (format == ls::PixelFormat::indexed) image.palette = {{1, 2, 3}, {200, 0, 90}, {7, 255, 0}, {128, 128, 128}};
  return image;
}

ls::AnyView matrix(const std::vector<double>& values, std::int64_t height, std::int64_t width) {
  return {values.data(), ls::DType::f64, {height, width}};
}

ls::Rgb pixel(const ls::Image& image, std::int64_t x, std::int64_t y) {
  const std::uint8_t* p = image.at(x, y);
  return {p[0], p[1], p[2]};
}

int rounded(double value) {
  return static_cast<int>(std::floor(value + 0.5));
}

}  // namespace

TEST_CASE("overlay: each byte is the mean of image and colour, weighted by alpha") {
  const std::vector<double> values{0, 1, 2, 3, 4, 5};
  for (const auto format :
       {ls::PixelFormat::gray, ls::PixelFormat::rgb, ls::PixelFormat::rgba, ls::PixelFormat::indexed}) {
    const ls::Image image = random_image(3, 2, format);
    const ls::Image plain = ls::to_rgb(image);
    for (const double alpha : {0.0, 0.3, 1.0}) {
      const ls::Image result =
          ls::overlay(image, matrix(values, 2, 3), {.colormap = ls::Colormap::magma, .alpha = alpha});
      REQUIRE(result.format == (format == ls::PixelFormat::rgba ? ls::PixelFormat::rgba : ls::PixelFormat::rgb));
      for (std::int64_t i = 0; i < 6; ++i) {
        const ls::Rgb top = ls::colour(ls::Colormap::magma, values[static_cast<std::size_t>(i)] / 5);
        const ls::Rgb below = pixel(plain, i % 3, i / 3), now = pixel(result, i % 3, i / 3);
        CHECK(now.r == rounded((1 - alpha) * below.r + alpha * top.r));
        CHECK(now.g == rounded((1 - alpha) * below.g + alpha * top.g));
        CHECK(now.b == rounded((1 - alpha) * below.b + alpha * top.b));
        if (format == ls::PixelFormat::rgba) CHECK(result.at(i % 3, i / 3)[3] == image.at(i % 3, i / 3)[3]);
      }
    }
  }
}

TEST_CASE("overlay: proportional opacity follows the number, from the middle where the scale is symmetric") {
  const ls::Image image = ls::make_image(3, 1, ls::Rgb{100, 100, 100});
  const std::vector<double> values{0, 5, 10};
  const ls::Image one =
      ls::overlay(image, matrix(values, 1, 3),
                  {.colormap = ls::Colormap::gray, .alpha = 0.8, .opacity = ls::OverlayOpacity::proportional});
  CHECK(pixel(one, 0, 0) == ls::Rgb{100, 100, 100});
  CHECK(int{pixel(one, 1, 0).r} == rounded(0.6 * 100 + 0.4 * 128));
  CHECK(int{pixel(one, 2, 0).r} == rounded(0.2 * 100 + 0.8 * 255));
  const std::vector<double> sides{-4, 0, 2};
  const ls::Image two = ls::overlay(image, matrix(sides, 1, 3),
                                    {.colormap = ls::Colormap::blue_white_red,
                                     .normalization = ls::Normalization::symmetric,
                                     .alpha = 1,
                                     .opacity = ls::OverlayOpacity::proportional});
  CHECK(pixel(two, 0, 0) == ls::colour(ls::Colormap::blue_white_red, 0));
  CHECK(pixel(two, 1, 0) == ls::Rgb{100, 100, 100});
  const ls::Rgb half = ls::colour(ls::Colormap::blue_white_red, 0.75);
  CHECK(int{pixel(two, 2, 0).b} == rounded(0.5 * 100 + 0.5 * half.b));
}

TEST_CASE("overlay: mixing as light decodes and encodes sRGB") {
  const ls::Image black = ls::make_image(1, 1, ls::Rgb{0, 0, 0});
  const std::vector<double> top{1};
  const ls::OverlayOptions white{.colormap = ls::Colormap::gray,
                                 .normalization = ls::Normalization::fixed,
                                 .range = ls::Range{0, 1},
                                 .space = ls::BlendSpace::linear};
  // Half of the light of white is byte 188, not 128.
  CHECK(pixel(ls::overlay(black, matrix(top, 1, 1), white), 0, 0) == ls::Rgb{188, 188, 188});
  const ls::Image image = random_image(16, 16, ls::PixelFormat::rgb);
  ls::OverlayOptions nothing = white;
  nothing.alpha = 0;
  CHECK(ls::overlay(image, matrix(top, 1, 1), nothing) == image);  // decoding and encoding lose nothing
}

TEST_CASE("overlay: numbers are resampled to the image, then coloured") {
  const ls::Image image = ls::make_image(8, 8, ls::Rgb{10, 20, 30});
  const std::vector<double> values{0, 1, 2, 3};
  for (const auto filter : {ls::ResampleFilter::nearest, ls::ResampleFilter::bilinear, ls::ResampleFilter::lanczos}) {
    const ls::Image result =
        ls::overlay(image, matrix(values, 2, 2), {.colormap = ls::Colormap::viridis, .alpha = 1, .filter = filter});
    const ls::Tensor large = ls::resample(matrix(values, 2, 2), {8, 8}, {.filter = filter});
    for (std::int64_t i = 0; i < 64; ++i) {
      CHECK(pixel(result, i % 8, i / 8) == ls::colour(ls::Colormap::viridis, large.data<double>()[i] / 3));
    }
  }
}

TEST_CASE("overlay: what is not finite is drawn over its whole cell, and spoils nothing else") {
  const ls::Image image = ls::make_image(12, 12, ls::Rgb{50, 60, 70});
  const std::vector<double> values{0, 1, 2, nan64, 3, inf64, 4, -inf64, 5};
  const ls::Image result = ls::overlay(image, matrix(values, 3, 3),
                                       {.colormap = ls::Colormap::gray,
                                        .alpha = 1,
                                        .opacity = ls::OverlayOpacity::proportional,
                                        .filter = ls::ResampleFilter::nearest});
  for (std::int64_t y = 0; y < 12; ++y) {
    for (std::int64_t x = 0; x < 12; ++x) {
      const double value = values[static_cast<std::size_t>(y / 4 * 3 + x / 4)];
      const ls::Rgb now = pixel(result, x, y);
      if (y / 4 * 3 + x / 4 == 3) {
        CHECK(now == ls::Rgb{255, 0, 255});
      } else if (y / 4 * 3 + x / 4 == 5) {
        CHECK(now == ls::Rgb{0, 255, 0});
      } else if (y / 4 * 3 + x / 4 == 7) {
        CHECK(now == ls::Rgb{0, 255, 255});
      } else {
        const double share = value / 5;
        CHECK(int{now.r} == rounded((1 - share) * 50 + share * ls::colour(ls::Colormap::gray, share).r));
      }
    }
  }
  // One NaN among many that are averaged away is still seen.
  std::vector<double> many(32 * 32, 1.0);
  many[17 * 32 + 9] = nan64;
  many[0] = 0;
  const ls::Image small = ls::overlay(ls::make_image(4, 4, ls::Rgb{}), matrix(many, 32, 32), {.alpha = 1});
  for (std::int64_t i = 0; i < 16; ++i) {
    CHECK((pixel(small, i % 4, i / 4) == ls::Rgb{255, 0, 255}) == (i == 2 * 4 + 1));
  }
}

TEST_CASE("overlay: constant and hopeless maps") {
  const ls::Image image = ls::make_image(2, 2, ls::Rgb{0, 0, 0});
  const std::vector<double> same(4, 7.5), bad(4, nan64), huge{-1.7e308, 1.7e308, 0, 0};
  CHECK(pixel(ls::overlay(image, matrix(same, 2, 2), {.alpha = 1}), 1, 1) == ls::colour(ls::Colormap::turbo, 0.5));
  CHECK(pixel(ls::overlay(image, matrix(bad, 2, 2), {.alpha = 1}), 1, 1) == ls::Rgb{255, 0, 255});
  const std::vector<double> powers{1, 100, 0, 10};
  const ls::Image log =
      ls::overlay(image, matrix(powers, 2, 2),
                  {.colormap = ls::Colormap::gray, .normalization = ls::Normalization::log, .alpha = 1});
  CHECK(pixel(log, 1, 0).r == 255);
  CHECK(pixel(log, 0, 1).r == 0);
  CHECK(std::abs(pixel(log, 1, 1).r - 128) <= 1);
  LAYERSCOPE_NEEDS_IEEE_ROUNDING();
  CHECK(pixel(ls::overlay(image, matrix(huge, 2, 2), {.alpha = 1}), 1, 1) == ls::colour(ls::Colormap::turbo, 0.5));
}

TEST_CASE("overlay: the same with any number of threads, and for any view of the same numbers") {
  const ls::Image image = random_image(61, 47, ls::PixelFormat::rgb);
  ls::Tensor map(ls::DType::f32, {7, 9});
  const ls::Random random(5);
  for (std::int64_t i = 0; i < 63; ++i)
    map.mutable_data<float>()[i] = static_cast<float>(random.normal(static_cast<std::uint64_t>(i)));
  ls::Tensor turned(ls::DType::f32, {9, 7});
  for (std::int64_t i = 0; i < 63; ++i) turned.mutable_data<float>()[i % 9 * 7 + i / 9] = map.data<float>()[i];
  const ls::Image one = ls::overlay(image, map, {.threads = 1});
  CHECK(ls::overlay(image, map, {.threads = 8}) == one);
  CHECK(ls::overlay(image, turned.view().permute({1, 0}), {.threads = 2}) == one);
}

TEST_CASE("overlay: the picture has the image, the overlay, a scale and margins") {
  const ls::Image image = random_image(300, 40, ls::PixelFormat::rgba);
  const std::vector<double> values{0, 1, nan64, 3};
  const ls::Image both = ls::overlay_picture(image, matrix(values, 2, 2), {.title = "saliency", .label = "score"});
  const ls::Image alone =
      ls::overlay_picture(image, matrix(values, 2, 2), {.input = ls::OverlayPictureOptions::Input::hidden});
  CHECK(both.width > alone.width);
  for (const ls::Image& picture : {both, alone}) {
    for (std::int64_t x = 0; x < picture.width; ++x) {
      CHECK(pixel(picture, x, 0) == ls::Rgb{255, 255, 255});
      CHECK(pixel(picture, x, picture.height - 1) == ls::Rgb{255, 255, 255});
    }
  }
  const std::vector<double> bad(4, nan64);
  CHECK_NOTHROW(ls::overlay_picture(image, matrix(bad, 2, 2), {.title = "nothing to see"}));
}

TEST_CASE("overlay: bad input is named") {
  const ls::Image image = ls::make_image(2, 2, ls::Rgb{});
  const std::vector<double> values(8, 1.0);
  CHECK(std::string(error_of([&] { ls::overlay(image, matrix(values, 2, 2), {.alpha = 1.5}); }).what()) ==
        "overlay: alpha 1.5; expected 0 to 1");
  CHECK(error_of([&] { ls::overlay(image, matrix(values, 2, 2), {.alpha = nan64}); }).code() ==
        ls::ErrorCode::invalid_argument);
  const ls::AnyView cube(values.data(), ls::DType::f64, {2, 2, 2});
  CHECK(std::string(error_of([&] { ls::overlay(image, cube); }).what()) ==
        "overlay: shape [2, 2, 2]; expected [h, w] or [w]");
  CHECK(error_of([&] { ls::overlay(image, cube.narrow(0, 0, 0)); }).code() == ls::ErrorCode::empty);
  CHECK(error_of([&] {
          ls::overlay(image, matrix(values, 2, 2), {.normalization = ls::Normalization::fixed});
        }).code() == ls::ErrorCode::invalid_argument);
  ls::Image broken = image;
  broken.pixels.pop_back();
  CHECK(error_of([&] { ls::overlay_picture(broken, matrix(values, 2, 2)); }).code() == ls::ErrorCode::invalid_argument);
}
