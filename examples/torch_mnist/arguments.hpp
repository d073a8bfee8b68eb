// The command line of torch_mnist.
#pragma once

#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

struct Arguments {
  std::string data;                                               ///< directory of the four IDX files
  std::string out = "runs/torch_mnist";                           ///< directory of the snapshots
  std::string tensorboard;                                        ///< directory of event files; empty: none
  std::vector<std::string> embeddings = {"pca"};                  ///< of embedding_method()
  std::string report;                                             ///< JSON file of the embeddings; empty: none
  std::int64_t epochs = 3;                                        ///< at least 1
  std::int64_t seed = 1;                                          ///< of weights, order and dropout
  std::int64_t limit = std::numeric_limits<std::int64_t>::max();  ///< most training images
  double learning_rate = 1e-3;                                    ///< of Adam, above 0
  int threads = 1;  ///< of libtorch; a part of the result, as the order of its sums depends on it
  bool snapshots = true;
};

inline constexpr std::string_view usage =
    "usage: torch_mnist --data DIR [--epochs N] [--seed N] [--out DIR] [--tensorboard DIR] [--limit N] "
    "[--learning-rate X] [--threads N] [--embedding pca,pca-frozen,umap,umap-separate,tsne,tsne-separate] "
    "[--report FILE] [--no-snapshots]";

/// Throws std::invalid_argument saying what is wrong.
inline Arguments parse_arguments(int argc, const char* const* argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const auto text = [&]() -> std::string {
      if (++i == argc || *argv[i] == '\0') throw std::invalid_argument(option + ": value missing");
      return argv[i];
    };
    const auto number = [&]<class Number>(Number& result, Number least) {
      const std::string value = text();
      if (!layerscope::from_text(value, result) || result < least) {
        throw std::invalid_argument(option + ": " + value + " given; expected a whole number from " +
                                    layerscope::to_text(least));
      }
    };
    const auto positive = [&](double& result) {
      const std::string value = text();
      if (!layerscope::from_text(value, result) || !layerscope::is_finite(result) || result <= 0) {
        throw std::invalid_argument(option + ": " + value + " given; expected a number above 0");
      }
    };
    if (option == "--data")
      arguments.data = text();
    else if (option == "--out")
      arguments.out = text();
    else if (option == "--tensorboard")
      arguments.tensorboard = text();
    else if (option == "--report")
      arguments.report = text();
    else if (option == "--embedding") {
      arguments.embeddings.clear();
      for (std::string rest = text(); !rest.empty();) {
        const std::size_t comma = (std::min)(rest.find(','), rest.size());
        arguments.embeddings.push_back(rest.substr(0, comma));
        rest.erase(0, comma + 1);
      }
    } else if (option == "--epochs")
      number(arguments.epochs, std::int64_t{1});
    else if (option == "--seed")
      number(arguments.seed, std::int64_t{0});
    else if (option == "--limit")
      number(arguments.limit, std::int64_t{1});
    else if (option == "--learning-rate")
      positive(arguments.learning_rate);
    else if (option == "--threads")
      number(arguments.threads, 1);
    else if (option == "--no-snapshots")
      arguments.snapshots = false;
    else
      throw std::invalid_argument(option + ": unknown option; " + std::string(usage));
  }
  if (arguments.data.empty()) throw std::invalid_argument("--data: missing; " + std::string(usage));
  return arguments;
}
