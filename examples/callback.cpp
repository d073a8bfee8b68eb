// A function of your own as a sink: training stops when half of a layer's units are dead.
#include <layerscope/layerscope.hpp>

#include <atomic>
#include <cstdio>
#include <memory>
#include <variant>
#include <vector>

namespace ls = layerscope;

int main() {
  std::atomic<bool> stop{false};
  ls::Recorder recorder({.mode = ls::Mode::synchronous});  // asynchronous, the default, would tell a step or two later
  recorder.add(std::make_shared<ls::CallbackSink>("statistics", [&stop](const ls::Artifact& artifact) {
    for (const ls::Attribute& attribute : artifact.attributes) {
      if (attribute.name != "dead channels") continue;
      const auto dead = std::get<std::int64_t>(attribute.value);
      std::printf("step %d: %d of 32 units of %s are dead\n", static_cast<int>(artifact.step), static_cast<int>(dead),
                  artifact.name.c_str());
      if (dead >= 16) stop = true;
    }
  }));

  // Stands for training with too large a step: each time a few more units fall below what their ReLU lets through.
  std::vector<float> outputs(100 * 32);
  int step = 0;
  for (; step < 20 && !stop; ++step) {
    const ls::Random random(1, static_cast<std::uint64_t>(step));
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const bool fell = i % 32 < static_cast<std::size_t>(3 * step);
      outputs[i] = fell ? 0.0f : static_cast<float>(random.uniform(i));
    }
    recorder.snapshot(step).statistics("fc1", ls::view(outputs.data(), {100, 32}));
  }
  std::printf("stopped after step %d\n", step - 1);
  return stop ? 0 : 1;
}
