// Body of algorithms/calibration.hpp: the picture.
#pragma once

#include <layerscope/algorithms/calibration.hpp>
#include <layerscope/algorithms/detail/axes.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

inline constexpr Rgb over_confident = okabe_ito[1];
inline constexpr Rgb under_confident = okabe_ito[5];

/// What both charts share, so that their plots stand one below the other.
inline ChartSpec confidence_chart(std::int64_t width, std::int64_t height) {
  ChartSpec spec;
  spec.what = "reliability_diagram";
  spec.width = width;
  spec.height = height;
  spec.x.range = {0, 1};
  spec.x.ticks = {0, 0.2, 0.4, 0.6, 0.8, 1};
  spec.x.labels = tick_texts(spec.x.ticks);
  spec.y.range = {0, 1};
  spec.y.ticks = spec.x.ticks;
  // As wide as "100 %".
  spec.y.labels = {"    0", "  0.2", "  0.4", "  0.6", "  0.8", "    1"};
  return spec;
}

/// A bar over a bin from one height to another.
inline void draw_bin(Chart& chart, const CalibrationBin& bin, double from, double to, Rgb shade) {
  const auto column = [&](double value) { return std::lround(chart.pixel_x(value)); };
  const auto row = [&](double value) { return std::lround(chart.pixel_y(value)); };
  std::int64_t right = column(bin.high);
  const std::int64_t left = column(bin.low);
  if (right - left >= 4) --right;
  const std::int64_t top = row((std::max)(from, to)), bottom = row((std::min)(from, to));
  fill_box(chart.image, {left, top, (std::max<std::int64_t>)(right - left, 1), bottom - top}, shade);
}

inline Image accuracy_chart(const Calibration& of, const ReliabilityDiagramOptions& options) {
  ChartSpec spec = confidence_chart(options.width, options.width);
  spec.title = options.title;
  spec.y.title = "accuracy";
  LegendEntry accuracy{"accuracy", {okabe_ito[0], Marker::square}};
  LegendEntry over{"over-confident", {over_confident, Marker::square}};
  LegendEntry under{"under-confident", {under_confident, Marker::square}};
  spec.legend = {accuracy, over, under};
  Chart chart = start_chart(std::move(spec));
  for (const CalibrationBin& bin : of.bins) {
    if (bin.count == 0) continue;
    const double shared = (std::min)(bin.accuracy, bin.confidence);
    draw_bin(chart, bin, 0, shared, okabe_ito[0]);
    if (bin.accuracy < bin.confidence) draw_bin(chart, bin, bin.accuracy, bin.confidence, over_confident);
    if (bin.accuracy > bin.confidence) draw_bin(chart, bin, bin.confidence, bin.accuracy, under_confident);
  }
  LineMask diagonal(chart.plot);
  constexpr int dashes = 24;
  for (int i = 0; i < dashes; ++i) {
    const double from = static_cast<double>(i) / dashes, to = (i + 0.55) / dashes;
    diagonal.add(chart.pixel_x(from), chart.pixel_y(from), chart.pixel_x(to), chart.pixel_y(to), 1.5);
  }
  diagonal.lay_over(chart.image, look::ink);
  chart.finish();
  return std::move(chart.image);
}

inline Image confidence_histogram(const Calibration& of, const ReliabilityDiagramOptions& options) {
  ChartSpec spec = confidence_chart(options.width, options.width / 2);
  const auto number = [](double value) { return number_text(value, 3); };
  spec.captions = {"ECE " + number(of.ece) + ", MCE " + number(of.mce) + ", ACE " + number(of.ace) + "; Brier " +
                       number(of.brier) + ", NLL " + number(of.nll) + " nats",
                   "accuracy " + number(of.accuracy) + ", mean confidence " + number(of.confidence) + "; " +
                       to_text(of.rows) + " rows, " + to_text(of.classes) + " classes, " + to_text(of.bins.size()) +
                       " bins"};
  spec.captions.insert(spec.captions.end(), of.warnings.begin(), of.warnings.end());
  const TextBlocks texts("", spec.captions, options.width - 2 * look::margin);
  spec.height += texts.below();
  spec.x.title = "confidence";
  spec.y.title = "rows";
  spec.y.ticks = {0, 0.5, 1};
  spec.y.labels = {"  0 %", " 50 %", "100 %"};
  Chart chart = start_chart(std::move(spec));
  for (const CalibrationBin& bin : of.bins) {
    if (bin.count == 0) continue;
    // A bin with rows is at least a pixel high.
    const double share = static_cast<double>(bin.count) / static_cast<double>(of.rows);
    draw_bin(chart, bin, 0, (std::max)(share, 1.0 / static_cast<double>(chart.plot.height)), look::soft_ink);
  }
  chart.finish();
  return std::move(chart.image);
}

}  // namespace detail

LAYERSCOPE_INLINE Image reliability_diagram(const Calibration& of, const ReliabilityDiagramOptions& options) {
  if (of.bins.empty() || of.rows < 1) throw Error(ErrorCode::empty, "reliability_diagram: no bins with rows");
  if (options.width < 240 || options.width > 4096) {
    throw Error(ErrorCode::invalid_argument,
                "reliability_diagram: width " + to_text(options.width) + "; expected 240 to 4096");
  }
  const Image above = detail::accuracy_chart(of, options);
  const Image below = detail::confidence_histogram(of, options);
  Image image = make_image(options.width, above.height + below.height, detail::look::paper);
  detail::paste(image, above, 0, 0, 1, 1);
  detail::paste(image, below, 0, above.height, 1, 1);
  return image;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
