// Attention weights recomputed from queries and keys, for fused kernels that return none.
//
// softmax(scale · Q · Kᵀ) row by row (Vaswani et al. 2017, section 3.2.1), with fewer heads of keys than of queries
// where they are shared (grouped-query attention, Ainslie et al., EMNLP 2023), and with later keys left out for causal
// kinds. Rotary embeddings and the like are applied to Q and K before. In tiles of whole rows, each taken through its
// softmax in place: memory is that of one tile, however long the sequence.
#pragma once

#include <layerscope/algorithms/attention.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/parallel.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

/// What one layer's weights are computed from, and the tokens that they are about.
struct QueryKey {
  /// [heads, n, d] of any element type, or [samples, heads, n, d].
  AnyView queries{};
  /// [key heads, m, d], or with samples; the number of heads is a multiple of that of key heads, and head h looks at
  /// the keys of key head h · key heads / heads.
  AnyView keys{};
  /// Default causal. cross for keys of another sequence.
  AttentionKind kind = AttentionKind::causal;
  /// The factor of q · k. Default 1 / √d.
  std::optional<double> scale{};
  /// As in Attention.
  std::string name{};
  std::vector<std::string> query_tokens{};
  std::vector<std::string> key_tokens{};
  std::int64_t sample = 0;
};

struct AttentionTileOptions {
  /// Queries a tile, 1 or more. Derived when absent: as many as make the tile 1 MiB, at least one.
  std::optional<std::int64_t> rows{};
  /// Most threads to use, the caller's included; 0 means every core. Does not change the result.
  int threads = 0;
};

/// Weights of some queries of one head.
struct AttentionTile {
  std::int64_t head = 0;
  std::int64_t first = 0;  ///< query of the first row
  std::int64_t rows = 0;
  std::int64_t keys = 0;
  const float* weights = nullptr;  ///< [rows, keys], valid until the visitor returns
};

/// Calls `visit` with every tile, head by head, in order, on the calling thread. Products and softmax are float32, sums
/// of a row float64; a score of −infinity is a weight of 0, and a row with NaN or +infinity is all NaN up to where its
/// query may look. Memory: one tile, and its queries and the keys of its head where they are not float32 already.
///
/// Throws Error(empty) for zero extents and rank 0; Error(invalid_argument) for ranks other than 3 and 4 or that
/// differ, for widths d or samples that differ, heads that are no multiple, more queries than keys in a causal kind,
/// and options outside their ranges.
void for_each_attention_tile(const QueryKey& input, FunctionRef<void(const AttentionTile&)> visit,
                             const AttentionTileOptions& options = {});

/// All weights at once, float32 [heads, n, m]. Throws as for_each_attention_tile().
Tensor attention_weights(const QueryKey& input, const AttentionTileOptions& options = {});

/// As of Attention, without ever holding the weights: a tile and the summary. Throws as for_each_attention_tile() and
/// as summarize_attention() does.
AttentionSummary summarize_attention(const QueryKey& input, const AttentionSummaryOptions& options = {});

/// The weights of scores, [heads, queries, keys] or one head, that are scaled already: softmax of each row, over the
/// keys that the kind lets it see. float32 of that shape. Throws as summarize_attention() and, in a causal kind, for
/// more queries than keys.
Tensor attention_softmax(const AnyView& scores, AttentionKind kind, int threads = 0);

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/attention_scores_inl.hpp>
#endif
