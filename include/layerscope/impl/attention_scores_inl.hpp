// Body of algorithms/attention_scores.hpp.
#pragma once

#include <layerscope/algorithms/attention_scores.hpp>
#include <layerscope/algorithms/detail/attention_rows.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/kernels/matmul.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// Q and K of the sample asked for, and what they say of the weights.
struct CheckedQueryKey {
  AnyView queries, keys;  // [heads, n, d] and [key heads, m, d]
  std::int64_t heads = 0, n = 0, m = 0, d = 0, group = 1;
  float scale = 1;
};

[[noreturn]] inline void refuse_scores(const char* what, const std::string& problem) {
  throw Error(ErrorCode::invalid_argument, std::string(what) + ": " + problem);
}

inline void check_causal(const char* what, AttentionKind kind, std::int64_t queries, std::int64_t keys) {
  if (!is_causal(kind) || queries <= keys) return;
  refuse_scores(what, to_text(queries) + " queries and " + to_text(keys) + " keys of kind " + name(kind) +
                          "; expected no more queries than keys");
}

inline CheckedQueryKey checked(const QueryKey& input, const char* what) {
  CheckedQueryKey result{input.queries, input.keys};
  for (const AnyView* const view : {&result.queries, &result.keys}) {
    if (view->rank() == 0 || view->empty()) {
      throw Error(ErrorCode::empty, std::string(what) + ": queries " + to_text(input.queries.shape()) + " and keys " +
                                        to_text(input.keys.shape()) + "; expected at least one element of both");
    }
  }
  const int rank = result.queries.rank();
  if ((rank != 3 && rank != 4) || result.keys.rank() != rank) {
    refuse_scores(what, "queries " + to_text(input.queries.shape()) + " and keys " + to_text(input.keys.shape()) +
                            "; expected [heads, n, d] and [key heads, m, d], or both with samples");
  }
  const std::int64_t samples = rank == 4 ? result.queries.extent(0) : 1;
  if (rank == 4 && result.keys.extent(0) != samples) {
    refuse_scores(what, "queries of " + to_text(samples) + " samples and keys of " + to_text(result.keys.extent(0)) +
                            "; expected the same");
  }
  if (input.sample < 0 || input.sample >= samples) {
    refuse_scores(what, "sample " + to_text(input.sample) + "; expected 0 to " + to_text(samples - 1));
  }
  if (rank == 4) {
    result.queries = result.queries.select(0, input.sample);
    result.keys = result.keys.select(0, input.sample);
  }
  result.heads = result.queries.extent(0);
  result.n = result.queries.extent(1);
  result.m = result.keys.extent(1);
  result.d = result.queries.extent(2);
  if (result.keys.extent(2) != result.d) {
    refuse_scores(what, "queries of width " + to_text(result.d) + " and keys of width " +
                            to_text(result.keys.extent(2)) + "; expected the same");
  }
  if (result.heads % result.keys.extent(0) != 0) {
    refuse_scores(what, to_text(result.heads) + " heads and " + to_text(result.keys.extent(0)) +
                            " heads of keys; expected a multiple of them");
  }
  result.group = result.heads / result.keys.extent(0);
  check_causal(what, input.kind, result.n, result.m);
  const double scale = input.scale.value_or(1 / std::sqrt(static_cast<double>(result.d)));
  if (!is_finite(scale)) refuse_scores(what, "scale " + to_text(scale) + "; expected a finite number");
  result.scale = static_cast<float>(scale);
  return result;
}

/// softmax(factor · row) of the first `visible` scores in place; the rest becomes 0.
inline void softmax_row(float* row, std::int64_t visible, std::int64_t keys, float factor) {
  constexpr float lowest = std::numeric_limits<float>::lowest();
  bool sound = true;
  float largest = lowest;
  bool any = false;
  for (std::int64_t k = 0; k < visible; ++k) {
    if (is_finite(row[k])) {
      row[k] *= factor;
      if (is_finite(row[k])) {
        largest = (std::max)(largest, row[k]);
        any = true;
        continue;
      }
    }
    if (is_nan(row[k]) || !sign_bit(static_cast<double>(row[k]))) sound = false;
  }
  if (!sound || !any) {
    std::fill_n(row, visible, std::numeric_limits<float>::quiet_NaN());
  } else {
    double sum = 0;
    for (std::int64_t k = 0; k < visible; ++k) {
      row[k] = is_finite(row[k]) ? std::exp(row[k] - largest) : 0.0f;
      sum += static_cast<double>(row[k]);
    }
    const auto inverse = static_cast<float>(1 / sum);  // sum >= 1: the largest counts as 1
    for (std::int64_t k = 0; k < visible; ++k) row[k] *= inverse;
  }
  std::fill(row + visible, row + keys, 0.0f);
}

inline std::int64_t visible_keys(AttentionKind kind, std::int64_t query, std::int64_t queries, std::int64_t keys) {
  return is_causal(kind) ? query + keys - queries + 1 : keys;
}

/// Fills `tile` with the weights of some queries of a head, and calls `visit`. `unit`: the rows of a tile are a
/// multiple of it, but for the last ones of a head.
inline void each_tile(const CheckedQueryKey& input, AttentionKind kind, const AttentionTileOptions& options,
                      std::int64_t unit, const char* what, FunctionRef<void(const AttentionTile&)> visit) {
  constexpr std::int64_t tile_floats = std::int64_t{1} << 18;
  std::int64_t rows = options.rows.value_or((std::max<std::int64_t>)(1, tile_floats / input.m));
  if (rows < 1) refuse_scores(what, "tile of " + to_text(rows) + " rows; expected 1 or more");
  rows = (std::min)((rows + unit - 1) / unit * unit, input.n);
  std::vector<float> tile(static_cast<std::size_t>(rows * input.m));
  AnyView keys;
  for (std::int64_t head = 0; head < input.heads; ++head) {
    if (head % input.group == 0) keys = contiguous(input.keys.select(0, head / input.group), DType::f32);
    for (std::int64_t first = 0; first < input.n; first += rows) {
      const std::int64_t count = (std::min)(rows, input.n - first);
      const AnyView queries = contiguous(input.queries.select(0, head).narrow(0, first, count), DType::f32);
      const StridedMatrix<float> q{static_cast<const float*>(queries.data()), input.d};
      const StridedMatrix<float> k{static_cast<const float*>(keys.data()), input.d};
      // Of a causal kind, no query of the tile sees more keys than its last one.
      const std::int64_t width = visible_keys(kind, first + count - 1, input.n, input.m);
      matmul(count, width, input.d, q, k.transposed(), tile.data(), input.m, options.threads);
      parallel_for(count, options.threads, [&](std::int64_t row) {
        softmax_row(tile.data() + row * input.m, visible_keys(kind, first + row, input.n, input.m), input.m,
                    input.scale);
      });
      visit({head, first, count, input.m, tile.data()});
    }
  }
}

}  // namespace detail

LAYERSCOPE_INLINE void for_each_attention_tile(const QueryKey& input, FunctionRef<void(const AttentionTile&)> visit,
                                               const AttentionTileOptions& options) {
  constexpr const char* what = "for_each_attention_tile";
  detail::each_tile(detail::checked(input, what), input.kind, options, 1, what, visit);
}

LAYERSCOPE_INLINE Tensor attention_weights(const QueryKey& input, const AttentionTileOptions& options) {
  constexpr const char* what = "attention_weights";
  const detail::CheckedQueryKey given = detail::checked(input, what);
  Tensor result(DType::f32, {given.heads, given.n, given.m});
  float* const out = result.mutable_data<float>();
  detail::each_tile(given, input.kind, options, 1, what, [&](const AttentionTile& tile) {
    std::copy_n(tile.weights, tile.rows * tile.keys, out + (tile.head * given.n + tile.first) * given.m);
  });
  return result;
}

LAYERSCOPE_INLINE AttentionSummary summarize_attention(const QueryKey& input, const AttentionSummaryOptions& options) {
  constexpr const char* what = "summarize_attention";
  detail::check_summary_options(options, what);
  const detail::CheckedQueryKey given = detail::checked(input, what);
  AttentionSummary summary;
  summary.name = input.name;
  summary.kind = input.kind;
  summary.query_tokens = input.query_tokens;
  summary.key_tokens = input.key_tokens;
  summary.heads = given.heads;
  summary.queries = given.n;
  summary.keys = given.m;
  detail::settle_tokens(summary, what);
  detail::AttentionCollector collector(std::move(summary), options, options.tolerance.value_or(1e-3));
  const std::int64_t pool = collector.query_pool();
  const AttentionTileOptions tiles{.threads = options.threads};
  detail::each_tile(given, input.kind, tiles, pool, what, [&](const AttentionTile& tile) {
    const std::int64_t first = tile.head * collector.blocks_per_head() + tile.first / pool;
    parallel_for((tile.rows - 1) / pool + 1, options.threads,
                 [&](std::int64_t block) { collector.add(first + block, tile.weights + block * pool * tile.keys); });
  });
  return collector.finish();
}

LAYERSCOPE_INLINE Tensor attention_softmax(const AnyView& scores, AttentionKind kind, int threads) {
  constexpr const char* what = "attention_softmax";
  Attention given;
  given.weights = scores;
  const AnyView heads = detail::attention_heads_view(given, what);
  if (scores.rank() == 4) {
    detail::refuse_scores(what, "shape " + to_text(scores.shape()) + "; expected [heads, queries, keys] or one head");
  }
  const std::int64_t queries = heads.extent(1);
  const std::int64_t keys = heads.extent(2);
  detail::check_causal(what, kind, queries, keys);
  Tensor result = convert(scores, DType::f32);
  float* const out = result.mutable_data<float>();
  parallel_for(heads.extent(0) * queries, threads, [&](std::int64_t row) {
    detail::softmax_row(out + row * keys, detail::visible_keys(kind, row % queries, queries, keys), keys, 1);
  });
  return result;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
