// The kernels against their anchors, in turn within one run: matrix products against Eigen as the same flags compile
// it, colormapping and ranges against memcpy of the values. Each *_ratio is the anchor's median time over ours.
#include <layerscope/core/kernels/isa.hpp>
#include <layerscope/core/kernels/matmul.hpp>
#include <layerscope/core/kernels/pixels.hpp>
#include <layerscope/core/parallel.hpp>

#include <benchmark/benchmark.h>
#include <Eigen/Core>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

namespace ls = layerscope;
using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class F>
double seconds(const F& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Times `ours` and `anchor` in turn and reports the ratio of their medians.
template <class Ours, class Anchor>
void compare(benchmark::State& state, const Ours& ours, const Anchor& anchor) {
  std::vector<double> our_times;
  std::vector<double> anchor_times;
  ours();
  anchor();
  for (auto _ : state) {
    anchor_times.push_back(seconds(anchor));
    our_times.push_back(seconds(ours));
    state.SetIterationTime(our_times.back());
  }
  state.counters["ratio"] = median(anchor_times) / median(our_times);
  state.SetLabel(name(ls::isa_level()));
}

void matmul_against_eigen(benchmark::State& state) {
  const std::int64_t n = state.range(0);
  const Matrix a = Matrix::Ones(n, n);
  const Matrix b = Matrix::Ones(n, n);
  Matrix c(n, n);
  Matrix d(n, n);
  compare(
      state,
      [&] {
        ls::matmul(n, n, n, {a.data(), n}, {b.data(), n}, c.data(), n, 1);
      },
      [&] { d.noalias() = a * b; });
  state.counters["GFLOP/s"] =
      benchmark::Counter(2e-9 * static_cast<double>(n * n * n), benchmark::Counter::kIsIterationInvariantRate);
}

void covariance_against_eigen(benchmark::State& state) {
  const std::int64_t rows = 10000;
  const std::int64_t columns = state.range(0);
  const Matrix x = Matrix::Ones(rows, columns);
  std::vector<double> c(static_cast<std::size_t>(columns * columns));
  Matrix d(columns, columns);
  compare(
      state,
      [&] {
        ls::symmetric_product(rows, columns, {x.data(), columns}, c.data(), ls::ProductPrecision::single_blocks, 1);
      },
      [&] {
        d.setZero();
        d.selfadjointView<Eigen::Upper>().rankUpdate(x.transpose());
      });
}

/// memcpy of the values by `threads` threads, a MiB at a time.
void copy(const std::vector<float>& from, std::vector<float>& to, int threads) {
  constexpr std::int64_t block = std::int64_t{1} << 18;
  const auto size = static_cast<std::int64_t>(from.size());
  ls::parallel_for((size + block - 1) / block, threads, [&](std::int64_t i) {
    const std::int64_t count = std::min(block, size - i * block);
    std::memcpy(to.data() + i * block, from.data() + i * block, static_cast<std::size_t>(count) * sizeof(float));
  });
}

std::vector<float> pixels() {
  std::vector<float> values(std::size_t{4096} * 4096);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i * 2654435761U % 65536) / 65536.0F;
  return values;
}

void colormap_rgb_against_memcpy(benchmark::State& state) {
  const auto threads = static_cast<int>(state.range(0));
  const std::vector<float> values = pixels();
  std::vector<float> copied(values.size());
  std::vector<std::uint8_t> out(3 * values.size());
  const std::array<ls::Rgb, 256> map{};
  compare(
      state,
      [&] {
        ls::colormap_rgb(values.data(), static_cast<std::int64_t>(values.size()), 0, 1, {map, {}, {}, {}}, out.data(),
                         threads);
      },
      [&] { copy(values, copied, threads); });
}

void colormap_index_against_memcpy(benchmark::State& state) {
  const auto threads = static_cast<int>(state.range(0));
  const std::vector<float> values = pixels();
  std::vector<float> copied(values.size());
  std::vector<std::uint8_t> out(values.size());
  compare(
      state,
      [&] {
        ls::colormap_index(values.data(), static_cast<std::int64_t>(values.size()), 0, 1, {}, out.data(), threads);
      },
      [&] { copy(values, copied, threads); });
}

void finite_range_against_memcpy(benchmark::State& state) {
  const auto threads = static_cast<int>(state.range(0));
  const std::vector<float> values = pixels();
  std::vector<float> copied(values.size());
  compare(
      state,
      [&] {
        benchmark::DoNotOptimize(ls::finite_min_max(values.data(), static_cast<std::int64_t>(values.size()), threads));
      },
      [&] { copy(values, copied, threads); });
}

BENCHMARK(matmul_against_eigen)->Arg(256)->Arg(1024)->Arg(2048)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(covariance_against_eigen)->Arg(64)->Arg(784)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(colormap_rgb_against_memcpy)->Arg(1)->Arg(2)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(colormap_index_against_memcpy)->Arg(1)->Arg(2)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(finite_range_against_memcpy)->Arg(1)->Arg(2)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
