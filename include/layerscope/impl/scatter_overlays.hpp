// What a scatter plot shows over its points: names of classes, and where points have been.
#pragma once

#include <layerscope/algorithms/detail/axes.hpp>
#include <layerscope/algorithms/detail/canvas.hpp>
#include <layerscope/algorithms/detail/text_layout.hpp>
#include <layerscope/algorithms/scatter.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/impl/scatter_points.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// A name with a pale edge around its letters, so that it can be read on points of any colour.
inline void draw_name(Image& image, std::int64_t x, std::int64_t y, const std::string& text, int scale = 1) {
  const TextOptions options{.scale = scale, .weight = FontWeight::bold};
  for (std::int64_t dy = -scale; dy <= scale; ++dy) {
    for (std::int64_t dx = -scale; dx <= scale; ++dx) {
      if (dx != 0 || dy != 0) draw_text(image, x + dx, y + dy, text, look::paper, options);
    }
  }
  draw_text(image, x, y, text, look::ink, options);
}

/// Whether two boxes of letters would touch.
inline bool boxes_touch(const Box& a, const Box& b) {
  return a.x < b.x + b.width + 2 && b.x < a.x + a.width + 2 && a.y < b.y + b.height && b.y < a.y + a.height;
}

/// The names of classes at the medians of their points; one that would touch another is left out. Returns their boxes.
inline std::vector<Box> draw_class_names(Chart& chart, const Points& points, const std::vector<ScatterPoint>& drawn) {
  std::map<std::int64_t, std::array<std::vector<double>, 2>> places;
  for (const ScatterPoint& point : drawn) {
    const std::int64_t label = points.labels[point.index];
    if (label < 0) continue;
    places[label][0].push_back(point.x);
    places[label][1].push_back(point.y);
  }
  constexpr std::size_t least = 10;
  const TextOptions font{.scale = chart.plot.width < 400 ? 1 : 2, .weight = FontWeight::bold};
  std::vector<Box> taken;
  for (auto& [label, axes] : places) {
    if (axes[0].size() < least) continue;
    for (std::vector<double>& axis : axes) {
      std::nth_element(axis.begin(), axis.begin() + static_cast<std::ptrdiff_t>(axis.size() / 2), axis.end());
    }
    const std::string text = elide(class_name(points, label), chart.plot.width / 5, font);
    const std::int64_t height = font_height * font.scale;
    const std::int64_t width = text_extent(text, font).width;
    const auto at = [](double pixel, std::int64_t extent, std::int64_t low, std::int64_t room) {
      return (std::clamp)(static_cast<std::int64_t>(pixel) - extent / 2, low, (std::max)(low, low + room - extent));
    };
    const Box& plot = chart.plot;
    const Box box{at(chart.pixel_x(axes[0][axes[0].size() / 2]), width, plot.x + 2, plot.width - 4),
                  at(chart.pixel_y(axes[1][axes[1].size() / 2]), height, plot.y + 2, plot.height - 4), width, height};
    const auto touches = [&](const Box& other) { return boxes_touch(box, other); };
    if (width + 4 > plot.width || height + 4 > plot.height || std::any_of(taken.begin(), taken.end(), touches))
      continue;
    taken.push_back(box);
    draw_name(chart.image, box.x, box.y, text, font.scale);
  }
  return taken;
}

/// Lines that fade into the past, then the ends.
inline void draw_trajectories(Chart& chart, const std::vector<ScatterTrajectory>& trajectories, double size) {
  struct Place {
    double x = 0, y = 0;
    bool shown = false;
  };
  std::vector<std::vector<Place>> lines;
  std::size_t longest = 0;
  for (const ScatterTrajectory& trajectory : trajectories) {
    const Tensor positions = convert(trajectory.positions.view(), DType::f64);
    std::vector<Place> line;
    for (std::int64_t t = 0; t < positions.extent(0); ++t) {
      ScatterPoint at;
      const std::int64_t dimensions = positions.extent(1);
      const bool shown = scatter_place(positions.data<double>() + t * dimensions, dimensions, at);
      line.push_back({chart.pixel_x(at.x), chart.pixel_y(at.y), shown});
    }
    longest = (std::max)(longest, line.size());
    lines.push_back(std::move(line));
  }
  // Step by step from the oldest, so that what is recent lies above; a pale edge parts lines from points.
  for (std::size_t age = longest; age-- > 1;) {
    const double share =
        1 - 0.85 * static_cast<double>(age - 1) / static_cast<double>((std::max)(longest - 1, std::size_t{2}) - 1);
    for (const auto& [thickness, colour] : {std::pair{4.0, look::paper}, std::pair{1.8, look::ink}}) {
      LineMask mask(chart.plot);
      for (const std::vector<Place>& line : lines) {
        if (line.size() < age + 1) continue;
        const Place& from = line[line.size() - age - 1];
        const Place& to = line[line.size() - age];
        if (from.shown && to.shown) mask.add(from.x, from.y, to.x, to.y, thickness);
      }
      mask.lay_over(chart.image, colour, share);
    }
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].empty() || !lines[i].back().shown) continue;
    const Place& end = lines[i].back();
    const std::optional<std::int64_t> label = trajectories[i].label;
    const ClassStyle style = label ? class_style(*label) : ClassStyle{okabe_ito[0], Marker::disc};
    draw_marker(chart.image, chart.plot, end.x, end.y, size + 6, {look::paper, style.marker}, 1);
    draw_marker(chart.image, chart.plot, end.x, end.y, size + 4, {look::ink, style.marker}, 1);
    draw_marker(chart.image, chart.plot, end.x, end.y, size + 1, style, 1);
  }
}

/// The names of trajectories beside their ends: to the right, the left, above or below, where no other name is; else
/// none.
inline void draw_trajectory_names(Chart& chart, const std::vector<ScatterTrajectory>& trajectories, double size,
                                  std::vector<Box> taken) {
  const Box& plot = chart.plot;
  for (const ScatterTrajectory& trajectory : trajectories) {
    const std::int64_t steps = trajectory.positions.extent(0), dimensions = trajectory.positions.extent(1);
    const std::string text = elide(trajectory.name, 120, look::title);
    if (steps == 0 || text.empty()) continue;
    const Tensor positions = convert(trajectory.positions.view(), DType::f64);
    ScatterPoint end;
    if (!scatter_place(positions.data<double>() + (steps - 1) * dimensions, dimensions, end)) continue;
    const auto x = static_cast<std::int64_t>((std::clamp)(chart.pixel_x(end.x), -1e6, 1e6));
    const auto y = static_cast<std::int64_t>((std::clamp)(chart.pixel_y(end.y), -1e6, 1e6));
    if (x < plot.x || x >= plot.x + plot.width || y < plot.y || y >= plot.y + plot.height) continue;
    const std::int64_t width = text_extent(text, look::title).width;
    const auto reach = static_cast<std::int64_t>(size / 2) + 5;
    const std::int64_t middle =
        (std::clamp)(y - 6, plot.y + 1, (std::max)(plot.y + 1, plot.y + plot.height - font_height - 1));
    const std::array<Box, 6> places{{{x + reach, middle, width, font_height},
                                     {x - reach - width, middle, width, font_height},
                                     {x + reach, y - reach - font_height, width, font_height},
                                     {x + reach, y + reach, width, font_height},
                                     {x - reach - width, y - reach - font_height, width, font_height},
                                     {x - reach - width, y + reach, width, font_height}}};
    for (const Box& box : places) {
      const bool inside = box.x > plot.x && box.x + box.width + 1 < plot.x + plot.width && box.y > plot.y &&
                          box.y + box.height < plot.y + plot.height;
      const auto touches = [&](const Box& other) { return boxes_touch(box, other); };
      if (!inside || std::any_of(taken.begin(), taken.end(), touches)) continue;
      taken.push_back(box);
      draw_name(chart.image, box.x, box.y, text);
      break;
    }
  }
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
