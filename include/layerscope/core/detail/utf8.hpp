// Reading UTF-8 that may be damaged, strictly by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <layerscope/config.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// What stands at the front of a text: a code point, or bytes that are none.
struct Utf8Sequence {
  std::uint32_t code_point = 0;
  /// The length of the sequence. Where it is not valid, how many bytes one U+FFFD stands for: the longest beginning of
  /// a valid sequence, or 1 (Unicode 15, section 3.9).
  std::size_t bytes = 1;
  bool valid = false;
};

/// The sequence at the front of `text`, which is not empty.
inline Utf8Sequence read_utf8(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  if (lead < 0xC2 || lead > 0xF4) return {};
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // Of the second byte, by the first (Unicode 15, table 3-7); of those after it, what the loop sets.
  unsigned smallest = 0x80;
  unsigned largest = 0xBF;
  if (lead == 0xE0) smallest = 0xA0;
  if (lead == 0xED) largest = 0x9F;
  if (lead == 0xF0) smallest = 0x90;
  if (lead == 0xF4) largest = 0x8F;
  std::uint32_t value = lead & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if (i >= text.size() || byte(i) < smallest || byte(i) > largest) return {0, i, false};
    value = value << 6 | (byte(i) & 0x3Fu);
    smallest = 0x80;
    largest = 0xBF;
  }
  return {value, length, true};
}

/// Whether the whole text is valid.
inline bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const Utf8Sequence sequence = read_utf8(text);
    if (!sequence.valid) return false;
    text.remove_prefix(sequence.bytes);
  }
  return true;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
