// Finiteness decided by bits. Under -ffast-math std::isnan(x) is constant false; these stay true.
#pragma once

#include <layerscope/config.hpp>

#include <bit>
#include <cstdint>

namespace layerscope::inline LAYERSCOPE_ABI {

constexpr bool is_finite(float x) noexcept {
  return (std::bit_cast<std::uint32_t>(x) & 0x7F800000u) != 0x7F800000u;
}
constexpr bool is_finite(double x) noexcept {
  return (std::bit_cast<std::uint64_t>(x) & 0x7FF0000000000000u) != 0x7FF0000000000000u;
}

constexpr bool is_nan(float x) noexcept {
  return (std::bit_cast<std::uint32_t>(x) & 0x7FFFFFFFu) > 0x7F800000u;
}
constexpr bool is_nan(double x) noexcept {
  return (std::bit_cast<std::uint64_t>(x) & 0x7FFFFFFFFFFFFFFFu) > 0x7FF0000000000000u;
}

/// True for negative numbers, −0, −infinity and NaN with the sign bit set.
constexpr bool sign_bit(double x) noexcept {
  return std::bit_cast<std::uint64_t>(x) >> 63 != 0;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
