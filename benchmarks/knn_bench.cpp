// Nearest neighbours: the inner kernels, and runs as compare/knn.py times them beside other libraries.
//
//   knn_bench --serve      reads "<npy file> <k> <exact or approximate> <threads> <indices to write>" lines, answers
//                          "<seconds> <processor seconds> <method>"
//   knn_bench --once FILE K METHOD THREADS      one run, for its peak memory: "<bytes before> <bytes at most>"
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
#include <iostream>
#include <map>
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

struct Cost {
  double seconds;
  double processor;
};

double processor_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::int64_t peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{1024} * usage.ru_maxrss;
}

ls::KnnOptions options_of(std::int64_t k, const std::string& method, int threads) {
  ls::KnnOptions options;
  options.k = k;
  options.method = method == ls::name(ls::KnnMethod::exact) ? ls::KnnMethod::exact : ls::KnnMethod::automatic;
  options.threads = threads;
  return options;
}

int serve() {
  std::map<std::string, ls::Tensor> files;
  std::string path;
  std::string method;
  std::string out;
  std::int64_t k = 0;
  int threads = 0;
  while (std::cin >> path >> k >> method >> threads >> out) {
    if (!files.contains(path)) files[path] = ls::read_npy(path);
    const auto start = std::chrono::steady_clock::now();
    const double processor = processor_seconds();
    const ls::Neighbors found = ls::knn(files[path], options_of(k, method, threads));
    const double used = processor_seconds() - processor;
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    ls::write_npy(out, found.indices);
    std::printf("%.6f %.6f %s\n", seconds, used, ls::name(found.method));
    std::fflush(stdout);
  }
  return 0;
}

int once(char** argv) {
  const ls::Tensor x = ls::read_npy(argv[2]);
  const std::int64_t before = peak_bytes();
  ls::knn(x, options_of(std::atoll(argv[3]), argv[4], std::atoi(argv[5])));
  std::printf("%lld %lld\n", static_cast<long long>(before), static_cast<long long>(peak_bytes()));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "--serve") return serve();
  if (argc > 5 && std::string_view(argv[1]) == "--once") return once(argv);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
