// Two networks trained alike from different starts: which of their layers see the same? Linear CKA of every layer of
// one against every layer of the other, and against its own.
//
//   checkpoint_similarity DATA OUT [SAMPLES]    DATA has mnist/ and burn_mnist/, OUT is the start of the pictures'
//   names
#include <layerscope/layerscope.hpp>

#include "checkpoint_similarity/convnet.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

namespace ls = layerscope;

double accuracy(const ls::Tensor& logits, const ls::Tensor& labels) {
  std::int64_t right = 0;
  const std::int64_t n = logits.extent(0);
  for (std::int64_t i = 0; i < n; ++i) {
    const float* const row = logits.data<float>() + i * 10;
    right += std::max_element(row, row + 10) - row == labels.data<std::uint8_t>()[i] ? 1 : 0;
  }
  return static_cast<double>(right) / static_cast<double>(n);
}

void run(const std::string& data, const std::string& out, std::int64_t samples) {
  const ls::Tensor images = ls::read_idx(data + "/mnist/t10k-images-idx3-ubyte.gz");
  const ls::Tensor labels = ls::read_idx(data + "/mnist/t10k-labels-idx1-ubyte.gz");
  std::vector<float> pixels(static_cast<std::size_t>((std::min)(samples, images.extent(0)) * 28 * 28));
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = (static_cast<float>(images.data<std::uint8_t>()[i]) / 255 - 0.1307f) / 0.3081f;
  }
  std::vector<std::vector<ls::Representation>> runs;
  for (const char* name : {"mnist", "mnist_pt"}) {
    const std::vector<Output> outputs = ConvNet(data + "/burn_mnist/" + name + ".safetensors").forward(pixels);
    std::printf("%s: accuracy %.4f\n", name, accuracy(outputs.back().values, labels));
    std::vector<ls::Representation>& layers = runs.emplace_back();
    for (const Output& output : outputs) layers.push_back({output.name, output.values.view()});
  }
  const auto show = [&](const ls::SimilarityMatrix& matrix, const std::string& file, const char* columns) {
    for (std::size_t row = 0; row < matrix.row_names.size(); ++row) {
      std::printf("%-8s", matrix.row_names[row].c_str());
      for (std::size_t column = 0; column < matrix.column_names.size(); ++column) {
        std::printf(" %6.3f", matrix(row, column));
      }
      std::puts("");
    }
    ls::write_png(out + file, ls::similarity_chart(matrix, {.title = "Layers of two runs on MNIST",
                                                            .row_label = "mnist.safetensors",
                                                            .column_label = columns}));
  };
  show(ls::similarity(runs[0], runs[1]), "_runs.png", "mnist_pt.safetensors");
  show(ls::similarity(runs[0], runs[1], ls::SimilarityMeasure::debiased_cka), "_debiased.png", "mnist_pt.safetensors");
  show(ls::similarity(runs[0]), "_own.png", "mnist.safetensors");
}

int main(int argc, char** argv) {
  std::int64_t samples = 500;
  if (argc < 3 || argc > 4 || (argc == 4 && (!ls::from_text(argv[3], samples) || samples < 4))) {
    std::fputs("usage: checkpoint_similarity DATA OUT [SAMPLES, at least 4]\n", stderr);
    return 2;
  }
  try {
    run(argv[1], argv[2], samples);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "checkpoint_similarity: %s\n", error.what());
    return 1;
  }
}
