// Body of core/png.hpp.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/png.hpp>
#include <layerscope/impl/deflate_inl.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>
#include <span>
#include <string_view>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// out[i] = a[i] − b[i] modulo 256, eight bytes a step: at plain -O2 compilers leave the byte loop scalar.
inline void subtract_bytes(const std::uint8_t* a, const std::uint8_t* b, std::uint8_t* out, std::size_t count) {
  constexpr std::uint64_t high = 0x8080808080808080u;
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    std::uint64_t x = 0;
    std::uint64_t y = 0;
    std::memcpy(&x, a + i, 8);
    std::memcpy(&y, b + i, 8);
    // With every high bit set in x and cleared in y no byte borrows from its neighbour; then the high bits are mended.
    const std::uint64_t difference = ((x | high) - (y & ~high)) ^ ((x ^ ~y) & high);
    std::memcpy(out + i, &difference, 8);
  }
  for (; i < count; ++i) out[i] = static_cast<std::uint8_t>(a[i] - b[i]);
}

/// Rows of an image, and how PNG filters them.
struct PngRows {
  const std::uint8_t* pixels;
  std::size_t rows;
  std::size_t row_bytes;
  std::size_t pixel_bytes;

  void filter(PngFilter type, std::size_t row, std::uint8_t* out) const {
    const std::uint8_t* line = pixels + row * row_bytes;
    switch (type) {
      case PngFilter::none: std::memcpy(out, line, row_bytes); return;
      case PngFilter::sub:
        std::memcpy(out, line, pixel_bytes);
        subtract_bytes(line + pixel_bytes, line, out + pixel_bytes, row_bytes - pixel_bytes);
        return;
      case PngFilter::up:
        if (row == 0) {
          std::memcpy(out, line, row_bytes);  // the row above the first counts as zeros
        } else {
          subtract_bytes(line, line - row_bytes, out, row_bytes);
        }
        return;
    }
  }
};

/// The filter under which strips of the image compress best. Small sums of residuals, the usual guess, mislead with
/// colormapped pictures: a filter may well shrink every byte and yet hide that the same few colours come back.
inline PngFilter choose_png_filter(const PngRows& rows, const ZlibCompressor& compressor) {
  constexpr std::size_t strip_rows = 8;
  const std::size_t sampled_rows = (std::min)(rows.rows, strip_rows);
  const std::size_t strips = std::clamp(rows.rows / 128, std::size_t{1}, std::size_t{4});
  PngFilter best = PngFilter::none;
  std::size_t best_size = (std::numeric_limits<std::size_t>::max)();
  std::vector<std::uint8_t> filtered(strips * sampled_rows * rows.row_bytes);
  std::vector<std::uint8_t> stream;
  for (const PngFilter type : {PngFilter::none, PngFilter::sub, PngFilter::up}) {
    std::uint8_t* out = filtered.data();
    for (std::size_t strip = 0; strip < strips; ++strip) {
      const std::size_t first = (rows.rows - sampled_rows) * (2 * strip + 1) / (2 * strips);
      for (std::size_t row = first; row < first + sampled_rows; ++row, out += rows.row_bytes) {
        rows.filter(type, row, out);
      }
    }
    stream.clear();
    compressor.append_to(stream, filtered);
    if (stream.size() >= best_size) continue;
    best = type;
    best_size = stream.size();
  }
  return best;
}

inline void append_big_endian(std::vector<std::uint8_t>& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
}

/// Appends a chunk whose contents `append` appends: length, type, contents, CRC of type and contents.
template <class Append>
void append_png_chunk(std::vector<std::uint8_t>& png, std::string_view type, Append append) {
  const std::size_t start = png.size();
  append_big_endian(png, 0);
  png.insert(png.end(), type.begin(), type.end());
  append();
  const auto length = static_cast<std::uint32_t>(png.size() - start - 8);
  for (std::size_t i = 0; i < 4; ++i) png[start + i] = static_cast<std::uint8_t>(length >> (24 - 8 * i));
  append_big_endian(png, crc32_of(std::span(png).subspan(start + 4)));
}

}  // namespace detail

LAYERSCOPE_INLINE std::vector<std::uint8_t> encode_png(const Image& image, const PngOptions& options) {
  check_image(image, "encode_png");
  if (image.pixels.size() > static_cast<std::size_t>(max_image_bytes)) {
    throw Error(ErrorCode::too_large, "encode_png: " + to_text(image.width) + " × " + to_text(image.height) +
                                          " pixels of " + to_text(channels(image.format)) +
                                          " bytes exceed the cap of " + to_text(max_image_bytes) + " bytes");
  }
  const auto pixel_bytes = static_cast<std::size_t>(channels(image.format));
  const detail::PngRows rows{image.pixels.data(), static_cast<std::size_t>(image.height),
                             static_cast<std::size_t>(image.width) * pixel_bytes, pixel_bytes};
  const detail::ZlibCompressor compressor(std::clamp(options.level, 1, 9));
  const PngFilter filter = options.filter ? *options.filter : detail::choose_png_filter(rows, compressor);
  std::vector<std::uint8_t> filtered(rows.rows * (rows.row_bytes + 1));
  for (std::size_t row = 0; row < rows.rows; ++row) {
    std::uint8_t* line = filtered.data() + row * (rows.row_bytes + 1);
    *line = static_cast<std::uint8_t>(filter);
    rows.filter(filter, row, line + 1);
  }

  std::vector<std::uint8_t> png = {137, 'P', 'N', 'G', '\r', '\n', 26, '\n'};
  detail::append_png_chunk(png, "IHDR", [&] {
    detail::append_big_endian(png, static_cast<std::uint32_t>(image.width));
    detail::append_big_endian(png, static_cast<std::uint32_t>(image.height));
    std::uint8_t colour_type = 0;
    switch (image.format) {
      case PixelFormat::gray: colour_type = 0; break;
      case PixelFormat::rgb: colour_type = 2; break;
      case PixelFormat::indexed: colour_type = 3; break;
      case PixelFormat::rgba: colour_type = 6; break;
    }
    // Eight bits a sample; deflate, the five basic filters, not interlaced.
    for (const std::uint8_t byte : {std::uint8_t{8}, colour_type, std::uint8_t{0}, std::uint8_t{0}, std::uint8_t{0}}) {
      png.push_back(byte);
    }
  });
  if (image.format == PixelFormat::indexed) {
    detail::append_png_chunk(png, "PLTE", [&] {
      for (const Rgb colour : image.palette) png.insert(png.end(), {colour.r, colour.g, colour.b});
    });
  }
  detail::append_png_chunk(png, "IDAT", [&] { compressor.append_to(png, filtered); });
  detail::append_png_chunk(png, "IEND", [] {});
  png.shrink_to_fit();  // the compressor was given room for the worst case
  return png;
}

LAYERSCOPE_INLINE void write_png(const std::string& path, const Image& image, const PngOptions& options,
                                 const PublishOptions& publish) {
  const std::vector<std::uint8_t> png = encode_png(image, options);
  publish_file(path, std::as_bytes(std::span(png)), publish);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
