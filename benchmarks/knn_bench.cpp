// Nearest neighbours: the inner kernels, and searches whose time and memory are printed.
//
//   knn_bench --once IN K METHOD THREADS OUT    one search: prints [seconds, processor seconds, bytes beyond the input]
//                                               and writes the row numbers
#include <layerscope/algorithms/knn.hpp>
#include <layerscope/core/kernels/distances.hpp>
#include <layerscope/core/kernels/matmul.hpp>
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
#include <vector>

namespace {

namespace ls = layerscope;

ls::Tensor normal(std::int64_t n, std::int64_t d) {
  ls::Tensor x(ls::DType::f32, {n, d});
  float* values = x.mutable_data<float>();
  const ls::Random random(1);
  for (std::int64_t i = 0; i < n * d; ++i) values[i] = static_cast<float>(random.normal(static_cast<std::uint64_t>(i)));
  return x;
}

void exact(benchmark::State& state) {
  const ls::Tensor x = normal(state.range(0), state.range(1));
  ls::KnnOptions options;
  options.k = state.range(2);
  options.method = ls::KnnMethod::exact;
  options.threads = static_cast<int>(state.range(3));
  for (auto _ : state) benchmark::DoNotOptimize(ls::knn(x, options));
}
BENCHMARK(exact)
    ->Args({4000, 784, 15, 1})
    ->Args({4000, 784, 15, 2})
    ->Args({10000, 50, 90, 1})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

/// 96 rows against 768, as the exact search computes them.
void packed_tile(benchmark::State& state) {
  const std::int64_t d = state.range(0);
  const ls::Tensor x = normal(864, d);
  const std::vector<float> norms(768, 1.0F);
  const ls::Tensor a(ls::DType::f32, {ls::packed_size(96, d)});
  const ls::Tensor b(ls::DType::f32, {ls::packed_size(768, d)});
  ls::Tensor scratch(ls::DType::f32, {ls::packed_scratch_size()});
  ls::Tensor tile(ls::DType::f32, {96, 768});
  ls::Tensor a_packed = a;
  ls::Tensor b_packed = b;
  ls::pack_rows(96, d, {x.data<float>(), d}, a_packed.mutable_data<float>(), 1);
  ls::pack_rows(768, d, {x.data<float>() + 96 * d, d}, b_packed.mutable_data<float>(), 1);
  float* const out = tile.mutable_data<float>();
  float* const room = scratch.mutable_data<float>();
  for (auto _ : state) {
    ls::squared_distances_packed(96, 768, d, a_packed.data<float>(), norms.data(), b_packed.data<float>(), norms.data(),
                                 out, 768, room);
  }
  state.counters["GFLOP/s"] = benchmark::Counter(
      2e-9 * 96 * 768 * static_cast<double>(d) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}
BENCHMARK(packed_tile)->Arg(50)->Arg(784);

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

ls::KnnOptions options_of(std::int64_t k, const std::string& method, int threads) {
  ls::KnnOptions options;
  options.k = k;
  options.method = method == ls::name(ls::KnnMethod::exact)         ? ls::KnnMethod::exact
                   : method == ls::name(ls::KnnMethod::approximate) ? ls::KnnMethod::approximate
                                                                    : ls::KnnMethod::automatic;
  options.threads = threads;
  return options;
}

int once(char** argv) {
  const ls::Tensor x = ls::read_npy(argv[2]);
  const ls::KnnOptions options = options_of(std::atoll(argv[3]), argv[4], std::atoi(argv[5]));
  std::ofstream("/proc/self/clear_refs") << 5 << std::flush;  // forgets the peak of reading
  const std::int64_t before = status("VmRSS");
  const double processor = processor_seconds();
  const auto start = std::chrono::steady_clock::now();
  const ls::Neighbors found = ls::knn(x, options);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("[%.6f, %.6f, %lld]\n", seconds, processor_seconds() - processor,
              static_cast<long long>(status("VmHWM") - before));
  ls::write_npy(argv[6], found.indices);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 6 && std::string_view(argv[1]) == "--once") return once(argv);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
