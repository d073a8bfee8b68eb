// Images as PNG files (ISO/IEC 15948:2004), 8 bits a sample: grey, RGB, RGBA, or palette.
//
// The compressor is libdeflate with LAYERSCOPE_WITH_LIBDEFLATE, else zlib with LAYERSCOPE_WITH_ZLIB, else the one of
// stb_image_write. One filter serves the whole image, chosen by compressing a sample of its rows: trying all five on
// every row, as stb does, costs as much as the compression (figures in docs/performance/png.md).
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/image.hpp>
#include <layerscope/core/io.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

/// What is subtracted from each byte before compression (PNG specification, section 9).
enum class PngFilter : std::uint8_t {
  none,  ///< nothing: right for palettes
  sub,   ///< the pixel to the left
  up,    ///< the pixel above
};

struct PngOptions {
  /// Effort of the compressor, 1 (fastest) to 9 (smallest); others are clamped. Default 1. zlib is never set below 2
  /// and stb's compressor never below 8, where their files would be larger than stb's own.
  int level = 1;
  /// The filter of every row. Derived: the one of the three under which up to 32 sampled rows compress best.
  std::optional<PngFilter> filter = std::nullopt;
};

/// The bytes of a PNG file. The same image and options give the same bytes with one compressor. Throws
/// Error(invalid_argument) when sides, pixels and palette disagree, Error(too_large) beyond max_image_bytes, naming the
/// size, and std::bad_alloc. Safe from several threads.
std::vector<std::uint8_t> encode_png(const Image& image, const PngOptions& options = {});

/// Encodes to memory and publishes the file as publish_file() does. Throws as encode_png and publish_file.
void write_png(const std::string& path, const Image& image, const PngOptions& options = {},
               const PublishOptions& publish = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/png_inl.hpp>
#endif
