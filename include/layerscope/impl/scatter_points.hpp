// What the parts of a scatter plot share: points in the plane of the picture, and names of classes.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// A point as drawn: in the plane of the picture, with its distance towards the reader.
struct ScatterPoint {
  double x = 0, y = 0, nearness = 0;
  std::size_t index = 0;
  std::uint64_t lot = 0;
};

/// Orthographic, azimuth 35°, elevation 25°: the rows are right, up and towards the reader.
inline constexpr std::array<std::array<double, 3>, 3> scatter_view{
    {{0.8191520442889918, 0.5735764363510461, 0.0},
     {-0.2424038765061042, 0.3461886130587542, 0.9063077870366499},
     {0.5198367907256845, -0.7424038765061042, 0.4226182617406994}}};

inline double turned(int row, const double* point) noexcept {
  const auto& direction = scatter_view[static_cast<std::size_t>(row)];
  return direction[0] * point[0] + direction[1] * point[1] + direction[2] * point[2];
}

/// Place of `count` coordinates in the plane of the picture; false when one is not finite. Divided by 4, so that sums
/// and differences of the largest doubles stay finite.
inline bool scatter_place(const double* coordinates, std::int64_t count, ScatterPoint& place) noexcept {
  std::array<double, 3> point{};
  for (std::int64_t d = 0; d < count; ++d) {
    if (!is_finite(coordinates[d])) return false;
    point[static_cast<std::size_t>(d)] = coordinates[d] / 4;
  }
  place.x = point[0];
  place.y = point[1];
  if (count == 3) {
    place.x = turned(0, point.data());
    place.y = turned(1, point.data());
    place.nearness = turned(2, point.data());
  }
  return true;
}

inline std::string class_name(const Points& points, std::int64_t label) {
  if (label < 0) return "no label";
  const auto index = static_cast<std::size_t>(label);
  return index < points.class_names.size() ? points.class_names[index] : to_text(label);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
