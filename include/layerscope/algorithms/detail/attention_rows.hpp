// One pass over rows of attention weights, wherever they come from: what summaries of weights, and of queries and keys,
// share.
#pragma once

#include <layerscope/algorithms/attention.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

inline constexpr std::size_t attention_faults = 5;

/// What the rows of one block of queries have shown.
struct AttentionBlock {
  double entropy = 0, distance = 0;  // sums over the sound rows
  std::int64_t sound = 0;
  float smallest = 0, largest = 0;  // of the finite weights, where there are any
  bool any = false;
  std::array<std::int64_t, attention_faults> rows{};   // with each fault
  std::array<std::int64_t, attention_faults> query{};  // first of them
  std::array<double, attention_faults> value{};
};

/// Collects rows in any order of blocks, then makes the summary of them.
class AttentionCollector {
 public:
  /// `summary` has names, tokens and extents; its options are checked.
  AttentionCollector(AttentionSummary summary, const AttentionSummaryOptions& options, double tolerance);

  /// Blocks of all heads: block b is of head b / blocks_per_head().
  std::int64_t blocks() const noexcept { return summary_.heads * rows_; }
  std::int64_t blocks_per_head() const noexcept { return rows_; }
  std::int64_t query_pool() const noexcept { return summary_.query_pool; }

  /// The rows of a block, [up to query_pool, keys]. Different blocks may be added by several threads at once.
  void add(std::int64_t block, const float* rows);
  AttentionSummary finish();

 private:
  AttentionSummary summary_;
  double tolerance_;
  std::int64_t rows_ = 0, columns_ = 0;
  float* pooled_ = nullptr;
  std::vector<AttentionBlock> blocks_;
};

/// The one of two weights that a pooled cell shows: NaN before infinities before the larger.
inline float pooled_weight(float kept, float found) noexcept {
  if (is_finite(kept) && is_finite(found)) return kept < found ? found : kept;
  if (is_nan(kept)) return kept;
  return is_finite(found) ? kept : found;
}

/// The weights as [heads, queries, keys]. Throws as summarize_attention().
AnyView attention_heads_view(const Attention& attention, const char* what);

/// Refuses tokens of a wrong number, and gives the keys the queries' where they may share them.
void settle_tokens(AttentionSummary& summary, const char* what);

void check_summary_options(const AttentionSummaryOptions& options, const char* what);

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/attention_rows_inl.hpp>
#endif
