// The picture of all layers, as snapshots feed it.
#include <layerscope/adapters/std.hpp>
#include <layerscope/algorithms/layer_overview.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/recorder.hpp>
#include <layerscope/sinks/memory.hpp>
#include <layerscope/snapshot/snapshot.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/recorder.hpp"

namespace ls = layerscope;
using Catch::Approx;
using M = ls::LayerMeasure;
using Strings = std::vector<std::string>;

namespace {

struct Run {
  std::shared_ptr<ls::MemorySink> sink = std::make_shared<ls::MemorySink>();
  ls::Recorder recorder;

  explicit Run(ls::RecorderOptions options = {.mode = ls::Mode::synchronous}) : recorder(std::move(options)) {
    recorder.add(sink);
  }
  std::vector<ls::Artifact> overviews() {
    recorder.flush();
    std::vector<ls::Artifact> found = sink->artifacts();
    std::erase_if(found, [](const ls::Artifact& artifact) { return artifact.kind != "overview"; });
    return found;
  }
  ls::Artifact latest() {
    const std::vector<ls::Artifact> found = overviews();
    REQUIRE_FALSE(found.empty());
    return found.back();
  }
};

/// A measure of a layer at each step.
std::vector<std::optional<double>> row(const ls::Artifact& artifact, const std::string& layer, M measure) {
  const auto* const table = artifact.find<ls::Table>("layers");
  REQUIRE(table != nullptr);
  const auto& names = std::get<Strings>(table->columns[0].cells);
  const auto at = std::find(names.begin(), names.end(), layer) - names.begin();
  const auto* const numbers = artifact.find<ls::Tensor>(ls::name(measure));
  const auto* const recorded = artifact.find<ls::Tensor>(std::string(ls::name(measure)) + " recorded");
  if (numbers == nullptr)
    return std::vector<std::optional<double>>(static_cast<std::size_t>(artifact.find<ls::Tensor>("steps")->size()));
  REQUIRE(recorded != nullptr);
  REQUIRE(at < numbers->extent(0));
  std::vector<std::optional<double>> found;
  for (std::int64_t i = at * numbers->extent(1); i < (at + 1) * numbers->extent(1); ++i) {
    found.push_back(recorded->data<bool>()[i] ? std::optional(numbers->data<double>()[i]) : std::nullopt);
  }
  return found;
}

Strings layers(const ls::Artifact& artifact) {
  return std::get<Strings>(artifact.find<ls::Table>("layers")->columns[0].cells);
}

/// Of each layer, in words.
Strings marks(const ls::Artifact& artifact) {
  return std::get<Strings>(artifact.find<ls::Table>("layers")->columns.back().cells);
}

ls::Tensor filled(const ls::Shape& shape, float value) {
  ls::Tensor tensor(ls::DType::f32, shape);
  std::fill_n(tensor.mutable_data<float>(), tensor.size(), value);
  return tensor;
}

}  // namespace

TEST_CASE("overview: norms, means and spreads are those of all that belongs to a layer") {
  Run run;
  for (int step = 0; step < 2; ++step) {
    auto snapshot = run.recorder.snapshot(step);
    const auto scale = static_cast<float>(step + 1);
    const std::vector<float> outputs{1 * scale, 3 * scale, 1 * scale, 3 * scale};  // mean 2, deviation 1
    snapshot.statistics("fc1", ls::view(outputs.data(), {2, 2}));
    snapshot.histogram("fc1/weight", std::vector<float>{3 * scale, 0});
    snapshot.histogram("fc1/weight", std::vector<float>{3 * scale, 0});  // replaces it
    snapshot.histogram("fc1.bias", std::vector<float>{4 * scale});
    snapshot.gradients("fc1/weight", std::vector<float>{5, 0});
    snapshot.histogram("fc1/bias/grad", std::vector<float>{12});
    snapshot.filters("fc2/weight", ls::view(outputs.data(), {2, 2}));
    snapshot.filters("fc3/weight", ls::view(outputs.data(), {2, 2}), {.max_inputs = 1});  // a part has no norm
  }
  const ls::Artifact overview = run.latest();
  CHECK(overview.name == "layers");
  CHECK(overview.retention == ls::Retention::latest);
  CHECK(overview.step == 1);
  CHECK(layers(overview) == Strings{"fc1", "fc2"});
  CHECK(*row(overview, "fc2", M::weight_norm)[0] == Approx(std::sqrt(20)));
  CHECK(*row(overview, "fc1", M::output_mean)[1] == Approx(4));
  CHECK(*row(overview, "fc1", M::output_spread)[0] == Approx(1));
  CHECK(*row(overview, "fc1", M::output_spread)[1] == Approx(2));
  CHECK(*row(overview, "fc1", M::weight_norm)[0] == Approx(5));
  CHECK(*row(overview, "fc1", M::weight_norm)[1] == Approx(10));
  CHECK(*row(overview, "fc1", M::gradient_norm)[1] == Approx(13));
  CHECK_FALSE(row(overview, "fc1", M::weight_change)[0]);
  CHECK(*row(overview, "fc1", M::weight_change)[1] == Approx(0.5));  // |w| = 10 after 5 along the same line
  CHECK(overview.picture.get().width > 300);
  CHECK(marks(overview) == Strings(2, ""));
}

TEST_CASE("overview: the change of large tensors is estimated from a sample") {
  Run run;
  constexpr std::int64_t count = 200000;
  const ls::Random random(5);
  ls::Tensor weights = filled({400, count / 400}, 0);
  for (int step = 0; step < 2; ++step) {
    for (std::int64_t i = 0; i < count; ++i) {
      weights.mutable_data<float>()[i] += static_cast<float>(random.normal(static_cast<std::uint64_t>(2 * i + step)));
    }
    run.recorder.snapshot(step).histogram("fc/weight", weights);
  }
  // w = a + b after a, both normal: |b| / |a + b| = 1/√2, within four times the sample's error of about 1/√1024.
  CHECK(*row(run.latest(), "fc", M::weight_change)[1] == Approx(std::sqrt(0.5)).epsilon(4 / std::sqrt(1024)));
}

TEST_CASE("overview: what a tensor is can be said, or its name says it") {
  Run run;
  {
    auto snapshot = run.recorder.snapshot(0);
    const std::vector<float> x{3, 4};
    snapshot.histogram("a/weight_ih", x);
    snapshot.histogram("b.gamma", x);
    snapshot.histogram("c/scale", x, {.role = ls::TensorRole::parameters});
    snapshot.histogram("d/out", x);
    snapshot.statistics("e/grad", x, {.role = ls::TensorRole::gradients});
    snapshot.histogram("f/w/gradient", x);
    snapshot.statistics("weight", x);
    snapshot.statistics("grad", x);
  }
  const ls::Artifact overview = run.latest();
  const auto has = [&](const char* layer, M measure) {
    return std::fabs(row(overview, layer, measure)[0].value_or(0) - 5) < 1e-12;
  };
  CHECK(has("a", M::weight_norm));
  CHECK(has("b", M::weight_norm));
  CHECK(has("c", M::weight_norm));
  CHECK(row(overview, "d/out", M::output_mean)[0] == 3.5);
  CHECK(has("e", M::gradient_norm));
  CHECK(has("f", M::gradient_norm));
  CHECK(has("weight", M::weight_norm));
  CHECK(row(overview, "grad", M::output_mean)[0] == 3.5);
  CHECK(layers(overview).size() == 8);
}

TEST_CASE("overview: layers stand in the order in which they are told of, new ones after their neighbours") {
  Run run;
  {
    auto snapshot = run.recorder.snapshot(0);
    const std::vector<float> x{1, 2};
    for (const char* name : {"conv1/weight", "conv2/weight", "fc/weight"}) snapshot.histogram(name, x);
    for (const char* name : {"conv1", "pool1", "conv2", "pool2"}) snapshot.statistics(name, x);
  }
  CHECK(layers(run.latest()) == Strings{"conv1", "pool1", "conv2", "pool2", "fc"});
}

TEST_CASE("overview: dead units are told from all samples where they are seen, and else from enough of them") {
  // Unit 0 fires for the last sample alone, unit 1 never, units 2 and 3 always.
  constexpr std::int64_t samples = 40;
  ls::Tensor x = filled({samples, 4}, 1);
  for (std::int64_t i = 0; i < samples; ++i) {
    x.mutable_data<float>()[4 * i] = i + 1 < samples ? 0.0f : 1.0f;
    x.mutable_data<float>()[4 * i + 1] = 0;
  }
  const auto dead = [&](const auto& record) {
    Run run({.mode = ls::Mode::synchronous, .max_samples = 39});
    record(run.recorder.snapshot(0));
    const ls::Artifact overview = run.latest();
    const auto found = row(overview, "fc", M::dead_share);
    CHECK(overview.picture.get().height > 100);
    return found.empty() ? std::nullopt : found[0];
  };
  const auto whole = [&](ls::Snapshot snapshot) { snapshot.statistics("fc", x); };
  const auto part = [&](ls::Snapshot snapshot) { snapshot.activations("fc", x); };
  const auto few = [&](ls::Snapshot snapshot) { snapshot.activations("fc", x, {.max_samples = 31}); };
  const auto whole_then_part = [&](ls::Snapshot snapshot) {
    snapshot.statistics("fc", x);
    snapshot.activations("fc", x);
  };
  const auto both = [&](ls::Snapshot snapshot) { snapshot.activations("fc", x, {.statistics = true}); };
  CHECK(dead(whole) == 0.25);
  CHECK(dead(part) == 0.5);
  CHECK(dead(few) == std::nullopt);
  CHECK(dead(whole_then_part) == 0.25);
  CHECK(dead(both) == 0.25);
}

TEST_CASE("overview: NaN and infinity are told of the layer that has them") {
  Run run;
  for (int step = 0; step < 3; ++step) {
    auto snapshot = run.recorder.snapshot(step);
    std::vector<float> x{1, 2, 3};
    snapshot.histogram("a/weight", x);
    if (step == 2) x[1] = std::numeric_limits<float>::quiet_NaN();
    snapshot.histogram("b/weight", x);
    x[1] = step >= 1 ? std::numeric_limits<float>::infinity() : 0.0f;
    snapshot.gradients("c/weight", x);
  }
  const ls::Artifact overview = run.latest();
  CHECK(marks(overview) == Strings{"", "NaN in weights since 2", "infinite in gradients since 1"});
  bool told = false;
  for (const ls::Attribute& attribute : overview.attributes) {
    told = told || (attribute.name == "first mark" &&
                    std::get<std::string>(attribute.value) == "c: infinite in gradients since 1");
  }
  CHECK(told);
}

TEST_CASE("overview: one job a snapshot that tells of layers, none without or when it is not wanted") {
  const std::vector<float> x{1, 2};
  Run run;
  run.recorder.snapshot(0).scalar("loss", 1);
  CHECK(run.overviews().empty());
  {
    auto snapshot = run.recorder.snapshot(1);
    const ls::Snapshot copy = snapshot;
    for (int i = 0; i < 5; ++i) snapshot.histogram("w" + std::to_string(i), x);
    CHECK(run.overviews().empty());
  }
  CHECK(run.overviews().size() == 1);
  CHECK(run.recorder.report().counts.submitted == 7);
  {
    auto late = run.recorder.snapshot(2);
    late.histogram("w", x);
    run.recorder.close();
  }
  CHECK(run.recorder.report().counts.submitted == 8);  // a snapshot that outlives its run is no failure
  CHECK(run.recorder.report().counts.dropped == 0);

  Run off({.mode = ls::Mode::synchronous, .overview = false});
  off.recorder.snapshot(0).histogram("w", x);
  CHECK(off.overviews().empty());
  CHECK(off.recorder.report().counts.submitted == 1);
}

TEST_CASE("overview: the last one has everything, however the worker and its queue got on") {
  const std::vector<float> x{1, 2};
  for (int repeat = 0; repeat < 3; ++repeat) {
    const auto gate = std::make_shared<layerscope_test::Gate>();
    Run run(ls::RecorderOptions{});
    run.recorder.add(layerscope_test::sink_of([gate](const ls::Artifact&) { gate->pass(); }));
    constexpr int steps = 30;
    for (int step = 0; step < steps; ++step) {
      auto snapshot = run.recorder.snapshot(step);
      for (const char* layer : {"a/weight", "b/weight", "c/weight"}) snapshot.histogram(layer, x);
      if (step == 10 * repeat) gate->open();
    }
    const ls::Report report = run.recorder.close();
    CHECK(report.complete);
    CHECK(report.counts.written == 4 * steps);
    CHECK(layerscope_test::balanced(report.counts));
    const ls::Artifact overview = run.latest();
    for (const char* layer : {"a", "b", "c"}) {
      const auto norms = row(overview, layer, M::weight_norm);
      CHECK(norms.size() == steps);
      CHECK(std::count(norms.begin(), norms.end(), std::nullopt) == 0);
    }
  }
}

TEST_CASE("overview: a long run keeps evenly spaced steps and the latest") {
  Run run(ls::RecorderOptions{.overflow = ls::Overflow::block, .block_seconds = 60});
  const std::vector<float> x{1};
  constexpr int steps = 3000;
  for (int step = 0; step < steps; ++step) run.recorder.snapshot(step).statistics("a", x);
  const ls::Artifact overview = run.latest();
  const auto* const kept = overview.find<ls::Tensor>("steps");
  REQUIRE(kept != nullptr);
  CHECK(kept->size() <= 1024);
  CHECK(kept->size() > 500);
  const auto* const at = kept->data<std::int64_t>();
  for (std::int64_t i = 0; i + 1 < kept->size(); ++i) CHECK(at[i] == 4 * i);
  CHECK(at[kept->size() - 1] == steps - 1);
  for (const auto& value : row(overview, "a", M::output_mean)) CHECK(value == 1.0);
}

namespace {

/// A network of three hidden layers of ReLUs without any library, trained by plain gradient descent.
class Network {
 public:
  static constexpr std::size_t width = 16, depth = 4, inputs = 64;

  Network() {
    for (std::size_t layer = 0; layer < depth; ++layer) {
      const ls::Random random(11, layer);
      for (std::size_t i = 0; i < width * width; ++i) {
        weights[layer].push_back(static_cast<float>(random.normal(i) * std::sqrt(2.0 / width)));
      }
    }
    const ls::Random random(12);
    for (std::size_t i = 0; i < inputs * width; ++i) outputs[0].push_back(static_cast<float>(random.normal(i)));
  }

  void step(float rate) {
    for (std::size_t layer = 0; layer < depth; ++layer) {
      outputs[layer + 1].assign(inputs * width, 0);
      for (std::size_t i = 0; i < inputs * width; ++i) {
        float sum = 0;
        for (std::size_t k = 0; k < width; ++k)
          sum += weights[layer][i % width * width + k] * outputs[layer][i / width * width + k];
        outputs[layer + 1][i] = layer + 1 < depth ? (std::max)(sum, 0.0f) : sum;
      }
    }
    std::vector<float> error(inputs * width);  // of ½ |y − sin(3 x)|², the mean over the inputs
    for (std::size_t i = 0; i < error.size(); ++i)
      error[i] = (outputs[depth][i] - std::sin(3 * outputs[0][i])) / static_cast<float>(inputs);
    for (std::size_t layer = depth; layer-- > 0;) {
      gradients[layer].assign(width * width, 0);
      std::vector<float> before(inputs * width, 0);
      for (std::size_t i = 0; i < inputs * width; ++i) {
        if (layer + 1 < depth && !(outputs[layer + 1][i] > 0)) continue;
        for (std::size_t k = 0; k < width; ++k) {
          gradients[layer][i % width * width + k] += error[i] * outputs[layer][i / width * width + k];
          before[i / width * width + k] += error[i] * weights[layer][i % width * width + k];
        }
      }
      error = std::move(before);
    }
    for (std::size_t layer = 0; layer < depth; ++layer) {
      for (std::size_t i = 0; i < width * width; ++i) weights[layer][i] -= rate * gradients[layer][i];
    }
  }

  std::vector<float> weights[depth], gradients[depth], outputs[depth + 1];
};

ls::Artifact train(float rate) {
  Run run;
  Network network;
  for (int step = 0; step < 20; ++step) {
    network.step(rate);
    auto snapshot = run.recorder.snapshot(step);
    for (std::size_t layer = 0; layer < Network::depth; ++layer) {
      const std::string name = "fc" + std::to_string(layer);
      snapshot.statistics(name, ls::view(network.outputs[layer + 1].data(), {64, 16}));
      snapshot.histogram(name + "/weight", network.weights[layer]);
      snapshot.gradients(name + "/weight", network.gradients[layer]);
    }
  }
  return run.latest();
}

}  // namespace

TEST_CASE("overview: a learning rate a hundred times too high is seen, and a healthy run is not blamed") {
  const ls::Artifact healthy = train(0.05f);
  CHECK(layers(healthy) == Strings{"fc0", "fc1", "fc2", "fc3"});
  CHECK(marks(healthy) == Strings(4, ""));
  const ls::Artifact failing = train(5);
  std::size_t marked = 0;
  for (const std::string& words : marks(failing)) {
    INFO(words);
    marked += words.empty() ? 0 : 1;
  }
  CHECK(marked >= 3);
  bool told = false;
  for (const ls::Attribute& attribute : failing.attributes) told = told || attribute.name == "first mark";
  CHECK(told);
}
