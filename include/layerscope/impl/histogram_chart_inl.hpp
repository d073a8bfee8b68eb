// Body of algorithms/histogram_chart.hpp.
#pragma once

#include <layerscope/algorithms/detail/axes.hpp>
#include <layerscope/algorithms/detail/canvas.hpp>
#include <layerscope/algorithms/histogram_chart.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

inline void check_histogram(const Histogram& histogram) {
  const auto refuse = [](const std::string& problem) {
    throw Error(ErrorCode::invalid_argument, "histogram_chart: " + problem);
  };
  if (histogram.counts.empty()) throw Error(ErrorCode::empty, "histogram_chart: no bins given");
  if (histogram.edges.size() != histogram.counts.size() + 1) {
    refuse(to_text(histogram.edges.size()) + " edges for " + to_text(histogram.counts.size()) +
           " bins; expected one more");
  }
  for (std::size_t i = 0; i < histogram.edges.size(); ++i) {
    if (!is_finite(histogram.edges[i])) refuse("edge " + to_text(i) + " is " + to_text(histogram.edges[i]));
    if (i > 0 && histogram.edges[i] < histogram.edges[i - 1]) {
      refuse("edge " + to_text(i) + " is " + to_text(histogram.edges[i]) + " after " + to_text(histogram.edges[i - 1]) +
             "; expected increasing edges");
    }
  }
}

enum class BarHeight : std::uint8_t { count, density };

inline BarHeight bar_height_of(const Histogram& histogram) {
  double narrowest = histogram.edges[1] / 2 - histogram.edges[0] / 2;
  double widest = narrowest;
  for (std::size_t i = 1; i < histogram.counts.size(); ++i) {
    const double half = histogram.edges[i + 1] / 2 - histogram.edges[i] / 2;
    narrowest = (std::min)(narrowest, half);
    widest = (std::max)(widest, half);
  }
  return narrowest > 0 && widest > narrowest * (1 + 1e-6) ? BarHeight::density : BarHeight::count;
}

}  // namespace detail

LAYERSCOPE_INLINE Image histogram_chart(const Histogram& histogram, const HistogramChartOptions& options) {
  detail::check_histogram(histogram);
  const std::size_t bins = histogram.counts.size();
  const detail::BarHeight kind = detail::bar_height_of(histogram);
  const bool logarithmic = options.count_scale == AxisScale::log;
  std::vector<double> heights(bins);
  double tallest = 0;
  for (std::size_t i = 0; i < bins; ++i) {
    heights[i] = static_cast<double>(histogram.counts[i]);
    if (kind == detail::BarHeight::density) {
      heights[i] = heights[i] / 2 / (histogram.edges[i + 1] / 2 - histogram.edges[i] / 2);
      if (!is_finite(heights[i])) heights[i] = 1e300;  // a count over a subnormal width
    }
    tallest = (std::max)(tallest, heights[i]);
  }

  detail::ChartSpec spec;
  spec.what = "histogram_chart";
  spec.title = options.title;
  spec.captions = options.captions;
  spec.width = options.width;
  spec.height = options.height;
  Range range{histogram.edges.front(), histogram.edges.back()};
  if (!(range.min < range.max)) {
    const double half = (std::max)(0.5, std::fabs(range.min) * 0.05);
    range = {range.min - half, range.max + half};
  }
  spec.x.range = range;
  spec.x.ticks = nice_ticks(range.min, range.max);
  spec.x.labels = detail::tick_texts(spec.x.ticks);
  spec.x.title = options.x_label;
  if (tallest == 0) tallest = 1;
  if (logarithmic && kind == detail::BarHeight::count) {
    for (double& height : heights) height = std::log10(1 + height);
    std::vector<double> values{0};
    for (double value = 1; value <= 10 * tallest; value *= 10) values.push_back(value);
    for (const double value : values) spec.y.ticks.push_back(std::log10(1 + value));
    spec.y.labels = detail::tick_texts(values);
    spec.y.range = {0, std::log10(1 + tallest) * 1.05};
  } else if (logarithmic) {
    // Densities have no natural unit to add: 1 part in 10,000 of the largest takes the place of one count.
    const double unit = tallest * 1e-4;
    for (double& height : heights) height = std::log10(1 + height / unit);
    std::vector<double> values{0};
    for (double value = unit; value <= tallest * 1.01; value *= 10) values.push_back(value);
    for (const double value : values) spec.y.ticks.push_back(std::log10(1 + value / unit));
    for (const double value : values) spec.y.labels.push_back(to_short_text(value, 2));
    spec.y.range = {0, std::log10(1 + tallest / unit) * 1.05};
  } else {
    spec.y.ticks = nice_ticks(0, tallest, 5);
    spec.y.labels = detail::tick_texts(spec.y.ticks);
    spec.y.range = {0, (std::max)(spec.y.ticks.back(), tallest)};
  }
  spec.y.title = kind == detail::BarHeight::density ? "count per unit" : "count";

  detail::Chart chart = detail::start_chart(std::move(spec));
  const auto column = [&chart](double value) { return static_cast<std::int64_t>(std::lround(chart.pixel_x(value))); };
  const std::int64_t base = chart.plot.y + chart.plot.height;
  for (std::size_t i = 0; i < bins; ++i) {
    if (histogram.counts[i] == 0) continue;
    std::int64_t left = column(histogram.edges[i]);
    std::int64_t right = column(histogram.edges[i + 1]);
    if (histogram.edges[i] == histogram.edges[i + 1]) {
      left -= 2;
      right += 2;
    } else if (right - left >= 4) {
      --right;  // a thin gap between bars that have room for it
    } else {
      right = (std::max)(right, left + 1);
    }
    left = (std::max)(left, chart.plot.x);
    right = (std::min)(right, chart.plot.x + chart.plot.width);
    // A bar that counts anything is at least one pixel high.
    const auto top = (std::min)(base - 1, static_cast<std::int64_t>(std::lround(chart.pixel_y(heights[i]))));
    detail::fill_box(chart.image, {left, top, right - left, base - top}, okabe_ito[0]);
  }
  chart.finish();
  return std::move(chart.image);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
