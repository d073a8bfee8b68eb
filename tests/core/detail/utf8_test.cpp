#include <layerscope/core/detail/utf8.hpp>

#include <cstdint>
#include <string>

#include "support/catch.hpp"

namespace ls = layerscope;

namespace {

/// A code point as RFC 3629, section 3, writes it.
std::string encode(std::uint32_t code) {
  const auto byte = [](std::uint32_t value) { return static_cast<char>(value); };
  const auto tail = [&](int shift) { return byte(0x80 | (code >> shift & 0x3F)); };
  if (code < 0x80) return {byte(code)};
  if (code < 0x800) return {byte(0xC0 | code >> 6), tail(0)};
  if (code < 0x10000) return {byte(0xE0 | code >> 12), tail(6), tail(0)};
  return {byte(0xF0 | code >> 18), tail(12), tail(6), tail(0)};
}

}  // namespace

TEST_CASE("UTF-8: every code point is read back, the surrogates are not") {
  bool right = true;
  for (std::uint32_t code = 0; code <= 0x110FFF; ++code) {
    const std::string text = encode(code) + "a";
    const bool allowed = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
    const ls::detail::Utf8Sequence read = ls::detail::read_utf8(text);
    right = right && read.valid == allowed && ls::detail::is_utf8(text) == allowed;
    if (allowed) right = right && read.code_point == code && read.bytes == text.size() - 1;
    if (!right) FAIL_CHECK("code point " << code);
    if (!right) break;
  }
  CHECK(right);
}

TEST_CASE("UTF-8: of all texts of up to four bytes, only those of the code points are one valid character") {
  // Counting them all shows that no second spelling of any is taken. Bytes stand for their classes in the table of
  // RFC 3629, section 4; each class is tried at both ends and weighted by its size.
  struct Class {
    unsigned first, last;
  };
  constexpr Class classes[] = {{0x00, 0x7F}, {0x80, 0x8F}, {0x90, 0x9F}, {0xA0, 0xBF}, {0xC0, 0xC1},
                               {0xC2, 0xDF}, {0xE0, 0xE0}, {0xE1, 0xEC}, {0xED, 0xED}, {0xEE, 0xEF},
                               {0xF0, 0xF0}, {0xF1, 0xF3}, {0xF4, 0xF4}, {0xF5, 0xFF}};
  std::uint64_t valid[5] = {};
  bool ends_agree = true;
  for (const Class& a : classes) {
    for (const Class& b : classes) {
      for (const Class& c : classes) {
        for (const Class& d : classes) {
          const std::string low{static_cast<char>(a.first), static_cast<char>(b.first), static_cast<char>(c.first),
                                static_cast<char>(d.first)};
          const std::string high{static_cast<char>(a.last), static_cast<char>(b.last), static_cast<char>(c.last),
                                 static_cast<char>(d.last)};
          const ls::detail::Utf8Sequence read = ls::detail::read_utf8(low);
          const ls::detail::Utf8Sequence other = ls::detail::read_utf8(high);
          ends_agree = ends_agree && read.valid == other.valid && read.bytes == other.bytes;
          const auto size = [](const Class& bytes) { return std::uint64_t{bytes.last} - bytes.first + 1; };
          if (read.valid) valid[read.bytes] += size(a) * size(b) * size(c) * size(d);
        }
      }
    }
  }
  CHECK(ends_agree);
  // Each was counted with every text that may follow it.
  CHECK(valid[1] == 0x80 * (1ull << 24));
  CHECK(valid[2] == (0x800 - 0x80) * (1ull << 16));
  CHECK(valid[3] == (0x10000 - 0x800 - 0x800) * (1ull << 8));
  CHECK(valid[4] == 0x110000 - 0x10000);
}

TEST_CASE("UTF-8: one replacement stands for the longest beginning of a valid sequence") {
  // The example of Unicode 15, table 3-8: 61 F1 80 80 E1 80 C2 62 80 63 80 BF 64.
  std::string_view text = "\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64";
  std::string read;
  while (!text.empty()) {
    const ls::detail::Utf8Sequence sequence = ls::detail::read_utf8(text);
    read += sequence.valid ? static_cast<char>(sequence.code_point) : '?';
    text.remove_prefix(sequence.bytes);
  }
  CHECK(read == "a???b?c??d");
  CHECK(ls::detail::read_utf8("\xF0\x9F\x98").bytes == 3);  // cut off by the end of the text
  CHECK(ls::detail::read_utf8("\xED\xA0\x80").bytes == 1);
  CHECK(ls::detail::is_utf8(""));
}
