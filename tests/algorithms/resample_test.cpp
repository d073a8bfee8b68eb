#include <layerscope/algorithms/resample.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error.hpp"

namespace ls = layerscope;
using layerscope_test::error_of;

namespace {

constexpr ls::ResampleFilter all_filters[] = {ls::ResampleFilter::nearest, ls::ResampleFilter::area,
                                              ls::ResampleFilter::bilinear, ls::ResampleFilter::lanczos};

/// The numbers of tests/reference/resample.py.
ls::Tensor numbers(std::int64_t height, std::int64_t width) {
  ls::Tensor x(ls::DType::f32, {height, width});
  for (std::int64_t i = 0; i < x.size(); ++i) {
    x.mutable_data<float>()[i] = static_cast<float>((i * 7919) % 1009 - 500) / 64.0f;
  }
  return x;
}

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

TEST_CASE("upscale repeats pixels and averaging undoes it") {
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
    const ls::Image back = ls::resample(large, 5, 3);
    CHECK(back == (format == ls::PixelFormat::indexed ? ls::to_rgb(image) : image));
    CHECK(ls::upscale(image, 1) == image);
  }
}

TEST_CASE("areas are averaged exactly, fractions of pixels too") {
  ls::Image image = ls::make_image(3, 1, ls::PixelFormat::gray);
  image.pixels = {0, 90, 255};
  // Two outputs of 1.5 pixels: (0 + 45) / 1.5 = 30 and (45 + 255) / 1.5 = 200.
  CHECK(ls::resample(image, 2, 1).pixels == std::vector<std::uint8_t>{30, 200});
  CHECK(ls::resample(image, 1, 1).pixels == std::vector<std::uint8_t>{115});
  const std::vector<double> x{0, 90, 255};
  const ls::Tensor half = ls::resample(ls::AnyView(x.data(), ls::DType::f64, {1, 3}), {1, 2});
  CHECK(half.data<double>()[0] == Catch::Approx(30).epsilon(1e-15));
  CHECK(half.data<double>()[1] == Catch::Approx(200).epsilon(1e-15));
}

TEST_CASE("a constant matrix stays exactly constant, and huge numbers stay finite") {
  for (const double value : {0.1, -3.7e300, 1.7e308, 5e-324}) {
    const std::vector<double> x(7 * 11, value);
    for (const ls::ResampleFilter filter : all_filters) {
      for (const ls::Shape& shape : {ls::Shape{3, 4}, ls::Shape{9, 30}}) {
        const ls::Tensor other =
            ls::resample(ls::AnyView(x.data(), ls::DType::f64, {7, 11}), shape, {.filter = filter});
        for (std::int64_t i = 0; i < other.size(); ++i) {
          if (value == 5e-324 && filter != ls::ResampleFilter::nearest && filter != ls::ResampleFilter::area) continue;
          CHECK(other.data<double>()[i] == Catch::Approx(value).epsilon(1e-14));
        }
      }
    }
  }
}

TEST_CASE("numbers that are not finite are left out, or kept where nothing else is") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double inf = std::numeric_limits<double>::infinity();
  const std::vector<double> x{1, nan, nan, nan, inf, inf, -inf, nan, nan, inf};
  const ls::Tensor small = ls::resample(ls::AnyView(x.data(), ls::DType::f64, {1, 10}), {1, 5});
  CHECK(small.data<double>()[0] == 1);
  CHECK(ls::is_nan(small.data<double>()[1]));
  CHECK_FALSE(ls::is_finite(small.data<double>()[2]));
  CHECK_FALSE(ls::is_nan(small.data<double>()[2]));
  CHECK_FALSE(ls::sign_bit(small.data<double>()[2]));
  CHECK(ls::is_nan(small.data<double>()[3]));
  CHECK(ls::is_nan(small.data<double>()[4]));
}

TEST_CASE("all filters give Pillow's numbers, up and down") {
  std::ifstream file(LAYERSCOPE_TESTS_DIR "/reference/resample.txt");
  int cases = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    INFO(line.substr(0, 60));
    std::istringstream words(line);
    std::string filter;
    std::int64_t height = 0, width = 0, to_height = 0, to_width = 0;
    REQUIRE(words >> filter >> height >> width >> to_height >> to_width);
    const auto* const found =
        std::find_if(std::begin(all_filters), std::end(all_filters), [&](auto one) { return ls::name(one) == filter; });
    REQUIRE(found != std::end(all_filters));
    const ls::Tensor result = ls::resample(numbers(height, width), {to_height, to_width}, {.filter = *found});
    for (std::int64_t i = 0; i < result.size(); ++i) {
      double expected = 0;
      REQUIRE(words >> expected);
      CHECK(static_cast<double>(result.data<float>()[i]) == Catch::Approx(expected).margin(1e-5).epsilon(1e-6));
    }
    ++cases;
  }
  CHECK(cases == 26);
}

TEST_CASE("images give Pillow's bytes, or their neighbours") {
  // Pillow rounds between the passes too, in fixed-point numbers.
  std::ifstream file(LAYERSCOPE_TESTS_DIR "/reference/resample_image.txt");
  int cases = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    INFO(line.substr(0, 60));
    std::istringstream words(line);
    std::string filter, mode;
    std::int64_t to_width = 0, to_height = 0;
    REQUIRE(words >> filter >> mode >> to_width >> to_height);
    const ls::PixelFormat format = mode == "L"     ? ls::PixelFormat::gray
                                   : mode == "RGB" ? ls::PixelFormat::rgb
                                                   : ls::PixelFormat::rgba;
    ls::Image image = ls::make_image(11, 7, format);
    for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(i * 7919 % 251);
    const auto* const found =
        std::find_if(std::begin(all_filters), std::end(all_filters), [&](auto one) { return ls::name(one) == filter; });
    const ls::Image result = ls::resample(image, to_width, to_height, {.filter = *found});
    const int bytes = ls::channels(format);
    for (std::size_t i = 0; i < result.pixels.size(); ++i) {
      int expected = 0;
      REQUIRE(words >> expected);
      // Pillow stores colours times alpha in 8 bits, which leaves little of the colour where alpha is small.
      const int alpha = format == ls::PixelFormat::rgba ? result.pixels[i - i % 4 + 3] : 255;
      const int slack = format == ls::PixelFormat::rgba && bytes * alpha > 0 ? 1 + 510 / (std::max)(alpha, 1) : 1;
      if (alpha < 8) continue;
      CHECK(std::abs(result.pixels[i] - expected) <= slack);
    }
    ++cases;
  }
  CHECK(cases == 6);
}

TEST_CASE("a channel of an image is the matrix of its bytes, rounded and clamped") {
  const ls::Image image = random_image(23, 17, ls::PixelFormat::rgb);
  const ls::AnyView bytes(image.pixels.data(), ls::DType::u8, {17, 23, 3});
  for (const ls::ResampleFilter filter : all_filters) {
    for (const ls::Shape& shape : {ls::Shape{40, 9}, ls::Shape{5, 51}}) {
      const ls::Image result = ls::resample(image, shape[1], shape[0], {.filter = filter});
      for (int c = 0; c < 3; ++c) {
        const ls::Tensor channel =
            ls::resample(ls::convert(bytes.select(2, c), ls::DType::f64), shape, {.filter = filter});
        for (std::int64_t i = 0; i < channel.size(); ++i) {
          const double value = (std::clamp)(channel.data<double>()[i], 0.0, 255.0);
          CHECK(std::fabs(result.pixels[static_cast<std::size_t>(3 * i + c)] - value) <= 0.5 + 1e-9);
        }
      }
    }
  }
}

TEST_CASE("bilinear and Lanczos reproduce straight lines inside, and bilinear never overshoots") {
  ls::Tensor ramp(ls::DType::f64, {1, 64});
  for (int i = 0; i < 64; ++i) ramp.mutable_data<double>()[i] = 3.0 * i - 20;
  const ls::Tensor up = ls::resample(ramp, {1, 128}, {.filter = ls::ResampleFilter::bilinear});
  for (int i = 1; i < 127; ++i) CHECK(up.data<double>()[i] == Catch::Approx(3 * ((i + 0.5) / 2 - 0.5) - 20));
  const ls::Tensor down = ls::resample(ramp, {1, 16}, {.filter = ls::ResampleFilter::lanczos});
  for (int i = 3; i < 13; ++i) CHECK(down.data<double>()[i] == Catch::Approx(3 * (4 * i + 1.5) - 20).margin(0.01));
  ls::Tensor edge(ls::DType::f32, {1, 8});
  for (int i = 4; i < 8; ++i) edge.mutable_data<float>()[i] = 1;
  const ls::Tensor smooth = ls::resample(edge, {1, 37}, {.filter = ls::ResampleFilter::bilinear});
  const ls::Tensor sharp = ls::resample(edge, {1, 37}, {.filter = ls::ResampleFilter::lanczos});
  float most = 0;
  for (int i = 0; i < 37; ++i) {
    CHECK(smooth.data<float>()[i] >= 0);
    CHECK(smooth.data<float>()[i] <= 1);
    most = (std::max)(most, sharp.data<float>()[i]);
  }
  CHECK(most > 1.05f);
}

TEST_CASE("the largest numbers do not overflow, in lanczos neither") {
  constexpr double huge = std::numeric_limits<double>::max();
  const std::vector<double> x{huge, huge, -huge, -huge, huge, huge};
  const std::vector<float> y{3.4e38f, 3.4e38f, -3.4e38f, -3.4e38f, 3.4e38f, 3.4e38f};
  for (const ls::ResampleFilter filter : all_filters) {
    for (const std::int64_t width : {4, 17}) {
      const ls::Tensor a = ls::resample(ls::AnyView(x.data(), ls::DType::f64, {1, 6}), {3, width}, {.filter = filter});
      const ls::Tensor b = ls::resample(ls::AnyView(y.data(), ls::DType::f32, {1, 6}), {3, width}, {.filter = filter});
      for (std::int64_t i = 0; i < a.size(); ++i) {
        CHECK(ls::is_finite(a.data<double>()[i]));
        CHECK(ls::is_finite(b.data<float>()[i]));
      }
      const bool averages = filter == ls::ResampleFilter::nearest || filter == ls::ResampleFilter::area;
      if (averages) CHECK(a.data<double>()[0] == Catch::Approx(huge).epsilon(1e-9));
    }
  }
}

TEST_CASE("one number that is not finite changes nothing out of its reach") {
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
                           -std::numeric_limits<double>::infinity()}) {
    ls::Tensor x = ls::convert(numbers(20, 30), ls::DType::f64);
    for (const ls::Shape& shape : {ls::Shape{20, 30}, ls::Shape{40, 45}, ls::Shape{7, 30}, ls::Shape{5, 8}}) {
      for (const ls::ResampleFilter filter : all_filters) {
        const ls::Tensor clean = ls::resample(x, shape, {.filter = filter});
        ls::Tensor spoilt = x;
        spoilt.mutable_data<double>()[10 * 30 + 15] = bad;
        const ls::Tensor result = ls::resample(spoilt, shape, {.filter = filter});
        const double reach = filter == ls::ResampleFilter::lanczos ? 3 : 1;
        const double step_y = 20.0 / static_cast<double>(shape[0]), step_x = 30.0 / static_cast<double>(shape[1]);
        int untouched = 0, lost = 0;
        for (std::int64_t r = 0; r < shape[0]; ++r) {
          for (std::int64_t c = 0; c < shape[1]; ++c) {
            const double value = result.data<double>()[r * shape[1] + c];
            if (!ls::is_finite(value)) {
              ++lost;
              CHECK(ls::is_nan(value) == ls::is_nan(bad));
              CHECK((ls::is_nan(bad) || ls::sign_bit(value) == ls::sign_bit(bad)));
              continue;
            }
            CHECK(std::fabs(value) <= 12);
            const double dy = std::fabs((static_cast<double>(r) + 0.5) * step_y - 10.5);
            const double dx = std::fabs((static_cast<double>(c) + 0.5) * step_x - 15.5);
            if (dy > reach * (std::max)(step_y, 1.0) + 0.5 || dx > reach * (std::max)(step_x, 1.0) + 0.5) {
              ++untouched;
              CHECK(value == Catch::Approx(clean.data<double>()[r * shape[1] + c]).margin(1e-12));
            }
          }
        }
        CHECK(untouched > 0);
        const bool same = shape == ls::Shape{20, 30};
        if (same) CHECK(lost == 1);
        if (shape == ls::Shape{5, 8} && filter != ls::ResampleFilter::nearest) CHECK(lost == 0);
      }
    }
  }
}

TEST_CASE("the same bits with any number of threads") {
  const ls::Tensor x = numbers(203, 97);
  ls::Tensor spoilt = x;
  spoilt.mutable_data<float>()[5000] = std::numeric_limits<float>::quiet_NaN();
  const ls::Image image = random_image(203, 97, ls::PixelFormat::rgba);
  for (const ls::ResampleFilter filter : all_filters) {
    for (const ls::Shape& shape : {ls::Shape{71, 33}, ls::Shape{409, 211}}) {
      const auto bits = [&](const ls::Tensor& from, int threads) {
        const ls::Tensor result = ls::resample(from, shape, {.filter = filter, .threads = threads});
        std::vector<std::uint32_t> words(static_cast<std::size_t>(result.size()));
        std::memcpy(words.data(), result.raw(), result.bytes());
        return words;
      };
      for (const int threads : {2, 8}) {
        CHECK(bits(x, threads) == bits(x, 1));
        CHECK(bits(spoilt, threads) == bits(spoilt, 1));
        CHECK(ls::resample(image, shape[1], shape[0], {.filter = filter, .threads = threads}) ==
              ls::resample(image, shape[1], shape[0], {.filter = filter, .threads = 1}));
      }
    }
  }
}

TEST_CASE("nearest keeps palettes, and transparent pixels do not shine through") {
  const ls::Image indexed = random_image(9, 5, ls::PixelFormat::indexed);
  const ls::Image larger = ls::resample(indexed, 18, 10, {.filter = ls::ResampleFilter::nearest});
  CHECK(larger == ls::upscale(indexed, 2));
  ls::Image two = ls::make_image(2, 1, ls::PixelFormat::rgba);
  two.pixels = {200, 100, 50, 255, 0, 255, 0, 0};  // opaque, and green that nobody sees
  const ls::Image one = ls::resample(two, 1, 1);
  CHECK(one.pixels == std::vector<std::uint8_t>{200, 100, 50, 128});
}

TEST_CASE("element types and strides give what the contiguous float copy gives") {
  const std::vector<std::int32_t> x{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const ls::AnyView whole(x.data(), ls::DType::i32, {3, 4});
  for (const ls::AnyView& view : {whole, whole.permute({1, 0}), whole.narrow(1, 3, 4, -1), whole.narrow(0, 0, 2, 2),
                                  ls::AnyView(x.data(), ls::DType::i32, {3, 4}, ls::Strides{0, 1})}) {
    const ls::Tensor plain = ls::convert(view, ls::DType::f32);
    for (const ls::ResampleFilter filter : all_filters) {
      const ls::Tensor a = ls::resample(view, {2, 5}, {.filter = filter});
      const ls::Tensor b = ls::resample(plain.view(), {2, 5}, {.filter = filter});
      for (int i = 0; i < 10; ++i) CHECK(a.data<float>()[i] == b.data<float>()[i]);
    }
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
  CHECK(std::string(error_of([&] { ls::resample(image, 6, 0); }).what()) ==
        "resample: 6 × 0 pixels; expected sides of 1 or more");
  CHECK(error_of([&] { ls::resample(image, 1 << 20, 1 << 20); }).code() == ls::ErrorCode::too_large);
  const float number = 1;
  const auto of = [&](const ls::Shape& from, const ls::Shape& to) {
    return error_of([&] { ls::resample(ls::AnyView(&number, ls::DType::f32, from), to); });
  };
  CHECK(of({}, {1, 1}).code() == ls::ErrorCode::empty);
  CHECK(of({0, 3}, {1, 1}).code() == ls::ErrorCode::empty);
  CHECK(of({1, 1, 1}, {1, 1}).code() == ls::ErrorCode::invalid_argument);
  CHECK(std::string(of({1, 1}, {3}).what()) == "resample: to shape [3]; expected [height, width] of 1 or more");
  CHECK(of({1, 1}, {0, 3}).code() == ls::ErrorCode::invalid_argument);
  CHECK(of({1, 1}, {1, std::int64_t{1} << 31}).code() == ls::ErrorCode::too_large);
  ls::Image broken = image;
  broken.pixels.pop_back();
  CHECK(error_of([&] { ls::upscale(broken, 2); }).code() == ls::ErrorCode::invalid_argument);
}
