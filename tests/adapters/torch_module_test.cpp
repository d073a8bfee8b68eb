#include <layerscope/adapters/torch_module.hpp>
#include <layerscope/adapters/torch_operators.hpp>
#include <layerscope/recorder.hpp>
#include <layerscope/sinks/memory.hpp>
#include <layerscope/snapshot/snapshot.hpp>
#include <layerscope/snapshot/watch.hpp>

#include "support/catch.hpp"

#include <torch/nn.h>
#include <torch/optim/sgd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <stdexcept>
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

/// What watching a Block as "b" writes of its parameters.
std::set<std::string> histograms_of_block() {
  std::set<std::string> found = {"filters b/conv/weight"};
  for (const std::string name : {"conv/weight", "conv/bias", "norm/weight", "norm/bias"}) {
    found.insert({"histogram b/" + name, "histogram_timeline b/" + name});
  }
  return found;
}

/// "kind name" of everything that one snapshot of a watched module writes.
template <class M>
std::set<std::string> recorded(const M& module, std::string_view prefix) {
  const auto sink = std::make_shared<ls::MemorySink>();
  ls::Recorder recorder(ls::RecorderOptions{.overview = false});
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
  const std::set<std::string> block = histograms_of_block();
  CHECK(recorded(Block(), "b") == block);
  CHECK(recorded(*Block(), "b") == block);
  CHECK(recorded(std::make_shared<BlockImpl>(), "b") == block);
  CHECK(recorded(std::shared_ptr<torch::nn::Module>(std::make_shared<BlockImpl>()), "b") == block);
  CHECK(recorded(std::shared_ptr<torch::nn::Module>(), "b").empty());
  const torch::nn::Sequential layers(torch::nn::Linear(4, 3), torch::nn::ReLU());
  CHECK(recorded(layers, "") == std::set<std::string>{"filters 0/weight", "histogram 0/weight", "histogram 0/bias",
                                                      "histogram_timeline 0/weight", "histogram_timeline 0/bias"});
}

TEST_CASE("torch modules: a watched handle outlives the caller's") {
  const auto sink = std::make_shared<ls::MemorySink>();
  ls::Recorder recorder(ls::RecorderOptions{.overview = false});
  recorder.add(sink);
  {
    const Block block;
    recorder.watch(block);
  }
  recorder.snapshot(0);
  CHECK(recorder.close().counts.failed == 0);
  std::int64_t histograms = 0;
  for (const ls::Artifact& artifact : sink->artifacts()) histograms += artifact.kind == "histogram" ? 1 : 0;
  CHECK(histograms == 4);
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

namespace {

/// As libtorch's documentation advises to nest a Sequential.
struct ChainImpl : torch::nn::SequentialImpl {
  using SequentialImpl::SequentialImpl;
  torch::Tensor forward(const torch::Tensor& x) { return SequentialImpl::forward(x); }
};
TORCH_MODULE(Chain);

struct ShortcutImpl : ChainImpl {
  using ChainImpl::ChainImpl;
  torch::Tensor forward(const torch::Tensor& x) { return x + SequentialImpl::forward(x); }
};
TORCH_MODULE(Shortcut);

torch::nn::Sequential layers() {
  torch::nn::Sequential net;
  net->push_back("conv", torch::nn::Conv2d(2, 3, 3));
  net->push_back("inner", Chain(torch::nn::BatchNorm2d(3), torch::nn::ReLU()));
  net->push_back("shortcut", Shortcut(torch::nn::Dropout(0.4)));
  net->push_back("flat", torch::nn::Flatten());
  net->push_back("head", torch::nn::Linear(3 * 6 * 6, 2));
  return net;
}

using Forward = std::function<torch::Tensor(torch::nn::Sequential&, const torch::Tensor&)>;

/// The bits of the losses of a short training, of the weights at its end, and of the generator.
std::vector<std::uint32_t> trained(const Forward& forward) {
  torch::manual_seed(5);
  torch::nn::Sequential net = layers();
  const torch::Tensor x = torch::randn({8, 2, 8, 8}), y = torch::randint(2, {8}, torch::kLong);
  torch::optim::SGD optimizer(net->parameters(), 0.1);
  std::vector<std::uint32_t> bits;
  const auto add = [&](const torch::Tensor& values) {
    const torch::Tensor flat = values.detach().flatten().to(torch::kFloat);
    for (std::int64_t i = 0; i < flat.numel(); ++i)
      bits.push_back(std::bit_cast<std::uint32_t>(flat.data_ptr<float>()[i]));
  };
  for (int step = 0; step < 5; ++step) {
    optimizer.zero_grad();
    const torch::Tensor loss = torch::cross_entropy_loss(forward(net, x), y);
    loss.backward();
    optimizer.step();
    add(loss);
  }
  for (const torch::Tensor& parameter : net->parameters()) add(parameter);
  for (const torch::Tensor& buffer : net->buffers()) add(buffer);
  add(torch::rand({4}));
  return bits;
}

const Forward plain = [](torch::nn::Sequential& net, const torch::Tensor& x) { return net->forward(x); };

}  // namespace

TEST_CASE("torch modules: passes with dropout leave everything else in evaluation mode, and no trace") {
  torch::manual_seed(3);
  torch::nn::Sequential net(Block(), torch::nn::Dropout(0.5), torch::nn::Conv2d(3, 2, 1), torch::nn::Dropout2d(0.2));
  torch::nn::Sequential plain(torch::nn::Linear(2, 3));
  net->train();
  net[1]->eval();  // a part that its user froze
  std::vector<bool> modes;
  for (const auto& module : net->modules()) modes.push_back(module->is_training());
  const torch::Tensor x = torch::randn({4, 2, 8, 8});
  const torch::Tensor statistics = net[0]->named_buffers()["norm.running_mean"].clone();
  const torch::Tensor generator = at::globalContext().defaultGenerator(at::kCPU).get_state();
  const auto passes = [&](ls::TorchDropoutOptions options) {
    std::vector<torch::Tensor> found;
    const std::int64_t made = ls::torch_dropout_passes(
        *net,
        [&] {
          CHECK_FALSE(torch::GradMode::is_enabled());
          std::vector<bool> now;
          for (const auto& module : net->modules(false)) now.push_back(module->is_training());
          CHECK(now == std::vector<bool>{false, false, false, true, false, true});  // block, its two, dropouts alone
          return net->forward(x);
        },
        [&](const torch::Tensor& y) { found.push_back(y.clone()); }, options);
    CHECK(made == static_cast<std::int64_t>(found.size()));
    return found;
  };
  const auto first = passes({.passes = 3, .seed = 5});
  REQUIRE(first.size() == 3);
  CHECK_FALSE(first[0].equal(first[1]));
  const auto again = passes({.passes = 3, .seed = 5});
  for (std::size_t i = 0; i < 3; ++i) CHECK(again[i].equal(first[i]));
  CHECK_FALSE(passes({.passes = 1, .seed = 6})[0].equal(first[0]));
  CHECK(passes({.passes = 1000, .seconds = 1e-9}).size() == 1);

  const auto check_restored = [&] {
    std::vector<bool> restored;
    for (const auto& module : net->modules()) restored.push_back(module->is_training());
    CHECK(restored == modes);
    CHECK(torch::GradMode::is_enabled());
    CHECK(at::globalContext().defaultGenerator(at::kCPU).get_state().equal(generator));
    CHECK(net[0]->named_buffers()["norm.running_mean"].equal(statistics));
  };
  check_restored();
  CHECK_THROWS_AS(
      ls::torch_dropout_passes(
          *net, [&]() -> torch::Tensor { throw std::runtime_error("a pass that fails"); }, [](const torch::Tensor&) {}),
      std::runtime_error);
  check_restored();
  const auto nothing = [](const torch::Tensor&) {};
  const auto forward = [&] { return net->forward(x); };
  CHECK_THROWS_WITH(ls::torch_dropout_passes(*net, forward, nothing, {.passes = 0}),
                    "torch_dropout_passes: passes 0; expected 1 or more");
  CHECK_THROWS_WITH(ls::torch_dropout_passes(*net, forward, nothing, {.seconds = 0.0}),
                    "torch_dropout_passes: seconds 0; expected a number above 0");
  CHECK_THROWS_AS(ls::torch_dropout_passes(*plain, forward, nothing), ls::Error);
  check_restored();
}

TEST_CASE("torch modules: gradients are those that the optimizer sees, without what is not there") {
  Block block;
  const auto gradients = [&] {
    std::vector<std::string> names;
    ls::named_parameters<Block>::for_each_gradient(block, [&](std::string_view name, const ls::TensorRef& gradient) {
      names.emplace_back(name);
      for (const auto& parameter : block->named_parameters()) {
        std::string path = parameter.key();
        std::replace(path.begin(), path.end(), '.', '/');
        if (path == name) CHECK(gradient.read().data() == parameter.value().grad().data_ptr());
      }
    });
    return names;
  };
  CHECK(gradients().empty());  // before the first backward()
  block->conv->bias.requires_grad_(false);
  for (int batch = 0; batch < 2; ++batch) block->forward(torch::ones({1, 2, 5, 5})).sum().backward();
  CHECK(gradients() == std::vector<std::string>{"conv/weight", "norm/weight", "norm/bias"});
  // Two micro-batches: d(sum)/d(bias of the norm) is the number of outputs, 9 a channel and batch.
  CHECK(block->norm->bias.grad().equal(torch::full({3}, 18.0)));
  std::set<std::string> expected = histograms_of_block();
  expected.insert({"gradients b/conv/weight", "gradients b/norm/weight", "gradients b/norm/bias"});
  CHECK(recorded(block, "b") == expected);
}

TEST_CASE("torch modules: a watched gradient leaves no hook, keeps no graph, and can be left out") {
  torch::nn::Linear linear(3, 2);
  const auto sink = std::make_shared<ls::MemorySink>();
  torch::Tensor hidden;
  {
    ls::Recorder recorder(ls::RecorderOptions{.mode = ls::Mode::synchronous});
    recorder.add(sink).watch(linear).watch(linear, "again", {.gradients = false});
    hidden = torch::ones({1, 3}, torch::requires_grad());
    linear->forward(hidden * 2).sum().backward();
    const auto references = linear->weight.grad().use_count();
    recorder.snapshot(0);
    CHECK(linear->weight.grad().use_count() == references);
    CHECK(torch::autograd::impl::hooks(linear->weight).empty());
  }
  const c10::weak_intrusive_ptr<c10::TensorImpl> graph(hidden.getIntrusivePtr());
  hidden = torch::Tensor();
  CHECK(graph.expired());
  std::int64_t gradients = 0;
  for (const ls::Artifact& artifact : sink->artifacts()) {
    if (artifact.kind != "gradients") continue;
    ++gradients;
    CHECK(artifact.name.find("again") == std::string::npos);
    if (artifact.name != "weight") continue;
    for (const ls::Attribute& attribute : artifact.attributes) {
      if (attribute.name == "norm") CHECK(std::get<double>(attribute.value) == Catch::Approx(2 * std::sqrt(6.0)));
    }
  }
  CHECK(gradients == 2);
}

TEST_CASE("torch modules: a Sequential is walked child by child, to the same bits") {
  std::vector<std::string> names;
  const auto walk = [&](ls::NestedSequential nested) {
    return [&names, nested](torch::nn::Sequential& net, const torch::Tensor& x) {
      names.clear();
      return ls::forward_each(*net, x, [&](std::string_view name, const torch::Tensor&) { names.emplace_back(name); },
                              {.prefix = "net", .nested = nested});
    };
  };
  const auto expected = trained(plain);
  CHECK(trained(walk(ls::NestedSequential::whole)) == expected);
  CHECK(names == std::vector<std::string>{"net/conv", "net/inner", "net/shortcut", "net/flat", "net/head"});
  // The shortcut is not a chain, and the bits tell.
  CHECK(trained(walk(ls::NestedSequential::walked)) != expected);
  CHECK(names ==
        std::vector<std::string>{"net/conv", "net/inner/0", "net/inner/1", "net/shortcut/0", "net/flat", "net/head"});
  torch::manual_seed(1);
  torch::nn::Sequential chains(Chain(torch::nn::Linear(3, 4), torch::nn::Tanh()), torch::nn::Linear(4, 2));
  const torch::Tensor x = torch::randn({2, 3});
  std::vector<torch::Tensor> seen;
  const torch::Tensor y =
      ls::forward_each(*chains, x, [&](std::string_view, const torch::Tensor& output) { seen.push_back(output); },
                       {.nested = ls::NestedSequential::walked});
  CHECK(y.equal(chains->forward(x)));
  REQUIRE(seen.size() == 3);
  CHECK(seen[1].equal(torch::tanh(seen[0])));
  CHECK(seen[2].equal(y));
  torch::nn::Sequential empty;
  CHECK_THROWS_AS(ls::forward_each(*empty, x, [](std::string_view, const torch::Tensor&) {}), c10::Error);
}

TEST_CASE("torch modules: operators are seen within a scope, to the same bits, and nothing of them is kept") {
  std::vector<std::string> names;
  std::vector<c10::weak_intrusive_ptr<c10::TensorImpl>> kept;
  const auto listening = [&](torch::nn::Sequential& net, const torch::Tensor& x) {
    names.clear();
    const ls::TorchOperators operators([&](std::string_view name, const torch::Tensor& output) {
      names.emplace_back(name);
      kept.emplace_back(output.getIntrusivePtr());
      (output * 2).sum();  // not seen, and changes nothing
    });
    return net->forward(x);
  };
  CHECK(trained(listening) == trained(plain));
  CHECK(names == std::vector<std::string>{"000.conv2d", "001.batch_norm", "002.relu", "003.dropout", "004.add",
                                          "005.addmm"});  // flatten() and t() are views; linear() is addmm() here
  REQUIRE_FALSE(kept.empty());
  for (const auto& tensor : kept) CHECK(tensor.expired());
}

TEST_CASE("torch modules: operators in place, in inference mode, nested scopes, and after the scope") {
  std::vector<std::string> outer, inner;
  const auto into = [](std::vector<std::string>& names) {
    return [&names](std::string_view name, const torch::Tensor&) { names.emplace_back(name); };
  };
  const torch::Tensor x = torch::ones({2, 2}), wrong = torch::ones({3});
  {
    const ls::TorchOperators operators(into(outer), "a");
    torch::Tensor y = x.exp();
    y.relu_();
    y.view({4});
    y.argmax();
    y.sum();  // a single number
    {
      const ls::TorchOperators innermost(into(inner));
      x.sin();
    }
    const c10::InferenceMode inference;
    x.cos();
    CHECK_THROWS_AS(torch::matmul(x, wrong), c10::Error);
    x.log();
  }
  x.tan();
  CHECK(outer == std::vector<std::string>{"a/000.exp", "a/001.relu_", "a/002.cos", "a/003.log"});
  CHECK(inner == std::vector<std::string>{"000.sin"});
}

TEST_CASE("torch modules: operators become activations of a snapshot") {
  const auto sink = std::make_shared<ls::MemorySink>();
  ls::Recorder recorder(ls::RecorderOptions{.mode = ls::Mode::synchronous, .overview = false});
  recorder.add(sink);
  torch::nn::Sequential net = layers();
  net->eval();
  const torch::Tensor x = torch::ones({4, 2, 8, 8});
  {
    auto snapshot = recorder.snapshot(0);
    const ls::TorchOperators operators(
        [&](std::string_view name, const torch::Tensor& y) { snapshot.activations(name, y); }, "net");
    net->forward(x);
  }
  std::vector<std::string> found;
  for (const ls::Artifact& artifact : sink->artifacts()) found.push_back(artifact.name);
  // Dropout does nothing in evaluation mode: what it puts out is what went in.
  CHECK(found == std::vector<std::string>{"net/000.conv2d", "net/001.batch_norm", "net/002.relu", "net/003.add",
                                          "net/004.addmm"});
  CHECK(recorder.report().counts.failed == 0);
}
