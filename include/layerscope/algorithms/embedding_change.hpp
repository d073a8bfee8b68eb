// What changed between two epochs of the same samples: in the rows themselves, in their layout, and whether the two
// agree.
//
// Stability: Vernier, Garcia, da Silva, Comba and Telea, "Quantitative evaluation of time-dependent multidimensional
// projection techniques", Computer Graphics Forum 39(3), 2020: how far each sample moved in n dimensions against how
// far it moved in the layout. Linear CKA: Kornblith, Norouzi, Lee and Hinton, "Similarity of neural network
// representations revisited", ICML 2019. Separation: the reciprocal of the index of Davies and Bouldin, IEEE TPAMI
// 1(2), 1979.
#pragma once

#include <layerscope/algorithms/embedding_quality.hpp>
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

/// The rows of one epoch and their layout, any element types and strides. All of it is borrowed.
struct EmbeddedRows {
  /// [n, d]: what was embedded.
  AnyView high;
  /// [n, e]: where each row lies.
  AnyView low;
  /// Which sample each row is: empty, then it is the row's number, or [n]. Of rows with one id the first counts.
  std::span<const std::int64_t> ids = {};
  /// Class of each row: empty or [n]; negative is unlabelled.
  std::span<const std::int64_t> labels = {};
};

struct EmbeddingChangeOptions {
  /// Neighbours whose overlap is counted, 1 …; below half of the common rows, else clamped with a warning. Default 10.
  std::int64_t neighbors = 10;
  /// Distance of the high-dimensional rows for their neighbours; all that moves is Euclidean.
  Metric metric = Metric::euclidean;
  /// Most-moved samples listed, 0 …. Default 10.
  std::int64_t most_moved = 10;
  /// Rows whose neighbours are searched, 1 …, each among all common rows; drawn by the seed where there are more.
  std::int64_t sample = 2000;
  /// Rows that enter CKA, 3 …; fewer where they have more than 3,000 features, so that they take 128 MiB at most.
  std::int64_t cka_sample = 5000;
  std::uint64_t seed = 0;
  /// Threads at most; 0 means every core. The result does not depend on it.
  int threads = 0;
  /// Told how far the computation is; may be empty.
  Progress progress = {};
  /// Asks the computation to end, with Error(cancelled).
  std::stop_token stop = {};
};

/// A sample and how far it moved.
struct MovedSample {
  std::int64_t id = 0;
  /// Its row of the later epoch.
  std::int64_t row = 0;
  /// Euclidean, in n dimensions and in the layout.
  double high = 0;
  double low = 0;
};

/// Over the samples that both epochs have. For each: Δ = ‖x_now − x_before‖ in n dimensions and δ in the layout.
struct EmbeddingChange {
  std::int64_t common_rows = 0;
  /// Samples of the later epoch alone, and of the earlier one alone.
  std::int64_t new_rows = 0;
  std::int64_t missing_rows = 0;
  /// Spearman's rank correlation of Δ and δ, equal ones sharing their mean rank: 1 when what moves more in the data
  /// moves more in the layout. 0 where all Δ or all δ are equal, so that a frozen layout gains nothing. All rows enter.
  double stability = 0;
  /// Normalised stress of δ against Δ, in [0, 1]: min over s of Σ(Δ − s·δ)² / ΣΔ², the two having no common unit; 1 for
  /// a layout that stays while the data move, 0 when nothing moves in the data.
  double stress = 0;
  /// Mean of |A ∩ B| / |A ∪ B| for the nearest common rows A before and B now, of the rows and of their layout.
  QualityScore neighbor_jaccard;
  QualityScore layout_jaccard;
  /// Linear CKA of the rows before and now, ‖YᵀX‖² / (‖XᵀX‖·‖YᵀY‖) with centred columns and Frobenius norms; 0 where
  /// one of them is constant. Its standard error, where rows were drawn, is a jackknife over ten groups; rows fewer
  /// than features raise the value itself.
  QualityScore cka;
  /// class_separation() of the layout before and now, over the common rows; empty without two labelled classes. The
  /// labels of the later epoch count.
  std::optional<double> separation_before;
  std::optional<double> separation;
  /// By falling Δ, then by id.
  std::vector<MovedSample> most_moved;
  /// Neighbours used after clamping, and rows that were looked at.
  std::int64_t neighbors = 0;
  std::int64_t sampled_rows = 0;
  std::int64_t cka_rows = 0;
  /// What was changed on the way, one sentence each.
  std::vector<std::string> warnings;
};

/// Compares two epochs, rows matched by id. Costs two searches of the neighbours of `sample` rows in each epoch and
/// about 3·cka_sample·d·min(d, cka_sample) multiplications. Memory: the common rows, where they are not all rows in the
/// same order. Throws Error(invalid_argument) for matrices, ids or labels that do not match, another number of features
/// or of dimensions, fewer than 3 common rows, values beyond 1e150, and options out of range; Error(non_finite);
/// Error(cancelled).
EmbeddingChange embedding_change(const EmbeddedRows& before, const EmbeddedRows& now,
                                 const EmbeddingChangeOptions& options = {});

/// How far apart the centroids of the classes are: the reciprocal of the Davies–Bouldin index,
/// 1 / mean over classes i of max over j ≠ i of (s_i + s_j) / ‖μ_i − μ_j‖, s being the mean distance of the rows of a
/// class from its centroid μ. 0 when two centroids coincide. Empty without two labelled classes, or where no row lies
/// off its centroid. Throws Error(invalid_argument) for another rank than 2 or another number of labels,
/// Error(non_finite).
std::optional<double> class_separation(const AnyView& x, std::span<const std::int64_t> labels);

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/class_separation_inl.hpp>
#include <layerscope/impl/embedding_change_inl.hpp>
#endif
