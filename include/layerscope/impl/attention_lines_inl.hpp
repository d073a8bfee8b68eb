// Body of attention_lines() of algorithms/attention_chart.hpp.
#pragma once

#include <layerscope/algorithms/attention_chart.hpp>
#include <layerscope/algorithms/detail/attention_panel.hpp>
#include <layerscope/algorithms/detail/canvas.hpp>
#include <layerscope/algorithms/detail/text_layout.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

inline constexpr std::int64_t most_line_tokens = 64;
inline constexpr std::int64_t line_room = 280;  // pixels between the two columns of tokens

inline Rgb faded(Rgb colour, double strength) noexcept {
  const auto mix = [strength](std::uint8_t part) {
    return static_cast<std::uint8_t>(255 + (part - 255) * strength + 0.5);
  };
  return {mix(colour.r), mix(colour.g), mix(colour.b)};
}

struct AttentionLine {
  double weight = 0;  // in [0, 1], or NaN
  std::int64_t query = 0, key = 0;
  Rgb colour;
};

/// A straight line from one side of `area` to the other.
inline void draw_attention_line(Image& image, const Box& area, double from, double to, Rgb colour) {
  const auto top = static_cast<std::int64_t>(std::floor((std::min)(from, to))) - 3;
  const auto bottom = static_cast<std::int64_t>(std::ceil((std::max)(from, to))) + 3;
  LineMask mask({area.x, top, area.width, bottom - top});
  mask.add(static_cast<double>(area.x), from, static_cast<double>(area.x + area.width), to, 1.6);
  mask.lay_over(image, colour);
}

/// Tokens, or the positions of pooled ones: "64–71".
inline std::vector<std::string> line_labels(const std::vector<std::string>& tokens, std::int64_t extent,
                                            std::int64_t pool) {
  std::vector<std::string> labels = cell_labels(tokens, extent, pool);
  if (pool == 1) return labels;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    labels[i] += "–" + to_text((std::min)((static_cast<std::int64_t>(i) + 1) * pool, extent) - 1);
  }
  return labels;
}

/// Samples of lines and what weights they stand for.
inline void draw_strengths(Image& image, std::int64_t x, std::int64_t y) {
  draw_text(image, x, y, "weight", look::soft_ink);
  x += 44;
  for (const double weight : {0.1, 0.5, 1.0}) {
    const double middle = static_cast<double>(y) + 6.5;
    draw_attention_line(image, {x, 0, 24, image.height}, middle, middle, faded(look::ink, weight));
    const std::string text = to_short_text(weight);
    draw_text(image, x + 28, y, text, look::ink);
    x += 28 + text_extent(text).width + 14;
  }
}

}  // namespace detail

LAYERSCOPE_INLINE Image attention_lines(const AttentionSummary& summary, const AttentionLinesOptions& options) {
  using namespace detail;
  constexpr const char* what = "attention_lines";
  if (!is_finite(options.threshold) || options.threshold < 0 || options.threshold >= 1) {
    throw Error(ErrorCode::invalid_argument,
                std::string(what) + ": threshold " + to_text(options.threshold) + "; expected 0 or more and below 1");
  }
  const std::vector<std::int64_t> heads = chosen_heads(summary, options.heads, 8, what);
  std::vector<AttentionLine> lines;
  const AttentionPanel shape(summary, 0, most_line_tokens, most_line_tokens);
  for (std::size_t i = 0; i < heads.size(); ++i) {
    const AttentionPanel panel(summary, heads[i], most_line_tokens, most_line_tokens);
    for (std::int64_t q = 0; q < panel.rows; ++q) {
      for (std::int64_t k = 0; k < panel.columns; ++k) {
        const float weight = panel.at(q, k);
        const Rgb colour = is_finite(weight) ? okabe_ito[i % okabe_ito.size()] : attention_look::nan;
        const double strength = is_finite(weight) ? (std::clamp)(static_cast<double>(weight), 0.0, 1.0) : 1;
        if (strength >= options.threshold && strength > 0) lines.push_back({strength, q, k, colour});
      }
    }
  }
  std::stable_sort(lines.begin(), lines.end(), [](const auto& a, const auto& b) { return a.weight < b.weight; });

  const auto queries = line_labels(summary.query_tokens, summary.queries, shape.query_pool);
  const auto keys = line_labels(summary.key_tokens, summary.keys, shape.key_pool);
  std::vector<std::string> captions = options.captions;
  if (options.threshold > 0) {
    captions.push_back("Weights below " + to_short_text(options.threshold) + " have no line");
  }
  if (heads.size() < static_cast<std::size_t>(summary.heads)) {
    captions.push_back(to_text(heads.size()) + " of " + to_text(summary.heads) + " heads shown");
  }
  const auto described = attention_captions(summary, shape);
  // Grey is said of matrices.
  std::copy_if(described.begin(), described.end(), std::back_inserter(captions),
               [](const std::string& text) { return !text.starts_with("Grey"); });

  const std::int64_t left = look::margin + (std::max<std::int64_t>)(label_width(queries), 30) + 6;
  const std::int64_t right = (std::max<std::int64_t>)(label_width(keys), 24) + 6 + look::margin;
  const std::int64_t width = left + line_room + right;
  const TextBlocks texts(options.title.empty() ? summary.name : options.title, captions, width - 2 * look::margin);
  // The heads' colours, in as many rows as they need.
  struct Key {
    std::int64_t x, y;
    std::string name;
    Rgb colour;
  };
  std::vector<Key> key;
  std::int64_t at = look::margin, line = 0;
  for (std::size_t i = 0; i < heads.size(); ++i) {
    std::string head_name = "head " + to_text(heads[i]);
    const std::int64_t wide = 14 + text_extent(head_name).width + 14;
    if (at > look::margin && at + wide > width - look::margin) {
      at = look::margin;
      ++line;
    }
    key.push_back({at, line * look::line, std::move(head_name), okabe_ito[i % okabe_ito.size()]});
    at += wide;
  }
  const std::int64_t key_top = look::margin + texts.above();
  const std::int64_t strengths_top = key_top + (line + 1) * look::line;
  const std::int64_t top = strengths_top + look::line + 8 + look::line;
  const std::int64_t rows = (std::max)(shape.rows, shape.columns);
  Image image = make_image(width, top + rows * look::line + 6 + texts.below() + look::margin, look::paper);
  texts.draw(image);
  for (const Key& entry : key) {
    fill_box(image, {entry.x, key_top + entry.y + 2, 9, 9}, entry.colour);
    draw_text(image, entry.x + 14, key_top + entry.y, entry.name, look::ink);
  }
  draw_strengths(image, look::margin, strengths_top);
  draw_text_right(image, left - 6, top - look::line - 2, "query", look::soft_ink);
  draw_text(image, left + line_room + 6, top - look::line - 2, "key", look::soft_ink);
  const Box area{left, top, line_room, rows * look::line};
  const auto middle = [top](std::int64_t row) { return static_cast<double>(top + row * look::line) + 6.5; };
  for (const AttentionLine& one : lines) {
    draw_attention_line(image, area, middle(one.query), middle(one.key), faded(one.colour, one.weight));
  }
  draw_row_labels(image, left - 6, top - 1, look::line, queries, 1);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    draw_text(image, left + line_room + 6, top + static_cast<std::int64_t>(i) * look::line, elide(keys[i], label_room),
              look::ink);
  }
  return image;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
