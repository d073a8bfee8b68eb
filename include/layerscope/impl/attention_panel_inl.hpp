// Body of algorithms/detail/attention_panel.hpp.
#pragma once

#include <layerscope/algorithms/detail/attention_panel.hpp>
#include <layerscope/algorithms/detail/attention_rows.hpp>
#include <layerscope/algorithms/detail/text_layout.hpp>
#include <layerscope/algorithms/text.hpp>
#include <layerscope/algorithms/token_text.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

LAYERSCOPE_INLINE AttentionPanel::AttentionPanel(const AttentionSummary& summary, std::int64_t head,
                                                 std::int64_t most_rows, std::int64_t most_columns) {
  const std::int64_t height = summary.pooled.extent(1);
  const std::int64_t width = summary.pooled.extent(2);
  const std::int64_t down = (height - 1) / most_rows + 1;
  const std::int64_t across = (width - 1) / most_columns + 1;
  rows = (height - 1) / down + 1;
  columns = (width - 1) / across + 1;
  query_pool = summary.query_pool * down;
  key_pool = summary.key_pool * across;
  cells.resize(static_cast<std::size_t>(rows * columns));
  marked.resize(static_cast<std::size_t>(rows));
  const float* from = summary.pooled.data<float>() + head * height * width;
  for (std::int64_t y = 0; y < height; ++y, from += width) {
    const std::int64_t row = y / down;
    marked[static_cast<std::size_t>(row)] |= summary.marked[static_cast<std::size_t>(head * height + y)];
    for (std::int64_t x = 0; x < width; ++x) {
      float& cell = cells[static_cast<std::size_t>(row * columns + x / across)];
      const bool first = y % down == 0 && x % across == 0;
      cell = first ? from[x] : pooled_weight(cell, from[x]);
    }
  }
}

LAYERSCOPE_INLINE Rgb WeightColours::operator()(float weight) const noexcept {
  if (is_nan(weight)) return attention_look::nan;
  if (!is_finite(weight)) {
    return sign_bit(static_cast<double>(weight)) ? attention_look::negative_infinity
                                                 : attention_look::positive_infinity;
  }
  const auto value = static_cast<double>(weight);
  if (scale == ColourBar::Scale::linear) return colour(colormap, (value - range.min) / (range.max - range.min));
  return colour(colormap, value > range.min ? std::log(value / range.min) / std::log(range.max / range.min) : 0.0);
}

LAYERSCOPE_INLINE bool is_unseen(const AttentionSummary& summary, const AttentionPanel& panel, std::int64_t row,
                                 std::int64_t column) {
  if (!is_causal(summary.kind)) return false;
  const std::int64_t last = (std::min)((row + 1) * panel.query_pool, summary.queries) - 1;
  return column * panel.key_pool > last + summary.keys - summary.queries;
}

LAYERSCOPE_INLINE void draw_panel(Image& image, std::int64_t x, std::int64_t y, std::int64_t cell_x,
                                  std::int64_t cell_y, const AttentionSummary& summary, const AttentionPanel& panel,
                                  const WeightColours& colours) {
  draw_frame(image, {x - 1, y - 1, panel.columns * cell_x + 2, panel.rows * cell_y + 2}, look::frame);
  for (std::int64_t row = 0; row < panel.rows; ++row) {
    for (std::int64_t column = 0; column < panel.columns; ++column) {
      const float weight = panel.at(row, column);
      const bool unseen = is_finite(weight) && weight == 0 && is_unseen(summary, panel, row, column);
      fill_box(image, {x + column * cell_x, y + row * cell_y, cell_x, cell_y},
               unseen ? attention_look::unseen : colours(weight));
    }
    if (panel.marked[static_cast<std::size_t>(row)] != 0) {
      fill_box(image, {x + panel.columns * cell_x + 2, y + row * cell_y, 4, cell_y}, attention_look::mark);
    }
  }
}

LAYERSCOPE_INLINE double largest_weight(const AttentionSummary& summary, std::span<const std::int64_t> heads) {
  float largest = 0;
  const std::int64_t size = summary.pooled.size() / summary.heads;
  for (const std::int64_t head : heads) {
    const float* const cells = summary.pooled.data<float>() + head * size;
    for (std::int64_t i = 0; i < size; ++i) {
      if (is_finite(cells[i])) largest = (std::max)(largest, cells[i]);
    }
  }
  return static_cast<double>(largest);
}

LAYERSCOPE_INLINE std::vector<std::string> cell_labels(const std::vector<std::string>& tokens, std::int64_t extent,
                                                       std::int64_t pool) {
  if (pool == 1 && !tokens.empty()) return readable_tokens(tokens);
  std::vector<std::string> labels;
  for (std::int64_t at = 0; at < extent; at += pool) labels.push_back(to_text(at));
  return labels;
}

LAYERSCOPE_INLINE std::int64_t label_stride(std::int64_t count, std::int64_t cell, bool positions) {
  const std::int64_t needed = (font_height - 1) / cell + 1;
  if (!positions || needed == 1) return needed;
  // Positions are read more easily at round distances, and need not be dense.
  for (std::int64_t power = 1; power <= count; power *= 10) {
    for (const std::int64_t factor : {1, 2, 5}) {
      if (factor * power >= 2 * needed) return factor * power;
    }
  }
  return needed;
}

LAYERSCOPE_INLINE std::int64_t label_width(const std::vector<std::string>& labels) {
  std::int64_t width = 0;
  for (const std::string& label : labels) width = (std::max)(width, text_extent(label).width);
  return (std::min)(width, label_room);
}

LAYERSCOPE_INLINE void draw_row_labels(Image& image, std::int64_t right, std::int64_t top, std::int64_t cell,
                                       const std::vector<std::string>& labels, std::int64_t stride) {
  for (std::size_t i = 0; i < labels.size(); i += static_cast<std::size_t>(stride)) {
    const std::int64_t y = top + static_cast<std::int64_t>(i) * cell + (cell - font_height) / 2;
    draw_text_right(image, right, y, elide(labels[i], label_room), look::ink);
  }
}

LAYERSCOPE_INLINE void draw_column_labels(Image& image, std::int64_t left, std::int64_t bottom, std::int64_t cell,
                                          const std::vector<std::string>& labels, std::int64_t stride) {
  for (std::size_t i = 0; i < labels.size(); i += static_cast<std::size_t>(stride)) {
    const std::string label = elide(labels[i], label_room);
    const std::int64_t x = left + static_cast<std::int64_t>(i) * cell + (cell - font_height) / 2;
    draw_text_upwards(image, x, bottom - text_extent(label).width, label, look::ink);
  }
}

LAYERSCOPE_INLINE std::string layer_label(const AttentionSummary& summary, std::size_t index) {
  return summary.name.empty() ? "layer " + to_text(index) : summary.name;
}

LAYERSCOPE_INLINE std::vector<std::string> attention_captions(const AttentionSummary& summary,
                                                              const AttentionPanel& panel) {
  std::vector<std::string> captions;
  bool marked = false;
  for (const AttentionWarning& warning : summary.warnings) {
    captions.push_back(warning.text());
    if (warning.fault == AttentionFault::nan) captions.back() += " (magenta)";
    if (warning.fault == AttentionFault::infinite) captions.back() += " (green, cyan where negative)";
    marked = marked || (warning.fault != AttentionFault::nan && warning.fault != AttentionFault::infinite);
  }
  if (marked) captions.emplace_back("A vermilion mark stands right of such a row");
  if (panel.query_pool > 1 || panel.key_pool > 1) {
    captions.push_back(to_text(summary.queries) + " queries × " + to_text(summary.keys) +
                       " keys: each cell shows the largest of " + to_text(panel.query_pool) + " × " +
                       to_text(panel.key_pool) + " weights");
  }
  if (is_causal(summary.kind) && summary.queries > 1) captions.emplace_back("Grey: keys that a query cannot see");
  return captions;
}

LAYERSCOPE_INLINE void add_model_warnings(std::vector<std::string>& captions,
                                          std::span<const AttentionSummary> layers) {
  constexpr std::size_t most = 6;
  std::size_t found = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    for (const AttentionWarning& warning : layers[i].warnings) {
      if (found++ < most) captions.push_back(layer_label(layers[i], i) + ": " + warning.text());
    }
  }
  if (found > most) captions.push_back("and " + to_text(found - most) + " more warnings");
}

LAYERSCOPE_INLINE std::vector<std::int64_t> chosen_heads(const AttentionSummary& summary,
                                                         const std::vector<std::int64_t>& asked, std::int64_t most,
                                                         const char* what) {
  std::vector<std::int64_t> heads = asked;
  if (heads.empty()) {
    for (std::int64_t head = 0; head < (std::min)(summary.heads, most); ++head) heads.push_back(head);
  }
  for (const std::int64_t head : heads) {
    if (head >= 0 && head < summary.heads) continue;
    throw Error(ErrorCode::invalid_argument,
                std::string(what) + ": head " + to_text(head) + "; expected 0 to " + to_text(summary.heads - 1));
  }
  return heads;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
