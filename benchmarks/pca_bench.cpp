// Principal components: the stages of the exact solver, and one run as compare/pca.py times it beside scikit-learn.
//
//   pca_bench --serve      reads "<npy file> <components> <threads>" lines, answers "<seconds> <variances …>"
//   pca_bench --stream <IDX files> [repeats]
//                          all rows of the files at once and in minibatches, in turn; prints ratios of processor time
#include <layerscope/algorithms/pca.hpp>
#include <layerscope/algorithms/pca_accumulator.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/readers/idx.hpp>
#include <layerscope/readers/npy.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace ls = layerscope;

/// Rows whose variances fall as 1 / i², as those of network activations roughly do.
ls::Tensor power_law(std::int64_t n, std::int64_t d) {
  ls::Tensor x(ls::DType::f32, {n, d});
  float* values = x.mutable_data<float>();
  const ls::Random random(1);
  for (std::int64_t i = 0; i < n * d; ++i) {
    values[i] = static_cast<float>(random.normal(static_cast<std::uint64_t>(i)) / static_cast<double>(1 + i % d));
  }
  return x;
}

void pca_top_50(benchmark::State& state) {
  const ls::Tensor x = power_law(state.range(0), state.range(1));
  for (auto _ : state) {
    benchmark::DoNotOptimize(ls::pca(x, {.components = 50, .threads = static_cast<int>(state.range(2))}));
  }
}
BENCHMARK(pca_top_50)
    ->Args({10000, 784, 1})
    ->Args({10000, 784, 2})
    ->Args({10000, 2048, 2})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

/// Images of several IDX files as rows of numbers in [0, 1].
ls::Tensor rows_of(const std::vector<std::string>& paths) {
  std::vector<ls::Tensor> parts;
  std::int64_t n = 0, d = 0;
  for (const std::string& path : paths) {
    parts.push_back(ls::read_idx(path));
    n += parts.back().extent(0);
    d = parts.back().size() / parts.back().extent(0);
  }
  ls::Tensor x(ls::DType::f32, {n, d});
  float* to = x.mutable_data<float>();
  for (const ls::Tensor& part : parts) {
    ls::convert_into(part.view(), ls::DType::f32, to);
    to += part.size();
  }
  for (float *value = x.mutable_data<float>(), *end = value + x.size(); value != end; ++value) *value /= 255.0F;
  return x;
}

/// Seconds of processor time, all threads together, which other work on the machine disturbs least.
template <class Body>
double processor_seconds(const Body& body) {
  const std::clock_t begin = std::clock();
  body();
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

int stream(const std::vector<std::string>& paths, int repeats) {
  const ls::Tensor x = rows_of(paths);
  std::printf("%s, 50 components\n", ls::to_text(x.shape()).c_str());
  std::map<std::int64_t, std::vector<double>> ratios;
  std::map<std::int64_t, double> worst;
  for (int run = 0; run < repeats; ++run) {
    ls::Pca whole;
    const double once = processor_seconds([&] { whole = ls::pca(x, {.components = 50}); });
    for (const std::int64_t batch : {64, 256, 1024, 8192}) {
      ls::Pca model;
      const double streamed = processor_seconds([&] {
        ls::PcaAccumulator sums;
        for (std::int64_t r = 0; r < x.extent(0); r += batch)
          sums.add(x.view().narrow(0, r, (std::min)(batch, x.extent(0) - r)));
        model = sums.result({.components = 50});
      });
      ratios[batch].push_back(streamed / once);
      for (std::size_t i = 0; i < 50; ++i) {
        const double off = model.explained_variance[i] / whole.explained_variance[i] - 1;
        worst[batch] = (std::max)(worst[batch], off < 0 ? -off : off);
      }
    }
  }
  for (auto& [batch, all] : ratios) {
    std::sort(all.begin(), all.end());
    std::printf("batches of %5lld rows: %.2f x pca() (%.2f to %.2f), variances within %.1e\n",
                static_cast<long long>(batch), all[all.size() / 2], all.front(), all.back(), worst[batch]);
  }
  return 0;
}

int serve() {
  std::map<std::string, ls::Tensor> files;
  std::string path;
  std::int64_t components = 0;
  int threads = 0;
  while (std::cin >> path >> components >> threads) {
    if (!files.contains(path)) files[path] = ls::read_npy(path);
    const auto start = std::chrono::steady_clock::now();
    const ls::Pca model = ls::pca(files[path], {.components = components, .threads = threads});
    std::printf("%.6f", std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    for (const double variance : model.explained_variance) std::printf(" %.17g", variance);
    std::printf("\n");
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "--serve") return serve();
  if (argc > 2 && std::string_view(argv[1]) == "--stream") {
    std::vector<std::string> paths(argv + 2, argv + argc);
    int repeats = 5;
    if (ls::from_text(paths.back(), repeats)) paths.pop_back();
    return stream(paths, repeats);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
