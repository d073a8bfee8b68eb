// Body of core/random.hpp.
#pragma once

#include <layerscope/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <unordered_set>

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE double Random::normal(std::uint64_t index) const noexcept {
  const auto words = block(index);
  const double u = (static_cast<double>((std::uint64_t{words[1]} << 32 | words[0]) >> 11) + 1) * 0x1p-53;  // (0, 1]
  const double v = static_cast<double>((std::uint64_t{words[3]} << 32 | words[2]) >> 11) * 0x1p-53;
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
}

LAYERSCOPE_INLINE std::vector<std::int64_t> Random::sample(std::int64_t population, std::int64_t count) const {
  count = (std::min)(count, population);
  std::vector<std::int64_t> chosen;
  if (count <= 0) return chosen;
  chosen.reserve(static_cast<std::size_t>(count));
  // Floyd's algorithm: Bentley, "Programming pearls: a sample of brilliance", CACM 30 (9), 1987.
  std::unordered_set<std::int64_t> seen;
  for (std::int64_t last = population - count; last < population; ++last) {
    const auto pick =
        static_cast<std::int64_t>(below(static_cast<std::uint64_t>(last), static_cast<std::uint64_t>(last) + 1));
    chosen.push_back(seen.insert(pick).second ? pick : *seen.insert(last).first);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
