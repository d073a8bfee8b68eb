// Body of core/image.hpp.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/image.hpp>

#include <algorithm>
#include <string>

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE Image make_image(std::int64_t width, std::int64_t height, PixelFormat format) {
  if (width < 1 || height < 1) {
    throw Error(ErrorCode::empty,
                "image: " + to_text(width) + " × " + to_text(height) + " pixels; expected at least 1 × 1");
  }
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(width, height, &bytes) || __builtin_mul_overflow(bytes, channels(format), &bytes) ||
      bytes > max_image_bytes) {
    throw Error(ErrorCode::too_large, "image: " + to_text(width) + " × " + to_text(height) + " pixels of " +
                                          to_text(channels(format)) + " bytes exceed the cap of " +
                                          to_text(max_image_bytes) + " bytes");
  }
  Image image;
  image.width = width;
  image.height = height;
  image.format = format;
  image.pixels.resize(static_cast<std::size_t>(bytes));
  return image;
}

LAYERSCOPE_INLINE Image make_image(std::int64_t width, std::int64_t height, Rgb background) {
  Image image = make_image(width, height, PixelFormat::rgb);
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    image.pixels[i] = background.r;
    image.pixels[i + 1] = background.g;
    image.pixels[i + 2] = background.b;
  }
  return image;
}

LAYERSCOPE_INLINE void check_image(const Image& image, const char* what) {
  const auto fail = [what](const std::string& problem) {
    throw Error(ErrorCode::invalid_argument, std::string(what) + ": " + problem);
  };
  std::int64_t bytes = 0;
  if (image.width < 1 || image.height < 1 || __builtin_mul_overflow(image.width, image.height, &bytes) ||
      __builtin_mul_overflow(bytes, channels(image.format), &bytes) ||
      static_cast<std::uint64_t>(bytes) != image.pixels.size()) {
    fail(to_text(image.pixels.size()) + " bytes given for " + to_text(image.width) + " × " + to_text(image.height) +
         " pixels of " + to_text(channels(image.format)) + " bytes");
  }
  if (image.format != PixelFormat::indexed) return;
  if (image.palette.empty() || image.palette.size() > 256) {
    fail(to_text(image.palette.size()) + " palette colours; expected 1 to 256");
  }
  const std::uint8_t largest = *std::max_element(image.pixels.begin(), image.pixels.end());
  if (largest >= image.palette.size()) {
    fail("index " + to_text(int{largest}) + " exceeds the palette of " + to_text(image.palette.size()) + " colours");
  }
}

LAYERSCOPE_INLINE Image to_rgb(const Image& image) {
  check_image(image, "to_rgb");
  if (image.format == PixelFormat::rgb) return image;
  Image result = make_image(image.width, image.height, PixelFormat::rgb);
  const auto stride = static_cast<std::size_t>(channels(image.format));
  const std::uint8_t* in = image.pixels.data();
  for (std::size_t out = 0; out < result.pixels.size(); out += 3, in += stride) {
    Rgb colour{in[0], in[0], in[0]};
    if (image.format == PixelFormat::indexed) colour = image.palette[in[0]];
    if (image.format == PixelFormat::rgba) colour = {in[0], in[1], in[2]};
    result.pixels[out] = colour.r;
    result.pixels[out + 1] = colour.g;
    result.pixels[out + 2] = colour.b;
  }
  return result;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
