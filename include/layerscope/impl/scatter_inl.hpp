// Body of algorithms/scatter.hpp.
#pragma once

#include <layerscope/algorithms/detail/axes.hpp>
#include <layerscope/algorithms/detail/canvas.hpp>
#include <layerscope/algorithms/line_chart.hpp>
#include <layerscope/algorithms/scatter.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/impl/scatter_overlays.hpp>
#include <layerscope/impl/scatter_points.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// The finite points in the plane of the picture, in drawing order.
inline std::vector<ScatterPoint> scatter_points(const Points& points) {
  const std::int64_t n = points.coordinates.extent(0);
  const std::int64_t dimensions = points.coordinates.extent(1);
  const Tensor coordinates = convert(points.coordinates.view(), DType::f64);
  const double* const data = coordinates.data<double>();
  const Random random(0x5CA77E2);
  std::vector<ScatterPoint> drawn;
  drawn.reserve(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    ScatterPoint shown;
    shown.index = static_cast<std::size_t>(i);
    shown.lot = random.bits(static_cast<std::uint64_t>(i));
    if (scatter_place(data + i * dimensions, dimensions, shown)) drawn.push_back(shown);
  }
  std::sort(drawn.begin(), drawn.end(), [](const ScatterPoint& a, const ScatterPoint& b) {
    if (a.nearness != b.nearness) return a.nearness < b.nearness;
    return a.lot != b.lot ? a.lot < b.lot : a.index < b.index;
  });
  return drawn;
}

/// The classes that occur, by increasing label.
inline std::vector<LegendEntry> scatter_legend(const Points& points) {
  std::vector<std::int64_t> labels = points.labels;
  std::sort(labels.begin(), labels.end());
  labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
  constexpr std::size_t most = 24;
  std::vector<LegendEntry> legend;
  for (const std::int64_t label : labels) {
    if (legend.size() == most) {
      legend.push_back({"+ " + to_text(labels.size() - most) + " more", {look::paper, Marker::disc}});
      break;
    }
    legend.push_back({elide(class_name(points, label), 150), class_style(label)});
  }
  return legend;
}

inline void check_scatter(const Points& points, const ScatterOptions& options) {
  const auto refuse = [](const std::string& problem) {
    throw Error(ErrorCode::invalid_argument, "scatter: " + problem);
  };
  const Shape& shape = points.coordinates.shape();
  if (points.coordinates.empty()) throw Error(ErrorCode::empty, "scatter: no points given");
  if (shape.rank() != 2 || shape[1] < 2 || shape[1] > 3) {
    refuse("coordinates of shape " + to_text(shape) + "; expected [n, 2] or [n, 3]");
  }
  if (points.coordinates.dtype() != DType::f32 && points.coordinates.dtype() != DType::f64) {
    refuse(std::string("coordinates are ") + name(points.coordinates.dtype()) + "; expected float32 or float64");
  }
  if (!points.labels.empty() && static_cast<std::int64_t>(points.labels.size()) != shape[0]) {
    refuse(to_text(points.labels.size()) + " labels for " + to_text(shape[0]) + " points; expected none or as many");
  }
  for (const ScatterTrajectory& trajectory : options.trajectories) {
    const Shape& line = trajectory.positions.shape();
    if (line.rank() != 2 || line[1] != shape[1]) {
      refuse("a trajectory of shape " + to_text(line) + "; expected [t, " + to_text(shape[1]) + "] as the points have");
    }
    if (trajectory.positions.dtype() != DType::f32 && trajectory.positions.dtype() != DType::f64) {
      refuse(std::string("a trajectory is ") + name(trajectory.positions.dtype()) + "; expected float32 or float64");
    }
  }
  if (options.point_size && !(*options.point_size >= 1 && *options.point_size <= 32)) {
    refuse("point_size " + to_text(*options.point_size) + "; expected 1 to 32");
  }
  if (options.opacity && !(*options.opacity > 0 && *options.opacity <= 1)) {
    refuse("opacity " + to_text(*options.opacity) + "; expected above 0, at most 1");
  }
}

/// The range of the points, opened by a margin; a unit square around them when they are all equal.
inline std::array<Range, 2> scatter_ranges(const std::vector<ScatterPoint>& points) {
  if (points.empty()) return {Range{-1, 1}, Range{-1, 1}};
  Range x{points[0].x, points[0].x};
  Range y{points[0].y, points[0].y};
  for (const ScatterPoint& point : points) {
    x = {(std::min)(x.min, point.x), (std::max)(x.max, point.x)};
    y = {(std::min)(y.min, point.y), (std::max)(y.max, point.y)};
  }
  const double span = (std::max)(x.max - x.min, y.max - y.min);
  const double scale = (std::max)({std::fabs(x.min), std::fabs(x.max), std::fabs(y.min), std::fabs(y.max)});
  // Points that differ by rounding only are equal to the eye, and would have no distinct pixels.
  const double pad = span > 1e-12 * scale ? 0.04 * span : (std::max)(0.25, scale * 0.05);
  for (Range* range : {&x, &y}) *range = {range->min - pad, range->max + pad};
  return {x, y};
}

/// The directions of the three axes, in the lower left corner.
inline void draw_tripod(Chart& chart) {
  const double x = static_cast<double>(chart.plot.x) + 42;
  const double y = static_cast<double>(chart.plot.y + chart.plot.height) - 42;
  constexpr std::array<const char*, 3> names{"x", "y", "z"};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const double dx = 28 * scatter_view[0][axis];
    const double dy = -28 * scatter_view[1][axis];
    LineMask mask(chart.plot);
    mask.add(x, y, x + dx, y + dy, 1);
    mask.lay_over(chart.image, look::soft_ink);
    draw_text(chart.image, static_cast<std::int64_t>(x + 1.28 * dx) - 2, static_cast<std::int64_t>(y + 1.28 * dy) - 7,
              names[axis], look::soft_ink);
  }
}

}  // namespace detail

LAYERSCOPE_INLINE Image scatter(const Points& points, const ScatterOptions& options) {
  detail::check_scatter(points, options);
  const std::vector<detail::ScatterPoint> drawn = detail::scatter_points(points);
  const std::int64_t n = points.coordinates.extent(0);
  const std::int64_t skipped = n - static_cast<std::int64_t>(drawn.size());
  const auto [range_x, range_y] = detail::scatter_ranges(drawn);

  detail::ChartSpec spec;
  spec.what = "scatter";
  spec.title = options.title;
  spec.captions = options.captions;
  if (skipped > 0) {
    spec.captions.push_back(to_text(skipped) + " of " + to_text(n) + " points left out: not finite");
  }
  spec.width = options.width;
  spec.height = options.height;
  const bool spatial = points.coordinates.extent(1) == 3;
  spec.x.range = range_x;
  spec.y.range = range_y;
  spec.x.title = options.x_label;
  spec.y.title = options.y_label;
  if (options.axes == Axes::ticks && !spatial) {
    // Coordinates were divided by 4. The plot is widened to equal units, so that ticks are needed beyond the points.
    for (detail::AxisSpec* axis : {&spec.x, &spec.y}) {
      const double reach = (std::max)(range_x.max - range_x.min, range_y.max - range_y.min) * 2;
      const double middle = axis->range.min / 2 + axis->range.max / 2;
      std::vector<double> ticks{middle};
      if (is_finite(4 * (std::fabs(middle) + reach)))
        ticks = nice_ticks(4 * (middle - reach), 4 * (middle + reach), 24);
      axis->labels = detail::tick_texts(ticks);
      for (const double tick : ticks) axis->ticks.push_back(tick / 4);
    }
  }
  if (!points.labels.empty()) spec.legend = detail::scatter_legend(points);
  spec.legend_place = detail::ChartSpec::LegendPlace::right;
  spec.aspect = detail::ChartSpec::Aspect::equal;
  detail::Chart chart = detail::start_chart(std::move(spec));

  const double decades = std::log10((std::max)(static_cast<double>(n), 1.0));
  const double size = options.point_size.value_or((std::clamp)(9 - 2 * (decades - 1.5), 2.0, 9.0));
  const double opacity = options.opacity.value_or((std::clamp)(0.9 - 0.16 * (decades - 2), 0.35, 0.9));
  for (const detail::ScatterPoint& point : drawn) {
    const ClassStyle style =
        points.labels.empty() ? ClassStyle{okabe_ito[0], Marker::disc} : class_style(points.labels[point.index]);
    detail::draw_marker(chart.image, chart.plot, chart.pixel_x(point.x), chart.pixel_y(point.y), size, style, opacity);
  }
  detail::draw_trajectories(chart, options.trajectories, size);
  std::vector<detail::Box> names;
  if (!points.labels.empty() && options.class_names == ClassNames::legend_and_plot) {
    names = detail::draw_class_names(chart, points, drawn);
  }
  detail::draw_trajectory_names(chart, options.trajectories, size, std::move(names));
  if (spatial) detail::draw_tripod(chart);
  chart.finish();
  return std::move(chart.image);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
