// encode_png against stb_image_write's own encoder at its defaults, in turn in one run, on RGB heatmaps and palettes.
//
// Bytes per image are reported as `bytes`. Compile with plain -O2; see docs/performance/png.md for the command.
#include <layerscope/core/png.hpp>
#include <layerscope/core/random.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb_image_write.h>
#pragma GCC diagnostic pop

namespace {

namespace ls = layerscope;

enum Content : std::int64_t { smooth, noisy, tiles };

/// Levels 0 to 255 of a made-up activation map: two waves, or waves and noise, or an 8 × 8 grid of enlarged pixels.
std::uint8_t level_at(std::int64_t x, std::int64_t y, std::int64_t side, Content content, const ls::Random& random) {
  if (content == tiles) {
    const std::int64_t pixel = (std::max)(side / 128, std::int64_t{1});
    x = x / pixel * pixel;
    y = y / pixel * pixel;
  }
  const double scale = 6.28318530717958648 / static_cast<double>(side);
  double value = 127.5 + 63 * std::sin(3 * scale * static_cast<double>(x)) +
                 63 * std::cos(2 * scale * static_cast<double>(y) + 4 * scale * static_cast<double>(x));
  if (content != smooth) value += 12 * random.normal(static_cast<std::uint64_t>(y * side + x));
  return static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0));
}

/// A smooth colour ramp of 256 entries, in the manner of viridis.
std::vector<ls::Rgb> ramp() {
  std::vector<ls::Rgb> colours;
  for (int i = 0; i < 256; ++i) {
    const double t = i / 255.0;
    colours.push_back({static_cast<std::uint8_t>(255 * t * t), static_cast<std::uint8_t>(255 * std::sqrt(t)),
                       static_cast<std::uint8_t>(80 + 120 * std::sin(3 * t))});
  }
  return colours;
}

ls::Image heatmap(std::int64_t side, Content content) {
  ls::Image image = ls::make_image(side, side, ls::PixelFormat::indexed);
  image.palette = ramp();
  const ls::Random random(1);
  for (std::int64_t y = 0; y < side; ++y) {
    for (std::int64_t x = 0; x < side; ++x) *image.at(x, y) = level_at(x, y, side, content, random);
  }
  return image;
}

void count_bytes(void* total, void* /*data*/, int size) {
  *static_cast<std::int64_t*>(total) += size;
}

void stb_default(benchmark::State& state) {
  const ls::Image image = ls::to_rgb(heatmap(state.range(0), static_cast<Content>(state.range(1))));
  std::int64_t bytes = 0;
  for (auto _ : state) {
    bytes = 0;
    stbi_write_png_to_func(&count_bytes, &bytes, static_cast<int>(image.width), static_cast<int>(image.height), 3,
                           image.pixels.data(), 0);
  }
  state.counters["bytes"] = static_cast<double>(bytes);
}

void encode(benchmark::State& state, const ls::Image& image, const ls::PngOptions& options) {
  std::size_t bytes = 0;
  for (auto _ : state) bytes = ls::encode_png(image, options).size();
  state.counters["bytes"] = static_cast<double>(bytes);
}

void layerscope_rgb(benchmark::State& state) {
  encode(state, ls::to_rgb(heatmap(state.range(0), static_cast<Content>(state.range(1)))), {});
}

void layerscope_palette(benchmark::State& state) {
  encode(state, heatmap(state.range(0), static_cast<Content>(state.range(1))), {});
}

/// Arguments: side, content, filter, level.
void layerscope_rgb_forced(benchmark::State& state) {
  encode(state, ls::to_rgb(heatmap(state.range(0), static_cast<Content>(state.range(1)))),
         {.level = static_cast<int>(state.range(3)), .filter = static_cast<ls::PngFilter>(state.range(2))});
}

void sides_and_contents(benchmark::internal::Benchmark* bench) {
  for (const std::int64_t side : {32, 512, 4096}) {
    for (const Content content : {smooth, noisy, tiles}) bench->Args({side, content});
  }
  bench->Unit(benchmark::kMillisecond);
}

BENCHMARK(stb_default)->Apply(sides_and_contents);
BENCHMARK(layerscope_rgb)->Apply(sides_and_contents);
BENCHMARK(layerscope_palette)->Apply(sides_and_contents);
BENCHMARK(layerscope_rgb_forced)
    ->ArgsProduct({{512, 4096}, {smooth, noisy, tiles}, {0, 1, 2}, {1, 2}})
    ->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
