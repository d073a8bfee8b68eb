// Body of core/kernels/crc32c.hpp.
#pragma once

#include <layerscope/core/kernels/crc32c.hpp>
#include <layerscope/core/kernels/isa.hpp>
#include <layerscope/impl/kernels/x86_inl.hpp>

#include <array>

#ifdef LAYERSCOPE_X86_KERNELS_
#include <nmmintrin.h>

#include <cstring>
#endif

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

using Crc32c = std::uint32_t (*)(const unsigned char*, std::size_t, std::uint32_t);

/// Row k: the effect of a byte that k others follow, so that eight bytes are taken at once ("slicing by 8": Kounavis
/// and Berry, "A systematic approach to building high performance software-based CRC generators", 2005).
using Crc32cTables = std::array<std::array<std::uint32_t, 256>, 8>;
constexpr Crc32cTables crc32c_tables() {
  Crc32cTables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1u) != 0 ? 0x82F63B78u : 0u);
    tables[0][byte] = crc;
  }
  for (std::size_t row = 1; row < 8; ++row) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[row - 1][byte];
      tables[row][byte] = (before >> 8) ^ tables[0][before & 255u];
    }
  }
  return tables;
}

LAYERSCOPE_INLINE std::uint32_t crc32c_portable(const unsigned char* data, std::size_t size, std::uint32_t crc) {
  static constexpr Crc32cTables t = crc32c_tables();
  crc = ~crc;
  for (; size >= 8; size -= 8, data += 8) {
    crc ^= std::uint32_t{data[0]} | std::uint32_t{data[1]} << 8 | std::uint32_t{data[2]} << 16 |
           std::uint32_t{data[3]} << 24;
    crc = t[7][crc & 255u] ^ t[6][crc >> 8 & 255u] ^ t[5][crc >> 16 & 255u] ^ t[4][crc >> 24] ^ t[3][data[4]] ^
          t[2][data[5]] ^ t[1][data[6]] ^ t[0][data[7]];
  }
  for (; size > 0; --size, ++data) crc = (crc >> 8) ^ t[0][(crc ^ *data) & 255u];
  return ~crc;
}

#ifdef LAYERSCOPE_X86_KERNELS_
__attribute__((target("sse4.2"))) LAYERSCOPE_INLINE std::uint32_t crc32c_sse42(const unsigned char* data,
                                                                               std::size_t size, std::uint32_t crc) {
  std::uint64_t wide = ~crc;
  for (; size >= 8; size -= 8, data += 8) {
    std::uint64_t word;
    std::memcpy(&word, data, 8);
    wide = _mm_crc32_u64(wide, word);
  }
  crc = static_cast<std::uint32_t>(wide);
  for (; size > 0; --size, ++data) crc = _mm_crc32_u8(crc, *data);
  return ~crc;
}
#endif

/// The fastest one that `level` allows on this processor.
LAYERSCOPE_INLINE Crc32c crc32c_function(IsaLevel level) noexcept {
#ifdef LAYERSCOPE_X86_KERNELS_
  const bool capped = level < supported_isa_level();
  if (level >= IsaLevel::avx2 || (!capped && __builtin_cpu_supports("sse4.2"))) return &crc32c_sse42;
#endif
  static_cast<void>(level);
  return &crc32c_portable;
}

}  // namespace detail

LAYERSCOPE_INLINE std::uint32_t crc32c(const void* data, std::size_t size, std::uint32_t crc) noexcept {
  static const detail::Crc32c function = detail::crc32c_function(isa_level());
  return function(static_cast<const unsigned char*>(data), size, crc);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
