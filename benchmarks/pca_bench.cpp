// Principal components: the stages of the exact solver, and one run as compare/pca.py times it beside scikit-learn.
//
//   pca_bench --serve      reads "<npy file> <components> <threads>" lines, answers "<seconds> <variances …>"
#include <layerscope/algorithms/pca.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/readers/npy.hpp>

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
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
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
