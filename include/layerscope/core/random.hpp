// Counter-based random numbers: a number is a pure function of (seed, stream, index), the same on every platform and
// for any order of evaluation. Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2,
// 3", SC 2011. The standard distributions differ between libraries; these do not.
#pragma once

#include <layerscope/config.hpp>

#include <array>
#include <cstdint>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

/// Ten rounds of Philox4x32 over `counter` under `key`.
constexpr std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                              std::array<std::uint32_t, 2> key) noexcept {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

/// One sequence of random numbers, addressed by index. Streams of one seed are independent of each other.
class Random {
 public:
  constexpr explicit Random(std::uint64_t seed, std::uint64_t stream = 0) noexcept : seed_(seed), stream_(stream) {}

  /// 128 uniform bits.
  constexpr std::array<std::uint32_t, 4> block(std::uint64_t index) const noexcept {
    return philox({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                   static_cast<std::uint32_t>(stream_), static_cast<std::uint32_t>(stream_ >> 32)},
                  {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)});
  }
  /// 64 uniform bits.
  constexpr std::uint64_t bits(std::uint64_t index) const noexcept {
    const auto words = block(index);
    return std::uint64_t{words[1]} << 32 | words[0];
  }
  /// Uniform in [0, 1), a multiple of 2^-53.
  constexpr double uniform(std::uint64_t index) const noexcept {
    return static_cast<double>(bits(index) >> 11) * 0x1p-53;
  }
  /// Uniform in {0, …, count − 1}; 0 for count 0. Bias below count · 2^-64.
  constexpr std::uint64_t below(std::uint64_t index, std::uint64_t count) const noexcept {
    const std::uint64_t x = bits(index);  // the high half of the 128-bit product x · count
    const std::uint64_t low = (x & 0xFFFFFFFFu) * (count & 0xFFFFFFFFu);
    const std::uint64_t mid1 = (x >> 32) * (count & 0xFFFFFFFFu) + (low >> 32);
    const std::uint64_t mid2 = (x & 0xFFFFFFFFu) * (count >> 32) + (mid1 & 0xFFFFFFFFu);
    return (x >> 32) * (count >> 32) + (mid1 >> 32) + (mid2 >> 32);
  }
  /// Normal with mean 0 and variance 1 (Box and Muller 1958).
  double normal(std::uint64_t index) const noexcept;

  /// `count` different numbers of {0, …, population − 1} in increasing order, each subset equally likely; all of them
  /// when count ≥ population.
  std::vector<std::int64_t> sample(std::int64_t population, std::int64_t count) const;

 private:
  std::uint64_t seed_;
  std::uint64_t stream_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/random_inl.hpp>
#endif
