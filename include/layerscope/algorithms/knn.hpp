// The k nearest neighbours of the rows of a matrix, exact or approximate.
//
// Exact: every pair, by products of matrices in float32 with the selection fused in; each pair once where query and
// data are the same. A few candidates more than asked for are kept, their distances recomputed in float64, and each row
// is proven complete by the rounding error of the products, or searched again.
//
// Approximate: each row is compared with the rows of the clusters whose centres are nearest to it (inverted lists:
// Sivic and Zisserman, "Video Google", ICCV 2003; centres by Lloyd's k-means), wide rows first along their 96 leading
// principal directions. How many clusters and candidates are needed is measured: the exact neighbours of 128 rows are
// found first. Lists of an earlier epoch are improved by nearest-neighbour descent instead (Dong, Moses and Li,
// "Efficient k-nearest neighbor graph construction for generic similarity measures", WWW 2011).
#pragma once

#include <layerscope/algorithms/non_finite_rows.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/progress.hpp>
#include <layerscope/core/tensor.hpp>

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

/// How far apart two rows are.
enum class Metric : std::uint8_t {
  euclidean,    ///< √Σ(x − y)²
  cosine,       ///< 1 − x·y / (‖x‖‖y‖); a row of zeros is at 1 from all but rows of zeros
  correlation,  ///< cosine of the rows minus their own means
  manhattan,    ///< Σ|x − y|
};

/// "euclidean", "cosine", "correlation", "manhattan".
const char* name(Metric metric) noexcept;
/// The metric of that name. Throws Error(invalid_argument).
Metric metric_from_name(std::string_view name);

enum class KnnMethod : std::uint8_t {
  automatic,    ///< the one that takes less time by n, d and k
  exact,        ///< the result of a float64 comparison of all pairs, up to ties
  approximate,  ///< the nearest clusters: one or two in a hundred neighbours are missed, as a sample of rows tells
};

/// "automatic", "exact", "approximate".
const char* name(KnnMethod method) noexcept;

/// Whether a row is a neighbour of itself, at distance 0.
enum class SelfNeighbor : std::uint8_t { exclude, include };

struct KnnOptions {
  /// Neighbours of each row, 1 …; more than there are rows to choose from are clamped, with a warning. Default 15, as
  /// UMAP.
  std::int64_t k = 15;
  Metric metric = Metric::euclidean;
  /// How they are searched. Default: by the shape.
  KnnMethod method = KnnMethod::automatic;
  /// Without effect where query and data are two matrices.
  SelfNeighbor self = SelfNeighbor::exclude;
  /// Rows with NaN or infinity. Default: refuse them.
  NonFiniteRows non_finite = NonFiniteRows::error;
  /// Rows whose exact neighbours are searched too, to tell the recall of an approximate result; 0 for none. Drawn by
  /// the seed.
  std::int64_t recall_sample = 0;
  /// Approximate search: int32 or int64 [n, any] row numbers to start from, such as the indices of an earlier epoch,
  /// nearest first. Numbers outside 0 … n − 1 are passed over. Where three rounds of descent do not lead from them to
  /// the neighbours of the sample, clusters are searched. Default: clusters.
  std::optional<AnyView> initial = std::nullopt;
  /// Seed of the random numbers of the approximate search and of the sample.
  std::uint64_t seed = 0;
  /// Threads at most; 0 means every core. The result does not depend on it.
  int threads = 0;
  /// Told how far the computation is; may be empty.
  Progress progress = {};
  /// Asks the computation to end, with Error(cancelled).
  std::stop_token stop = {};
};

/// What knn() finds: k neighbours for each of m rows.
struct Neighbors {
  /// int32 [m, k]: rows of the data as it was given, by increasing distance in float64, then by increasing number.
  Tensor indices;
  /// float32 [m, k]; what exceeds the range of float32 is its largest number.
  Tensor distances;
  /// The query row of each of the m rows of the result, where rows were left out; else empty: they are 0 … m − 1.
  std::vector<std::int64_t> rows;
  /// Rows of the query, and of the data where they are two matrices, left out for NaN or infinity.
  std::int64_t dropped_rows = 0;
  /// The method that was used, never `automatic`, and why.
  KnnMethod method = KnnMethod::exact;
  std::string reason;
  /// Clusters that each row was compared with; 0 for an exact search and for a descent.
  std::int64_t clusters_searched = 0;
  /// Rounds of the descent from `initial`; 0 where that was not given, or not enough.
  std::int64_t iterations = 0;
  /// Rows that the float32 search could not prove complete, and that were searched again.
  std::int64_t rechecked_rows = 0;
  /// Fraction of the exact neighbours found, over `recall_sample` rows: a neighbour counts as found when it is no
  /// farther than the exact k-th. Empty unless asked for; 1 for an exact search.
  std::optional<double> recall;
  /// What was changed on the way, one sentence each.
  std::vector<std::string> warnings;
};

/// The nearest rows of x[n, d] to each of its rows, any element type and strides.
///
/// Exact: n²·d / 2 multiplications; data far from the origin, duplicates and outliers do not harm it. Memory beyond the
/// input: 12·n·k bytes and 64 MiB. Approximate: some 10·n^1.5 pairs, along 96 directions where rows have 192 columns or
/// more and these tell enough; memory as exact at 70,000 rows (a sixth more for k = 90 along directions, whose 384
/// bytes a row exceed it for more rows). Rows without structure, such as noise of many columns, have neighbours in most
/// clusters; then all pairs are compared, and the result says so.
///
/// The input is not copied, whatever its type, but for two cases: where rows are dropped, the rest is; and for a
/// descent from `initial`, rows of fewer than 192 columns that are not plain float32, or whose metric is cosine or
/// correlation, are copied as float32.
///
/// Throws Error(empty) for no rows or columns; Error(invalid_argument) for options out of range, another rank than 2 or
/// values beyond 1e150; Error(too_large) for 2^31 rows or more; Error(non_finite) as `non_finite` says;
/// Error(cancelled).
Neighbors knn(const AnyView& x, const KnnOptions& options = {});

/// The nearest rows of data[n, d] to each row of query[m, d]: always exact. Throws as the other, and
/// Error(invalid_argument) for different numbers of columns or KnnMethod::approximate.
Neighbors knn(const AnyView& query, const AnyView& data, const KnnOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/knn_inl.hpp>
#endif
