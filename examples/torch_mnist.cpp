// Trains a small convolutional network on MNIST and records, before the first epoch and after each, what its layers
// see: filters, activations, distributions of the weights, and the test digits as its last hidden layer arranges them.
//
//   torch_mnist --data DIR --epochs 3 --seed 1 --out DIR --tensorboard DIR --learning-rate 0.001 --embedding umap
//
// Several embeddings may be named, separated by commas. With --report FILE the numbers of each at every step are
// written as JSON, and the loop waits for them; else a step gives way to a newer one where the worker is behind. The
// training is the same to the last bit with --no-snapshots. The last line of the output is JSON.
#include <layerscope/layerscope.hpp>

#include <layerscope/adapters/torch_module.hpp>

#include <torch/optim/adam.h>

#include "progress_line.hpp"
#include "torch_mnist/arguments.hpp"
#include "torch_mnist/digits.hpp"
#include "torch_mnist/embeddings.hpp"
#include "torch_mnist/lenet.hpp"

#include <bit>
#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>

namespace ls = layerscope;

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// One pass over the digits in random order; the loss of the last batch.
float train(LeNet& net, torch::optim::Adam& adam, const Digits& digits, std::int64_t epoch) {
  ProgressLine progress("epoch " + ls::to_text(epoch));
  const auto batches = torch::randperm(digits.size()).split(64);
  torch::Tensor loss;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const Digits batch = digits.at(batches[i]);
    loss = torch::cross_entropy_loss(net(batch.images()), batch.labels);
    adam.zero_grad();
    loss.backward();
    adam.step();
    progress.show(static_cast<double>(i + 1) / static_cast<double>(batches.size()));
  }
  return loss.item<float>();
}

struct Score {
  double accuracy = 0;
  double loss = 0;
};

Score evaluate(LeNet& net, const Digits& digits) {
  const ls::TorchEvaluation evaluation(*net);
  Score sum;
  for (const torch::Tensor& rows : torch::arange(digits.size()).split(1000)) {
    const Digits batch = digits.at(rows);
    const torch::Tensor logits = net(batch.images());
    sum.accuracy += logits.argmax(1).eq(batch.labels).sum().item<double>();
    sum.loss += torch::cross_entropy_loss(logits, batch.labels, {}, at::Reduction::Sum).item<double>();
  }
  const auto n = static_cast<double>(digits.size());
  return {sum.accuracy / n, sum.loss / n};
}

void record(ls::Recorder& recorder, LeNet& net, const Digits& digits, std::int64_t epoch, const Score& score,
            const std::vector<std::string>& embeddings) {
  auto snapshot = recorder.snapshot(epoch);  // records the weights, as the recorder watches the network
  if (!snapshot) return;
  snapshot.scalar("test/accuracy", score.accuracy);
  snapshot.scalar("test/loss", score.loss);
  const ls::TorchEvaluation evaluation(*net);
  // Records what the probes in features() show: some of it as pictures, all of it as statistics.
  const auto listener = snapshot.listen({.statistics = true});
  const torch::Tensor features = net->features(digits.images());
  for (const std::string& method : embeddings) {
    snapshot.embedding(embeddings.size() == 1 ? "fc1" : "fc1/" + method, features,
                       {.labels = digits.labels,
                        .method = embedding_method(method),
                        .quality_rows = digits.size(),
                        .images = digits.images()});
  }
}

void run(const Arguments& arguments) {
  for (const std::string& method : arguments.embeddings) embedding_method(method);  // throws for an unknown one
  at::set_num_threads(arguments.threads);
  torch::manual_seed(static_cast<std::uint64_t>(arguments.seed));
  const Digits training = read_digits(arguments.data, "train", arguments.limit);
  const Digits test = read_digits(arguments.data, "t10k", arguments.limit);

  LeNet net;
  torch::optim::Adam adam(net->parameters(), torch::optim::AdamOptions(arguments.learning_rate));
  ls::Recorder recorder =
      arguments.snapshots ? ls::Recorder(arguments.out) : ls::Recorder({.schedule = ls::Schedule::never()});
  if (!arguments.tensorboard.empty()) recorder.add(std::make_shared<ls::TensorBoardSink>(arguments.tensorboard));
  const auto report_sink = std::make_shared<EmbeddingReport>();
  if (!arguments.report.empty()) recorder.add(report_sink);
  recorder.watch(net);  // the weights, and the gradients of the last batch of an epoch

  const double start = seconds_now();
  double snapshot_seconds = 0;
  float loss = 0;
  Score score;
  for (std::int64_t epoch = 0; epoch <= arguments.epochs; ++epoch) {  // epoch 0 is the untrained network
    if (epoch > 0) loss = train(net, adam, training, epoch);
    score = evaluate(net, test);
    std::printf("epoch %d: test accuracy %.4f, loss %.4f\n", static_cast<int>(epoch), score.accuracy, score.loss);
    const double trained = seconds_now();
    record(recorder, net, test.first(2000), epoch, score, arguments.embeddings);
    if (!arguments.report.empty()) recorder.flush();
    snapshot_seconds += seconds_now() - trained;
  }
  const double seconds = seconds_now() - start;
  const ls::Report report = recorder.close();
  if (!arguments.report.empty()) report_sink->write_json(arguments.report);

  // snapshot_share is all that the loop spent on snapshots, the extra forward pass included; library_share is what it
  // spent inside layerscope alone. What the worker still had to write at the end is close_seconds.
  std::printf(
      "{\"accuracy\": %.4f, \"seconds\": %.2f, \"snapshot_share\": %.5f, \"library_share\": %.5f, "
      "\"close_seconds\": %.2f, \"written\": %d, \"dropped\": %d, \"failed\": %d, \"loss_bits\": \"%08x\"}\n",
      score.accuracy, seconds, snapshot_seconds / seconds, report.caller_seconds / seconds,
      seconds_now() - start - seconds, static_cast<int>(report.counts.written), static_cast<int>(report.counts.dropped),
      static_cast<int>(report.counts.failed), std::bit_cast<std::uint32_t>(loss));
}

int main(int argc, char** argv) {
  try {
    run(parse_arguments(argc, argv));
    return 0;
  } catch (const c10::Error& error) {
    std::fprintf(stderr, "torch_mnist: %s\n", error.what_without_backtrace());
    return 1;
  } catch (const std::exception& error) {  // arguments and files
    std::fprintf(stderr, "torch_mnist: %s\n", error.what());
    return 2;
  }
}
