#include <layerscope/algorithms/resample.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/random.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error.hpp"

namespace ls = layerscope;
using layerscope_test::error_of;

namespace {

ls::Image random_image(std::int64_t width, std::int64_t height, ls::PixelFormat format) {
  ls::Image image = ls::make_image(width, height, format);
  const ls::Random random(7);
  for (std::size_t i = 0; i < image.pixels.size(); ++i)
    image.pixels[i] = static_cast<std::uint8_t>(random.below(i, 256));
  if (format == ls::PixelFormat::indexed) {
    for (int i = 0; i < 256; ++i)
      image.palette.push_back({static_cast<std::uint8_t>(i), 7, static_cast<std::uint8_t>(255 - i)});
  }
  return image;
}

}  // namespace

TEST_CASE("upscale repeats pixels and downscale undoes it") {
  for (const auto format :
       {ls::PixelFormat::gray, ls::PixelFormat::rgb, ls::PixelFormat::rgba, ls::PixelFormat::indexed}) {
    const ls::Image image = random_image(5, 3, format);
    const ls::Image large = ls::upscale(image, 4);
    REQUIRE(large.width == 20);
    REQUIRE(large.height == 12);
    const int bytes = ls::channels(format);
    for (std::int64_t y = 0; y < 12; ++y) {
      for (std::int64_t x = 0; x < 20; ++x) {
        for (int c = 0; c < bytes; ++c) REQUIRE(large.at(x, y)[c] == image.at(x / 4, y / 4)[c]);
      }
    }
    const ls::Image back = ls::downscale(large, 5, 3);
    CHECK(back == (format == ls::PixelFormat::indexed ? ls::to_rgb(image) : image));
    CHECK(ls::upscale(image, 1) == image);
  }
}

TEST_CASE("downscale averages areas exactly, fractions of pixels too") {
  ls::Image image = ls::make_image(3, 1, ls::PixelFormat::gray);
  image.pixels = {0, 90, 255};
  // Two outputs of 1.5 pixels: (0 + 45) / 1.5 = 30 and (45 + 255) / 1.5 = 200.
  CHECK(ls::downscale(image, 2, 1).pixels == std::vector<std::uint8_t>{30, 200});
  CHECK(ls::downscale(image, 1, 1).pixels == std::vector<std::uint8_t>{115});
  const std::vector<double> x{0, 90, 255};
  const ls::Tensor half = ls::downscale(ls::AnyView(x.data(), ls::DType::f64, {1, 3}), 1, 2);
  CHECK(half.data<double>()[0] == Catch::Approx(30).epsilon(1e-15));
  CHECK(half.data<double>()[1] == Catch::Approx(200).epsilon(1e-15));
}

TEST_CASE("a constant matrix stays exactly constant, and huge numbers stay finite") {
  for (const double value : {0.1, -3.7e300, 1.7e308, 5e-324}) {
    const std::vector<double> x(7 * 11, value);
    const ls::Tensor small = ls::downscale(ls::AnyView(x.data(), ls::DType::f64, {7, 11}), 3, 4);
    for (std::int64_t i = 0; i < small.size(); ++i)
      CHECK(small.data<double>()[i] == Catch::Approx(value).epsilon(1e-14));
  }
}

TEST_CASE("numbers that are not finite are left out, or kept where nothing else is") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double inf = std::numeric_limits<double>::infinity();
  const std::vector<double> x{1, nan, nan, nan, inf, inf, -inf, nan, nan, inf};
  const ls::Tensor small = ls::downscale(ls::AnyView(x.data(), ls::DType::f64, {1, 10}), 1, 5);
  CHECK(small.data<double>()[0] == 1);
  CHECK(ls::is_nan(small.data<double>()[1]));
  CHECK_FALSE(ls::is_finite(small.data<double>()[2]));
  CHECK_FALSE(ls::is_nan(small.data<double>()[2]));
  CHECK_FALSE(ls::sign_bit(small.data<double>()[2]));
  CHECK(ls::is_nan(small.data<double>()[3]));
  CHECK(ls::is_nan(small.data<double>()[4]));
}

TEST_CASE("element types and strides give what the contiguous float copy gives") {
  const std::vector<std::int32_t> x{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const ls::AnyView whole(x.data(), ls::DType::i32, {3, 4});
  for (const ls::AnyView& view : {whole, whole.permute({1, 0}), whole.narrow(1, 3, 4, -1), whole.narrow(0, 0, 2, 2),
                                  ls::AnyView(x.data(), ls::DType::i32, {3, 4}, ls::Strides{0, 1})}) {
    const ls::Tensor plain = ls::convert(view, ls::DType::f32);
    const ls::Tensor a = ls::downscale(view, 2, 2);
    const ls::Tensor b = ls::downscale(plain.view(), 2, 2);
    for (int i = 0; i < 4; ++i) CHECK(a.data<float>()[i] == b.data<float>()[i]);
  }
}

TEST_CASE("the reduction is the smallest that fits") {
  CHECK(ls::reduction_to_fit(100, 100, 3, 30000) == 1);
  CHECK(ls::reduction_to_fit(100, 100, 3, 29999) == 2);
  CHECK(ls::reduction_to_fit(1000, 1, 1, 10) == 100);
  CHECK(ls::reduction_to_fit(std::numeric_limits<std::int64_t>::max(), 1, 1, 1) ==
        std::numeric_limits<std::int64_t>::max());
  for (std::int64_t width = 1; width < 40; ++width) {
    const std::int64_t factor = ls::reduction_to_fit(width, 2 * width, 1, 50);
    const auto pixels = [&](std::int64_t f) { return ((width - 1) / f + 1) * ((2 * width - 1) / f + 1); };
    CHECK(pixels(factor) <= 50);
    if (factor > 1) CHECK(pixels(factor - 1) > 50);
  }
}

TEST_CASE("sizes that make no sense are named") {
  const ls::Image image = random_image(5, 3, ls::PixelFormat::rgb);
  CHECK(std::string(error_of([&] { ls::upscale(image, 0); }).what()) == "upscale: factor 0; expected 1 or more");
  CHECK(error_of([&] { ls::upscale(image, std::int64_t{1} << 62); }).code() == ls::ErrorCode::too_large);
  CHECK(error_of([&] { ls::upscale(image, 1 << 20); }).code() == ls::ErrorCode::too_large);
  CHECK(std::string(error_of([&] { ls::downscale(image, 6, 3); }).what()) ==
        "downscale: width 6; expected 1 to the 5 given");
  CHECK(error_of([&] { ls::downscale(image, 5, 0); }).code() == ls::ErrorCode::invalid_argument);
  const float number = 1;
  CHECK(error_of([&] { ls::downscale(ls::AnyView(&number, ls::DType::f32, {}), 1, 1); }).code() ==
        ls::ErrorCode::empty);
  CHECK(error_of([&] {
          ls::downscale(ls::AnyView(&number, ls::DType::f32, {0, 3}), 1, 1);
        }).code() == ls::ErrorCode::empty);
  CHECK(error_of([&] {
          ls::downscale(ls::AnyView(&number, ls::DType::f32, {1, 1, 1}), 1, 1);
        }).code() == ls::ErrorCode::invalid_argument);
  ls::Image broken = image;
  broken.pixels.pop_back();
  CHECK(error_of([&] { ls::upscale(broken, 2); }).code() == ls::ErrorCode::invalid_argument);
}
