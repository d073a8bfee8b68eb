#include <layerscope/core/kernels/fft.hpp>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <numbers>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "core/kernels/levels.hpp"
#include "support/catch.hpp"
#include "support/error.hpp"

namespace ls = layerscope;

namespace {

using Floats = std::vector<float>;

std::size_t product(std::int64_t a, std::int64_t b) {
  return static_cast<std::size_t>(a * b);
}

struct Spectrum {
  explicit Spectrum(const ls::RealFft2d& fft)
      : re(static_cast<std::size_t>(fft.spectrum_size())), im(re.size()), columns(fft.spectrum_columns()) {}
  std::complex<double> at(std::int64_t row, std::int64_t column) const {
    const std::size_t i = product(row, columns) + static_cast<std::size_t>(column);
    return {static_cast<double>(re[i]), static_cast<double>(im[i])};
  }
  Floats re, im;
  std::int64_t columns;
};

Spectrum forward(const ls::RealFft2d& fft, const Floats& x, int threads = 1) {
  Spectrum spectrum(fft);
  fft.forward(x.data(), {fft.rows(), fft.columns(), fft.columns()}, spectrum.re.data(), spectrum.im.data(), threads);
  return spectrum;
}

/// Σ_rc x[r, c] e^(−2πi (ar / rows + bc / columns)), in double, an axis at a time.
std::vector<std::complex<double>> by_definition(const Floats& x, std::int64_t rows, std::int64_t columns) {
  const auto wave = [](std::int64_t k, std::int64_t n) {
    return std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(k % n) / static_cast<double>(n));
  };
  const std::int64_t half = columns / 2 + 1;
  std::vector<std::complex<double>> across(product(rows, half)), result(product(rows, half));
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t b = 0; b < half; ++b) {
      std::complex<double>& sum = across[product(r, half) + static_cast<std::size_t>(b)];
      for (std::int64_t c = 0; c < columns; ++c) {
        sum += static_cast<double>(x[product(r, columns) + static_cast<std::size_t>(c)]) * wave(b * c, columns);
      }
    }
  }
  for (std::int64_t a = 0; a < rows; ++a) {
    for (std::int64_t b = 0; b < half; ++b) {
      std::complex<double>& sum = result[product(a, half) + static_cast<std::size_t>(b)];
      for (std::int64_t r = 0; r < rows; ++r) {
        sum += across[product(r, half) + static_cast<std::size_t>(b)] * wave(a * r, rows);
      }
    }
  }
  return result;
}

const std::vector<std::pair<std::int64_t, std::int64_t>> sizes{
    {1, 1},   {1, 2},   {2, 1},   {1, 45},  {50, 1},  {3, 5},           {4, 4},    {5, 3},
    {30, 27}, {36, 40}, {25, 24}, {64, 50}, {60, 45}, {33 * 3 - 3, 81}, {100, 125}};

}  // namespace

TEST_CASE("the forward transform is the one of numpy.fft.rfft2") {
  std::ifstream file(LAYERSCOPE_TESTS_DIR "/reference/fft.txt");
  REQUIRE(file);
  std::string line;
  std::getline(file, line);
  int compared = 0;
  while (std::getline(file, line)) {
    std::istringstream numbers(line);
    std::int64_t rows = 0, columns = 0;
    numbers >> rows >> columns;
    Floats x(product(rows, columns));
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = static_cast<float>(static_cast<std::int64_t>(i * 7919 % 1009) - 500) / 64;
    }
    const ls::RealFft2d fft(rows, columns);
    const Spectrum found = forward(fft, x);
    for (std::int64_t a = 0; a < rows; ++a) {
      for (std::int64_t b = 0; b < fft.spectrum_columns(); ++b) {
        double re = 0, im = 0;
        REQUIRE(numbers >> re >> im);
        const double scale = 8 * std::sqrt(static_cast<double>(rows * columns));
        CHECK(std::abs(found.at(a, b) - std::complex<double>(re, im)) < 1e-6 * scale);
      }
    }
    ++compared;
  }
  CHECK(compared == 10);
}

TEST_CASE("the forward transform is the definition's, the inverse one undoes it") {
  for (const auto& [rows, columns] : sizes) {
    CAPTURE(rows, columns);
    const ls::RealFft2d fft(rows, columns);
    const Floats x = random_values(rows * columns, 3);
    Spectrum found = forward(fft, x);
    const auto expected = by_definition(x, rows, columns);
    double error = 0, power = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      error += std::norm(expected[i] -
                         std::complex<double>(static_cast<double>(found.re[i]), static_cast<double>(found.im[i])));
      power += std::norm(expected[i]);
    }
    CHECK(std::sqrt(error / power) < 5e-7);
    Floats back(x.size());
    fft.inverse(found.re.data(), found.im.data(), back.data(), {rows, columns, columns}, 1);
    float worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i) worst = (std::max)(worst, std::abs(back[i] - x[i]));
    CHECK(worst < 2e-6F);
  }
}

TEST_CASE("a corner is the matrix with zeros around it, and no number beyond it is touched") {
  constexpr std::int64_t rows = 36, columns = 50;
  const ls::RealFft2d fft(rows, columns);
  for (const auto& [height, width] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {7, 13}, {17, 50}, {36, 9}}) {
    const std::int64_t stride = width + 3;
    Floats corner = random_values(height * stride, 5);
    Floats whole(product(rows, columns), 0.0F);
    for (std::int64_t r = 0; r < height; ++r) {
      std::copy_n(corner.data() + r * stride, width, whole.data() + r * columns);
    }
    Spectrum found(fft);
    fft.forward(corner.data(), {height, width, stride}, found.re.data(), found.im.data(), 1);
    const Spectrum expected = forward(fft, whole);
    float apart = 0;  // two rows share one transform, so a row of zeros takes its partner's rounding
    for (std::size_t i = 0; i < found.re.size(); ++i) {
      apart = (std::max)({apart, std::abs(found.re[i] - expected.re[i]), std::abs(found.im[i] - expected.im[i])});
    }
    CHECK(apart < 2e-5F);

    Floats out(product(height, stride), -7.0F);
    fft.inverse(found.re.data(), found.im.data(), out.data(), {height, width, stride}, 1);
    for (std::int64_t r = 0; r < height; ++r) {
      for (std::int64_t c = 0; c < stride; ++c) {
        const float value = out[static_cast<std::size_t>(r * stride + c)];
        if (c < width) {
          CHECK(std::abs(value - corner[static_cast<std::size_t>(r * stride + c)]) < 2e-6F);
        } else {
          CHECK(value == -7.0F);
        }
      }
    }
  }
}

TEST_CASE("a filter is the product of two transforms: a circular convolution") {
  constexpr std::int64_t rows = 20, columns = 24;
  const ls::RealFft2d fft(rows, columns);
  // A symmetric kernel, so that its transform is real.
  Floats kernel(product(rows, columns));
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      const auto dr = static_cast<float>((std::min)(r, rows - r)), dc = static_cast<float>((std::min)(c, columns - c));
      kernel[static_cast<std::size_t>(r * columns + c)] = 1 / (1 + dr * dr + dc * dc);
    }
  }
  const Spectrum transfer = forward(fft, kernel);
  const Floats x = random_values(rows * columns, 11);
  Floats found = x, scratch(2 * static_cast<std::size_t>(fft.spectrum_size()));
  fft.filter(found.data(), {rows, columns, columns}, transfer.re.data(), scratch.data(), 1);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      double expected = 0;
      for (std::int64_t i = 0; i < rows; ++i) {
        for (std::int64_t j = 0; j < columns; ++j) {
          const std::int64_t k = (r - i + rows) % rows * columns + (c - j + columns) % columns;
          expected += static_cast<double>(x[static_cast<std::size_t>(i * columns + j)]) *
                      static_cast<double>(kernel[static_cast<std::size_t>(k)]);
        }
      }
      CHECK(std::abs(static_cast<double>(found[static_cast<std::size_t>(r * columns + c)]) - expected) < 2e-5);
    }
  }
}

TEST_CASE("transforms have the same bits for any number of threads") {
  const ls::RealFft2d fft(120, 96);
  const Floats x = random_values(120 * 96, 2);
  const Spectrum one = forward(fft, x, 1);
  for (const int threads : {2, 8}) {
    const Spectrum many = forward(fft, x, threads);
    CHECK(std::memcmp(one.re.data(), many.re.data(), one.re.size() * sizeof(float)) == 0);
    CHECK(std::memcmp(one.im.data(), many.im.data(), one.im.size() * sizeof(float)) == 0);
  }
}

TEST_CASE("imaginary parts of frequencies that mirror themselves are passed over along a row, as numpy does") {
  const ls::RealFft2d fft(1, 8);
  Floats re(5, 0.0F), im{3.0F, 0.0F, 0.0F, 0.0F, 5.0F}, x(8);
  re[0] = 8;
  fft.inverse(re.data(), im.data(), x.data(), {1, 8, 8}, 1);
  for (const float value : x) CHECK(value == 1.0F);
}

TEST_CASE("sizes with other prime factors are refused, and the next good one is found") {
  for (const std::int64_t size : {-4, 0, 7, 22, 26}) {
    const ls::Error error = layerscope_test::error_of([&] { ls::RealFft2d(size, 4); });
    CHECK(error.code() == ls::ErrorCode::invalid_argument);
    CHECK_THAT(error.what(), Catch::Matchers::ContainsSubstring(std::to_string(size)));
    CHECK_THROWS_AS(ls::RealFft2d(4, size), ls::Error);
  }
  CHECK(ls::RealFft2d::good_size(-3) == 1);
  CHECK(ls::RealFft2d::good_size(7) == 8);
  CHECK(ls::RealFft2d::good_size(61) == 64);
  CHECK(ls::RealFft2d::good_size(1000) == 1000);
  CHECK(ls::RealFft2d::good_size(1001) == 1024);
}
