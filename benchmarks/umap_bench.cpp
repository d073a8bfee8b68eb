// UMAP: an epoch of its kernels, the eigenvectors of its start, and whole runs, to be timed beside other programs.
//
//   umap_bench --once IN N_NEIGHBORS DIMENSIONS THREADS OUT   one run: prints JSON with seconds of each stage,
//   processor
//                                                             seconds and bytes beyond the input, and writes the layout
//   umap_bench --warm IN N_NEIGHBORS DIMENSIONS THREADS OUT   a second run that starts from the first; IN has rows with
//                                                             some noise added
#include <layerscope/algorithms/umap.hpp>
#include <layerscope/core/npy.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/readers/npy.hpp>

#include <benchmark/benchmark.h>

#include <sys/resource.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

namespace {

namespace ls = layerscope;

/// `clusters` clouds of normal numbers.
ls::Tensor clouds(std::int64_t n, std::int64_t d, std::int64_t clusters) {
  ls::Tensor x(ls::DType::f32, {n, d});
  float* const values = x.mutable_data<float>();
  const ls::Random random(1);
  for (std::int64_t i = 0; i < n * d; ++i) {
    const double centre = i / d % clusters == i % d ? 6 : 0;
    values[i] = static_cast<float>(centre + random.normal(static_cast<std::uint64_t>(i)));
  }
  return x;
}

/// Ten epochs: rows, dimensions, threads.
void epochs(benchmark::State& state) {
  const ls::Tensor x = clouds(state.range(0), 8, 8);
  ls::UmapOptions options;
  options.dimensions = state.range(1);
  options.threads = static_cast<int>(state.range(2));
  options.initialization = ls::UmapInitialization::random;
  options.epochs = 1000000;
  ls::UmapState layout(x, options);
  for (auto _ : state) layout.run(10);
  state.counters["rows a second"] = benchmark::Counter(
      10 * static_cast<double>(state.range(0)) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}
BENCHMARK(epochs)
    ->Args({2000, 2, 1})
    ->Args({10000, 2, 1})
    ->Args({10000, 2, 2})
    ->Args({10000, 3, 1})
    ->Args({50000, 2, 1})
    ->Args({50000, 2, 2})
    ->MeasureProcessCPUTime()
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

/// Graph and start without epochs, neighbours given.
void start(benchmark::State& state) {
  const ls::Tensor x = clouds(state.range(0), 8, 4);
  ls::KnnOptions search;
  search.k = 14;
  const ls::Neighbors neighbors = ls::knn(x, search);
  ls::UmapOptions options;
  options.epochs = 0;
  options.threads = static_cast<int>(state.range(1));
  for (auto _ : state) benchmark::DoNotOptimize(ls::umap(neighbors, options));
}
BENCHMARK(start)->Args({10000, 1})->Args({50000, 1})->Args({50000, 2})->UseRealTime()->Unit(benchmark::kMillisecond);

double processor_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// A number of bytes of /proc/self/status.
std::int64_t status(const std::string& field) {
  std::ifstream file("/proc/self/status");
  std::int64_t kibibytes = 0;
  for (std::string word; file >> word;) {
    if (word == field + ":") file >> kibibytes;
  }
  return 1024 * kibibytes;
}

int once(char** argv, bool warm) {
  ls::Tensor x = ls::read_npy(argv[2]);
  ls::UmapOptions options;
  options.n_neighbors = std::atoll(argv[3]);
  options.dimensions = std::atoll(argv[4]);
  options.threads = std::atoi(argv[5]);
  ls::Umap before;
  if (warm) {
    before = ls::umap(x, options);
    float* const values = x.mutable_data<float>();
    const ls::Random random(2);
    for (std::int64_t i = 0; i < x.size(); ++i) {
      values[i] += static_cast<float>(0.1 * random.normal(static_cast<std::uint64_t>(i)));
    }
    options.initialization = ls::UmapInitialization::given;
    options.initial = before.embedding;
    options.initial_neighbors = before.neighbors.indices;
    options.references = {{before.embedding}};
  }
  std::ofstream("/proc/self/clear_refs") << 5 << std::flush;  // forgets the peak of reading
  const std::int64_t held = status("VmRSS");
  const double processor = processor_seconds();
  const auto begin = std::chrono::steady_clock::now();
  const ls::Umap found = ls::umap(x, options);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf(
      "{\"seconds\": %.4f, \"processor_seconds\": %.4f, \"bytes\": %lld, \"neighbors\": %.4f, \"graph\": %.4f, "
      "\"initialization\": %.4f, \"optimization\": %.4f, \"epochs\": %lld, \"start\": \"%s\"}\n",
      seconds, processor_seconds() - processor, static_cast<long long>(status("VmHWM") - held), found.seconds.neighbors,
      found.seconds.graph, found.seconds.initialization, found.seconds.optimization,
      static_cast<long long>(found.epochs), ls::name(found.initialization));
  ls::write_npy(argv[6], found.embedding);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view first = argc > 6 ? argv[1] : "";
  if (first == "--once" || first == "--warm") return once(argv, first == "--warm");
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
