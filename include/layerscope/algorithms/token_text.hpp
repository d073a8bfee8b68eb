// Tokens as tokenizers write them, made readable in pictures.
//
// Byte-level BPE (Radford et al. 2019, GPT-2's encoder.py) stands each byte for a code point of its own, so that a
// space is "Ġ" and "é" is "Ã©"; SentencePiece (Kudo and Richardson, EMNLP 2018) writes a space as "▁" and bytes as
// "<0x0A>".
#pragma once

#include <layerscope/config.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

/// How a tokenizer writes its tokens.
enum class TokenCoding : std::uint8_t {
  plain,       ///< as UTF-8, SentencePiece's signs included
  byte_level,  ///< one code point a byte
};

/// byte_level when all tokens are made of the 256 code points that stand for bytes, and one has a code point that
/// stands for another ("Ġ", "Ċ"); else plain.
TokenCoding token_coding(std::span<const std::string> tokens);

/// One token as one line of text: bytes are decoded, spaces at its ends, and "▁", become "·", a line break "\n", a tab
/// "\t", other control characters "\x1b". "Ġthe" gives "·the". What is no valid UTF-8 then, as half of a character that
/// was cut in two, is left to draw_text(), which shows such bytes by their hexadecimal digits. An empty token is "''".
std::string readable_token(std::string_view token, TokenCoding coding = TokenCoding::plain);

/// All tokens of a sequence, by the coding that token_coding() finds.
std::vector<std::string> readable_tokens(std::span<const std::string> tokens);

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/token_text_inl.hpp>
#endif
