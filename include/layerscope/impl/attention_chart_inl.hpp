// Body of attention_heads() and attention_matrix() of algorithms/attention_chart.hpp.
#pragma once

#include <layerscope/algorithms/attention_chart.hpp>
#include <layerscope/algorithms/detail/attention_panel.hpp>
#include <layerscope/algorithms/detail/canvas.hpp>
#include <layerscope/algorithms/detail/colour_bar.hpp>
#include <layerscope/algorithms/detail/text_layout.hpp>
#include <layerscope/algorithms/grid.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>

#include <algorithm>
#include <limits>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

inline WeightColours weight_colours(const AttentionSummary& summary, const std::vector<std::int64_t>& heads,
                                    const AttentionChartOptions& options, const char* what) {
  WeightColours colours;
  colours.colormap = options.colormap;
  colours.scale = options.scale.value_or(summary.keys > 512 ? ColourBar::Scale::log : ColourBar::Scale::linear);
  const bool logarithmic = colours.scale == ColourBar::Scale::log;
  if (!options.range) {
    const double largest = largest_weight(summary, heads);
    colours.range.max = largest > 0 ? largest : 1;
    colours.range.min = logarithmic ? colours.range.max * 1e-3 : 0;
    return colours;
  }
  colours.range = *options.range;
  if (!is_finite(colours.range.min) || !is_finite(colours.range.max) || colours.range.min >= colours.range.max ||
      (logarithmic && colours.range.min <= 0)) {
    throw Error(ErrorCode::invalid_argument, std::string(what) + ": range " + to_text(colours.range.min) + " to " +
                                                 to_text(colours.range.max) + "; expected finite, min < max" +
                                                 (logarithmic ? " and 0 < min" : ""));
  }
  return colours;
}

/// Where the tiles of a layer's heads go.
struct HeadsLayout {
  std::int64_t across = 1, down = 1;         // tiles
  std::int64_t cell_x = 1, cell_y = 1;       // pixels
  std::int64_t tile_width = 0, pitch_x = 0;  // without and with what is between tiles
  std::int64_t tile_height = 0, pitch_y = 0;
  std::int64_t left = 0, top = 0;  // of the first tile

  /// `tiles` panels of the size of `panel` within about 1600 pixels.
  HeadsLayout(std::int64_t tiles, const AttentionPanel& panel, std::int64_t most_side, bool tokens, bool marks,
              bool named) {
    const std::int64_t longest = (std::max)(panel.rows, panel.columns);
    std::int64_t cell = (std::clamp<std::int64_t>)(most_side / longest, 1, 28);
    if (tokens && longest <= 48 && tiles <= 16) cell = (std::max)(cell, font_height);
    // A side much shorter than the other one has room for more.
    const auto side = [&](std::int64_t count) {
      return count * 4 < longest ? (std::clamp<std::int64_t>)(most_side / (2 * count), cell, 2 * font_height) : cell;
    };
    cell_x = side(panel.columns);
    cell_y = side(panel.rows);
    tile_width = panel.columns * cell_x;
    tile_height = panel.rows * cell_y;
    pitch_x = (std::max<std::int64_t>)(tile_width, named ? 48 : 0) + (marks ? attention_look::gutter : 0) + 12;
    pitch_y = tile_height + (named ? look::line + 9 : 12);
    across = (std::clamp<std::int64_t>)(1500 / pitch_x, 1, tiles);
    down = (tiles - 1) / across + 1;
    across = (tiles - 1) / down + 1;
  }
};

inline std::int64_t most_tile_side(std::int64_t tiles) {
  return tiles == 1    ? 640
         : tiles <= 2  ? 512
         : tiles <= 4  ? 400
         : tiles <= 9  ? 320
         : tiles <= 16 ? 256
         : tiles <= 36 ? 160
                       : 96;
}

/// Says which labels were left out.
inline void add_stride_caption(std::vector<std::string>& captions, std::int64_t stride, bool tokens) {
  if (stride > 1 && tokens) captions.push_back("One token of " + to_text(stride) + " is named");
}

/// One query: its heads are the rows of one panel.
inline AttentionSummary heads_as_rows(const AttentionSummary& summary, const std::vector<std::int64_t>& heads) {
  AttentionSummary rows = summary;
  const std::int64_t columns = summary.pooled.extent(2);
  const auto count = static_cast<std::int64_t>(heads.size());
  rows.pooled = Tensor(DType::f32, {1, count, columns});
  rows.marked.clear();
  rows.query_tokens.clear();
  float* out = rows.pooled.mutable_data<float>();
  for (const std::int64_t head : heads) {
    out = std::copy_n(summary.pooled.data<float>() + head * columns, columns, out);
    rows.marked.push_back(summary.marked[static_cast<std::size_t>(head)]);
    rows.query_tokens.push_back("head " + to_text(head));
  }
  rows.kind = AttentionKind::cross;  // rows are no queries: none is before a key
  rows.heads = 1;
  rows.queries = count;
  rows.query_pool = 1;
  return rows;
}

inline Image draw_heads(const AttentionSummary& summary, const std::vector<std::int64_t>& heads,
                        const WeightColours& colours, const std::string& title, std::vector<std::string> captions,
                        bool named) {
  const auto tiles = static_cast<std::int64_t>(heads.size());
  const std::int64_t side = most_tile_side(tiles);
  const AttentionPanel shape(summary, 0, side, side);
  const bool tokens = !summary.query_tokens.empty() || !summary.key_tokens.empty();
  const bool marks = std::any_of(summary.marked.begin(), summary.marked.end(), [](auto mark) { return mark != 0; });
  HeadsLayout layout(tiles, shape, side, tokens, marks, named);
  const auto row_labels = cell_labels(summary.query_tokens, summary.queries, shape.query_pool);
  const auto column_labels = cell_labels(summary.key_tokens, summary.keys, shape.key_pool);
  const bool row_positions = summary.query_tokens.empty() || shape.query_pool > 1;
  const bool column_positions = summary.key_tokens.empty() || shape.key_pool > 1;
  const std::int64_t row_stride = label_stride(shape.rows, layout.cell_y, row_positions);
  const std::int64_t column_stride = label_stride(shape.columns, layout.cell_x, column_positions);
  add_stride_caption(captions, (std::max)(row_positions ? 1 : row_stride, column_positions ? 1 : column_stride), true);
  const auto described = attention_captions(summary, shape);
  captions.insert(captions.end(), described.begin(), described.end());

  const std::int64_t axis = look::line + 2;  // for the words "query" and "key"
  layout.left = look::margin + axis + label_width(row_labels) + 6;
  layout.top = look::margin + axis + label_width(column_labels) + 6;
  const ColourBar bar{colours.colormap, colours.range, "weight", colours.scale};
  const std::int64_t bar_left = layout.left + layout.across * layout.pitch_x + 4;
  const std::int64_t body = (std::max<std::int64_t>)(layout.down * layout.pitch_y, 80);
  const std::int64_t width = (std::max)(bar_left + colour_bar_width(bar) + look::margin,
                                        (std::min<std::int64_t>)(640, text_extent(title, look::title).width + 24));
  const TextBlocks texts(title, captions, width - 2 * look::margin);
  layout.top += texts.above();
  Image image = make_image(width, layout.top + body + texts.below() + look::margin, look::paper);
  texts.draw(image);
  draw_text(image, layout.left, look::margin + texts.above(), "key", look::soft_ink);
  if (summary.query_tokens.empty() || !summary.query_tokens[0].starts_with("head ")) {
    draw_text_upwards(image, look::margin, layout.top, "query", look::soft_ink);
  }
  for (std::int64_t i = 0; i < tiles; ++i) {
    const std::int64_t x = layout.left + i % layout.across * layout.pitch_x;
    const std::int64_t y = layout.top + i / layout.across * layout.pitch_y;
    const std::int64_t head = heads[static_cast<std::size_t>(i)];
    draw_panel(image, x, y, layout.cell_x, layout.cell_y, summary, AttentionPanel(summary, head, side, side), colours);
    if (i % layout.across == 0) draw_row_labels(image, x - 6, y, layout.cell_y, row_labels, row_stride);
    if (i < layout.across) draw_column_labels(image, x, y - 6, layout.cell_x, column_labels, column_stride);
    if (named) {
      draw_text_centred(image, x + layout.tile_width / 2, y + layout.tile_height + 3, "head " + to_text(head),
                        look::soft_ink);
    }
  }
  const std::int64_t bar_height = (std::min<std::int64_t>)(320, (std::max<std::int64_t>)(64, body - 24));
  draw_colour_bar(image, bar, bar_left, layout.top, bar_height);
  return image;
}

}  // namespace detail

LAYERSCOPE_INLINE Image attention_heads(const AttentionSummary& summary, const AttentionChartOptions& options) {
  constexpr const char* what = "attention_heads";
  constexpr std::int64_t most = 256;
  const std::vector<std::int64_t> heads = detail::chosen_heads(summary, options.heads, most, what);
  const detail::WeightColours colours = detail::weight_colours(summary, heads, options, what);
  std::vector<std::string> captions = options.captions;
  const auto shown = static_cast<std::int64_t>(heads.size());
  if (shown < summary.heads) captions.push_back(to_text(shown) + " of " + to_text(summary.heads) + " heads shown");
  std::string title = options.title.empty() ? summary.name : options.title;
  if (summary.queries > 1) return detail::draw_heads(summary, heads, colours, title, captions, summary.heads > 1);
  if (!summary.query_tokens.empty()) {
    captions.insert(captions.begin(), "Query: " + detail::cell_labels(summary.query_tokens, 1, 1)[0]);
  }
  return detail::draw_heads(detail::heads_as_rows(summary, heads), {0}, colours, title, captions, false);
}

LAYERSCOPE_INLINE Image attention_matrix(const AnyView& matrix, const std::vector<std::string>& query_tokens,
                                         const std::vector<std::string>& key_tokens,
                                         const AttentionChartOptions& options) {
  Attention layer;
  layer.weights = matrix;
  layer.query_tokens = query_tokens;
  layer.key_tokens = key_tokens;
  AttentionSummaryOptions any_sum;
  any_sum.tolerance = std::numeric_limits<double>::infinity();
  return attention_heads(summarize_attention(layer, any_sum), options);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
