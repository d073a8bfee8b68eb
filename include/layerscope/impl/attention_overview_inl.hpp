// Body of attention_overview() of algorithms/attention_chart.hpp.
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
#include <array>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// Every how many heads a number has room in columns of `pitch` pixels.
inline std::int64_t number_stride(std::int64_t pitch, std::int64_t heads) {
  const std::int64_t wanted = text_extent(to_text(heads - 1)).width + 4;
  std::int64_t stride = 1;
  while (stride * pitch < wanted) stride = stride == 1 ? 2 : stride == 2 ? 5 : 2 * stride;
  return stride;
}

}  // namespace detail

LAYERSCOPE_INLINE Image attention_overview(std::span<const AttentionSummary> layers,
                                           const AttentionOverviewOptions& options) {
  using namespace detail;
  if (layers.empty()) throw Error(ErrorCode::empty, "attention_overview: no layers given");
  std::int64_t heads = 0;
  bool marked = false, nan = false, causal = false;
  for (const AttentionSummary& layer : layers) {
    heads = (std::max)(heads, layer.heads);
    marked = marked || std::any_of(layer.marked.begin(), layer.marked.end(), [](auto mark) { return mark != 0; });
    nan = nan || std::any_of(layer.warnings.begin(), layer.warnings.end(),
                             [](const auto& warning) { return warning.fault == AttentionFault::nan; });
    causal = causal || (is_causal(layer.kind) && layer.queries > 1);
  }
  const auto rows = static_cast<std::int64_t>(layers.size());
  constexpr std::int64_t gap = 3;
  const std::int64_t side = (std::clamp<std::int64_t>)((std::min)(1400 / heads - gap, 1800 / rows - gap), 12, 96);

  std::vector<std::string> names;
  for (std::size_t i = 0; i < layers.size(); ++i) names.push_back(layer_label(layers[i], i));
  ColourBar bar{options.colormap, {0, 1}, "of its largest", ColourBar::Scale::linear};
  if (options.scaling == Scaling::global) {
    double largest = 0;
    for (const AttentionSummary& layer : layers) {
      largest = (std::max)(largest, largest_weight(layer, chosen_heads(layer, {}, layer.heads, "")));
    }
    bar.range.max = largest > 0 ? largest : 1;
    bar.label = "weight";
  }
  const std::int64_t left = look::margin + label_width(names) + 8;
  const std::int64_t bar_left = left + heads * (side + gap) + 12;
  const std::int64_t width = bar_left + colour_bar_width(bar) + look::margin;
  std::vector<std::string> captions = options.captions;
  std::int64_t pool = 1;
  for (const AttentionSummary& layer : layers) {
    const AttentionPanel panel(layer, 0, side, side);
    pool = (std::max)({pool, panel.query_pool, panel.key_pool});
  }
  if (pool > 1)
    captions.push_back("Each cell shows the largest of at most " + to_text(pool) + " × " + to_text(pool) + " weights");
  add_model_warnings(captions, layers);
  if (nan) captions.emplace_back("Magenta: NaN");
  if (marked) captions.emplace_back("A vermilion mark stands right of queries whose weights are no distribution");
  if (causal) captions.emplace_back("Grey: keys that a query cannot see");
  const TextBlocks texts(options.title, captions, width - 2 * look::margin);
  const std::int64_t top = look::margin + texts.above() + look::line + 2;
  const std::int64_t body = (std::max<std::int64_t>)(rows * (side + gap), 90);
  Image image = make_image(width, top + body + 6 + texts.below() + look::margin, look::paper);
  texts.draw(image);
  draw_text_right(image, left - 8, top - look::line, "head", look::soft_ink);
  const std::int64_t stride = number_stride(side + gap, heads);
  for (std::int64_t head = 0; head < heads; head += stride) {
    draw_text_centred(image, left + head * (side + gap) + side / 2, top - look::line, to_text(head), look::ink);
  }
  const std::int64_t row_stride = label_stride(rows, side + gap, false);
  for (std::int64_t row = 0; row < rows; ++row) {
    const AttentionSummary& layer = layers[static_cast<std::size_t>(row)];
    const std::int64_t y = top + row * (side + gap);
    if (row % row_stride == 0) {
      draw_text_right(image, left - 8, y + (side - font_height) / 2,
                      elide(names[static_cast<std::size_t>(row)], label_room), look::ink);
    }
    for (std::int64_t head = 0; head < layer.heads; ++head) {
      const AttentionPanel panel(layer, head, side, side);
      WeightColours colours{bar.range, options.colormap, bar.scale};
      if (options.scaling == Scaling::each) {
        const double largest = largest_weight(layer, std::array{head});
        colours.range.max = largest > 0 ? largest : 1;
      }
      // Cells that fill the thumbnail as they can: the last pixels of some are one wider.
      const std::int64_t x = left + head * (side + gap);
      const auto edge = [side](std::int64_t i, std::int64_t count) { return i * side / count; };
      for (std::int64_t r = 0; r < panel.rows; ++r) {
        const std::int64_t from_y = edge(r, panel.rows);
        const std::int64_t to_y = edge(r + 1, panel.rows);
        for (std::int64_t c = 0; c < panel.columns; ++c) {
          const std::int64_t from_x = edge(c, panel.columns);
          const float weight = panel.at(r, c);
          const bool unseen = is_finite(weight) && weight == 0 && is_unseen(layer, panel, r, c);
          fill_box(image, {x + from_x, y + from_y, edge(c + 1, panel.columns) - from_x, to_y - from_y},
                   unseen ? attention_look::unseen : colours(weight));
        }
        if (panel.marked[static_cast<std::size_t>(r)] != 0) {
          fill_box(image, {x + side, y + from_y, gap, to_y - from_y}, attention_look::mark);
        }
      }
    }
  }
  draw_colour_bar(image, bar, bar_left, top, (std::min<std::int64_t>)(320, (std::max<std::int64_t>)(64, body - 10)));
  return image;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
