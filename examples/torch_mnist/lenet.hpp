// A network of the size of LeNet-5, with a probe wherever there is something to see.
#pragma once

#include <layerscope/probe.hpp>

#include <torch/nn.h>

struct LeNetImpl : torch::nn::Module {
  /// Images [n, 1, 28, 28] to the last hidden layer [n, 128].
  torch::Tensor features(torch::Tensor x) {
    x = layerscope::probe("conv1", torch::relu(conv1(x)));
    x = layerscope::probe("conv2", torch::relu(conv2(torch::max_pool2d(x, 2))));
    return layerscope::probe("fc1", torch::relu(fc1(torch::max_pool2d(x, 2).flatten(1))));
  }
  /// Images to the logits of the ten digits [n, 10].
  torch::Tensor forward(const torch::Tensor& images) { return fc2(dropout(features(images))); }

  torch::nn::Conv2d conv1 = register_module("conv1", torch::nn::Conv2d(1, 8, 5));
  torch::nn::Conv2d conv2 = register_module("conv2", torch::nn::Conv2d(8, 16, 5));
  torch::nn::Linear fc1 = register_module("fc1", torch::nn::Linear(16 * 4 * 4, 128));
  torch::nn::Dropout dropout = register_module("dropout", torch::nn::Dropout(0.5));
  torch::nn::Linear fc2 = register_module("fc2", torch::nn::Linear(128, 10));
};
TORCH_MODULE(LeNet);
