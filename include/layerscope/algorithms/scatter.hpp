// Points in the plane or in space, coloured by class: pictures of embeddings.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/image.hpp>
#include <layerscope/core/tensor.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

/// Numbers along the edges of a scatter plot. t-SNE and UMAP have no meaningful axes; PCA has.
enum class Axes : std::uint8_t { hidden, ticks };

/// Where a point has been, drawn over the points as a line that fades into the past and ends in a ringed marker.
struct ScatterTrajectory {
  /// [t, 2] or [t, 3] as the points, float32 or float64, oldest first. A row that is not finite is a gap.
  Tensor positions;
  /// Of class_style(). Default: the style of points without labels.
  std::optional<std::int64_t> label{};
  /// Written beside the last position. Default none.
  std::string name{};
};

/// Where classes are named.
enum class ClassNames : std::uint8_t {
  legend,
  /// In the legend, and in the plot at the median of each class of ten points or more, where there is room: markers of
  /// few pixels tell two classes of one colour apart only from near.
  legend_and_plot,
};

struct ScatterOptions {
  /// First line. Default none.
  std::string title{};
  /// What the axes are, written along them. Default none.
  std::string x_label{};
  std::string y_label{};
  /// Size of the whole picture in pixels, 160 × 120 to 8192 × 8192. Default 800 × 640.
  std::int64_t width = 800;
  std::int64_t height = 640;
  /// Diameter of a point in pixels, 1 to 32. Derived when absent: 9 for tens of points, falling to 2 for 70,000.
  std::optional<double> point_size{};
  /// Share of a point's colour laid over what is below, in (0, 1]. Derived when absent: 0.9, falling to 0.35 with many
  /// points, so that density stays visible.
  std::optional<double> opacity{};
  /// Default hidden.
  Axes axes = Axes::hidden;
  /// Default: in both.
  ClassNames class_names = ClassNames::legend_and_plot;
  /// Default none.
  std::vector<ScatterTrajectory> trajectories{};
  /// Small lines below the plot.
  std::vector<std::string> captions{};
};

/// The picture of `points` with equal units on both axes (distances stay true), a style per class by class_style(), and
/// a legend of the classes that occur (24 at most, then "+ 17 more"). Points are drawn in an order drawn by lot, so
/// that no class covers another. [n, 3] is seen along a fixed direction (azimuth 35°, elevation 25°, orthographic), far
/// points first, with the three axes sketched. Points with a non-finite coordinate are left out, and counted in a
/// caption. One point, or equal ones, lie in the centre. Trajectories do not widen the plot: what lies beyond is cut
/// off. Throws Error(empty) for n = 0, Error(invalid_argument) for coordinates or positions that are not [n, 2] or [n,
/// 3] of float32 or float64, or differ in that, for a number of labels other than 0 or n, and for options outside their
/// ranges.
Image scatter(const Points& points, const ScatterOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/scatter_inl.hpp>
#endif
