// The frame of a chart: title, axes with ticks, legend, captions, and the mapping from numbers to pixels.
#pragma once

#include <layerscope/algorithms/detail/canvas.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/image.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// One axis in the coordinates that are drawn (logarithms are taken before).
struct AxisSpec {
  Range range;
  std::vector<double> ticks;        ///< those outside the range are not drawn
  std::vector<std::string> labels;  ///< one a tick
  std::string title;
};

/// One line of a legend: a marker, or a short line where `dashed` or `solid`.
struct LegendEntry {
  std::string name;
  ClassStyle style;
  enum class Sample : std::uint8_t { marker, solid, dashed } sample = Sample::marker;
};

struct ChartSpec {
  const char* what = "";  ///< for messages: "line_chart"
  std::string title;
  std::vector<std::string> captions;
  std::int64_t width = 0, height = 0;
  AxisSpec x, y;
  std::vector<LegendEntry> legend;
  enum class LegendPlace : std::uint8_t { above, right } legend_place = LegendPlace::above;
  /// Both axes in the same units per pixel: the ranges are widened to the shape of the plot.
  enum class Aspect : std::uint8_t { free, equal } aspect = Aspect::free;
};

/// A started chart: what is left to draw lies inside `plot`.
struct Chart {
  Image image;
  Box plot;
  Range x, y;

  /// Pixel coordinates, the centre of the top left pixel being (0.5, 0.5). Finite for finite numbers.
  double pixel_x(double value) const noexcept;
  double pixel_y(double value) const noexcept;
  /// Draws the frame once more, over what was drawn in the plot.
  void finish();
};

/// Throws Error(invalid_argument) for a size outside 160 × 120 to 8192 × 8192. In small pictures captions, then the
/// legend, then the title give way to the plot.
Chart start_chart(ChartSpec spec);

/// Short texts of ticks, with as many digits as tell them apart: "0.25", "2e6".
std::vector<std::string> tick_texts(const std::vector<double>& ticks);

/// A legend line's sample at (x, y) in the middle of its height, `legend_sample` pixels wide.
inline constexpr std::int64_t legend_sample = 22;

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/axes_inl.hpp>
#endif
