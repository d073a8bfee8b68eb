#include <layerscope/core/kernels/pixels.hpp>

#include "core/kernels/levels.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#ifdef LAYERSCOPE_HEADER_ONLY
// The 16-wide body, lowered by the compiler to what it has: the logic of the AVX-512 level on any processor.
#define LAYERSCOPE_LEVEL level_wide_pixels_test
#define LAYERSCOPE_LEVEL_WIDTH 16
#define LAYERSCOPE_LEVEL_FN inline
#include <layerscope/impl/kernels/pixels_body.inc>
#undef LAYERSCOPE_LEVEL
#undef LAYERSCOPE_LEVEL_WIDTH
#undef LAYERSCOPE_LEVEL_FN
#endif

namespace {

namespace ls = layerscope;
using Size = std::int64_t;

// By bits: under -ffast-math the compiler may take a NaN or infinity constant for anything.
const float nan_value = std::bit_cast<float>(0x7FC00000U);
const float negative_nan = std::bit_cast<float>(0xFF800001U);
const float infinity = std::bit_cast<float>(0x7F800000U);
const float negative_infinity = std::bit_cast<float>(0xFF800000U);
constexpr float largest = 3.4028234e38F;

std::array<ls::Rgb, 256> ramp() {
  std::array<ls::Rgb, 256> map;
  for (std::size_t i = 0; i < 256; ++i) {
    map[i] = {static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(255 - i), static_cast<std::uint8_t>(i / 2)};
  }
  return map;
}

/// ⌊256·t⌋ by float64; −1 where t is so near the border of two entries that float32 may take either.
int expected_entry(float value, float lo, float hi, int levels) {
  const double t = levels * (static_cast<double>(value) - static_cast<double>(lo)) /
                   (static_cast<double>(hi) - static_cast<double>(lo));
  if (std::abs(t - std::round(t)) < 1e-4 && t > 0.5 && t < levels - 0.5) return -1;
  return static_cast<int>(std::clamp(t, 0.0, levels - 1.0));
}

template <class MapRgb>
void check_map(const MapRgb& map_rgb) {
  const auto map = ramp();
  const ls::PixelColours colours{map, {1, 2, 3}, {4, 5, 6}, {7, 8, 9}};
  for (const Size count : {0, 1, 2, 3, 7, 15, 16, 17, 31, 1000, 1023, 1025, 70000}) {
    CAPTURE(count);
    auto values = random_values<float>(count, 20);
    for (Size i = 0; i < count; ++i) {
      float& value = values[static_cast<std::size_t>(i)];
      value *= 1.5F;
      if (i % 11 == 5) value = nan_value;
      if (i % 13 == 6) value = infinity;
      if (i % 17 == 7) value = negative_infinity;
      if (i % 19 == 8) value = negative_nan;
      if (i % 23 == 9) value = largest;
      if (i % 29 == 10) value = -largest;
    }
    std::vector<std::uint8_t> out(static_cast<std::size_t>(3 * count + 5), 201);
    map_rgb(values.data(), count, -1.0F, 1.0F, colours, out.data());
    for (Size i = 3 * count; i < 3 * count + 5; ++i) REQUIRE(out[static_cast<std::size_t>(i)] == 201);
    for (Size i = 0; i < count; ++i) {
      const float value = values[static_cast<std::size_t>(i)];
      const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
      const ls::Rgb found{out[static_cast<std::size_t>(3 * i)], out[static_cast<std::size_t>(3 * i + 1)],
                          out[static_cast<std::size_t>(3 * i + 2)]};
      if ((bits & 0x7FFFFFFFU) > 0x7F800000U) {
        REQUIRE(found == colours.nan);
      } else if (bits == 0x7F800000U) {
        REQUIRE(found == colours.positive_infinity);
      } else if (bits == 0xFF800000U) {
        REQUIRE(found == colours.negative_infinity);
      } else if (const int entry = expected_entry(value, -1.0F, 1.0F, 256); entry >= 0) {
        REQUIRE(found == map[static_cast<std::size_t>(entry)]);
      }
    }
  }
}

TEST_CASE("values become the colours of their entries") {
  check_map([](const float* values, Size count, float lo, float hi, const ls::PixelColours& colours,
               std::uint8_t* out) { ls::colormap_rgb(values, count, lo, hi, colours, out, 2); });
}

#ifdef LAYERSCOPE_HEADER_ONLY
std::vector<std::pair<std::string, ls::detail::PixelKernels>> all_kernels() {
  std::vector<std::pair<std::string, ls::detail::PixelKernels>> all;
  for (const ls::IsaLevel level : runnable_levels()) all.emplace_back(name(level), ls::detail::pixel_kernels(level));
  namespace wide = ls::detail::level_wide_pixels_test;
  all.emplace_back("wide", ls::detail::PixelKernels{wide::pixel_entries, wide::finite_range});
  return all;
}

TEST_CASE("values become the colours of their entries at every level") {
  for (const auto& [level, kernels] : all_kernels()) {
    CAPTURE(level);
    check_map([&, &chosen = kernels](const float* values, Size count, float lo, float hi,
                                     const ls::PixelColours& colours, std::uint8_t* out) {
      ls::detail::map_pixels_rgb(chosen, values, count, lo, hi, colours, out, 1);
    });
  }
}

TEST_CASE("palette entries and ranges agree between the levels") {
  auto values = random_values<float>(4099, 21);
  values[17] = nan_value;
  values[4098] = infinity;
  values[4097] = negative_infinity;
  std::vector<std::uint8_t> first;
  ls::FiniteRange first_range;
  for (const auto& [level, kernels] : all_kernels()) {
    CAPTURE(level);
    std::vector<std::uint8_t> entries(values.size());
    ls::detail::map_pixels_index(kernels, values.data(), 4099, -1.0F, 1.0F, {}, entries.data(), 1);
    const ls::FiniteRange range = ls::detail::reduce_finite_range(kernels, values.data(), 4099, 1);
    if (first.empty()) {
      first = entries;
      first_range = range;
    }
    CHECK(entries == first);
    CHECK(range == first_range);
    CHECK(entries[17] == 253);
    CHECK(entries[4098] == 254);
    CHECK(entries[4097] == 255);
  }
}
#endif

TEST_CASE("entries of exact fractions are exact") {
  std::vector<float> values(257);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) / 256.0F;
  std::vector<std::uint8_t> entries(values.size());
  const ls::PixelLevels levels{256, 0, 0, 0};
  ls::colormap_index(values.data(), 257, 0.0F, 1.0F, levels, entries.data(), 1);
  for (std::size_t i = 0; i < 256; ++i) REQUIRE(entries[i] == i);
  CHECK(entries[256] == 255);  // the upper end belongs to the last entry
  ls::colormap_index(values.data(), 257, 1.0F, 0.0F, levels, entries.data(), 1);
  CHECK(entries[0] == 255);
  CHECK(entries[256] == 0);
  CHECK(entries[64] == 192);
}

TEST_CASE("ranges that float32 cannot divide") {
  std::array<std::uint8_t, 5> entries{};
  const auto map = [&](const std::array<float, 5>& values, float lo, float hi) {
    ls::colormap_index(values.data(), 5, lo, hi, {256, 1, 2, 3}, entries.data(), 1);
    return entries;
  };
  using Entries = std::array<std::uint8_t, 5>;
  CHECK(map({-largest, -largest / 2, 0, largest / 2, largest}, -largest, largest) == Entries{0, 64, 128, 192, 255});
  const float tiny = std::bit_cast<float>(1024U);  // subnormal
  CHECK(map({0, std::bit_cast<float>(256U), std::bit_cast<float>(512U), std::bit_cast<float>(1023U), tiny}, 0, tiny) ==
        Entries{0, 64, 128, 255, 255});
  CHECK(map({0, 3, -largest, nan_value, infinity}, 3, 3) == Entries{128, 128, 128, 1, 2});
  CHECK(map({0, 0.5F, 1e30F, negative_infinity, -1e30F}, 0, 1) == Entries{0, 128, 255, 3, 0});
}

TEST_CASE("range of the finite values") {
  CHECK(ls::finite_min_max(nullptr, 0, 1) == ls::FiniteRange{});
  for (const Size count : {1, 2, 7, 16, 33, 1000, 300001}) {
    CAPTURE(count);
    auto values = random_values<float>(count, 22);
    ls::FiniteRange expected;
    for (Size i = 0; i < count; ++i) {
      float& value = values[static_cast<std::size_t>(i)];
      if (i % 5 == 1) value = nan_value;
      if (i % 7 == 2) value = infinity;
      if (i % 11 == 3) value = negative_infinity;
      if (i == 64) value = largest;
      if (i == 65) value = -largest;
      const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
      if ((bits & 0x7FFFFFFFU) > 0x7F800000U) {
        ++expected.nan;
      } else if (bits == 0x7F800000U) {
        ++expected.positive_infinity;
      } else if (bits == 0xFF800000U) {
        ++expected.negative_infinity;
      } else {
        expected.min = expected.finite == 0 ? value : std::min(expected.min, value);
        expected.max = expected.finite == 0 ? value : std::max(expected.max, value);
        ++expected.finite;
      }
    }
    for (const int threads : {1, 2, 8}) CHECK(ls::finite_min_max(values.data(), count, threads) == expected);
  }
  const std::array<float, 3> none{nan_value, infinity, negative_infinity};
  CHECK(ls::finite_min_max(none.data(), 3, 1) == ls::FiniteRange{0, 0, 0, 1, 1, 1});
}

TEST_CASE("the number of threads does not change a pixel") {
  const Size count = 5 * 65536 + 77;
  const auto values = random_values<float>(count, 23);
  const auto map = ramp();
  const ls::PixelColours colours{map, {}, {}, {}};
  std::vector<std::uint8_t> first(static_cast<std::size_t>(3 * count));
  ls::colormap_rgb(values.data(), count, -0.5F, 0.5F, colours, first.data(), 1);
  for (const int threads : {2, 8}) {
    std::vector<std::uint8_t> out(first.size());
    ls::colormap_rgb(values.data(), count, -0.5F, 0.5F, colours, out.data(), threads);
    CHECK(out == first);
  }
}

}  // namespace
