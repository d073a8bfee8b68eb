// What attention takes beside its input, in bytes and in processor time: one head of 4,096 tokens drawn, and weights
// recomputed from queries and keys a tile at a time. Stands alone, as it replaces the global operators new.
#include <layerscope/algorithms/attention.hpp>
#include <layerscope/algorithms/attention_chart.hpp>
#include <layerscope/algorithms/attention_scores.hpp>
#include <layerscope/core/tensor.hpp>

#include <malloc.h>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <new>

namespace ls = layerscope;

namespace {

std::atomic<std::int64_t> live{0};
std::atomic<std::int64_t> peak{0};

void* counted(std::size_t bytes, std::size_t alignment) {
  void* const memory = alignment <= alignof(std::max_align_t)
                           ? std::malloc(bytes == 0 ? 1 : bytes)
                           : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  const std::int64_t now = live += static_cast<std::int64_t>(malloc_usable_size(memory));
  std::int64_t before = peak;
  while (now > before && !peak.compare_exchange_weak(before, now)) {
  }
  return memory;
}

void release(void* memory) {
  if (memory != nullptr) live -= static_cast<std::int64_t>(malloc_usable_size(memory));
  std::free(memory);
}

int failures = 0;

/// Bytes that `body` takes at most beyond what lives before it.
template <class Body>
void expect_within(const char* what, std::int64_t most_bytes, double most_seconds, const Body& body) {
  const std::int64_t before = live;
  peak = before;
  const std::clock_t began = std::clock();
  body();
  const double seconds = static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
  const std::int64_t bytes = peak - before;
  const bool good = bytes <= most_bytes && seconds <= most_seconds;
  std::printf("%s: %.2f MB beyond the input, at most %.2f; %.2f s of processor time, at most %.1f%s\n", what,
              static_cast<double>(bytes) / 1e6, static_cast<double>(most_bytes) / 1e6, seconds, most_seconds,
              good ? "" : "  FAILED");
  failures += good ? 0 : 1;
}

}  // namespace

void* operator new(std::size_t bytes) {
  return counted(bytes, 1);
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept {
  release(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  release(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  release(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  release(memory);
}

int main() {
  constexpr std::int64_t n = 4096;
  {
    ls::Tensor weights(ls::DType::f32, {1, n, n});
    float* const w = weights.mutable_data<float>();
    for (std::int64_t q = 0; q < n; ++q) {
      for (std::int64_t k = 0; k <= q; ++k) w[q * n + k] = 1 / static_cast<float>(q + 1);
    }
    expect_within("one head of 4,096 tokens", 16'000'000, 2, [&] {
      const ls::Image image = ls::attention_heads(
          ls::summarize_attention({.weights = weights, .kind = ls::AttentionKind::causal}, {.threads = 1}));
      if (image.width < 512) ++failures;
    });
    // A control: it does hold a copy, and is seen to.
    expect_within("a copy of it", n * n * 4 + 65536, 2, [&] {
      const ls::Tensor copy = ls::copy(weights);
      if (copy.size() != n * n) ++failures;
    });
    if (peak - live < n * n * 4) ++failures;
  }
  // 2 heads of 4,096 × 4,096 weights would be 134 MB.
  ls::Tensor queries(ls::DType::f32, {2, n, 64});
  for (std::int64_t i = 0; i < queries.size(); ++i) {
    queries.mutable_data<float>()[i] = static_cast<float>(i % 7) - 3;
  }
  const ls::Tensor keys = ls::copy(queries.view().narrow(0, 1, 1));
  // Rows beside the tile: what the matrix product packs, and the summary of 512 × 512 cells a head.
  constexpr std::int64_t tile = 64 * n * 4, packing = 3'000'000, summary = 2 * 512 * 512 * 4 + 1'000'000;
  const ls::QueryKey input{.queries = queries, .keys = keys};
  expect_within("tiles of 64 rows", tile + packing, 20, [&] {
    double sum = 0;
    ls::for_each_attention_tile(input,
                                [&](const ls::AttentionTile& one) {
                                  for (std::int64_t i = 0; i < one.rows * one.keys; ++i)
                                    sum += static_cast<double>(one.weights[i]);
                                },
                                {.rows = 64, .threads = 1});
    if (!(sum > 2 * n - 1 && sum < 2 * n + 1)) ++failures;
  });
  expect_within("the summary of them", tile + packing + summary, 20, [&] {
    const ls::AttentionSummary found = ls::summarize_attention(input, {.threads = 1});
    if (found.queries != n || !found.warnings.empty()) ++failures;
  });
  return failures == 0 ? 0 : 1;
}
