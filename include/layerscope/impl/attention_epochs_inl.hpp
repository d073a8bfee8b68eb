// Body of attention_epochs() of algorithms/attention_timeline.hpp.
#pragma once

#include <layerscope/algorithms/attention_timeline.hpp>
#include <layerscope/algorithms/detail/attention_panel.hpp>
#include <layerscope/algorithms/detail/canvas.hpp>
#include <layerscope/algorithms/detail/colour_bar.hpp>
#include <layerscope/algorithms/detail/text_layout.hpp>
#include <layerscope/algorithms/grid.hpp>
#include <layerscope/algorithms/line_chart.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/impl/attention_decoding_inl.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// At most `most` of `count` things, evenly spaced, the first and the last among them.
inline std::vector<std::size_t> evenly_spaced(std::size_t count, std::size_t most) {
  std::vector<std::size_t> chosen;
  const std::size_t shown = (std::min)(count, most);
  for (std::size_t i = 0; i < shown; ++i) chosen.push_back(shown == 1 ? 0 : i * (count - 1) / (shown - 1));
  return chosen;
}

/// One measure of the heads over the steps; without a picture when no number is finite.
inline Image draw_measure(const std::vector<const AttentionTimeline::Step*>& steps,
                          const std::vector<std::int64_t>& heads, std::vector<double> AttentionTimeline::Step::*measure,
                          const char* label, std::int64_t width) {
  std::vector<Series> lines;
  bool any = false;
  for (const std::int64_t head : heads) {
    Series line;
    line.name = "head " + to_text(head);
    for (const AttentionTimeline::Step* const step : steps) {
      const std::vector<double>& numbers = step->*measure;
      if (head >= static_cast<std::int64_t>(numbers.size())) continue;
      line.x.push_back(static_cast<double>(step->step));
      line.y.push_back(numbers[static_cast<std::size_t>(head)]);
      any = any || is_finite(line.y.back());
    }
    lines.push_back(std::move(line));
  }
  if (!any) return {};
  LineChartOptions look;
  look.x_label = "step";
  look.y_label = label;
  look.width = width;
  look.height = 300;
  return line_chart(lines, look);
}

}  // namespace detail

LAYERSCOPE_INLINE Image attention_epochs(const AttentionTimeline& timeline,
                                         const AttentionTimelineChartOptions& options) {
  using namespace detail;
  constexpr std::int64_t side = 96, gap = 6;
  const auto steps = steps_of(timeline, false);
  check_timeline_head(steps, options.head, "attention_epochs");
  const auto shown = evenly_spaced(steps.size(), 10);
  std::vector<std::int64_t> heads;
  std::int64_t all_heads = 0;
  for (const AttentionTimeline::Step* const step : steps) all_heads = (std::max)(all_heads, step->pooled.extent(0));
  if (options.head) {
    heads.push_back(*options.head);
  } else {
    for (std::int64_t head = 0; head < (std::min<std::int64_t>)(all_heads, 8); ++head) heads.push_back(head);
  }

  const ColourBar bar{options.colormap, {0, 1}, "of its largest", ColourBar::Scale::linear};
  const auto columns = static_cast<std::int64_t>(shown.size());
  const auto rows = static_cast<std::int64_t>(heads.size());
  constexpr std::int64_t labels = 54;
  const std::int64_t left = look::margin + labels;
  const std::int64_t bar_left = left + columns * (side + gap) + 8;
  std::int64_t width = bar_left + colour_bar_width(bar) + look::margin;
  width = (std::max<std::int64_t>)(width, 760);
  const std::int64_t half = width / 2;
  const Image entropy = draw_measure(steps, heads, &AttentionTimeline::Step::entropy, "entropy, nats", half);
  const Image distance = draw_measure(steps, heads, &AttentionTimeline::Step::distance, "distance, tokens", half);

  std::vector<std::string> captions = options.captions;
  if (shown.size() < steps.size()) {
    captions.push_back("Pictures of " + to_text(shown.size()) + " of " + to_text(steps.size()) + " steps");
  }
  if (rows < all_heads) captions.push_back(to_text(rows) + " of " + to_text(all_heads) + " heads shown");
  const AttentionTimeline::Step& newest = *steps.back();
  if (newest.query_pool > 1 || newest.key_pool > 1) {
    captions.push_back(to_text(newest.queries) + " queries × " + to_text(newest.keys) +
                       " keys: each cell shows the largest of " + to_text(newest.query_pool) + " × " +
                       to_text(newest.key_pool) + " weights");
  }
  captions.emplace_back("Queries downwards, keys across; each head from 0 to its largest weight of all steps shown");
  const bool nan = std::any_of(steps.begin(), steps.end(), [](const AttentionTimeline::Step* step) {
    const float* const cells = step->pooled.data<float>();
    return !std::all_of(cells, cells + step->pooled.size(), [](float weight) { return is_finite(weight); });
  });
  if (nan) captions.emplace_back("Magenta: NaN; green: infinity");
  add_thinning_caption(captions, timeline);
  const TextBlocks texts(options.title, captions, width - 2 * look::margin);
  const std::int64_t top = look::margin + texts.above() + look::line + 2;
  const std::int64_t charts = top + (std::max<std::int64_t>)(rows * (side + gap), 80) + 4;
  const std::int64_t charts_height = (std::max)(entropy.height, distance.height);
  Image image = make_image(width, charts + charts_height + texts.below() + look::margin, look::paper);
  draw_text(image, look::margin, top - look::line, "step", look::soft_ink);
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t head = heads[static_cast<std::size_t>(row)];
    const std::int64_t y = top + row * (side + gap);
    draw_text(image, look::margin, y + (side - font_height) / 2, "head " + to_text(head), look::ink);
    float largest = 0;
    const auto cells_of = [head](const AttentionTimeline::Step& step) {
      return step.pooled.data<float>() + head * step.pooled.extent(1) * step.pooled.extent(2);
    };
    for (const std::size_t index : shown) {
      const AttentionTimeline::Step& step = *steps[index];
      if (head >= step.pooled.extent(0)) continue;
      for (std::int64_t i = 0; i < step.pooled.extent(1) * step.pooled.extent(2); ++i) {
        if (is_finite(cells_of(step)[i])) largest = (std::max)(largest, cells_of(step)[i]);
      }
    }
    const WeightColours colours{{0, largest > 0 ? static_cast<double>(largest) : 1}, options.colormap};
    for (std::int64_t column = 0; column < columns; ++column) {
      const AttentionTimeline::Step& step = *steps[shown[static_cast<std::size_t>(column)]];
      const std::int64_t x = left + column * (side + gap);
      if (row == 0) draw_text_centred(image, x + side / 2, top - look::line, to_text(step.step), look::ink);
      if (head >= step.pooled.extent(0)) continue;
      const std::int64_t down = step.pooled.extent(1);
      const std::int64_t across = step.pooled.extent(2);
      const auto edge = [](std::int64_t i, std::int64_t count) { return i * side / count; };
      for (std::int64_t r = 0; r < down; ++r) {
        for (std::int64_t c = 0; c < across; ++c) {
          const float weight = cells_of(step)[r * across + c];
          fill_box(image,
                   {x + edge(c, across), y + edge(r, down), edge(c + 1, across) - edge(c, across),
                    edge(r + 1, down) - edge(r, down)},
                   colours(weight));
        }
      }
      draw_frame(image, {x - 1, y - 1, side + 2, side + 2}, look::frame);
    }
  }
  draw_colour_bar(image, bar, bar_left, top, (std::clamp<std::int64_t>)(rows * (side + gap) - gap, 64, 320));
  if (!entropy.empty()) paste(image, entropy, 0, charts, 1, 1);
  if (!distance.empty()) paste(image, distance, half, charts, 1, 1);
  texts.draw(image);
  return image;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
