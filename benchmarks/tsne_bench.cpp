// t-SNE: iterations by each way of summing repulsion, and the filter of its grid. Whole runs beside other programs are
// compare/embeddings.py's.
#include <layerscope/algorithms/knn.hpp>
#include <layerscope/algorithms/tsne.hpp>
#include <layerscope/core/kernels/fft.hpp>
#include <layerscope/core/random.hpp>

#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

namespace {

namespace ls = layerscope;

/// Ten iterations from a layout as wide as a finished one: rows, dimensions, threads.
void iterations(benchmark::State& state, ls::TsneRepulsion repulsion) {
  const std::int64_t n = state.range(0);
  const ls::Random random(1);
  ls::Tensor x(ls::DType::f32, {n, 8});
  for (std::int64_t i = 0; i < x.size(); ++i) {
    x.mutable_data<float>()[i] = static_cast<float>(random.normal(static_cast<std::uint64_t>(i)));
  }
  ls::TsneOptions options;
  options.dimensions = static_cast<int>(state.range(1));
  options.threads = static_cast<int>(state.range(2));
  options.repulsion = repulsion;
  options.iterations = 1000000;
  options.early_iterations = 0;
  ls::TsneState layout(x, options);
  layout.run(200);
  for (auto _ : state) layout.run(10);
  state.counters["rows a second"] = benchmark::Counter(
      10 * static_cast<double>(n) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void sizes(benchmark::internal::Benchmark* bench) {
  bench->Args({2000, 2, 1})->Args({10000, 2, 1})->Args({10000, 2, 2});
  bench->MeasureProcessCPUTime()->UseRealTime()->Unit(benchmark::kMillisecond);
}
BENCHMARK_CAPTURE(iterations, exact, ls::TsneRepulsion::exact)->Apply(sizes)->Args({2000, 3, 1});
BENCHMARK_CAPTURE(iterations, tree, ls::TsneRepulsion::tree)->Apply(sizes)->Args({10000, 3, 1})->Args({50000, 2, 1});
BENCHMARK_CAPTURE(iterations, interpolation, ls::TsneRepulsion::interpolation)->Apply(sizes)->Args({50000, 2, 1});

/// A filter of [n, n] numbers whose upper left quarter is given: n, threads.
void filter(benchmark::State& state) {
  const std::int64_t n = state.range(0);
  const ls::RealFft2d fft(n, n);
  std::vector<float> x(static_cast<std::size_t>(n * n / 4), 1.0F);
  const std::vector<float> transfer(static_cast<std::size_t>(fft.spectrum_size()), 1.0F);
  std::vector<float> scratch(2 * transfer.size());
  for (auto _ : state) {
    fft.filter(x.data(), {n / 2, n / 2, n / 2}, transfer.data(), scratch.data(), static_cast<int>(state.range(1)));
    benchmark::ClobberMemory();
  }
  state.counters["nodes a second"] = benchmark::Counter(
      static_cast<double>(n * n) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}
BENCHMARK(filter)
    ->Args({128, 1})
    ->Args({320, 1})
    ->Args({800, 1})
    ->Args({800, 2})
    ->Args({1600, 2})
    ->MeasureProcessCPUTime()
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
