// Body of core/naming.hpp.
#pragma once

#include <layerscope/core/naming.hpp>
#include <layerscope/core/random.hpp>

#include <array>
#include <cstdint>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

inline constexpr bool is_upper(char c) noexcept {
  return c >= 'A' && c <= 'Z';
}
inline constexpr bool is_lower(char c) noexcept {
  return c >= 'a' && c <= 'z';
}
inline constexpr char to_lower(char c) noexcept {
  return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c;
}
inline constexpr bool stays(char c) noexcept {
  return is_upper(c) || is_lower(c) || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

/// Windows opens a device for these names in every directory, with any extension and in any case.
inline bool is_device_name(std::string_view name) {
  std::string stem(name.substr(0, name.find('.')));
  for (char& c : stem) c = to_lower(c);
  if (stem == "con" || stem == "prn" || stem == "aux" || stem == "nul") return true;
  return stem.size() == 4 && (stem.starts_with("com") || stem.starts_with("lpt")) && stem[3] >= '0' && stem[3] <= '9';
}

inline void append_escape(std::string& text, char c) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  text += '%';
  text += digits[byte >> 4];
  text += digits[byte & 15u];
}

/// The places of capitals among the letters of `name`, four letters a digit; empty without capitals.
inline std::string capitals_mask(std::string_view name) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string mask;
  std::size_t significant = 0;
  unsigned nibble = 0;
  unsigned bit = 0;
  for (const char c : name) {
    if (!is_upper(c) && !is_lower(c)) continue;
    nibble |= (is_upper(c) ? 1u : 0u) << bit;
    if (++bit < 4) continue;
    mask += digits[nibble];
    if (nibble != 0) significant = mask.size();
    nibble = bit = 0;
  }
  if (nibble != 0) {
    mask += digits[nibble];
    significant = mask.size();
  }
  mask.resize(significant);
  return mask;
}

/// 128 bits of hash: Philox as the mixing step of a chain over eight bytes at a time, closed by the length.
inline std::string name_hash(std::string_view name) {
  std::array<std::uint32_t, 4> state{};
  for (std::size_t at = 0; at < name.size(); at += 8) {
    std::array<std::uint32_t, 2> key{};
    for (std::size_t i = 0; i < 8 && at + i < name.size(); ++i) {
      key[i / 4] |= std::uint32_t{static_cast<unsigned char>(name[at + i])} << (8 * (i % 4));
    }
    const std::array<std::uint32_t, 4> mixed = philox(state, key);
    for (std::size_t word = 0; word < 4; ++word) state[word] = mixed[word] ^ state[word];
  }
  const auto length = static_cast<std::uint64_t>(name.size());
  state = philox(state, {static_cast<std::uint32_t>(length), static_cast<std::uint32_t>(length >> 32) ^ 0x80000000u});
  std::string text;
  for (const std::uint32_t word : state) {
    for (int shift = 28; shift >= 0; shift -= 4) text += "0123456789abcdef"[word >> shift & 15u];
  }
  return text;
}

}  // namespace detail

LAYERSCOPE_INLINE std::string encode_component(std::string_view name) {
  if (name.empty()) return "%_";
  constexpr std::size_t kept = 128;
  const bool device = detail::is_device_name(name);
  std::string text;
  std::size_t cut = 0;  // the longest beginning of whole characters that fits the hashed form
  for (std::size_t i = 0; i < name.size() && text.size() <= max_component_bytes; ++i) {
    const char c = name[i];
    const bool first = i == 0;
    const bool last = i + 1 == name.size();
    const bool escaped = !detail::stays(c) || (c == '.' && (first || last)) || (first && (c == '-' || device));
    if (escaped) {
      detail::append_escape(text, c);
    } else {
      text += c;
    }
    if (text.size() <= kept) cut = text.size();
  }
  // An escaped capital (a device name's) is not lost to case, yet counting every letter keeps the mask's rule simple.
  const std::string mask = detail::capitals_mask(name);
  if (!mask.empty()) text += "+" + mask;
  if (text.size() > max_component_bytes) return text.substr(0, cut) + "+h" + detail::name_hash(name);
  return text;
}

LAYERSCOPE_INLINE std::optional<std::string> decode_component(std::string_view component) {
  const std::string_view body = component.substr(0, component.find('+'));
  std::string name;
  if (body != "%_") {
    for (std::size_t i = 0; i < body.size(); ++i) {
      if (body[i] != '%') {
        name += body[i];
        continue;
      }
      unsigned byte = 0;
      if (body.size() - i < 3) return std::nullopt;
      for (const char c : body.substr(i + 1, 2)) {
        const std::size_t digit = std::string_view("0123456789ABCDEF").find(c);
        if (digit == std::string_view::npos) return std::nullopt;
        byte = byte * 16 + static_cast<unsigned>(digit);
      }
      name += static_cast<char>(byte);
      i += 2;
    }
  }
  // Encoding again refuses every spelling but the one form of each name, hashes and wrong masks included.
  if (encode_component(name) != component) return std::nullopt;
  return name;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
