// What an algorithm over rows does with rows that hold NaN or infinity.
#pragma once

#include <layerscope/config.hpp>

#include <cstdint>

namespace layerscope::inline LAYERSCOPE_ABI {

enum class NonFiniteRows : std::uint8_t {
  error,  ///< throw Error(non_finite), whose message names the first such row and column
  drop,   ///< leave such rows out, and count them
};

}  // namespace layerscope::inline LAYERSCOPE_ABI
