// Numbers to text and back, the same under every locale: only std::to_chars and std::from_chars.
#pragma once

#include <layerscope/config.hpp>

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>
#include <system_error>

namespace layerscope::inline LAYERSCOPE_ABI {

template <std::integral Integer>
std::string to_text(Integer value) {
  char buffer[24];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value);
  return {buffer, end.ptr};
}

/// Shortest text that reads back as the same double; "nan", "inf" and "-inf" for the rest.
std::string to_text(double value);
/// Shortest text that reads back as the same float.
std::string to_text(float value);

/// At most `digits` significant digits, in the form a person reads: "0.125", "-3", "1.2e-07", "nan".
std::string to_short_text(double value, int digits = 4);

/// Parses the whole of `text` as one number; false when anything is left over or out of range.
template <class Number>
bool from_text(std::string_view text, Number& value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc{} && result.ptr == text.data() + text.size();
}

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/format_inl.hpp>
#endif
