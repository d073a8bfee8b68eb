#include <layerscope/core/kernels/half.hpp>

#include "core/kernels/levels.hpp"
#include "support/catch.hpp"

#include <bit>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#ifdef LAYERSCOPE_HEADER_ONLY
// The 16-wide body, lowered by the compiler to what it has: the logic of the AVX-512 level on any processor.
#define LAYERSCOPE_LEVEL level_wide_half_test
#define LAYERSCOPE_LEVEL_WIDTH 16
#define LAYERSCOPE_LEVEL_FN inline
#include <layerscope/impl/kernels/half_body.inc>
#undef LAYERSCOPE_LEVEL
#undef LAYERSCOPE_LEVEL_WIDTH
#undef LAYERSCOPE_LEVEL_FN
#endif

namespace {

namespace ls = layerscope;

std::uint32_t bits_of(float x) {
  return std::bit_cast<std::uint32_t>(x);
}
bool is_nan_bits(std::uint32_t bits) {
  return (bits & 0x7FFFFFFFU) > 0x7F800000U;
}

/// The value of a half in float64, from the definition of the format; infinities as 65536, where the next step would
/// be.
double value_of_half(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  double value = exponent == 0 ? (bits & 1023) * 0x1p-24 : ((bits & 1023) | 1024) * 0x1p-25;
  for (int i = 1; i < exponent; ++i) value *= 2;
  if (exponent != 0) value *= 2;
  return (bits & 0x8000) != 0 ? -value : value;
}

using HalfToFloat = void (*)(const std::uint16_t*, std::int64_t, float*);
using FloatToHalf = void (*)(const float*, std::int64_t, std::uint16_t*);

void check_half_to_float(HalfToFloat convert) {
  std::vector<std::uint16_t> halves(65536 + 3);
  for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<std::uint16_t>(i);
  std::vector<float> floats(halves.size());
  convert(halves.data(), static_cast<std::int64_t>(halves.size()), floats.data());
  for (std::size_t i = 0; i < halves.size(); ++i) {
    const std::uint16_t half = halves[i];
    const std::uint32_t bits = bits_of(floats[i]);
    if ((half & 0x7FFF) > 0x7C00) {
      REQUIRE(is_nan_bits(bits));
    } else if ((half & 0x7FFF) == 0x7C00) {
      REQUIRE(bits == ((half & 0x8000) != 0 ? 0xFF800000U : 0x7F800000U));
    } else {
      REQUIRE(static_cast<double>(floats[i]) == value_of_half(half));
      REQUIRE((bits >> 31) == static_cast<std::uint32_t>(half >> 15));
    }
  }
}

void check_float_to_half(FloatToHalf convert) {
  // Every finite half, the middle between it and the next, and the floats on either side of that middle.
  std::vector<float> floats;
  std::vector<std::uint16_t> expected;
  for (std::uint16_t half = 0; half < 0x7C00; ++half) {
    const double value = value_of_half(half);
    const double next = half == 0x7BFF ? 65536.0 : value_of_half(static_cast<std::uint16_t>(half + 1));
    const float middle = static_cast<float>((value + next) / 2);
    const auto up = static_cast<std::uint16_t>(half + 1);
    for (const std::uint16_t sign : {std::uint16_t{0}, std::uint16_t{0x8000}}) {
      const auto push = [&](std::uint32_t bits, std::uint16_t result) {
        floats.push_back(std::bit_cast<float>(bits | static_cast<std::uint32_t>(sign) << 16));
        expected.push_back(static_cast<std::uint16_t>(result | sign));
      };
      push(bits_of(static_cast<float>(value)), half);
      push(bits_of(middle), (half & 1) == 0 ? half : up);
      push(bits_of(middle) - 1, half);
      push(bits_of(middle) + 1, up);
    }
  }
  for (const std::uint32_t bits : {0x00000001U, 0x007FFFFFU, 0x00800000U, 0x33000000U}) {
    floats.push_back(std::bit_cast<float>(bits));
    expected.push_back(0);
  }
  for (const std::uint32_t bits : {0x47800000U, 0x7F7FFFFFU, 0x7F800000U}) {
    floats.push_back(std::bit_cast<float>(bits));
    expected.push_back(0x7C00);
  }
  std::vector<std::uint16_t> halves(floats.size());
  convert(floats.data(), static_cast<std::int64_t>(floats.size()), halves.data());
  for (std::size_t i = 0; i < floats.size(); ++i) {
    CAPTURE(bits_of(floats[i]));
    REQUIRE(halves[i] == expected[i]);
  }
  for (const std::uint32_t bits : {0x7FC00000U, 0x7F800001U, 0xFF800001U, 0xFFFFFFFFU}) {
    const float value = std::bit_cast<float>(bits);
    std::uint16_t half = 0;
    convert(&value, 1, &half);
    CHECK((half & 0x7FFF) > 0x7C00);
    CHECK((half >> 15) == static_cast<int>(bits >> 31));
  }
}

void check_bfloat16(HalfToFloat widen, FloatToHalf narrow) {
  std::vector<std::uint16_t> words(65536 + 5);
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = static_cast<std::uint16_t>(i);
  std::vector<float> floats(words.size());
  widen(words.data(), static_cast<std::int64_t>(words.size()), floats.data());
  for (std::size_t i = 0; i < words.size(); ++i) {
    REQUIRE(bits_of(floats[i]) == static_cast<std::uint32_t>(words[i]) << 16);
  }
  std::vector<std::uint16_t> back(words.size());
  narrow(floats.data(), static_cast<std::int64_t>(floats.size()), back.data());
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool nan = (words[i] & 0x7FFF) > 0x7F80;
    REQUIRE(back[i] == (nan ? (words[i] | 0x40) : words[i]));
  }
  const auto rounded = [&](std::uint32_t bits) {
    const float value = std::bit_cast<float>(bits);
    std::uint16_t word = 0;
    narrow(&value, 1, &word);
    return word;
  };
  CHECK(rounded(0x3F808000U) == 0x3F80);  // a tie, to even
  CHECK(rounded(0x3F818000U) == 0x3F82);
  CHECK(rounded(0x3F808001U) == 0x3F81);
  CHECK(rounded(0x3F807FFFU) == 0x3F80);
  CHECK(rounded(0x7F7FFFFFU) == 0x7F80);  // overflow
  CHECK((rounded(0x7F800001U) & 0x7FFF) > 0x7F80);
}

TEST_CASE("16-bit floats by the public functions") {
  check_half_to_float([](const std::uint16_t* from, std::int64_t count, float* to) {
    ls::half_to_float(reinterpret_cast<const ls::Half*>(from), count, to);
  });
  check_float_to_half([](const float* from, std::int64_t count, std::uint16_t* to) {
    ls::float_to_half(from, count, reinterpret_cast<ls::Half*>(to));
  });
  check_bfloat16([](const std::uint16_t* from, std::int64_t count,
                    float* to) { ls::bfloat16_to_float(reinterpret_cast<const ls::BFloat16*>(from), count, to); },
                 [](const float* from, std::int64_t count, std::uint16_t* to) {
                   ls::float_to_bfloat16(from, count, reinterpret_cast<ls::BFloat16*>(to));
                 });
}

#ifdef LAYERSCOPE_HEADER_ONLY
TEST_CASE("16-bit floats at every level") {
  std::vector<std::pair<std::string, ls::detail::HalfKernels>> all;
  for (const ls::IsaLevel level : runnable_levels()) all.emplace_back(name(level), ls::detail::half_kernels(level));
  namespace wide = ls::detail::level_wide_half_test;
  all.emplace_back("wide", ls::detail::HalfKernels{wide::half_to_float, wide::float_to_half, wide::bfloat16_to_float,
                                                   wide::float_to_bfloat16});
  for (const auto& [level, kernels] : all) {
    CAPTURE(level);
    check_half_to_float(kernels.half_to_float);
    check_float_to_half(kernels.float_to_half);
    check_bfloat16(kernels.bfloat16_to_float, kernels.float_to_bfloat16);
  }
}
#endif

}  // namespace
