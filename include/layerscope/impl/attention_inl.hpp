// Body of algorithms/attention.hpp.
#pragma once

#include <layerscope/algorithms/attention.hpp>
#include <layerscope/algorithms/detail/attention_rows.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/parallel.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE const char* name(AttentionKind kind) noexcept {
  switch (kind) {
    case AttentionKind::self: return "self";
    case AttentionKind::causal: return "causal";
    case AttentionKind::encoder: return "encoder";
    case AttentionKind::decoder: return "decoder";
    case AttentionKind::cross: return "cross";
  }
  return "unknown";
}

LAYERSCOPE_INLINE const char* name(AttentionFault fault) noexcept {
  switch (fault) {
    case AttentionFault::nan: return "nan";
    case AttentionFault::infinite: return "infinite";
    case AttentionFault::negative: return "negative";
    case AttentionFault::row_sum: return "row_sum";
    case AttentionFault::future: return "future";
  }
  return "unknown";
}

LAYERSCOPE_INLINE std::string AttentionWarning::text() const {
  std::string text = std::string(layerscope::name(fault)) + ": " + to_text(rows) + " of " + to_text(rows_total) +
                     (rows_total == 1 ? " row " : " rows ");
  switch (fault) {
    case AttentionFault::nan: text += "with NaN"; break;
    case AttentionFault::infinite: text += "with an infinity"; break;
    case AttentionFault::negative: text += "with a negative weight"; break;
    case AttentionFault::row_sum: text += "not summing to 1"; break;
    case AttentionFault::future: text += "looking at a later key"; break;
  }
  text += ", first of head " + to_text(head) + ", query " + to_text(query);
  const bool valued = fault != AttentionFault::nan && fault != AttentionFault::infinite;
  return valued ? text + ": " + to_short_text(value) : text;
}

LAYERSCOPE_INLINE std::vector<Attention> AttentionModel::of(AttentionKind kind) const {
  std::vector<Attention> found;
  std::copy_if(layers.begin(), layers.end(), std::back_inserter(found),
               [kind](const Attention& layer) { return layer.kind == kind; });
  return found;
}

LAYERSCOPE_INLINE AttentionModel attention_model(const AnyView& weights, const Attention& like) {
  if (weights.rank() == 0 || weights.empty()) {
    throw Error(ErrorCode::empty, "attention_model: shape " + to_text(weights.shape()) + " holds no weight");
  }
  if (weights.rank() != 4 && weights.rank() != 5) {
    throw Error(ErrorCode::invalid_argument, "attention_model: shape " + to_text(weights.shape()) +
                                                 "; expected [layers, heads, queries, keys] or [layers, samples, "
                                                 "heads, queries, keys]");
  }
  AttentionModel model;
  for (std::int64_t layer = 0; layer < weights.extent(0); ++layer) {
    Attention& one = model.layers.emplace_back(like);
    one.weights = weights.select(0, layer);
    one.name = (like.name.empty() ? "layer" : like.name) + " " + to_text(layer);
  }
  return model;
}

LAYERSCOPE_INLINE AttentionSummary summarize_attention(const Attention& attention,
                                                       const AttentionSummaryOptions& options) {
  constexpr const char* what = "summarize_attention";
  detail::check_summary_options(options, what);
  const AnyView weights = detail::attention_heads_view(attention, what);
  AttentionSummary summary;
  summary.name = attention.name;
  summary.kind = attention.kind;
  summary.query_tokens = attention.query_tokens;
  summary.key_tokens = attention.key_tokens;
  summary.heads = weights.extent(0);
  summary.queries = weights.extent(1);
  summary.keys = weights.extent(2);
  detail::settle_tokens(summary, what);
  const bool coarse = weights.dtype() == DType::f16 || weights.dtype() == DType::bf16;
  detail::AttentionCollector collector(std::move(summary), options, options.tolerance.value_or(coarse ? 1e-2 : 1e-3));
  const std::int64_t pool = collector.query_pool();
  parallel_for(collector.blocks(), options.threads, [&](std::int64_t block) {
    const std::int64_t first = block % collector.blocks_per_head() * pool;
    const AnyView rows = weights.select(0, block / collector.blocks_per_head())
                             .narrow(0, first, (std::min)(pool, weights.extent(1) - first));
    collector.add(block, static_cast<const float*>(contiguous(rows, DType::f32).data()));
  });
  return collector.finish();
}

LAYERSCOPE_INLINE std::vector<AttentionSummary> summarize_attention(const AttentionModel& model,
                                                                    const AttentionSummaryOptions& options) {
  std::vector<AttentionSummary> summaries;
  summaries.reserve(model.layers.size());
  for (const Attention& layer : model.layers) summaries.push_back(summarize_attention(layer, options));
  return summaries;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
