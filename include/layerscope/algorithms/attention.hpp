// Attention weights of transformers: what one layer's heads look at, checked, measured and made small enough to draw.
//
// A row of weights is a query's distribution over the keys: softmax(q · Kᵀ / √d), Vaswani et al., "Attention Is All You
// Need" (NeurIPS 2017), section 3.2.1. Pictures of what is found here: attention_chart.hpp.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

/// Which tokens look at which.
enum class AttentionKind : std::uint8_t {
  self,     ///< a sequence at itself
  causal,   ///< a sequence at itself, no token at a later one
  encoder,  ///< as self, within an encoder
  decoder,  ///< as causal, within a decoder
  cross,    ///< the sequence of a decoder at that of an encoder
};

/// "self", "causal", "encoder", "decoder", "cross".
const char* name(AttentionKind kind) noexcept;

/// Whether a query sees only keys that are not after it. Where there are more keys than queries (a cache of keys), the
/// last query stands at the last key: query q sees the keys up to q + keys − queries.
constexpr bool is_causal(AttentionKind kind) noexcept {
  return kind == AttentionKind::causal || kind == AttentionKind::decoder;
}

/// One layer's weights and the tokens that they are about.
struct Attention {
  /// [heads, queries, keys] of any element type; [queries, keys] is one head; of [samples, heads, queries, keys] one
  /// sample is taken. Borrowed, unless the view owns what it shows.
  AnyView weights{};
  /// Default self.
  AttentionKind kind = AttentionKind::self;
  /// Whose weights they are: "layer 3". Default none.
  std::string name{};
  /// The tokens as the tokenizer writes them, UTF-8; empty, or one a query. Default none: positions are shown.
  std::vector<std::string> query_tokens{};
  /// Empty, or one a key. Default: query_tokens where there are as many keys as queries and the kind is not cross.
  std::vector<std::string> key_tokens{};
  /// Of four axes, the sample shown, from 0. Default 0.
  std::int64_t sample = 0;
};

/// The layers of a model from the first to the last. Those of an encoder, of a decoder and between the two tell
/// themselves apart by their kind.
struct AttentionModel {
  std::vector<Attention> layers;

  /// The layers of one kind, in their order.
  std::vector<Attention> of(AttentionKind kind) const;
};

/// A model from one tensor [layers, heads, queries, keys] or [layers, samples, heads, queries, keys]: `like` gives
/// kind, tokens and sample of every layer; its name, with a space, goes before the number of each ("layer" by default).
/// Throws Error(empty) for a zero extent, Error(invalid_argument) for another rank.
AttentionModel attention_model(const AnyView& weights, const Attention& like = {});

/// What a row of weights should not be.
enum class AttentionFault : std::uint8_t {
  nan,       ///< a weight is NaN
  infinite,  ///< a weight is an infinity
  negative,  ///< a weight is below 0
  row_sum,   ///< the weights of a query do not sum to 1
  future,    ///< a causal query looks at a later key
};

/// "nan", "infinite", "negative", "row_sum", "future".
const char* name(AttentionFault fault) noexcept;

/// One kind of fault, how often, and where first.
struct AttentionWarning {
  AttentionFault fault = AttentionFault::nan;
  std::int64_t rows = 0;        ///< rows that have it
  std::int64_t rows_total = 0;  ///< heads · queries
  std::int64_t head = 0;        ///< of the first such row
  std::int64_t query = 0;
  double value = 0;  ///< there: the sum of the row, the negative weight, or the weight on a later key

  /// "row_sum: 3 of 96 rows do not sum to 1, first of head 2, query 5: 0.83".
  std::string text() const;
};

struct AttentionSummaryOptions {
  /// Most queries, and most keys, kept a head, at least 1: longer sequences are pooled in blocks of which the largest
  /// weight stays. Default 512.
  std::int64_t max_side = 512;
  /// How far the sum of a row may be from 1 before it is called a fault, 0 or more; infinity for matrices whose rows
  /// need not sum to 1 (a flow). Default: 1e-3, and 1e-2 of 16-bit floats.
  std::optional<double> tolerance{};
  /// Most threads to use, the caller's included; 0 means every core. Does not change the result.
  int threads = 0;
};

/// What one pass over a layer's weights finds. It owns all of it and is small: pictures are drawn from it.
struct AttentionSummary {
  std::string name;
  AttentionKind kind = AttentionKind::self;
  std::vector<std::string> query_tokens, key_tokens;  ///< as given; empty, or one a query and one a key
  std::int64_t heads = 0, queries = 0, keys = 0;      ///< of the weights

  /// float32 [heads, rows, columns]: the weights, or the largest of each block of query_pool × key_pool; NaN where one
  /// of the block is, else the infinity that is.
  Tensor pooled;
  std::int64_t query_pool = 1, key_pool = 1;
  Range range;  ///< smallest and largest finite weight; 0 and 0 when none is
  /// [heads · rows]: 1 where a query of the block has weights that do not sum to 1, are negative or look ahead.
  std::vector<std::uint8_t> marked;

  /// A head each, the mean over its sound rows, where a row is sound when its numbers are finite and not negative and
  /// their sum is above 0; it counts divided by its sum. NaN where no row is sound.
  std::vector<double> entropy;   ///< −Σ w ln w, in nats: 0 (one key) to ln(keys)
  std::vector<double> distance;  ///< Σ w |q − k|, in tokens; NaN for cross, whose positions are of two sequences
  std::vector<std::int64_t> sound_rows;

  std::vector<AttentionWarning> warnings;  ///< one a kind of fault found
};

/// Checks, measures and pools one layer. One pass; beyond the result, memory for query_pool rows a thread.
/// Throws Error(empty) for zero extents and rank 0, Error(invalid_argument) for a rank other than 2 to 4, a sample that
/// there is none of, tokens of another number than the queries or keys, and options outside their ranges.
AttentionSummary summarize_attention(const Attention& attention, const AttentionSummaryOptions& options = {});

/// Every layer of a model.
std::vector<AttentionSummary> summarize_attention(const AttentionModel& model,
                                                  const AttentionSummaryOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/attention_inl.hpp>
#endif
