#include <layerscope/core/random.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "support/catch.hpp"

namespace ls = layerscope;
using Words = std::array<std::uint32_t, 4>;

// The known answers for Philox4x32-10 that its authors publish with Random123 (tests/kat_vectors).
TEST_CASE("philox gives the published answers") {
  STATIC_REQUIRE(ls::philox({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(ls::philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}) == Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(ls::philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("seed, stream and index address blocks of their own") {
  std::set<Words> seen;
  for (const std::uint64_t seed : {0ull, 1ull, 1ull << 32, ~0ull}) {
    for (const std::uint64_t stream : {0ull, 1ull, 1ull << 32, ~0ull}) {
      for (const std::uint64_t index : {0ull, 1ull, 1ull << 32, ~0ull}) {
        CHECK(seen.insert(ls::Random(seed, stream).block(index)).second);
      }
    }
  }
  CHECK(ls::Random(0).block(0) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(ls::Random(0).bits(0) == 0xe169c58d6627e8d5);
}

TEST_CASE("uniform numbers lie in [0, 1) and spread evenly") {
  const ls::Random random(42);
  constexpr int n = 200000;
  std::array<int, 20> bins{};
  double sum = 0;
  double squares = 0;
  for (std::uint64_t i = 0; i < n; ++i) {
    const double u = random.uniform(i);
    if (!(u >= 0 && u < 1)) FAIL(u);
    ++bins[static_cast<std::size_t>(u * 20)];
    sum += u;
    squares += u * u;
  }
  // Five standard errors around the closed forms; chi-squared with 19 degrees of freedom beyond 50 has p < 2e-4.
  CHECK(sum / n == Catch::Approx(0.5).margin(5 * std::sqrt(1.0 / 12 / n)));
  CHECK(squares / n == Catch::Approx(1.0 / 3).margin(5 * std::sqrt(4.0 / 45 / n)));
  double chi_squared = 0;
  for (const int count : bins) chi_squared += std::pow(count - n / 20.0, 2) / (n / 20.0);
  CHECK(chi_squared < 50);
}

TEST_CASE("below is the high half of the product, for every count") {
  const ls::Random random(5);
  for (std::uint64_t i = 0; i < 2000; ++i) {
    for (const std::uint64_t count : {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{3}, std::uint64_t{1} << 32,
                                      (std::uint64_t{1} << 32) + 1, ~std::uint64_t{0}, random.bits(i + 9999)}) {
      __extension__ using Wide = unsigned __int128;
      const auto expected = static_cast<std::uint64_t>(static_cast<Wide>(random.bits(i)) * count >> 64);
      if (random.below(i, count) != expected) FAIL(i << " of " << count);
    }
  }
  CHECK(random.below(1, 0) == 0);
}

TEST_CASE("normal numbers have the moments of the normal distribution") {
  const ls::Random random(1, 2);
  constexpr int n = 200000;
  std::array<double, 5> moments{};
  int beyond_two = 0;
  for (std::uint64_t i = 0; i < n; ++i) {
    const double x = random.normal(i);
    if (!std::isfinite(x)) FAIL(i);
    for (int k = 1; k <= 4; ++k) moments[static_cast<std::size_t>(k)] += std::pow(x, k) / n;
    if (std::abs(x) > 2) ++beyond_two;
  }
  // Five standard errors: var(x^k) is 1, 2, 15 and 96.
  CHECK(moments[1] == Catch::Approx(0).margin(5 * std::sqrt(1.0 / n)));
  CHECK(moments[2] == Catch::Approx(1).margin(5 * std::sqrt(2.0 / n)));
  CHECK(moments[3] == Catch::Approx(0).margin(5 * std::sqrt(15.0 / n)));
  CHECK(moments[4] == Catch::Approx(3).margin(5 * std::sqrt(96.0 / n)));
  CHECK(beyond_two / double{n} == Catch::Approx(std::erfc(std::sqrt(2.0))).margin(5 * std::sqrt(0.0455 * 0.9545 / n)));
}

TEST_CASE("samples are sorted, different, in range, and all when all are asked for") {
  const ls::Random random(8);
  CHECK(random.sample(0, 5).empty());
  CHECK(random.sample(-3, 5).empty());
  CHECK(random.sample(5, 0).empty());
  CHECK(random.sample(5, -1).empty());
  CHECK(random.sample(4, 4) == std::vector<std::int64_t>{0, 1, 2, 3});
  CHECK(random.sample(4, 99) == std::vector<std::int64_t>{0, 1, 2, 3});
  const auto large = random.sample(std::int64_t{1} << 62, 1000);
  CHECK(large.size() == 1000);
  CHECK(std::adjacent_find(large.begin(), large.end(), [](auto a, auto b) { return a >= b; }) == large.end());
  CHECK((large.front() >= 0 && large.back() < std::int64_t{1} << 62));
}

TEST_CASE("every subset is equally likely") {
  std::map<std::vector<std::int64_t>, int> subsets;
  constexpr int n = 60000;
  for (std::uint64_t seed = 0; seed < n; ++seed) ++subsets[ls::Random(seed).sample(6, 3)];
  CHECK(subsets.size() == 20);
  double chi_squared = 0;
  for (const auto& [subset, count] : subsets) chi_squared += std::pow(count - n / 20.0, 2) / (n / 20.0);
  CHECK(chi_squared < 50);  // 19 degrees of freedom
}
