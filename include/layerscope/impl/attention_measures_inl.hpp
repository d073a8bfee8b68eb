// Body of attention_measures() of algorithms/attention_chart.hpp.
#pragma once

#include <layerscope/algorithms/attention_chart.hpp>
#include <layerscope/algorithms/detail/attention_panel.hpp>
#include <layerscope/algorithms/detail/number_table.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>

#include <algorithm>
#include <cmath>

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE Image attention_measures(std::span<const AttentionSummary> layers,
                                           const AttentionOverviewOptions& options) {
  using namespace detail;
  if (layers.empty()) throw Error(ErrorCode::empty, "attention_measures: no layers given");
  std::size_t heads = 0;
  std::int64_t keys = 0;
  bool placed = false, causal = false;
  for (const AttentionSummary& layer : layers) {
    heads = (std::max)(heads, static_cast<std::size_t>(layer.heads));
    keys = (std::max)(keys, layer.keys);
    placed = placed || layer.kind != AttentionKind::cross;
    causal = causal || is_causal(layer.kind);
  }
  NumberTable entropy;
  entropy.title = "entropy, nats";
  entropy.column_axis = "head";
  for (std::size_t head = 0; head < heads; ++head) entropy.columns.push_back(to_text(head));
  for (std::size_t i = 0; i < layers.size(); ++i) entropy.rows.push_back(layer_label(layers[i], i));
  NumberTable distance = entropy;
  distance.title = "mean distance, tokens";
  entropy.colormap = distance.colormap = options.colormap;
  for (const AttentionSummary& layer : layers) {
    for (std::size_t head = 0; head < heads; ++head) {
      const bool there = head < layer.entropy.size();
      entropy.cells.push_back(there ? std::optional(layer.entropy[head]) : std::nullopt);
      // Cross-attention has no distances: nothing is wrong there.
      const bool far = there && layer.kind != AttentionKind::cross;
      distance.cells.push_back(far ? std::optional(layer.distance[head]) : std::nullopt);
    }
  }
  std::vector<std::string> captions = options.captions;
  captions.push_back("Entropy of a row is 0 when it looks at one key, ln " + to_text(keys) + " = " +
                     to_short_text(std::log(static_cast<double>(keys)), 3) + " when at all " + to_text(keys) +
                     " alike; means over the queries");
  add_model_warnings(captions, layers);
  std::vector<NumberTable> tables{std::move(entropy)};
  if (placed) tables.push_back(std::move(distance));
  return draw_number_tables(tables, options.title, captions);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
