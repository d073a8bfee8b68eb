// MNIST as libtorch tensors.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/readers/idx.hpp>

#include <ATen/ATen.h>

#include <cstdint>
#include <string>

struct Digits {
  at::Tensor pixels;  ///< [n, 1, 28, 28], uint8
  at::Tensor labels;  ///< [n], int64

  std::int64_t size() const { return labels.size(0); }
  Digits first(std::int64_t n) const { return {pixels.slice(0, 0, n), labels.slice(0, 0, n)}; }
  Digits at(const at::Tensor& rows) const { return {pixels.index_select(0, rows), labels.index_select(0, rows)}; }
  /// [n, 1, 28, 28], with the mean 0 and the deviation 1 of the training images.
  at::Tensor images() const { return (pixels.to(at::kFloat) / 255 - 0.1307) / 0.3081; }
};

/// The first `limit` digits of "train" or "t10k" in `directory`. Throws layerscope::Error.
inline Digits read_digits(const std::string& directory, const std::string& part, std::int64_t limit) {
  const auto read = [&](const char* suffix) { return layerscope::read_idx(directory + '/' + part + suffix); };
  layerscope::Tensor images = read("-images-idx3-ubyte.gz");
  layerscope::Tensor labels = read("-labels-idx1-ubyte.gz");
  const layerscope::Shape& shape = images.shape();
  if (shape.rank() != 3 || shape[1] != 28 || shape[2] != 28 || labels.shape() != layerscope::Shape{shape[0]} ||
      images.dtype() != layerscope::DType::u8 || labels.dtype() != layerscope::DType::u8) {
    throw layerscope::Error(layerscope::ErrorCode::format, directory + ": " + part + " has images " + to_text(shape) +
                                                               " and labels " + to_text(labels.shape()) +
                                                               "; expected bytes, [n, 28, 28] and [n]");
  }
  const Digits all{at::from_blob(images.mutable_raw(), {shape[0], 1, 28, 28}, at::kByte).clone(),
                   at::from_blob(labels.mutable_raw(), {shape[0]}, at::kByte).to(at::kLong)};
  return all.first(limit);
}
