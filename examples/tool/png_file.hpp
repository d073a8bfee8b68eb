// Reads a PNG file, through stb_image.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/core/image.hpp>
#include <layerscope/core/io.hpp>

#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#include <stb_image.h>

#include <cstdint>
#include <memory>
#include <string>

namespace tool {

/// Throws Error(io) and Error(format), naming the path.
inline layerscope::Image read_png(const std::string& path) {
  const std::string file = layerscope::read_file(path, std::uint64_t{1} << 30);
  const auto fail = [&](const char* reason) {
    throw layerscope::Error(layerscope::ErrorCode::format, path + ": " + reason);
  };
  const auto* const bytes = reinterpret_cast<const stbi_uc*>(file.data());
  int width = 0;
  int height = 0;
  int channels = 0;
  if (stbi_info_from_memory(bytes, static_cast<int>(file.size()), &width, &height, &channels) == 0) fail("no PNG file");
  if (std::int64_t{width} * height * 4 > layerscope::max_image_bytes) fail("too large a picture");
  const int wanted = channels == 1 ? 1 : channels == 4 ? 4 : 3;
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(bytes, static_cast<int>(file.size()), &width, &height, &channels, wanted), stbi_image_free);
  if (pixels == nullptr) fail(stbi_failure_reason());
  layerscope::Image image = layerscope::make_image(width, height,
                                                   wanted == 1   ? layerscope::PixelFormat::gray
                                                   : wanted == 4 ? layerscope::PixelFormat::rgba
                                                                 : layerscope::PixelFormat::rgb);
  std::copy_n(pixels.get(), image.pixels.size(), image.pixels.begin());
  return image;
}

}  // namespace tool
