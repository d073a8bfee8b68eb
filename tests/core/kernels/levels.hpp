// The levels that this processor can run, for tests that go through each of them; header-only mode alone, since the
// inner functions have no place in the compiled library's interface.
#pragma once

#include <layerscope/core/kernels/isa.hpp>
#include <layerscope/core/random.hpp>

#include <cstdint>
#include <vector>

inline std::vector<layerscope::IsaLevel> runnable_levels() {
  std::vector<layerscope::IsaLevel> levels{layerscope::IsaLevel::portable};
  for (const auto level : {layerscope::IsaLevel::avx2, layerscope::IsaLevel::avx512}) {
    if (layerscope::supported_isa_level() >= level) levels.push_back(level);
  }
  return levels;
}

/// `count` numbers uniform in [-1, 1).
template <class T = float>
std::vector<T> random_values(std::int64_t count, std::uint64_t stream) {
  const layerscope::Random random(7, stream);
  std::vector<T> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(2 * random.uniform(i) - 1);
  return values;
}
