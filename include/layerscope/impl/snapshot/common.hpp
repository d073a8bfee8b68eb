// What the shorthands share: layouts by rank, caps before copying, the range and the warnings of an artifact.
#pragma once

#include <layerscope/algorithms/heatmap.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/layout.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/core/tensor_ref.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// The extents of a tensor with elements. Throws Error(empty) for rank 0 and zero extents.
inline Shape shape_to_record(const TensorRef& x, std::string_view kind) {
  Shape shape = x.shape();
  if (shape.rank() == 0 || element_count(shape) == 0) {
    throw Error(ErrorCode::empty,
                std::string(kind) + ": shape " + to_text(shape) + "; expected at least one axis and one element");
  }
  return shape;
}

/// The first line of a picture: "conv1, step 3".
inline std::string picture_title(std::string_view name, std::int64_t step) {
  return std::string(name) + ", step " + to_text(step);
}

inline void check_layout(const Layout& layout, const Shape& shape, std::string_view kind) {
  if (layout.rank() != shape.rank()) {
    throw Error(ErrorCode::invalid_argument, std::string(kind) + ": layout " + std::string(layout.axes()) +
                                                 " for the shape " + to_text(shape) + "; expected one letter an axis");
  }
}

/// The layout of activations that says itself by rank, if there is one.
inline std::optional<Layout> activation_layout(int rank) {
  switch (rank) {
    case 1: return Layout("C");
    case 2: return layouts::nc;
    case 4: return layouts::nchw;
    case 5: return layouts::ncdhw;
    default: return std::nullopt;
  }
}

/// An axis that may be cut, and what it was before.
struct Cap {
  std::int64_t shown = 1;
  std::int64_t total = 1;
};

/// Cuts the axis that `letter` names in `shape` to `most`, which must be at least 1.
inline Cap cap_axis(Shape& shape, const Layout& layout, char letter, std::int64_t most, std::string_view what) {
  if (most < 1) {
    throw Error(ErrorCode::invalid_argument,
                "snapshot: " + std::string(what) + " " + to_text(most) + "; expected at least 1");
  }
  const int axis = layout.find(letter);
  if (axis < 0) return {};
  const std::int64_t total = shape[axis];
  shape[axis] = (std::min)(total, most);
  return {shape[axis], total};
}

inline void add_cap(Artifact& artifact, const std::string& what, const Cap& cap) {
  artifact.attributes.push_back({what + " shown", cap.shown});
  artifact.attributes.push_back({what + " total", cap.total});
}

inline void warn_of_non_finite(Artifact& artifact, std::uint64_t nan, std::uint64_t positive_infinity,
                               std::uint64_t negative_infinity, std::uint64_t total) {
  const auto warn = [&](std::uint64_t count, const char* what) {
    if (count > 0) artifact.warnings.push_back(to_text(count) + " of " + to_text(total) + " numbers are " + what);
  };
  warn(nan, "NaN");
  warn(positive_infinity, "+infinity");
  warn(negative_infinity, "-infinity");
}

/// The range of the finite numbers, and a warning for each kind of the others.
inline void describe_numbers(Artifact& artifact, const Tensor& values, int threads) {
  HeatmapOptions options;
  options.threads = threads;
  const AnyView row = *values.view().reshape({1, values.size()});
  const HeatmapScale scale = heatmap_scale(row, options);
  const std::int64_t others = scale.nan_count + scale.positive_infinities + scale.negative_infinities;
  if (others < values.size()) artifact.range = scale.range;
  warn_of_non_finite(artifact, static_cast<std::uint64_t>(scale.nan_count),
                     static_cast<std::uint64_t>(scale.positive_infinities),
                     static_cast<std::uint64_t>(scale.negative_infinities), static_cast<std::uint64_t>(values.size()));
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
