// Trains a small convolutional network on digits that it draws itself, and records what its layers learn: after each
// epoch the activations, filters, weights and the hidden layer's view of the test digits, as PNG and JSON files.
//
//   quickstart [DIRECTORY] [EPOCHS]
#include <layerscope/layerscope.hpp>

#include <layerscope/adapters/eigen.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "progress_line.hpp"
#include "quickstart/digits.hpp"
#include "quickstart/network.hpp"

namespace ls = layerscope;

/// One pass over as many digits as there are, drawn at random.
void train(Network& network, const Digits& digits, int epoch) {
  constexpr int batch_size = 50;
  const int batches = static_cast<int>(digits.labels.size()) / batch_size;
  const ls::Random random(2, static_cast<std::uint64_t>(epoch));
  ProgressLine progress("epoch " + ls::to_text(epoch));
  for (int batch = 0; batch < batches; ++batch) {
    Maps images(batch_size, 1, digits.images.side);
    std::vector<std::int64_t> labels(batch_size);
    for (int i = 0; i < batch_size; ++i) {
      const auto chosen = random.below(static_cast<std::uint64_t>(batch * batch_size + i), digits.labels.size());
      images.values.row(i) = digits.images.values.row(static_cast<Eigen::Index>(chosen));
      labels[static_cast<std::size_t>(i)] = digits.labels[chosen];
    }
    network.train(images, labels);
    progress.show(static_cast<double>(batch + 1) / batches);
  }
}

double accuracy(const Matrix& logits, const std::vector<std::int64_t>& labels) {
  double correct = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    Eigen::Index best = 0;
    logits.row(static_cast<Eigen::Index>(i)).maxCoeff(&best);
    correct += best == labels[i] ? 1 : 0;
  }
  return correct / static_cast<double>(labels.size());
}

int main(int argc, char** argv) {
  const std::string directory = argc > 1 ? argv[1] : "runs/quickstart";
  const int epochs = argc > 2 ? std::atoi(argv[2]) : 5;

  const Digits training = draw_digits(4000, 1);
  const Digits test = draw_digits(1000, 2);
  Network network;
  ls::Recorder recorder{directory};

  for (int epoch = 0; epoch <= epochs; ++epoch) {  // epoch 0 is the untrained network
    if (epoch > 0) train(network, training, epoch);
    const Network::Outputs outputs = network.forward(test.images);
    const double loss = Network::cross_entropy(Network::probabilities(outputs.logits), test.labels);
    const double correct = accuracy(outputs.logits, test.labels);
    std::printf("epoch %d: test loss %.3f, test accuracy %.3f\n", epoch, loss, correct);

    auto snapshot = recorder.snapshot(epoch);
    snapshot.scalar("test loss", loss);
    snapshot.scalar("test accuracy", correct);
    snapshot.activations("conv1", outputs.conv1);
    snapshot.activations("conv2", outputs.conv2);
    snapshot.filters("conv1/weight", ls::view(network.conv1.weight.value.data(), {8, 1, 5, 5}));
    snapshot.statistics("fc1", outputs.fc1);
    for (const auto& [name, weight] : {std::pair{"conv1/weight", &network.conv1.weight},
                                       {"conv2/weight", &network.conv2.weight},
                                       {"fc1/weight", &network.fc1.weight},
                                       {"fc2/weight", &network.fc2.weight}}) {
      snapshot.histogram(name, weight->value);
      if (epoch > 0) snapshot.gradients(name, weight->gradient);  // of the last batch
    }
    snapshot.embedding("fc1", outputs.fc1, {.labels = test.labels});
  }

  const ls::Report report = recorder.close(60);
  std::printf("%d of %d pictures and tables are in %s\n", static_cast<int>(report.counts.written),
              static_cast<int>(report.counts.submitted), directory.c_str());
  return report.complete && report.counts.failed == 0 ? 0 : 1;
}
