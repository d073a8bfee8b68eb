// The network of the checkpoints, without any framework: three convolutions of 3 × 3, batch norm, two dense layers.
#pragma once

#include <layerscope/core/kernels/matmul.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/readers/safetensors.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

/// A layer's output, [samples, features].
struct Output {
  std::string name;
  layerscope::Tensor values;
};

class ConvNet {
 public:
  explicit ConvNet(const std::string& path) : file_(path) {}

  /// What each layer puts out for pixels[n, 28, 28] of mean 0 and deviation 1; the last are the logits.
  std::vector<Output> forward(const std::vector<float>& pixels) const {
    const auto n = static_cast<std::int64_t>(pixels.size()) / (28 * 28);
    std::vector<Output> outputs;
    std::vector<float> x = pixels;
    const auto keep = [&](const char* name) {
      layerscope::Tensor values(layerscope::DType::f32, {n, static_cast<std::int64_t>(x.size()) / n});
      std::copy(x.begin(), x.end(), values.mutable_data<float>());
      outputs.push_back({name, std::move(values)});
    };
    x = convolved(x, "conv1", 1, 28);
    keep("conv1");
    x = convolved(x, "conv2", 8, 26);
    keep("conv2");
    x = convolved(x, "conv3", 16, 24);
    keep("conv3");
    normalise(x, "norm1", 22 * 22);
    keep("norm1");
    x = dense(x, "fc1", n);
    for (float& value : x) value = (std::max)(value, 0.0f);
    keep("fc1");
    x = dense(x, "fc2", n);
    normalise(x, "norm2", 1);
    keep("logits");
    return outputs;
  }

 private:
  std::vector<float> weights(const std::string& name) const {
    const layerscope::Tensor tensor = layerscope::convert(file_.read(name), layerscope::DType::f32);
    return {tensor.data<float>(), tensor.data<float>() + tensor.size()};
  }

  /// ReLU of a 3 × 3 convolution of [n, channels, side, side], without padding.
  std::vector<float> convolved(const std::vector<float>& x, const std::string& layer, std::int64_t channels,
                               std::int64_t side) const {
    const std::vector<float> weight = weights(layer + ".weight"), bias = weights(layer + ".bias");
    const auto outputs = static_cast<std::int64_t>(bias.size());
    const std::int64_t samples = static_cast<std::int64_t>(x.size()) / (channels * side * side);
    const std::int64_t to = side - 2, depth = channels * 9;
    std::vector<float> result(static_cast<std::size_t>(samples * outputs * to * to));
    std::vector<float> patches(static_cast<std::size_t>(depth * to * to));
    for (std::int64_t sample = 0; sample < samples; ++sample) {
      float* patch = patches.data();
      for (std::int64_t row = 0; row < depth; ++row) {  // channel, then position in the window
        const float* from = x.data() + (sample * channels + row / 9) * side * side + row % 9 / 3 * side + row % 3;
        for (std::int64_t y = 0; y < to; ++y, patch += to) std::copy_n(from + y * side, to, patch);
      }
      float* const out = result.data() + sample * outputs * to * to;
      layerscope::matmul(outputs, to * to, depth, {weight.data(), depth}, {patches.data(), to * to}, out, to * to, 0);
      for (std::int64_t i = 0; i < outputs * to * to; ++i) {
        out[i] = (std::max)(out[i] + bias[static_cast<std::size_t>(i / (to * to))], 0.0f);
      }
    }
    return result;
  }

  /// Batch norm by the running statistics, in place; each channel has `size` numbers.
  void normalise(std::vector<float>& x, const std::string& layer, std::size_t size) const {
    const std::vector<float> weight = weights(layer + ".weight"), bias = weights(layer + ".bias");
    const std::vector<float> mean = weights(layer + ".running_mean"), variance = weights(layer + ".running_var");
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::size_t c = i / size % weight.size();
      x[i] = (x[i] - mean[c]) / std::sqrt(variance[c] + 1e-5f) * weight[c] + bias[c];
    }
  }

  std::vector<float> dense(const std::vector<float>& x, const std::string& layer, std::int64_t samples) const {
    const std::vector<float> weight = weights(layer + ".weight"), bias = weights(layer + ".bias");
    const auto outputs = static_cast<std::int64_t>(bias.size());
    const std::int64_t depth = static_cast<std::int64_t>(x.size()) / samples;
    std::vector<float> result(static_cast<std::size_t>(samples * outputs));
    const layerscope::StridedMatrix<float> rows{weight.data(), depth};
    layerscope::matmul(samples, outputs, depth, {x.data(), depth}, rows.transposed(), result.data(), outputs, 0);
    for (std::size_t i = 0; i < result.size(); ++i) result[i] += bias[i % bias.size()];
    return result;
  }

  layerscope::Safetensors file_;
};
