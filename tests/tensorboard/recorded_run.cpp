// A run recorded into a directory and for TensorBoard at once, and values that break other writers of event files.
//
//   recorded_run <directory>
//
// check.py compares <directory>/run with <directory>/log/run, and knows what <directory>/log/values has to hold.
#include <layerscope/layerscope.hpp>

#include <cstdio>
#include <exception>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace ls = layerscope;

namespace {

/// Two clouds that drift apart, in eight dimensions, and a picture of each sample.
void record_embedding(ls::Snapshot& snapshot, std::int64_t epoch) {
  constexpr std::int64_t samples = 200, features = 8, side = 6;
  const ls::Random random(5);
  std::vector<float> rows, images;
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < samples; ++i) {
    labels.push_back(i % 2);
    for (std::int64_t j = 0; j < features; ++j) {
      const double drift = static_cast<double>(i % 2 * epoch * (j + 1));
      rows.push_back(static_cast<float>(random.normal(static_cast<std::uint64_t>(i * features + j)) + drift));
    }
    for (std::int64_t p = 0; p < side * side; ++p) images.push_back(static_cast<float>(p % side <= i % side));
  }
  snapshot.embedding(
      "fc1/out", ls::view(rows.data(), {samples, features}),
      {.labels = labels, .class_names = {"even", "odd"}, .images = ls::view(images.data(), {samples, 1, side, side})});
}

void record_run(const std::string& directory) {
  ls::Recorder recorder(directory + "/run", {.mode = ls::Mode::synchronous});
  recorder.add(std::make_shared<ls::TensorBoardSink>(directory + "/log/run"));
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    const ls::Random random(1, static_cast<std::uint64_t>(epoch));
    std::vector<float> weights(6 * 25), outputs(2 * 6 * 12 * 12);
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(random.normal(i));
    for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i] = static_cast<float>(random.normal(i + 1000));
    ls::Snapshot snapshot = recorder.snapshot(epoch);
    snapshot.scalar("loss", 1.0 / static_cast<double>(1 + epoch));
    snapshot.scalar("rate", epoch == 1 ? std::numeric_limits<double>::quiet_NaN() : 1e-3);
    snapshot.filters("conv1/weight", ls::view(weights.data(), {6, 1, 5, 5}));
    snapshot.histogram("conv1/weight", weights);
    snapshot.activations("conv1", ls::view(outputs.data(), {2, 6, 12, 12}));
    snapshot.text("note", "epoch **" + ls::to_text(epoch) + "**");
    snapshot.image("plain:0", ls::make_image(5, 4, ls::Rgb{static_cast<std::uint8_t>(80 * epoch), 9, 200}));
    record_embedding(snapshot, epoch);
  }
}

void write_values(const std::string& directory) {
  ls::TensorBoard board(directory + "/log/values");
  std::vector<float> ascending(100), zeros(50), nothing;
  for (std::size_t i = 0; i < ascending.size(); ++i) ascending[i] = static_cast<float>(i);
  for (std::int64_t step = 0; step < 3; ++step) {
    board.histogram("ascending", ascending, step);
    board.histogram("constant:0", zeros, step);
    board.histogram("none", nothing, step);
    board.scalar("value:0", static_cast<double>(step) / 4, step);
    board.text("tabs\tand\nlines", "a\tb\n\n| c | d |\n|---|---|\n| 1 | 2 |", step);
  }
  board.hparams({{"lr", 0.5}, {"optimizer", "adam"}, {"nesterov", true}}, {{"accuracy", 0.75}});
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 2) throw ls::Error(ls::ErrorCode::invalid_argument, "usage: recorded_run <directory>");
    record_run(argv[1]);
    write_values(argv[1]);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "recorded_run: %s\n", error.what());
    return 1;
  }
}
