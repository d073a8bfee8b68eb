// Body of algorithms/detail/axes.hpp.
#pragma once

#include <layerscope/algorithms/detail/axes.hpp>
#include <layerscope/algorithms/detail/text_layout.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

inline double share_of(const Range& range, double value) noexcept {
  // Halved so that the difference of two finite doubles is finite; the clamp keeps far values drawable.
  const double width = range.max / 2 - range.min / 2;
  if (!(width > 0)) return 0.5;
  return (std::clamp)((value / 2 - range.min / 2) / width, -1e6, 1e6);
}

LAYERSCOPE_INLINE double Chart::pixel_x(double value) const noexcept {
  return static_cast<double>(plot.x) + share_of(x, value) * static_cast<double>(plot.width);
}

LAYERSCOPE_INLINE double Chart::pixel_y(double value) const noexcept {
  return static_cast<double>(plot.y) + (1 - share_of(y, value)) * static_cast<double>(plot.height);
}

LAYERSCOPE_INLINE void Chart::finish() {
  draw_frame(image, {plot.x - 1, plot.y - 1, plot.width + 2, plot.height + 2}, look::frame);
}

LAYERSCOPE_INLINE std::vector<std::string> tick_texts(const std::vector<double>& ticks) {
  std::vector<std::string> texts;
  for (int digits = 5; digits <= 17; ++digits) {
    texts.clear();
    for (const double tick : ticks) {
      texts.push_back(number_text(tick, digits));
    }
    if (std::adjacent_find(texts.begin(), texts.end()) == texts.end()) break;
  }
  return texts;
}

/// Rows of legend entries of at most `width` pixels, as indices of the first entry of each row.
inline std::vector<std::size_t> legend_rows(const std::vector<LegendEntry>& legend, std::int64_t width) {
  std::vector<std::size_t> rows;
  std::int64_t used = 0;
  for (std::size_t i = 0; i < legend.size(); ++i) {
    const std::int64_t wanted = legend_sample + text_extent(legend[i].name).width + 18;
    if (rows.empty() || used + wanted > width) {
      rows.push_back(i);
      used = 0;
    }
    used += wanted;
  }
  return rows;
}

inline void draw_legend_entry(Image& image, std::int64_t x, std::int64_t y, const LegendEntry& entry) {
  const Box all{0, 0, image.width, image.height};
  const double middle = static_cast<double>(y) + 6.5;
  if (entry.sample == LegendEntry::Sample::marker) {
    draw_marker(image, all, static_cast<double>(x) + 8, middle, 9, entry.style, 1);
  } else {
    LineMask mask({x, y, legend_sample, font_height});
    const auto left = static_cast<double>(x);
    if (entry.sample == LegendEntry::Sample::dashed) {
      mask.add(left + 1.5, middle, left + 5.5, middle, 2);
      mask.add(left + 11.5, middle, left + 15.5, middle, 2);
    } else {
      mask.add(left + 1.5, middle, left + 15.5, middle, 2);
    }
    mask.lay_over(image, entry.style.colour);
  }
  draw_text(image, x + legend_sample, y, entry.name, look::ink);
}

/// Pixels around the plot.
struct ChartMargins {
  std::int64_t left = 0, right = 0, top = 0, bottom = 0;
};

inline std::int64_t widest_text(const std::vector<std::string>& texts) {
  std::int64_t width = 0;
  for (const std::string& text : texts) width = (std::max)(width, text_extent(text).width);
  return width;
}

inline std::int64_t legend_column_width(const std::vector<LegendEntry>& legend) {
  std::int64_t width = 0;
  for (const LegendEntry& entry : legend) width = (std::max)(width, text_extent(entry.name).width);
  return legend_sample + width;
}

inline ChartMargins chart_margins(const ChartSpec& spec, const TextBlocks& texts) {
  ChartMargins margins{look::margin, look::margin, look::margin + texts.above(), look::margin + texts.below()};
  if (!spec.y.labels.empty()) margins.left += widest_text(spec.y.labels) + 6;
  if (!spec.y.title.empty()) margins.left += font_height + 6;
  if (!spec.x.labels.empty()) {
    margins.bottom += 18;
    margins.right += text_extent(spec.x.labels.back()).width / 2;  // the last number may stand under the corner
  }
  if (!spec.x.title.empty()) margins.bottom += 16;
  if (spec.legend.empty()) return margins;
  if (spec.legend_place == ChartSpec::LegendPlace::right) {
    margins.right += legend_column_width(spec.legend) + 14;
  } else {
    const auto rows = legend_rows(spec.legend, spec.width - 2 * look::margin).size();
    margins.top += static_cast<std::int64_t>(rows) * look::line + 9;
  }
  return margins;
}

inline void draw_chart_legend(Image& image, const ChartSpec& spec, const TextBlocks& texts, const Box& plot) {
  if (spec.legend_place == ChartSpec::LegendPlace::right) {
    std::int64_t y = plot.y;
    for (const LegendEntry& entry : spec.legend) {
      draw_legend_entry(image, plot.x + plot.width + 14, y, entry);
      y += look::line;
    }
    return;
  }
  const auto rows = legend_rows(spec.legend, spec.width - 2 * look::margin);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const std::size_t end = row + 1 < rows.size() ? rows[row + 1] : spec.legend.size();
    const std::int64_t y = look::margin + texts.above() + static_cast<std::int64_t>(row) * look::line;
    std::int64_t x = look::margin;
    for (std::size_t i = rows[row]; i < end; ++i) {
      draw_legend_entry(image, x, y, spec.legend[i]);
      x += legend_sample + text_extent(spec.legend[i].name).width + 18;
    }
  }
}

inline void draw_axes(Chart& chart, const ChartSpec& spec) {
  const Box& plot = chart.plot;
  const auto inside = [](const Range& range, double tick) {
    const double slack = (range.max / 2 - range.min / 2) * 2e-9;
    return tick >= range.min - slack && tick <= range.max + slack;
  };
  const auto pixel = [](double position, std::int64_t first, std::int64_t extent) {
    return (std::clamp)(static_cast<std::int64_t>(std::floor(position)), first, first + extent - 1);
  };
  std::int64_t free_above = chart.image.height;  // labels of the y axis go upwards and must not touch
  for (std::size_t i = 0; i < spec.y.ticks.size(); ++i) {
    if (!inside(chart.y, spec.y.ticks[i])) continue;
    const std::int64_t y = pixel(chart.pixel_y(spec.y.ticks[i]), plot.y, plot.height);
    fill_box(chart.image, {plot.x, y, plot.width, 1}, look::grid_line);
    if (y + 7 > free_above) continue;
    draw_text_right(chart.image, plot.x - 5, y - 6, spec.y.labels[i], look::ink);
    free_above = y - 7;
  }
  std::int64_t free_from = 0;
  for (std::size_t i = 0; i < spec.x.ticks.size(); ++i) {
    if (!inside(chart.x, spec.x.ticks[i])) continue;
    const std::int64_t x = pixel(chart.pixel_x(spec.x.ticks[i]), plot.x, plot.width);
    fill_box(chart.image, {x, plot.y, 1, plot.height}, look::grid_line);
    const std::int64_t width = text_extent(spec.x.labels[i]).width;
    const std::int64_t left = (std::min)(x - width / 2, chart.image.width - width - 2);
    if (left < free_from) continue;
    fill_box(chart.image, {x, plot.y + plot.height + 1, 1, 3}, look::soft_ink);
    draw_text(chart.image, left, plot.y + plot.height + 5, spec.x.labels[i], look::ink);
    free_from = left + width + 8;
  }
  if (!spec.x.title.empty()) {
    const std::int64_t y = plot.y + plot.height + (spec.x.labels.empty() ? 3 : 21);
    draw_text_centred(chart.image, plot.x + plot.width / 2, y, elide(spec.x.title, plot.width), look::soft_ink);
  }
  if (!spec.y.title.empty()) {
    const std::string text = elide(spec.y.title, plot.height);
    const std::int64_t top = plot.y + (plot.height - text_extent(text).width) / 2;
    draw_text_upwards(chart.image, look::margin - 2, top, text, look::soft_ink);
  }
}

LAYERSCOPE_INLINE Chart start_chart(ChartSpec spec) {
  if (spec.width < 160 || spec.width > 8192 || spec.height < 120 || spec.height > 8192) {
    throw Error(ErrorCode::invalid_argument, std::string(spec.what) + ": size " + to_text(spec.width) + " × " +
                                                 to_text(spec.height) + " pixels; expected 160 × 120 to 8192 × 8192");
  }
  const auto height_left = [&spec] {
    const ChartMargins margins =
        chart_margins(spec, TextBlocks(spec.title, spec.captions, spec.width - 2 * look::margin));
    return spec.height - margins.top - margins.bottom;
  };
  const std::int64_t least = (std::min<std::int64_t>)(spec.height / 3, 120);
  for (LegendEntry& entry : spec.legend) entry.name = elide(entry.name, spec.width / 3);
  if (height_left() < least) spec.captions.clear();
  if (height_left() < least) spec.legend.clear();
  if (height_left() < least) spec.title = elide(spec.title, spec.width - 2 * look::margin, look::title);
  // A text of one long word was elided already; several lines of title give way last.
  if (height_left() < least) spec.title.clear();

  const TextBlocks texts(spec.title, spec.captions, spec.width - 2 * look::margin);
  const ChartMargins margins = chart_margins(spec, texts);
  Chart chart;
  chart.image = make_image(spec.width, spec.height, look::paper);
  chart.x = spec.x.range;
  chart.y = spec.y.range;
  chart.plot = {margins.left, margins.top, (std::max<std::int64_t>)(spec.width - margins.left - margins.right, 16),
                (std::max<std::int64_t>)(spec.height - margins.top - margins.bottom, 16)};
  if (spec.aspect == ChartSpec::Aspect::equal) {
    const double per_x = (chart.x.max / 2 - chart.x.min / 2) / static_cast<double>(chart.plot.width);
    const double per_y = (chart.y.max / 2 - chart.y.min / 2) / static_cast<double>(chart.plot.height);
    const double per_pixel = (std::max)(per_x, per_y);
    const auto widen = [per_pixel](Range& range, std::int64_t pixels) {
      const double centre = range.min / 2 + range.max / 2;
      const double half = per_pixel * static_cast<double>(pixels);
      range = {centre - half, centre + half};
    };
    widen(chart.x, chart.plot.width);
    widen(chart.y, chart.plot.height);
  }
  texts.draw(chart.image);
  draw_axes(chart, spec);
  draw_chart_legend(chart.image, spec, texts, chart.plot);
  return chart;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
