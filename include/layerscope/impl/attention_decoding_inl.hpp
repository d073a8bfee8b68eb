// Body of attention_decoding() of algorithms/attention_timeline.hpp.
#pragma once

#include <layerscope/algorithms/attention_timeline.hpp>
#include <layerscope/algorithms/detail/attention_panel.hpp>
#include <layerscope/algorithms/detail/attention_rows.hpp>
#include <layerscope/algorithms/detail/canvas.hpp>
#include <layerscope/algorithms/detail/colour_bar.hpp>
#include <layerscope/algorithms/detail/text_layout.hpp>
#include <layerscope/algorithms/grid.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// The kept steps that are of one query, or of several.
inline std::vector<const AttentionTimeline::Step*> steps_of(const AttentionTimeline& timeline, bool single) {
  std::vector<const AttentionTimeline::Step*> steps;
  for (const AttentionTimeline::Step& step : timeline.steps()) {
    if ((step.queries == 1) == single) steps.push_back(&step);
  }
  return steps;
}

inline void check_timeline_head(const std::vector<const AttentionTimeline::Step*>& steps,
                                const std::optional<std::int64_t>& head, const char* what) {
  if (steps.empty()) {
    throw Error(ErrorCode::empty, std::string(what) + ": no step of " +
                                      (std::string(what) == "attention_decoding" ? "one query" : "several queries"));
  }
  if (!head) return;
  for (const AttentionTimeline::Step* const step : steps) {
    const std::int64_t heads = step->pooled.extent(0);
    if (*head >= 0 && *head < heads) continue;
    throw Error(ErrorCode::invalid_argument,
                std::string(what) + ": head " + to_text(*head) + "; expected 0 to " + to_text(heads - 1));
  }
}

inline void add_thinning_caption(std::vector<std::string>& captions, const AttentionTimeline& timeline) {
  const auto kept = static_cast<std::int64_t>(timeline.steps().size());
  if (timeline.steps_added() > kept) {
    captions.push_back(to_text(kept) + " of " + to_text(timeline.steps_added()) + " steps are kept, evenly spaced");
  }
}

}  // namespace detail

LAYERSCOPE_INLINE Image attention_decoding(const AttentionTimeline& timeline,
                                           const AttentionTimelineChartOptions& options) {
  using namespace detail;
  const auto steps = steps_of(timeline, true);
  check_timeline_head(steps, options.head, "attention_decoding");
  // As one head whose queries are the steps.
  std::int64_t pool = 1, keys = 1;
  for (const AttentionTimeline::Step* const step : steps) {
    pool = (std::max)(pool, step->key_pool);
    keys = (std::max)(keys, step->keys);
  }
  const auto rows = static_cast<std::int64_t>(steps.size());
  const std::int64_t columns = (keys - 1) / pool + 1;
  AttentionSummary all;
  all.kind = AttentionKind::cross;
  all.heads = 1;
  all.queries = rows;
  all.keys = keys;
  all.key_pool = pool;
  all.pooled = Tensor(DType::f32, {1, rows, columns});
  all.marked.assign(static_cast<std::size_t>(rows), 0);
  std::vector<std::string> row_tokens;
  float* const cells = all.pooled.mutable_data<float>();
  constexpr float lowest = -(std::numeric_limits<float>::max)();
  std::fill_n(cells, rows * columns, lowest);  // no key
  bool named = true, nan = false;
  for (std::int64_t row = 0; row < rows; ++row) {
    const AttentionTimeline::Step& step = *steps[static_cast<std::size_t>(row)];
    row_tokens.push_back(step.token);
    named = named && !step.token.empty();
    const std::int64_t heads = step.pooled.extent(0);
    const std::int64_t width = step.pooled.extent(2);
    const float* const from = step.pooled.data<float>();
    for (std::int64_t x = 0; x < width; ++x) {
      float weight = 0;
      for (std::int64_t head = 0; head < heads; ++head) weight += from[head * width + x];
      weight = options.head ? from[*options.head * width + x] : weight / static_cast<float>(heads);
      // Blocks of an earlier, shorter row are finer: each goes where its first key goes.
      float& cell = cells[row * columns + x * step.key_pool / pool];
      cell = cell == lowest ? weight : pooled_weight(cell, weight);
      nan = nan || !is_finite(weight);
    }
  }
  if (!named) {
    for (std::int64_t row = 0; row < rows; ++row) {
      row_tokens[static_cast<std::size_t>(row)] = to_text(steps[static_cast<std::size_t>(row)]->step);
    }
  }
  constexpr std::int64_t most_side = 1024;
  const AttentionPanel panel(all, 0, most_side, most_side);
  const std::int64_t longest = (std::max)(panel.rows, panel.columns);
  std::int64_t cell = (std::clamp<std::int64_t>)(960 / longest, 1, 24);
  if (longest <= 64) cell = (std::max)(cell, font_height);
  WeightColours colours;
  colours.colormap = options.colormap;
  colours.scale = options.scale.value_or(keys > 512 ? ColourBar::Scale::log : ColourBar::Scale::linear);
  const std::vector<std::int64_t> only{0};
  const double largest = largest_weight(all, only);
  colours.range.max = largest > 0 ? largest : 1;
  colours.range.min = colours.scale == ColourBar::Scale::log ? colours.range.max * 1e-3 : 0;

  const auto row_labels = cell_labels(row_tokens, rows, panel.query_pool);
  const bool keys_named = !timeline.key_tokens().empty() && panel.key_pool == 1 &&
                          static_cast<std::int64_t>(timeline.key_tokens().size()) == keys;
  const auto column_labels =
      cell_labels(keys_named ? timeline.key_tokens() : std::vector<std::string>{}, keys, panel.key_pool);
  const std::int64_t row_stride = label_stride(panel.rows, cell, !named);
  const std::int64_t column_stride = label_stride(panel.columns, cell, !keys_named);
  std::vector<std::string> captions = options.captions;
  const std::int64_t heads = steps.back()->pooled.extent(0);
  captions.push_back(options.head ? "Head " + to_text(*options.head)
                     : heads == 1 ? "One head"
                                  : "Mean of " + to_text(heads) + " heads");
  captions.emplace_back("Grey: keys that were not there yet");
  if (named && (std::max)(row_stride, column_stride) > 1) {
    captions.push_back("One token of " + to_text((std::max)(row_stride, column_stride)) + " is named");
  }
  if (panel.key_pool > 1) captions.push_back("Each cell shows the largest of " + to_text(panel.key_pool) + " weights");
  if (nan) captions.emplace_back("Magenta: NaN; green: infinity");
  add_thinning_caption(captions, timeline);

  const ColourBar bar{colours.colormap, colours.range, "weight", colours.scale};
  const std::int64_t left = look::margin + look::line + 2 + label_width(row_labels) + 6;
  const std::int64_t bar_left = left + panel.columns * cell + 14;
  const std::int64_t width =
      (std::max)(bar_left + colour_bar_width(bar) + look::margin,
                 (std::min<std::int64_t>)(640, text_extent(options.title, look::title).width + 24));
  const TextBlocks texts(options.title, captions, width - 2 * look::margin);
  const std::int64_t head_top = look::margin + texts.above();
  const std::int64_t top = head_top + look::line + 2 + label_width(column_labels) + 6;
  const std::int64_t body = (std::max<std::int64_t>)(panel.rows * cell, 80);
  Image image = make_image(width, top + body + 8 + texts.below() + look::margin, look::paper);
  texts.draw(image);
  draw_text(image, left, head_top, "key", look::soft_ink);
  draw_text_upwards(image, look::margin, top, named ? "token of the step" : "step", look::soft_ink);
  draw_frame(image, {left - 1, top - 1, panel.columns * cell + 2, panel.rows * cell + 2}, look::frame);
  for (std::int64_t row = 0; row < panel.rows; ++row) {
    for (std::int64_t column = 0; column < panel.columns; ++column) {
      const float weight = panel.at(row, column);
      fill_box(image, {left + column * cell, top + row * cell, cell, cell},
               weight == lowest ? attention_look::unseen : colours(weight));
    }
  }
  draw_row_labels(image, left - 6, top, cell, row_labels, row_stride);
  draw_column_labels(image, left, top - 6, cell, column_labels, column_stride);
  draw_colour_bar(image, bar, bar_left, top, (std::clamp<std::int64_t>)(body - 10, 64, 320));
  return image;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
