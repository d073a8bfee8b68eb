#include <layerscope/core/dtype.hpp>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

#include "support/catch.hpp"
#include "support/ieee.hpp"

namespace ls = layerscope;

TEST_CASE("every finite half is sign, exponent and fraction as IEEE 754 says") {
  LAYERSCOPE_NEEDS_IEEE_ROUNDING();
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = static_cast<float>(ls::Half{static_cast<std::uint16_t>(bits)});
    const int exponent = static_cast<int>(bits >> 10 & 31u);
    const double fraction = bits & 1023u;
    const double sign = (bits & 0x8000u) != 0 ? -1 : 1;
    if (exponent == 31) {
      if (fraction == 0 ? !(std::isinf(value) && (value < 0) == (sign < 0)) : !std::isnan(value)) FAIL(bits);
    } else {
      const double expected =
          sign * (exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25));
      if (static_cast<double>(value) != expected || std::signbit(value) != (sign < 0)) FAIL(bits);
    }
  }
  STATIC_REQUIRE(static_cast<float>(ls::Half{0x3C00}) == 1.0f);
  STATIC_REQUIRE(static_cast<float>(ls::Half{0x7BFF}) == 65504.0f);
  STATIC_REQUIRE(static_cast<float>(ls::Half{0x0001}) == 0x1p-24f);
}

TEST_CASE("bfloat16 is the upper half of a float") {
  STATIC_REQUIRE(static_cast<float>(ls::BFloat16{0x3F80}) == 1.0f);
  STATIC_REQUIRE(static_cast<float>(ls::BFloat16{0xC049}) == -3.140625f);
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = static_cast<float>(ls::BFloat16{static_cast<std::uint16_t>(bits)});
    std::uint32_t back = 0;
    std::memcpy(&back, &value, sizeof back);
    // A signalling NaN may be quietened on its way through a register.
    if (!std::isnan(value) && back != bits << 16) FAIL(bits);
  }
}

TEST_CASE("dtypes know their type, size and name") {
  int types = 0;
  for (std::uint8_t code = 0; code <= static_cast<std::uint8_t>(ls::DType::f64); ++code) {
    const auto dtype = static_cast<ls::DType>(code);
    ls::visit_dtype(dtype, [&](auto element) {
      CHECK(ls::dtype_of<decltype(element)> == dtype);
      CHECK(ls::dtype_of<const decltype(element)> == dtype);
      CHECK(ls::size_of(dtype) == sizeof element);
    });
    CHECK(ls::name(dtype) != std::string("unknown"));
    ++types;
  }
  CHECK(types == 13);
  CHECK(ls::name(ls::DType::bf16) == std::string("bfloat16"));
  CHECK(ls::name(ls::DType::boolean) == std::string("bool"));
  CHECK(ls::name(static_cast<ls::DType>(99)) == std::string("unknown"));
  CHECK(ls::size_of(static_cast<ls::DType>(99)) == 0);
  STATIC_REQUIRE(ls::dtype_of<char> == (std::is_signed_v<char> ? ls::DType::i8 : ls::DType::u8));
  STATIC_REQUIRE(ls::dtype_of<long long> == ls::DType::i64);
  STATIC_REQUIRE(ls::dtype_of<unsigned long> == (sizeof(long) == 8 ? ls::DType::u64 : ls::DType::u32));
  STATIC_REQUIRE_FALSE(ls::Element<std::string>);
  STATIC_REQUIRE_FALSE(ls::Element<float*>);
  STATIC_REQUIRE(ls::Element<long double> == (sizeof(long double) <= 8));
}
