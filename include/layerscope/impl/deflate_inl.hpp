// zlib streams and CRC-32 by whichever compressor this build has: libdeflate, zlib, or the one inside stb_image_write.
#pragma once

#include <layerscope/config.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <vector>

#if defined(LAYERSCOPE_WITH_LIBDEFLATE)
#include <libdeflate.h>
#elif defined(LAYERSCOPE_WITH_ZLIB)
#include <zlib.h>
#else
#include <layerscope/impl/stb_deflate_inl.hpp>
#endif

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Makes zlib streams (RFC 1950) at one level, 1 to 9, one after the other.
class ZlibCompressor {
 public:
  /// Below it the files grow past those of stb at its defaults (docs/performance/png.md).
#if defined(LAYERSCOPE_WITH_LIBDEFLATE)
  static constexpr int lowest_level = 1;
#elif defined(LAYERSCOPE_WITH_ZLIB)
  static constexpr int lowest_level = 2;
#else
  static constexpr int lowest_level = 8;
#endif

  /// Throws std::bad_alloc.
  explicit ZlibCompressor(int level) : level_((std::max)(level, lowest_level)) {
#if defined(LAYERSCOPE_WITH_LIBDEFLATE)
    compressor_.reset(libdeflate_alloc_compressor(level_));
    if (compressor_ == nullptr) throw std::bad_alloc();
#endif
  }

  /// Appends the stream of `bytes`, at most 2^30 of them, to `out`. Throws std::bad_alloc.
  void append_to(std::vector<std::uint8_t>& out, std::span<std::uint8_t> bytes) const {
#if defined(LAYERSCOPE_WITH_LIBDEFLATE)
    const std::size_t start = out.size();
    const std::size_t bound = libdeflate_zlib_compress_bound(compressor_.get(), bytes.size());
    out.resize(start + bound);
    out.resize(start +
               libdeflate_zlib_compress(compressor_.get(), bytes.data(), bytes.size(), out.data() + start, bound));
#elif defined(LAYERSCOPE_WITH_ZLIB)
    const std::size_t start = out.size();
    uLongf length = compressBound(static_cast<uLong>(bytes.size()));
    out.resize(start + length);
    if (compress2(out.data() + start, &length, bytes.data(), static_cast<uLong>(bytes.size()), level_) != Z_OK) {
      throw std::bad_alloc();  // the one failure left: the bound is kept and the level in range
    }
    out.resize(start + length);
#else
    const std::vector<unsigned char> stream = stb_deflate(bytes.data(), static_cast<int>(bytes.size()), level_);
    out.insert(out.end(), stream.begin(), stream.end());
#endif
  }

 private:
  int level_;
#if defined(LAYERSCOPE_WITH_LIBDEFLATE)
  struct Free {
    void operator()(libdeflate_compressor* compressor) const noexcept { libdeflate_free_compressor(compressor); }
  };
  std::unique_ptr<libdeflate_compressor, Free> compressor_;
#endif
};

/// CRC-32 as in PNG, gzip and ISO 3309: reflected polynomial 0xEDB88320.
inline std::uint32_t crc32_of(std::span<const std::uint8_t> bytes) noexcept {
#if defined(LAYERSCOPE_WITH_LIBDEFLATE)
  return libdeflate_crc32(0, bytes.data(), bytes.size());
#elif defined(LAYERSCOPE_WITH_ZLIB)
  return static_cast<std::uint32_t>(crc32_z(0, bytes.data(), bytes.size()));
#else
  constexpr auto table = [] {
    std::array<std::uint32_t, 256> entries{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t remainder = i;
      for (int bit = 0; bit < 8; ++bit) remainder = remainder >> 1 ^ (remainder & 1 ? 0xEDB88320u : 0u);
      entries[i] = remainder;
    }
    return entries;
  }();
  std::uint32_t crc = ~0u;
  for (const std::uint8_t byte : bytes) crc = crc >> 8 ^ table[(crc ^ byte) & 255u];
  return ~crc;
#endif
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
