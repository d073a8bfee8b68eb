// The float64 of a finite float32 by its bits.
#pragma once

#include <layerscope/config.hpp>

#include <bit>
#include <cstdint>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Subnormals survive a processor that was told to flush them, as programs linked with -ffast-math do.
constexpr double exact_double(float x) noexcept {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
  if ((bits & 0x7F800000U) != 0) return static_cast<double>(x);
  const double magnitude = static_cast<double>(bits & 0x007FFFFFU) * 0x1p-149;
  return (bits >> 31) != 0 ? -magnitude : magnitude;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
