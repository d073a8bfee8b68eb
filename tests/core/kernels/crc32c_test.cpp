#include <layerscope/core/kernels/crc32c.hpp>
#include <layerscope/core/random.hpp>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

namespace ls = layerscope;

namespace {

/// Bit by bit, as the definition has it.
std::uint32_t by_definition(const unsigned char* data, std::size_t size) {
  std::uint32_t crc = 0xFFFFFFFFu;
  for (std::size_t i = 0; i < size; ++i) {
    crc ^= data[i];
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1u) != 0 ? (crc >> 1) ^ 0x82F63B78u : crc >> 1;
  }
  return ~crc;
}

std::uint32_t crc_of(std::string_view text) {
  return ls::crc32c(text.data(), text.size());
}

std::vector<unsigned char> noise(std::size_t size) {
  const ls::Random random(3);
  std::vector<unsigned char> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(256 * random.uniform(i));
  return bytes;
}

}  // namespace

TEST_CASE("crc32c of the vectors of RFC 3720, section B.4, and the check value of the CRC catalogue") {
  CHECK(crc_of(std::string(32, '\0')) == 0x8A9136AAu);
  CHECK(crc_of(std::string(32, '\xFF')) == 0x62A8AB43u);
  std::string up, down;
  for (int i = 0; i < 32; ++i) up += static_cast<char>(i);
  for (int i = 31; i >= 0; --i) down += static_cast<char>(i);  // a char may be unsigned, as on ARM
  CHECK(crc_of(up) == 0x46DD794Eu);
  CHECK(crc_of(down) == 0x113FDB5Cu);
  CHECK(crc_of("123456789") == 0xE3069283u);
  CHECK(crc_of("") == 0u);
}

TEST_CASE("crc32c: every length up to 300 at every alignment, whole and in two pieces") {
  const std::vector<unsigned char> bytes = noise(320);
  std::size_t wrong = 0;
  for (std::size_t start = 0; start < 16; ++start) {
    for (std::size_t size = 0; size <= 300; ++size) {
      const unsigned char* const data = bytes.data() + start;
      const std::uint32_t expected = by_definition(data, size);
      const std::size_t cut = size * 2 / 3;
      wrong += ls::crc32c(data, size) != expected;
      wrong += ls::crc32c(data + cut, size - cut, ls::crc32c(data, cut)) != expected;
    }
  }
  CHECK(wrong == 0);
}

#ifdef LAYERSCOPE_HEADER_ONLY
TEST_CASE("crc32c: the table and the instruction agree, at every length and alignment") {
  using layerscope::detail::crc32c_function;
  const auto portable = crc32c_function(ls::IsaLevel::portable);
  CHECK(portable == &layerscope::detail::crc32c_portable);
  std::vector<layerscope::detail::Crc32c> functions{portable};
#ifdef LAYERSCOPE_X86_KERNELS_
  if (__builtin_cpu_supports("sse4.2")) {
    functions.push_back(&layerscope::detail::crc32c_sse42);
    CHECK(crc32c_function(ls::supported_isa_level()) == &layerscope::detail::crc32c_sse42);
  }
#endif
  const std::vector<unsigned char> bytes = noise(4096 + 16);
  std::size_t wrong = 0;
  for (const auto function : functions) {
    for (std::size_t start = 0; start < 16; ++start) {
      for (std::size_t size = 0; size <= 300; ++size) {
        wrong += function(bytes.data() + start, size, 0) != by_definition(bytes.data() + start, size);
        wrong += function(bytes.data() + start, size, 0x12345678u) != portable(bytes.data() + start, size, 0x12345678u);
      }
    }
    wrong += function(bytes.data() + 3, 4096, 0) != by_definition(bytes.data() + 3, 4096);
  }
  CHECK(wrong == 0);
}
#endif
