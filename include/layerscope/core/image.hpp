// Pictures as plain bytes: grey, RGB, RGBA, or an index into a palette of at most 256 colours.
#pragma once

#include <layerscope/config.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

struct Rgb {
  std::uint8_t r = 0, g = 0, b = 0;
  friend constexpr bool operator==(Rgb, Rgb) = default;
};

enum class PixelFormat : std::uint8_t { gray, rgb, rgba, indexed };

/// Bytes per pixel.
constexpr int channels(PixelFormat format) noexcept {
  switch (format) {
    case PixelFormat::gray:
    case PixelFormat::indexed: return 1;
    case PixelFormat::rgb: return 3;
    case PixelFormat::rgba: return 4;
  }
  return 0;
}

/// The largest number of bytes an image may have; beyond it pictures are scaled down, and say so.
inline constexpr std::int64_t max_image_bytes = std::int64_t{1} << 28;

/// Pixels row by row from the top left, without padding between rows.
struct Image {
  std::int64_t width = 0;
  std::int64_t height = 0;
  PixelFormat format = PixelFormat::rgb;
  std::vector<std::uint8_t> pixels;  ///< height × width × channels(format) bytes
  std::vector<Rgb> palette;          ///< for PixelFormat::indexed: 1 to 256 colours, every index below their number

  bool empty() const noexcept { return pixels.empty(); }
  const std::uint8_t* at(std::int64_t x, std::int64_t y) const noexcept { return pixels.data() + offset(x, y); }
  std::uint8_t* at(std::int64_t x, std::int64_t y) noexcept { return pixels.data() + offset(x, y); }

  friend bool operator==(const Image&, const Image&) = default;

 private:
  std::size_t offset(std::int64_t x, std::int64_t y) const noexcept {
    return static_cast<std::size_t>((y * width + x) * channels(format));
  }
};

/// An image of zeros. Throws Error(empty) when a side is below 1 and Error(too_large) beyond max_image_bytes.
Image make_image(std::int64_t width, std::int64_t height, PixelFormat format);

/// An RGB image filled with one colour. Throws as make_image.
Image make_image(std::int64_t width, std::int64_t height, Rgb background);

/// The same picture as RGB: palette looked up, grey spread, alpha dropped.
Image to_rgb(const Image& image);

/// Throws Error(invalid_argument) naming `what` unless sides, pixel bytes and palette agree with each other.
void check_image(const Image& image, const char* what);

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/image_inl.hpp>
#endif
