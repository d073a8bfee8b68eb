// Histograms that count as numpy.histogram does, with what numpy leaves out counted apart.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

struct HistogramOptions {
  /// Bins of equal width, 1 to 65,536. Default 30, as TensorBoard's. Unused when `edges` is given.
  int bins = 30;
  /// Where the first bin begins and the last one ends. Default: the smallest and the largest finite number; half a unit
  /// to either side where those are equal (numpy.histogram), further where the bins would be narrower than the numbers
  /// there are. Unused when `edges` is given.
  std::optional<Range> range = std::nullopt;
  /// At least two finite, increasing numbers. Default: equal bins over `range`.
  std::optional<std::vector<double>> edges = std::nullopt;
  /// Threads used at most. Default 0: every core. The result does not depend on it.
  int threads = 0;
};

/// Every element is counted once: in a bin, or in one of the five numbers.
struct HistogramResult {
  Histogram histogram;
  std::uint64_t below = 0;  ///< finite, before the first edge
  std::uint64_t above = 0;  ///< finite, beyond the last edge
  std::uint64_t nan = 0;
  std::uint64_t positive_infinity = 0;
  std::uint64_t negative_infinity = 0;
};

/// Counts all elements, as float64. A tensor without a finite number has the range [0, 1] unless told otherwise.
/// Edges and counts equal numpy.histogram(x.astype(float64), …) bit for bit. O(size). Throws Error(empty) for an empty
/// tensor and Error(invalid_argument) for options out of range.
HistogramResult histogram(const AnyView& view, const HistogramOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/histogram_inl.hpp>
#endif
