#include <layerscope/adapters/torch_module.hpp>
#include <layerscope/recorder.hpp>
#include <layerscope/sinks/memory.hpp>
#include <layerscope/snapshot/snapshot.hpp>
#include <layerscope/snapshot/watch.hpp>

#include "support/catch.hpp"

#include <torch/nn.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace ls = layerscope;

namespace {

struct BlockImpl : torch::nn::Module {
  torch::Tensor forward(const torch::Tensor& x) { return norm(conv(x)); }

  torch::nn::Conv2d conv = register_module("conv", torch::nn::Conv2d(2, 3, 3));
  torch::nn::BatchNorm2d norm = register_module("norm", torch::nn::BatchNorm2d(3));
};
TORCH_MODULE(Block);

struct Net : torch::nn::Module {
  Block block = register_module("block", Block());
  torch::Tensor scale = register_parameter("scale", torch::ones({}));
};

const std::vector<std::string> net_names = {"scale", "block/conv/weight", "block/conv/bias", "block/norm/weight",
                                            "block/norm/bias"};

template <class M>
std::vector<std::string> names_of(const M& module) {
  std::vector<std::string> names;
  ls::named_parameters<M>::for_each(module, [&](std::string_view name, const ls::TensorRef& parameter) {
    CHECK_NOTHROW(parameter.read());
    names.emplace_back(name);
  });
  return names;
}

/// "kind name" of everything that one snapshot of a watched module writes.
template <class M>
std::set<std::string> recorded(const M& module, std::string_view prefix) {
  const auto sink = std::make_shared<ls::MemorySink>();
  ls::Recorder recorder;
  recorder.add(sink).watch(module, prefix);
  recorder.snapshot(0);
  const ls::Report report = recorder.close();
  CHECK(report.counts.failed == 0);
  std::set<std::string> found;
  for (const ls::Artifact& artifact : sink->artifacts()) found.insert(artifact.kind + ' ' + artifact.name);
  return found;
}

}  // namespace

TEST_CASE("torch modules: parameters are named by their path") {
  CHECK(names_of(Net()) == net_names);
  CHECK(names_of(Block()) == std::vector<std::string>{"conv/weight", "conv/bias", "norm/weight", "norm/bias"});
  const torch::nn::Sequential layers(torch::nn::Linear(4, 3), torch::nn::ReLU(), torch::nn::Linear(3, 2));
  CHECK(names_of(layers) == std::vector<std::string>{"0/weight", "0/bias", "2/weight", "2/bias"});
  CHECK(names_of(Block(nullptr)).empty());
  const torch::nn::Module& base = *layers;
  CHECK(names_of(base).size() == 4);
}

TEST_CASE("torch modules: the parameters shown are the module's own memory") {
  const torch::nn::Linear linear(3, 2);
  ls::named_parameters<torch::nn::Linear>::for_each(linear, [&](std::string_view name, const ls::TensorRef& parameter) {
    const torch::Tensor& expected = name == "weight" ? linear->weight : linear->bias;
    CHECK(parameter.read().data() == expected.data_ptr());
  });
}

TEST_CASE("torch modules: watch() takes modules, handles and shared pointers") {
  const std::set<std::string> block = {"filters b/conv/weight", "histogram b/conv/weight", "histogram b/conv/bias",
                                       "histogram b/norm/weight", "histogram b/norm/bias"};
  CHECK(recorded(Block(), "b") == block);
  CHECK(recorded(*Block(), "b") == block);
  CHECK(recorded(std::make_shared<BlockImpl>(), "b") == block);
  CHECK(recorded(std::shared_ptr<torch::nn::Module>(std::make_shared<BlockImpl>()), "b") == block);
  CHECK(recorded(std::shared_ptr<torch::nn::Module>(), "b").empty());
  const torch::nn::Sequential layers(torch::nn::Linear(4, 3), torch::nn::ReLU());
  CHECK(recorded(layers, "") == std::set<std::string>{"filters 0/weight", "histogram 0/weight", "histogram 0/bias"});
}

TEST_CASE("torch modules: a watched handle outlives the caller's") {
  const auto sink = std::make_shared<ls::MemorySink>();
  ls::Recorder recorder;
  recorder.add(sink);
  {
    const Block block;
    recorder.watch(block);
  }
  recorder.snapshot(0);
  CHECK(recorder.close().counts.written == 5);
}

TEST_CASE("torch modules: evaluation leaves no trace") {
  torch::manual_seed(3);
  torch::nn::Sequential net(Block(), torch::nn::Dropout(0.5), torch::nn::Conv2d(3, 2, 1));
  net->train();
  net[1]->eval();  // a part that its user froze
  std::vector<bool> modes;
  for (const auto& module : net->modules()) modes.push_back(module->is_training());
  const torch::Tensor x = torch::randn({4, 2, 8, 8});
  net->forward(x).sum().backward();
  const auto values = [&] {
    std::vector<torch::Tensor> all;
    for (const auto& parameter : net->parameters())
      all.insert(all.end(), {parameter.detach().clone(), parameter.grad().clone()});
    for (const auto& buffer : net->buffers()) all.push_back(buffer.clone());
    return all;
  };
  const auto before = values();
  const torch::Tensor generator = at::globalContext().defaultGenerator(at::kCPU).get_state();
  {
    const ls::TorchEvaluation evaluation(*net);
    CHECK_FALSE(torch::GradMode::is_enabled());
    for (const auto& module : net->modules()) CHECK_FALSE(module->is_training());
    CHECK_FALSE(net->forward(x).requires_grad());
    torch::rand({5});  // as dropout that does not ask for the mode
  }
  CHECK(torch::GradMode::is_enabled());
  std::vector<bool> restored;
  for (const auto& module : net->modules()) restored.push_back(module->is_training());
  CHECK(restored == modes);
  CHECK(at::globalContext().defaultGenerator(at::kCPU).get_state().equal(generator));
  const auto after = values();
  REQUIRE(after.size() == before.size());
  for (std::size_t i = 0; i < after.size(); ++i) CHECK(after[i].equal(before[i]));
}
