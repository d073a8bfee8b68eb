// Numbers over steps as a chart: losses, norms, metrics.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/image.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

enum class AxisScale : std::uint8_t { linear, log };

struct LineChartOptions {
  /// First line. Default none.
  std::string title{};
  /// What the axes are, written along them. Default none.
  std::string x_label{};
  std::string y_label{};
  /// Size of the whole picture in pixels, 160 × 120 to 8192 × 8192. Default 720 × 420.
  std::int64_t width = 720;
  std::int64_t height = 420;
  /// Log: powers of ten; numbers that are not positive leave a gap, and are counted in a caption. Default linear.
  AxisScale y_scale = AxisScale::linear;
  /// Numbers at the bottom and the top. Derived when absent: those of the series, widened to the next tick.
  std::optional<Range> y_range{};
  /// Small lines below the chart.
  std::vector<std::string> captions{};
};

/// One line per series in the order of `okabe_ito`, dashed from the ninth on, with a legend when there are several or
/// one with a name. Non-finite numbers leave gaps; a point without neighbours is drawn as a dot. Ticks by the 1-2-5
/// rule. Throws Error(empty) without series or when no point is finite, Error(invalid_argument) when x and y of a
/// series differ in length and for options outside their ranges.
Image line_chart(std::span<const Series> series, const LineChartOptions& options = {});

/// The chart of one series.
Image line_chart(const Series& series, const LineChartOptions& options = {});

/// Round numbers covering [min, max]: multiples of 1, 2 or 5 times a power of ten, about `target` of them, at least
/// one. `min` and `max` finite, min <= max, target >= 2 (else Error(invalid_argument)). Source: Heckbert, "Nice numbers
/// for graph labels", Graphics Gems 1990.
std::vector<double> nice_ticks(double min, double max, int target = 6);

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/line_chart_inl.hpp>
#endif
