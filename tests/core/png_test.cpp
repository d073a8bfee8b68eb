// The user's own stb_image_write, declared before layerscope and implemented after it in one translation unit: neither
// may notice the other.
#define STBIW_UCHAR(x) static_cast<unsigned char>((x)&0xff)
#include <stb_image_write.h>

#include <layerscope/core/png.hpp>
#include <layerscope/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#ifndef STBIW_UCHAR
#error "layerscope undefined a macro of the user's"
#endif
#undef STBIW_UCHAR
#if defined(STB_IMAGE_WRITE_STATIC) || defined(STBI_WRITE_NO_STDIO) || defined(STBIW_MALLOC) || defined(stbiw__ZHASH)
#error "layerscope left a macro of stb behind"
#endif

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wold-style-cast"
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb_image_write.h>
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#include <stb_image.h>
#pragma GCC diagnostic pop

#include "support/catch.hpp"
#include "support/error.hpp"
#include "support/temporary_directory.hpp"

namespace ls = layerscope;
using Catch::Matchers::ContainsSubstring;
using layerscope_test::contents;
using layerscope_test::error_of;
using layerscope_test::TemporaryDirectory;
using layerscope_test::write_plainly;

namespace {

const char* name_of(ls::PixelFormat format) {
  switch (format) {
    case ls::PixelFormat::gray: return "gray";
    case ls::PixelFormat::rgb: return "rgb";
    case ls::PixelFormat::rgba: return "rgba";
    case ls::PixelFormat::indexed: return "indexed";
  }
  return "";
}

/// Random pixels in the left half, a slope in the right.
ls::Image test_image(std::int64_t width, std::int64_t height, ls::PixelFormat format, std::uint64_t seed,
                     std::size_t colours = 256) {
  ls::Image image = ls::make_image(width, height, format);
  const ls::Random random(seed);
  const std::uint64_t values = format == ls::PixelFormat::indexed ? colours : 256;
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    const std::size_t x = i % (image.pixels.size() / static_cast<std::size_t>(height));
    const std::uint64_t value = x % 64 < 32 ? random.below(i, values) : x % values;
    image.pixels[i] = static_cast<std::uint8_t>(value);
  }
  if (format == ls::PixelFormat::indexed) {
    for (std::size_t i = 0; i < colours; ++i) {
      const auto bits = random.block(1'000'000 + i);
      image.palette.push_back(
          {static_cast<std::uint8_t>(bits[0]), static_cast<std::uint8_t>(bits[1]), static_cast<std::uint8_t>(bits[2])});
    }
  }
  return image;
}

/// The pixels as stb_image decodes them; it expands palettes.
std::vector<std::uint8_t> decoded(const std::vector<std::uint8_t>& png, ls::PixelFormat format, std::int64_t& width,
                                  std::int64_t& height) {
  int w = 0;
  int h = 0;
  int n = 0;
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(png.data(), static_cast<int>(png.size()), &w, &h, &n, 0), &stbi_image_free);
  REQUIRE(pixels != nullptr);
  REQUIRE(n == (format == ls::PixelFormat::indexed ? 3 : ls::channels(format)));
  width = w;
  height = h;
  return {pixels.get(),
          pixels.get() + static_cast<std::size_t>(w) * static_cast<std::size_t>(h) * static_cast<std::size_t>(n)};
}

void check_decodes(const ls::Image& image, const std::vector<std::uint8_t>& png) {
  std::int64_t width = 0;
  std::int64_t height = 0;
  const auto pixels = decoded(png, image.format, width, height);
  CHECK(width == image.width);
  CHECK(height == image.height);
  const auto expected = image.format == ls::PixelFormat::indexed ? ls::to_rgb(image).pixels : image.pixels;
  CHECK((pixels == expected));
}

const auto formats = {ls::PixelFormat::gray, ls::PixelFormat::rgb, ls::PixelFormat::rgba, ls::PixelFormat::indexed};
constexpr std::pair<std::int64_t, std::int64_t> sizes[] = {{1, 1}, {2, 1},   {1, 2},   {3, 5},   {7, 8},
                                                           {8, 9}, {17, 31}, {64, 64}, {257, 3}, {130, 257}};

}  // namespace

TEST_CASE("encode_png: stb_image reads back every pixel of every format, size, filter and level") {
  for (const ls::PixelFormat format : formats) {
    for (const auto& [width, height] : sizes) {
      CAPTURE(name_of(format), width, height);
      const ls::Image image = test_image(width, height, format, 1);
      check_decodes(image, ls::encode_png(image));
      for (const ls::PngFilter filter : {ls::PngFilter::none, ls::PngFilter::sub, ls::PngFilter::up}) {
        check_decodes(image, ls::encode_png(image, {.filter = filter}));
      }
      for (const int level : {-7, 6, 9, 1000}) check_decodes(image, ls::encode_png(image, {.level = level}));
    }
  }
}

TEST_CASE("encode_png: a decoder of zlib and struct finds every chunk, checksum and pixel right") {
  if (std::system("python3 -c 'import zlib' 2>/dev/null") != 0) {
    WARN("python3 is missing; stb_image alone has read the files");
    return;
  }
  const TemporaryDirectory directory;
  const auto save = [&](const std::string& name, const ls::Image& image) {
    std::string raw = std::to_string(image.width) + " " + std::to_string(image.height) + " " + name_of(image.format) +
                      " " + std::to_string(image.palette.size()) + "\n";
    for (const ls::Rgb colour : image.palette) {
      for (const std::uint8_t byte : {colour.r, colour.g, colour.b}) raw += static_cast<char>(byte);
    }
    raw.append(reinterpret_cast<const char*>(image.pixels.data()), image.pixels.size());
    write_plainly(directory / (name + ".raw"), raw);
    ls::write_png(directory / (name + ".png"), image);
  };
  for (const ls::PixelFormat format : formats) {
    for (const auto& [width, height] : sizes) {
      save(std::string(name_of(format)) + std::to_string(width) + "x" + std::to_string(height),
           test_image(width, height, format, 2));
    }
  }
  save("two_colours", test_image(40, 40, ls::PixelFormat::indexed, 3, 2));
  const std::string command = "python3 '" LAYERSCOPE_TESTS_DIR "/reference/png_check.py' '" + directory.path() + "'";
  CHECK(std::system((command + " > '" + (directory / "log") + "'").c_str()) == 0);
  CHECK(contents(directory / "log") == "41 files, 0 bad\n");

  // The control: one pixel changed must be noticed.
  std::string raw = contents(directory / "rgb3x5.raw");
  raw.back() = static_cast<char>(raw.back() ^ 1);
  write_plainly(directory / "rgb3x5.raw", raw);
  CHECK(std::system((command + " > /dev/null").c_str()) != 0);
}

TEST_CASE("encode_png: a palette is a third of the pixels and keeps its colours") {
  const ls::Image image = test_image(100, 60, ls::PixelFormat::indexed, 4, 5);
  const auto png = ls::encode_png(image);
  CHECK(png[25] == 3);  // colour type in IHDR
  REQUIRE(std::memcmp(png.data() + 37, "PLTE", 4) == 0);
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(png[41 + 3 * i] == image.palette[i].r);
    CHECK(png[42 + 3 * i] == image.palette[i].g);
    CHECK(png[43 + 3 * i] == image.palette[i].b);
  }
}

TEST_CASE("encode_png: sizes, pixels and palettes that disagree are refused, and the size is named") {
  ls::Image image = ls::make_image(4, 3, ls::PixelFormat::rgb);
  image.width = 5;
  CHECK_THAT(error_of([&] { (void)ls::encode_png(image); }).what(), ContainsSubstring("5 × 3"));
  image.width = std::int64_t{1} << 62;
  CHECK(error_of([&] { (void)ls::encode_png(image); }).code() == ls::ErrorCode::invalid_argument);
  image.width = -4;
  image.height = -3;
  CHECK(error_of([&] { (void)ls::encode_png(image); }).code() == ls::ErrorCode::invalid_argument);
  // The product that overflows stb's int: 50,000 × 85,899 wraps to 32,704 bytes.
  image.width = 50'000;
  image.height = 85'899;
  image.format = ls::PixelFormat::gray;
  image.pixels.resize(32'704);
  CHECK_THAT(error_of([&] { (void)ls::encode_png(image); }).what(), ContainsSubstring("50000 × 85899"));
  CHECK(error_of([&] { (void)ls::encode_png(ls::Image{}); }).code() == ls::ErrorCode::invalid_argument);

  ls::Image indexed = ls::make_image(2, 2, ls::PixelFormat::indexed);
  CHECK(error_of([&] { (void)ls::encode_png(indexed); }).code() == ls::ErrorCode::invalid_argument);
  indexed.palette.resize(257);
  CHECK(error_of([&] { (void)ls::encode_png(indexed); }).code() == ls::ErrorCode::invalid_argument);
  indexed.palette.resize(1);
  indexed.pixels[3] = 1;
  CHECK(error_of([&] { (void)ls::encode_png(indexed); }).code() == ls::ErrorCode::invalid_argument);
}

TEST_CASE("encode_png: more than the cap is refused by its size") {
  ls::Image image;
  image.width = (std::int64_t{1} << 28) + 1;
  image.height = 1;
  image.format = ls::PixelFormat::gray;
  image.pixels.resize((std::size_t{1} << 28) + 1);
  const ls::Error error = error_of([&] { (void)ls::encode_png(image); });
  CHECK(error.code() == ls::ErrorCode::too_large);
  CHECK_THAT(error.what(), ContainsSubstring("268435457 × 1"));
}

TEST_CASE("encode_png: the same bytes every time and on every thread") {
  const ls::Image image = test_image(190, 170, ls::PixelFormat::rgb, 5);
  const auto once = ls::encode_png(image);
  std::vector<std::vector<std::uint8_t>> others(4);
  std::vector<std::thread> threads;
  for (auto& other : others) threads.emplace_back([&] { other = ls::encode_png(image); });
  for (std::thread& thread : threads) thread.join();
  for (const auto& other : others) CHECK((other == once));
}

TEST_CASE("encode_png does not read the settings of the user's stb, nor write them") {
  const ls::Image image = test_image(60, 50, ls::PixelFormat::rgb, 6);
  const auto before = ls::encode_png(image);
  stbi_flip_vertically_on_write(1);
  stbi_write_png_compression_level = 3;
  stbi_write_force_png_filter = 4;
  CHECK((ls::encode_png(image) == before));
  CHECK(stbi_write_png_compression_level == 3);
  CHECK(stbi_write_force_png_filter == 4);
  stbi_flip_vertically_on_write(0);
  stbi_write_png_compression_level = 8;
  stbi_write_force_png_filter = -1;
  int length = 0;
  unsigned char* png = stbi_write_png_to_mem(image.pixels.data(), 0, 60, 50, 3, &length);
  REQUIRE(png != nullptr);
  check_decodes(image, {png, png + length});
  std::free(png);
}

TEST_CASE("encode_png: a heatmap comes out no larger than with stb's defaults, and smaller with its palette") {
  for (const double noise : {0.0, 12.0}) {
    const std::int64_t side = 512;
    ls::Image map = ls::make_image(side, side, ls::PixelFormat::indexed);
    for (int i = 0; i < 256; ++i) {
      map.palette.push_back({static_cast<std::uint8_t>(i * i / 255), static_cast<std::uint8_t>(i),
                             static_cast<std::uint8_t>(255 - i / 2)});
    }
    const ls::Random random(1);
    for (std::int64_t y = 0; y < side; ++y) {
      for (std::int64_t x = 0; x < side; ++x) {
        const double wave = 127 + 60 * std::sin(0.037 * static_cast<double>(x)) +
                            60 * std::cos(0.025 * static_cast<double>(y) + 0.049 * static_cast<double>(x));
        const double level = wave + noise * random.normal(static_cast<std::uint64_t>(y * side + x));
        *map.at(x, y) = static_cast<std::uint8_t>(std::clamp(level, 0.0, 255.0));
      }
    }
    const ls::Image rgb = ls::to_rgb(map);
    int length = 0;
    std::free(stbi_write_png_to_mem(rgb.pixels.data(), 0, 512, 512, 3, &length));
    const std::size_t of_rgb = ls::encode_png(rgb).size();
    CHECK(of_rgb <= static_cast<std::size_t>(length));
    CHECK(ls::encode_png(map).size() < of_rgb);
  }
}

TEST_CASE("write_png publishes the file whole or not at all") {
  const TemporaryDirectory directory;
  const ls::Image image = test_image(9, 9, ls::PixelFormat::gray, 7);
  ls::write_png(directory / "x.png", image);
  const auto png = ls::encode_png(image);
  CHECK(contents(directory / "x.png") == std::string(png.begin(), png.end()));
  CHECK(error_of([&] { ls::write_png(directory / "x.png", ls::Image{}); }).code() == ls::ErrorCode::invalid_argument);
  CHECK(error_of([&] { ls::write_png(directory / "none/x.png", image); }).code() == ls::ErrorCode::io);
  CHECK(directory.names() == std::vector<std::string>{"x.png"});
}
