#include <layerscope/algorithms/token_text.hpp>

#include "support/catch.hpp"

#include <string>
#include <vector>

namespace ls = layerscope;

TEST_CASE("Token text: byte-level tokens are decoded, spaces and line breaks are seen") {
  // As GPT-2's tokenizer writes " café\n" and the two halves of U+1F600 (F0 9F 98 80).
  const std::vector<std::string> tokens{"ĠcafÃ©", "Ċ", "ĠĠ", "ðŁĺ", "Ģ", "<|endoftext|>", "a"};
  REQUIRE(ls::token_coding(tokens) == ls::TokenCoding::byte_level);
  CHECK(ls::readable_tokens(tokens) ==
        std::vector<std::string>{"·café", "\\n", "··", "\xF0\x9F\x98", "\x80", "<|endoftext|>", "a"});
  // Every byte, by the rule of encoder.py: printable ones stand for themselves, the rest for U+0100 and up.
  std::string all;
  int next = 0x100;
  std::vector<std::string> coded;
  for (int byte = 0; byte < 256; ++byte) {
    const bool itself = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE);
    const int code = itself ? byte : next++;
    coded.push_back(code < 0x80
                        ? std::string(1, static_cast<char>(code))
                        : std::string{static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 63))});
  }
  for (int byte = 0x80; byte < 256; ++byte) {
    CHECK(ls::readable_token(coded[static_cast<std::size_t>(byte)], ls::TokenCoding::byte_level) ==
          std::string(1, static_cast<char>(byte)));
  }
}

TEST_CASE("Token text: SentencePiece, WordPiece and plain tokens") {
  const std::vector<std::string> pieces{"▁Once", " upon", "<0x0A>", "<0x41>", "<0xG0>",
                                        "##ing", "a b",   "",       "\t\x1B", "naïve"};
  REQUIRE(ls::token_coding(pieces) == ls::TokenCoding::plain);
  CHECK(ls::readable_tokens(pieces) ==
        std::vector<std::string>{"·Once", "·upon", "\\n", "A", "<0xG0>", "##ing", "a b", "''", "\\t\\x1b", "naïve"});
  // "é" alone does not tell bytes from letters; nor does invalid UTF-8.
  CHECK(ls::token_coding(std::vector<std::string>{"cafÃ©"}) == ls::TokenCoding::plain);
  CHECK(ls::token_coding(std::vector<std::string>{"Ġa", "\xFF"}) == ls::TokenCoding::plain);
  CHECK(ls::readable_token("\xFF\xC3") == "\xFF\xC3");
  CHECK(ls::readable_tokens({}).empty());
}
