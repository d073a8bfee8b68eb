// Pictures of attention: the heads of a layer, all layers at a glance, lines from token to token, measures as numbers.
//
// NaN is magenta, +infinity green; keys that a causal query cannot see are grey; a vermilion mark stands right of
// queries whose weights do not sum to 1. What is wrong is also said below the picture, as is pooling: longer sequences
// show the largest weight of each block. The lines are those of Vig, "A Multiscale Visualization of Attention in the
// Transformer Model" (ACL 2019).
#pragma once

#include <layerscope/algorithms/attention.hpp>
#include <layerscope/algorithms/colormap.hpp>
#include <layerscope/algorithms/grid.hpp>
#include <layerscope/algorithms/heatmap.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/image.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

struct AttentionChartOptions {
  /// First line. Default: the layer's name, where there is one.
  std::string title{};
  /// The heads shown, in this order. Default: all, at most 256, or the first 8 of attention_lines().
  std::vector<std::int64_t> heads{};
  /// Default viridis.
  Colormap colormap = Colormap::viridis;
  /// Whether colours follow the weights or their logarithms. Default: log beyond 512 keys, whose weights are small.
  std::optional<ColourBar::Scale> scale{};
  /// Weights at the two ends of the colours; what lies outside takes the end colours. Default: the largest shown, and
  /// from 0, or of a log scale from a thousandth of it.
  std::optional<Range> range{};
  /// Small lines below the picture, before those that it adds itself.
  std::vector<std::string> captions{};
};

/// The heads of one layer side by side on one scale: queries downwards, keys across, with the tokens at the left and at
/// the top (positions where there are none, or where a cell is more than one token). Of one query, a row a head.
/// Throws Error(invalid_argument) for a head that there is none of, and for a range that is not finite, min < max
/// (0 < min on a log scale).
Image attention_heads(const AttentionSummary& summary, const AttentionChartOptions& options = {});

/// A matrix of tokens, [queries, keys], such as a rollout or a flow, whose rows need not sum to 1; tokens are empty or
/// one each. Throws as summarize_attention() and attention_heads().
Image attention_matrix(const AnyView& matrix, const std::vector<std::string>& query_tokens,
                       const std::vector<std::string>& key_tokens, const AttentionChartOptions& options = {});

struct AttentionOverviewOptions {
  /// First line. Default none.
  std::string title{};
  /// Default viridis.
  Colormap colormap = Colormap::viridis;
  /// Which weights share one scale. Default: each head from 0 to its largest, as patterns matter here.
  Scaling scaling = Scaling::each;
  /// Small lines below the picture.
  std::vector<std::string> captions{};
};

/// A row a layer, a column a head, each a thumbnail of 12 to 96 pixels a side. Throws Error(empty) without layers.
Image attention_overview(std::span<const AttentionSummary> layers, const AttentionOverviewOptions& options = {});

struct AttentionLinesOptions {
  /// As in AttentionChartOptions; each head has a colour of its own, repeated after 8.
  std::string title{};
  std::vector<std::int64_t> heads{};
  std::vector<std::string> captions{};
  /// Weights below this have no line, in [0, 1). Default 0.02.
  double threshold = 0.02;
};

/// Queries at the left, keys at the right, and a line for each weight, as strong as the weight. Sequences beyond 64
/// tokens are pooled. Throws as attention_heads().
Image attention_lines(const AttentionSummary& summary, const AttentionLinesOptions& options = {});

/// Entropy and mean distance of every head as two tables of coloured numbers, a row a layer, a column a head; NaN is
/// magenta, and there is no table of distances for layers of kind cross alone. Throws Error(empty) without layers.
Image attention_measures(std::span<const AttentionSummary> layers, const AttentionOverviewOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/attention_chart_inl.hpp>
#include <layerscope/impl/attention_lines_inl.hpp>
#include <layerscope/impl/attention_measures_inl.hpp>
#include <layerscope/impl/attention_overview_inl.hpp>
#endif
