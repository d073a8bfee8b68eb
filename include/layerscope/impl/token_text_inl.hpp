// Body of algorithms/token_text.hpp.
#pragma once

#include <layerscope/algorithms/token_text.hpp>
#include <layerscope/core/detail/utf8.hpp>

#include <cstddef>
#include <cstdint>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// The byte that a code point of byte-level BPE stands for, or -1.
inline int byte_of_code_point(std::uint32_t code) noexcept {
  const auto itself = [](std::uint32_t c) {
    return (c >= 0x21 && c <= 0x7E) || (c >= 0xA1 && c <= 0xAC) || (c >= 0xAE && c <= 0xFF);
  };
  if (itself(code)) return static_cast<int>(code);
  if (code < 0x100) return -1;
  // The bytes that do not stand for themselves, in increasing order, are U+0100, U+0101 …
  std::uint32_t next = 0x100;
  for (std::uint32_t byte = 0; byte < 0x100; ++byte) {
    if (!itself(byte) && next++ == code) return static_cast<int>(byte);
  }
  return -1;
}

inline std::string decoded_bytes(std::string_view token) {
  std::string bytes;
  while (!token.empty()) {
    const Utf8Sequence sequence = read_utf8(token);
    const int byte = sequence.valid ? byte_of_code_point(sequence.code_point) : -1;
    if (byte >= 0) {
      bytes += static_cast<char>(byte);
    } else {
      bytes += token.substr(0, sequence.bytes);  // a token of another kind among them
    }
    token.remove_prefix(sequence.bytes);
  }
  return bytes;
}

/// SentencePiece's "<0x0A>" as the byte, other tokens as they are.
inline std::string without_byte_piece(std::string_view token) {
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
  if (token.size() == 6 && token.starts_with("<0x") && token[5] == '>' && digit(token[3]) >= 0 &&
      digit(token[4]) >= 0) {
    return {static_cast<char>(16 * digit(token[3]) + digit(token[4]))};
  }
  return std::string(token);
}

}  // namespace detail

LAYERSCOPE_INLINE TokenCoding token_coding(std::span<const std::string> tokens) {
  bool told = false;
  for (std::string_view token : tokens) {
    while (!token.empty()) {
      const detail::Utf8Sequence sequence = detail::read_utf8(token);
      if (!sequence.valid || detail::byte_of_code_point(sequence.code_point) < 0) return TokenCoding::plain;
      told = told || sequence.code_point >= 0x100;
      token.remove_prefix(sequence.bytes);
    }
  }
  return told ? TokenCoding::byte_level : TokenCoding::plain;
}

LAYERSCOPE_INLINE std::string readable_token(std::string_view token, TokenCoding coding) {
  const std::string bytes =
      coding == TokenCoding::byte_level ? detail::decoded_bytes(token) : detail::without_byte_piece(token);
  if (bytes.empty()) return "''";
  constexpr std::string_view piece_space = "\xE2\x96\x81";  // U+2581
  std::string spaced;
  for (std::size_t at = 0; at < bytes.size();) {
    const bool space = std::string_view(bytes).substr(at).starts_with(piece_space);
    spaced += space ? ' ' : bytes[at];
    at += space ? piece_space.size() : 1;
  }
  const std::size_t first = spaced.find_first_not_of(' ');
  const std::size_t last = spaced.find_last_not_of(' ');
  std::string text;
  for (std::size_t i = 0; i < spaced.size(); ++i) {
    const auto byte = static_cast<unsigned char>(spaced[i]);
    constexpr std::string_view digits = "0123456789abcdef";
    if (byte == ' ' && (first == std::string::npos || i < first || i > last)) {
      text += "·";
    } else if (byte == '\n') {
      text += "\\n";
    } else if (byte == '\r') {
      text += "\\r";
    } else if (byte == '\t') {
      text += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      text += {'\\', 'x', digits[byte / 16], digits[byte % 16]};
    } else {
      text += spaced[i];
    }
  }
  return text;
}

LAYERSCOPE_INLINE std::vector<std::string> readable_tokens(std::span<const std::string> tokens) {
  const TokenCoding coding = token_coding(tokens);
  std::vector<std::string> texts;
  texts.reserve(tokens.size());
  for (const std::string& token : tokens) texts.push_back(readable_token(token, coding));
  return texts;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
