// How well a layout in few dimensions keeps the neighbourhoods of the rows it was made of.
//
// Trustworthiness and continuity: Venna and Kaski, "Local multidimensional scaling", Neural Networks 19 (2006), as
// scikit-learn computes the former; continuity is the same with the two matrices exchanged. Ranks are exact: distances
// are compared in float64, ties broken by the lower row number.
#pragma once

#include <layerscope/algorithms/knn.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/progress.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

struct EmbeddingQualityOptions {
  /// Neighbours of trustworthiness and continuity, 1 …; below half of the rows, else clamped with a warning.
  std::int64_t trustworthiness_neighbors = 15;
  /// Neighbours of neighbour preservation, 1 …; clamped likewise.
  std::int64_t preservation_neighbors = 10;
  /// Neighbours that vote for a row's label, 1 …; clamped likewise.
  std::int64_t label_neighbors = 10;
  /// Distance of the rows of the high-dimensional matrix; that of the layout is Euclidean.
  Metric metric = Metric::euclidean;
  /// Rows looked at, 1 …, each against all others; where there are more they are drawn by the seed. Default 2000:
  /// standard errors near 0.002.
  std::int64_t sample = 2000;
  std::uint64_t seed = 0;
  /// Threads at most; 0 means every core. The result does not depend on it.
  int threads = 0;
  /// Told how far the computation is; may be empty.
  Progress progress = {};
  /// Asks the computation to end, with Error(cancelled).
  std::stop_token stop = {};
};

/// A mean over rows, in [0, 1].
struct QualityScore {
  double value = 0;
  /// Of the mean over all rows, estimated from those drawn; 0 where all were looked at.
  double standard_error = 0;
};

struct EmbeddingQuality {
  /// 1 − 2 / (k(2n − 3k − 1)) · Σ max(0, rank in the high-dimensional matrix − k) over the k neighbours in the layout.
  QualityScore trustworthiness;
  /// The same with the two matrices exchanged: 1 when no neighbour was torn away.
  QualityScore continuity;
  /// Fraction of the nearest rows that are among the nearest in the layout too.
  QualityScore neighbor_preservation;
  /// Fraction of rows whose label is the most frequent one among their nearest rows in the layout, of equally frequent
  /// ones the lowest; empty without labels.
  std::optional<QualityScore> label_accuracy;
  /// Neighbours used after clamping.
  std::int64_t trustworthiness_neighbors = 0;
  std::int64_t preservation_neighbors = 0;
  std::int64_t label_neighbors = 0;
  std::int64_t rows = 0;
  std::int64_t sampled_rows = 0;
  /// What was changed on the way, one sentence each.
  std::vector<std::string> warnings;
};

/// Compares high[n, d] and its layout low[n, any], any element types and strides; `labels` is empty or has n entries.
/// Costs about 4·sample·n·d float32 operations. Throws Error(invalid_argument) for fewer than 3 rows, matrices or
/// labels that do not match, and options out of range; Error(non_finite) for NaN and infinity; Error(cancelled).
EmbeddingQuality embedding_quality(const AnyView& high, const AnyView& low, std::span<const std::int64_t> labels = {},
                                   const EmbeddingQualityOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/embedding_quality_inl.hpp>
#endif
