// Body of core/format.hpp.
#pragma once

#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

inline std::string non_finite_text(double value) {
  if (is_nan(value)) return "nan";
  return sign_bit(value) ? "-inf" : "inf";
}

}  // namespace detail

LAYERSCOPE_INLINE std::string to_text(double value) {
  if (!is_finite(value)) return detail::non_finite_text(value);
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value);
  return {buffer, end.ptr};
}

LAYERSCOPE_INLINE std::string to_text(float value) {
  if (!is_finite(value)) return detail::non_finite_text(static_cast<double>(value));
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value);
  return {buffer, end.ptr};
}

LAYERSCOPE_INLINE std::string to_short_text(double value, int digits) {
  if (!is_finite(value)) return detail::non_finite_text(value);
  if (value == 0) return "0";
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general, digits);
  return {buffer, end.ptr};
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
