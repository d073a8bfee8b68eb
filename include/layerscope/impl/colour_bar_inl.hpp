// Body of algorithms/detail/colour_bar.hpp.
#pragma once

#include <layerscope/algorithms/detail/canvas.hpp>
#include <layerscope/algorithms/detail/colour_bar.hpp>
#include <layerscope/algorithms/grid.hpp>
#include <layerscope/algorithms/text.hpp>
#include <layerscope/core/artifact.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

inline constexpr std::int64_t bar_width = 14;

/// Short texts of the numbers that differ from each other where the numbers do.
inline std::array<std::string, 3> scale_numbers(const Range& range, ColourBar::Scale scale) {
  const double middle =
      scale == ColourBar::Scale::log ? std::sqrt(range.min) * std::sqrt(range.max) : range.min / 2 + range.max / 2;
  std::array<std::string, 3> texts;
  for (int digits = 3; digits <= 9; ++digits) {
    texts = {number_text(range.max, digits), number_text(middle, digits), number_text(range.min, digits)};
    if (!(range.min < range.max) || (texts[0] != texts[1] && texts[1] != texts[2])) break;
  }
  return texts;
}

LAYERSCOPE_INLINE std::int64_t colour_bar_width(const ColourBar& bar) {
  std::int64_t numbers = 0;
  for (const std::string& text : scale_numbers(bar.range, bar.scale)) {
    numbers = (std::max)(numbers, text_extent(text).width);
  }
  return (std::max)(bar_width + 8 + numbers, text_extent(bar.label).width);
}

LAYERSCOPE_INLINE void draw_colour_bar(Image& image, const ColourBar& bar, std::int64_t left, std::int64_t top,
                                       std::int64_t height) {
  const auto table = colormap_table(bar.colormap);
  const std::int64_t inner = height - 2;
  draw_frame(image, {left, top, bar_width, height}, look::frame);
  for (std::int64_t y = 0; y < inner; ++y) {
    const Rgb shade = table[static_cast<std::size_t>(256 * (inner - 1 - y) / inner)];
    fill_box(image, {left + 1, top + 1 + y, bar_width - 2, 1}, shade);
  }
  if (!bar.label.empty()) draw_text(image, left, top - look::line, bar.label, look::ink);
  const std::int64_t text_left = left + bar_width + 8;
  const auto numbers = scale_numbers(bar.range, bar.scale);
  if (!(bar.range.min < bar.range.max)) {
    draw_text(image, text_left, top + height / 2 - 6, numbers[1], look::ink);
    return;
  }
  for (std::int64_t i = 0; i < 3; ++i) {
    const std::int64_t tick = top + i * (height - 1) / 2;
    fill_box(image, {left + bar_width, tick, 4, 1}, look::soft_ink);
    const std::int64_t text_top = (std::clamp)(tick - 6, top - 2, top + height - 11);
    draw_text(image, text_left, text_top, numbers[static_cast<std::size_t>(i)], look::ink);
  }
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
