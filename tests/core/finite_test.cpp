#include <layerscope/core/finite.hpp>

#include <limits>

#include "support/catch.hpp"

namespace ls = layerscope;

// Holds under -ffast-math too: the special values come as bits, and nothing here compares floats.
TEMPLATE_TEST_CASE("finiteness is told by bits", "", float, double) {
  using Limits = std::numeric_limits<TestType>;
  using Bits = std::conditional_t<sizeof(TestType) == 4, std::uint32_t, std::uint64_t>;
  const auto infinity_bits = sizeof(TestType) == 4 ? Bits{0x7F800000u} : static_cast<Bits>(0x7FF0000000000000u);
  const auto sign = static_cast<Bits>(Bits{1} << (8 * sizeof(TestType) - 1));
  for (const TestType value : {TestType(0), TestType(1), Limits::max(), Limits::lowest(), Limits::denorm_min()}) {
    CHECK(ls::is_finite(value));
    CHECK_FALSE(ls::is_nan(value));
  }
  for (const Bits signs : {Bits{0}, sign}) {
    const auto infinite = std::bit_cast<TestType>(static_cast<Bits>(infinity_bits | signs));
    CHECK_FALSE(ls::is_finite(infinite));
    CHECK_FALSE(ls::is_nan(infinite));
    for (const Bits payload : {Bits{1}, static_cast<Bits>(infinity_bits >> 12)}) {
      const auto nan = std::bit_cast<TestType>(static_cast<Bits>(infinity_bits | signs | payload));
      CHECK_FALSE(ls::is_finite(nan));
      CHECK(ls::is_nan(nan));
    }
  }
}

TEST_CASE("sign_bit sees the sign of zero and infinity") {
  CHECK(ls::sign_bit(-0.0));
  CHECK(ls::sign_bit(-1));
  CHECK_FALSE(ls::sign_bit(0.0));
  CHECK(ls::sign_bit(std::bit_cast<double>(0xFFF0000000000000u)));
}
