// How sure a network is of its digits, epoch by epoch: passes with dropout left on, the most uncertain test digits, and
// whether it is right as often as it says.
//
//   uncertain_digits --data DIR --epochs 3 --seed 1 --out DIR
//
// The training is that of torch_mnist, to the last bit, with --no-snapshots too. The last line is JSON.
#include <layerscope/layerscope.hpp>

#include <layerscope/adapters/torch_module.hpp>

#include <torch/optim/adam.h>

#include "torch_mnist/arguments.hpp"
#include "torch_mnist/digits.hpp"
#include "torch_mnist/lenet.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <utility>

namespace ls = layerscope;

/// One pass over the digits in random order; the loss of the last batch.
float train(LeNet& net, torch::optim::Adam& adam, const Digits& digits) {
  torch::Tensor loss;
  for (const torch::Tensor& rows : torch::randperm(digits.size()).split(64)) {
    const Digits batch = digits.at(rows);
    loss = torch::cross_entropy_loss(net(batch.images()), batch.labels);
    adam.zero_grad();
    loss.backward();
    adam.step();
  }
  return loss.item<float>();
}

/// What `passes` with dropout say of the digits together.
ls::Uncertainty doubt(LeNet& net, const torch::Tensor& images, std::int64_t passes) {
  ls::UncertaintyAccumulator members({.kind = ls::PredictionKind::logits});
  ls::torch_dropout_passes(
      *net, [&] { return net(images); }, [&](const torch::Tensor& logits) { members.add(ls::view(logits)); },
      {.passes = passes, .seconds = 30});
  return members.result();
}

void run(const Arguments& arguments) {
  at::set_num_threads(arguments.threads);
  torch::manual_seed(static_cast<std::uint64_t>(arguments.seed));
  const Digits training = read_digits(arguments.data, "train", arguments.limit);
  const Digits test = read_digits(arguments.data, "t10k", (std::min<std::int64_t>)(arguments.limit, 2000));
  LeNet net;
  torch::optim::Adam adam(net->parameters(), torch::optim::AdamOptions(arguments.learning_rate));
  ls::Recorder recorder =
      arguments.snapshots ? ls::Recorder(arguments.out) : ls::Recorder({.schedule = ls::Schedule::never()});
  float loss = 0;
  ls::Calibration last;
  for (std::int64_t epoch = 0; epoch <= arguments.epochs; ++epoch) {  // epoch 0 is the untrained network
    if (epoch > 0) loss = train(net, adam, training);
    auto snapshot = recorder.snapshot(epoch);
    if (!snapshot) continue;
    ls::Uncertainty together = doubt(net, test.images(), 20);
    last = ls::calibration(together.mean, ls::view(test.labels));
    std::printf("epoch %d: accuracy %.4f, ECE %.4f, NLL %.4f\n", static_cast<int>(epoch), last.accuracy, last.ece,
                last.nll);
    snapshot.calibration("dropout", together.mean, test.labels);
    snapshot.scalar("ECE", last.ece);
    snapshot.uncertainty(
        "digits", std::move(together),
        {.labels = test.labels, .images = test.pixels, .ranked_by = ls::UncertaintyScore::mutual_information});
  }
  const ls::Report report = recorder.close();
  std::printf("{\"accuracy\": %.4f, \"ece\": %.4f, \"written\": %d, \"failed\": %d, \"loss_bits\": \"%08x\"}\n",
              last.accuracy, last.ece, static_cast<int>(report.counts.written), static_cast<int>(report.counts.failed),
              std::bit_cast<std::uint32_t>(loss));
}

int main(int argc, char** argv) {
  try {
    run(parse_arguments(argc, argv));
    return 0;
  } catch (const c10::Error& error) {
    std::fprintf(stderr, "uncertain_digits: %s\n", error.what_without_backtrace());
    return 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "uncertain_digits: %s\n", error.what());
    return 2;
  }
}
