// A histogram as bars.
#pragma once

#include <layerscope/algorithms/line_chart.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/image.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

struct HistogramChartOptions {
  /// First line. Default none.
  std::string title{};
  /// What the numbers are. Default none.
  std::string x_label{};
  /// Size of the whole picture in pixels, 160 × 120 to 8192 × 8192. Default 720 × 420.
  std::int64_t width = 720;
  std::int64_t height = 420;
  /// Log: bars of log10(1 + count), for the tails of weights and gradients. Default linear.
  AxisScale count_scale = AxisScale::linear;
  /// Small lines below the chart.
  std::vector<std::string> captions{};
};

/// Bars between the edges, as high as the counts. Where bins differ in width (beyond one part in a million) the height
/// is the density, count per unit of width, so that areas stay true. Bins of no width, as TensorBoard's buckets of
/// equal numbers have, are thin bars of their count, and then all bars show counts. Throws Error(empty) without bins,
/// Error(invalid_argument) when edges are not one more than counts, not finite or decreasing, and for options outside
/// their ranges.
Image histogram_chart(const Histogram& histogram, const HistogramChartOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/histogram_chart_inl.hpp>
#endif
