// What tests of pictures share: tensors of random numbers, and a count of pixels.
#pragma once

#include <layerscope/core/image.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/core/tensor.hpp>

#include <cstdint>

namespace layerscope_test {

/// float32, normally distributed.
inline layerscope::Tensor normal_tensor(const layerscope::Shape& shape, std::uint64_t seed) {
  layerscope::Tensor x(layerscope::DType::f32, shape);
  const layerscope::Random random(seed);
  for (std::int64_t i = 0; i < x.size(); ++i) {
    x.mutable_data<float>()[i] = static_cast<float>(random.normal(static_cast<std::uint64_t>(i)));
  }
  return x;
}

/// How many pixels of an RGB image have this colour.
inline std::int64_t count_colour(const layerscope::Image& image, layerscope::Rgb colour) {
  std::int64_t count = 0;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    count += layerscope::Rgb{image.pixels[i], image.pixels[i + 1], image.pixels[i + 2]} == colour ? 1 : 0;
  }
  return count;
}

}  // namespace layerscope_test
