// Training is the same to the last bit whatever the recorder does beside it.
#include <layerscope/adapters/std.hpp>
#include <layerscope/adapters/torch_module.hpp>
#include <layerscope/probe.hpp>
#include <layerscope/recorder.hpp>
#include <layerscope/sinks/callback.hpp>
#include <layerscope/sinks/memory.hpp>
#include <layerscope/snapshot/snapshot.hpp>
#include <layerscope/snapshot/watch.hpp>

#include <layerscope/algorithms/attention_scores.hpp>
#include <layerscope/readers/npy.hpp>

#include "../../examples/story_attention/llama.hpp"
#include "../../examples/story_attention/tokenizer.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"

#include <torch/nn.h>
#include <torch/optim/adam.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace ls = layerscope;

namespace {

struct NetImpl : torch::nn::Module {
  torch::Tensor features(const torch::Tensor& x) { return ls::probe("conv", torch::relu(norm(conv(x)))).flatten(1); }
  torch::Tensor forward(const torch::Tensor& x) { return head(dropout(features(x))); }

  torch::nn::Conv2d conv = register_module("conv", torch::nn::Conv2d(1, 4, 3));
  torch::nn::BatchNorm2d norm = register_module("norm", torch::nn::BatchNorm2d(4));
  torch::nn::Dropout dropout = register_module("dropout", torch::nn::Dropout(0.3));
  torch::nn::Linear head = register_module("head", torch::nn::Linear(4 * 6 * 6, 3));
};
TORCH_MODULE(Net);

constexpr int steps = 12;

/// Trains for some steps from a fixed seed, with a look at `net` after each; the bits of every loss, of the weights,
/// gradients and buffers at the end, and of the generator.
std::vector<std::uint32_t> train(const std::function<void(Net& net, int step)>& look) {
  torch::manual_seed(7);
  const torch::Tensor x = torch::randn({32, 1, 8, 8});
  const torch::Tensor y = torch::randint(3, {32}, torch::kLong);
  Net net;
  torch::optim::Adam adam(net->parameters(), torch::optim::AdamOptions(1e-2));
  std::vector<std::uint32_t> bits;
  const auto add = [&](const torch::Tensor& values) {
    const torch::Tensor plain = values.detach().to(torch::kFloat).contiguous();
    for (std::int64_t i = 0; i < plain.numel(); ++i)
      bits.push_back(std::bit_cast<std::uint32_t>(plain.data_ptr<float>()[i]));
  };
  for (int step = 0; step < steps; ++step) {
    const torch::Tensor loss = torch::cross_entropy_loss(net(x), y);
    adam.zero_grad();
    loss.backward();
    look(net, step);  // gradients are there, and not used yet
    adam.step();
    add(loss);
  }
  for (const torch::Tensor& parameter : net->parameters()) {
    add(parameter);
    add(parameter.grad());
  }
  for (const torch::Tensor& buffer : net->buffers()) add(buffer);
  add(torch::rand({8}));
  return bits;
}

/// Everything that a snapshot offers, an extra forward pass included.
void record(ls::Recorder& recorder, Net& net, int step) {
  auto snapshot = recorder.snapshot(step);
  if (!snapshot) return;
  snapshot.scalar("step", step);
  snapshot.histogram("head/weight/grad", net->head->weight.grad());
  snapshot.statistics("conv/weight", net->conv->weight);
  snapshot.heatmap("head/weight", net->head->weight);
  const torch::Tensor inputs = torch::linspace(-1, 1, 16 * 64).view({16, 1, 8, 8});
  ls::UncertaintyAccumulator members({.kind = ls::PredictionKind::logits});
  ls::torch_dropout_passes(
      *net, [&] { return net(inputs); }, [&](const torch::Tensor& logits) { members.add(ls::view(logits)); },
      {.passes = 3});
  const ls::Uncertainty together = members.result();
  snapshot.calibration("head", together.mean, torch::arange(16) % 3);
  snapshot.uncertainty("head", together, {.images = inputs});
  snapshot.similarity("layers", {{"inputs", inputs}, {"head", together.mean}});
  const ls::TorchEvaluation evaluation(*net);
  const auto listener = snapshot.listen();
  const torch::Tensor hidden = net->features(torch::ones({16, 1, 8, 8}));
  snapshot.embedding("features", hidden, {.labels = torch::arange(16)});
}

/// The bits of a training that is recorded into `sink`.
std::vector<std::uint32_t> train_with(const std::shared_ptr<ls::Sink>& sink, ls::RecorderOptions options,
                                      ls::Report& report) {
  options.on_error = [](const ls::Failure&) {};
  ls::Recorder recorder(std::move(options));
  recorder.add(sink);
  bool watched = false;
  const auto bits = train([&](Net& net, int step) {
    if (!std::exchange(watched, true)) recorder.watch(net);
    record(recorder, net, step);
  });
  report = recorder.close(0.5);
  return bits;
}

void check_balance(const ls::RunCounts& counts) {
  CHECK(counts.submitted == counts.written + counts.dropped + counts.failed + counts.in_flight);
}

}  // namespace

TEST_CASE("torch training: the bits are the same with a recorder") {
  const auto expected = train([](Net&, int) {});
  REQUIRE(expected == train([](Net&, int) {}));
  const std::set<std::string> kinds = {"activations", "calibration", "embedding",          "filters",  "gradients",
                                       "heatmap",     "histogram",   "histogram_timeline", "overview", "scalar",
                                       "similarity",  "statistics",  "uncertainty"};
  for (const ls::Mode mode : {ls::Mode::asynchronous, ls::Mode::synchronous}) {
    const auto sink = std::make_shared<ls::MemorySink>();
    ls::Report report;
    CHECK(train_with(sink, {.mode = mode}, report) == expected);
    CHECK(report.counts.failed == 0);
    check_balance(report.counts);
    std::set<std::string> found;
    for (const ls::Artifact& artifact : sink->artifacts()) found.insert(artifact.kind);
    CHECK(found == kinds);
  }
}

TEST_CASE("torch training: a look that does move the training is seen by this test") {
  const auto expected = train([](Net&, int) {});
  CHECK(train([](Net& net, int) { net->forward(torch::ones({4, 1, 8, 8})); }) != expected);
}

TEST_CASE("torch training: the bits are the same with a sink that throws") {
  const auto expected = train([](Net&, int) {});
  for (const ls::Mode mode : {ls::Mode::asynchronous, ls::Mode::synchronous}) {
    const auto sink = std::make_shared<ls::CallbackSink>([](const ls::Artifact&) { throw std::runtime_error("full"); });
    ls::Report report;
    CHECK(train_with(sink, {.mode = mode}, report) == expected);
    CHECK(report.counts.written == 0);
    CHECK(report.counts.failed > 0);
    check_balance(report.counts);
  }
}

TEST_CASE("torch training: the bits are the same with a sink that blocks for ever") {
  struct Gate {
    std::mutex mutex;
    std::condition_variable opened;
    bool open = false;
  };
  const auto gate = std::make_shared<Gate>();
  const auto sink = std::make_shared<ls::CallbackSink>([gate](const ls::Artifact&) {
    std::unique_lock lock(gate->mutex);
    gate->opened.wait(lock, [&] { return gate->open; });
  });
  const auto expected = train([](Net&, int) {});
  ls::Report report;
  CHECK(train_with(sink, {.queue_jobs = 8}, report) == expected);
  CHECK_FALSE(report.complete);
  CHECK(report.counts.written == 0);
  CHECK(report.counts.dropped > 0);
  check_balance(report.counts);
  const std::lock_guard lock(gate->mutex);  // the abandoned worker may go
  gate->open = true;
  gate->opened.notify_all();
}

TEST_CASE("torch training: a schedule that is not due leaves no snapshot") {
  const auto sink = std::make_shared<ls::MemorySink>();
  ls::Report report;
  train_with(sink, {.schedule = ls::Schedule::never()}, report);
  CHECK(report.counts.submitted == 0);
  CHECK(sink->size() == 0);
}

TEST_CASE("torch training: an activation is the tensor that the probe saw, as far as the caps go") {
  const auto sink = std::make_shared<ls::MemorySink>();
  ls::Recorder recorder({.mode = ls::Mode::synchronous, .max_samples = 3, .max_channels = 2, .overview = false});
  recorder.add(sink);
  torch::manual_seed(1);
  Net net;
  const torch::Tensor x = torch::randn({5, 1, 8, 8});
  torch::Tensor expected;
  {
    const ls::TorchEvaluation evaluation(*net);
    const auto snapshot = recorder.snapshot(4);
    const auto listener = snapshot.listen();
    expected = net->features(x).view({5, 4, 6, 6}).narrow(0, 0, 3).narrow(1, 0, 2).contiguous();
  }
  REQUIRE(sink->size() == 1);
  const ls::Artifact artifact = sink->artifacts().front();
  CHECK(artifact.kind == "activations");
  CHECK(artifact.name == "conv");
  CHECK(artifact.step == 4);
  REQUIRE(artifact.range);
  CHECK(artifact.range->min == expected.min().item<double>());
  CHECK(artifact.range->max == expected.max().item<double>());
  bool found = false;
  for (const ls::Part& part : artifact.parts) {
    const auto* tensor = std::get_if<ls::Tensor>(&part.value);
    if (tensor == nullptr || tensor->size() != expected.numel()) continue;
    found = true;
    CHECK(std::memcmp(ls::convert(*tensor, ls::DType::f32).raw(), expected.data_ptr(), expected.nbytes()) == 0);
  }
  CHECK(found);
}

TEST_CASE("Attention of a network that tells stories: text, weights and logits are those published") {
  const auto network = layerscope_test::data_file("stories260K/stories260K.safetensors");
  const auto vocabulary = layerscope_test::data_file("stories260K/tok512.bin");
  const auto description = layerscope_test::data_file("stories260K/stories260K.md");
  const auto attention_file = layerscope_test::data_file("stories260K/golden_attn_first32.npy");
  const auto logits_file = layerscope_test::data_file("stories260K/golden_logits_first32.npy");
  if (!network || !vocabulary || !description || !attention_file || !logits_file) return;
  const ls::Tensor attention = ls::read_npy(*attention_file);  // [5, 8, 32, 32]
  const ls::Tensor logits = ls::read_npy(*logits_file);        // [32, 512]
  const torch::NoGradGuard no_gradients;
  Llama llama(*network);
  const Tokenizer tokenizer(*vocabulary, llama.vocabulary);
  std::vector<LayerAttention> seen;
  std::string story;
  std::int64_t token = Tokenizer::begin;
  float weights_off = 0, recomputed_off = 0, logits_off = 0;
  for (std::int64_t step = 0; step < 256; ++step) {
    const torch::Tensor next = llama.next(token, seen);
    const std::int64_t before = token;
    token = next.argmax().item<std::int64_t>();
    story += tokenizer.text(token, before);
    for (std::int64_t layer = 0; layer < llama.layers; ++layer) {
      const LayerAttention& one = seen[static_cast<std::size_t>(layer)];
      // Grouped queries: 8 heads share the keys of 4.
      const torch::Tensor q = one.queries.contiguous(), k = one.keys.contiguous();
      const ls::Tensor found = ls::attention_weights({.queries = ls::view(q), .keys = ls::view(k)});
      const torch::Tensor direct = one.weights.contiguous();
      for (std::int64_t i = 0; i < found.size(); ++i) {
        recomputed_off = std::max(recomputed_off, std::fabs(found.data<float>()[i] - direct.data_ptr<float>()[i]));
        if (step >= 32) continue;
        const std::int64_t head = i / (step + 1);
        const float golden = attention.data<float>()[((layer * 8 + head) * 32 + step) * 32 + i % (step + 1)];
        weights_off = std::max(weights_off, std::fabs(direct.data_ptr<float>()[i] - golden));
      }
    }
    for (std::int64_t i = 0; step < 32 && i < llama.vocabulary; ++i) {
      logits_off = std::max(logits_off, std::fabs(next.contiguous().data_ptr<float>()[i] -
                                                  logits.data<float>()[step * llama.vocabulary + i]));
    }
    if (token == Tokenizer::begin || token == Tokenizer::end) break;
  }
  CHECK(weights_off <= 1e-4f);
  CHECK(recomputed_off <= 1e-5f);
  CHECK(logits_off <= 1e-3f);
  std::ifstream file(*description);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::string heading = "-t 0.0\n";
  const std::size_t from = text.find(heading) + heading.size();
  const std::string published = text.substr(from, text.find("\n```", from) - from);
  REQUIRE(published.size() > 500);
  CHECK(story == published);
}
