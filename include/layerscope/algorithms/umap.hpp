// UMAP: a layout in 2 or 3 dimensions that keeps the fuzzy neighbourhoods of the rows of a matrix.
//
// McInnes, Healy and Melville, "UMAP: uniform manifold approximation and projection for dimension reduction",
// arXiv:1802.03426 (2018), with the choices of the authors' umap-learn. The layout is optimised in gather form: in an
// epoch every row reads the positions of the epoch before and adds up its own edges and negative samples, then moves by
// Adam, as uwot's batch mode does (Melville, "The uniform manifold approximation and projection (UMAP) method for
// dimensionality reduction", R package uwot). Hence the same bits for any number of threads.
#pragma once

#include <layerscope/algorithms/knn.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/progress.hpp>
#include <layerscope/core/tensor.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

/// Where the rows start.
enum class UmapInitialization : std::uint8_t {
  spectral,  ///< eigenvectors of the graph's normalised Laplacian; pca, or else random, where they do not converge
  pca,       ///< principal components; random where only neighbours are given
  random,    ///< uniform in a square
  given,     ///< `initial`
};

/// "spectral", "pca", "random", "given".
const char* name(UmapInitialization initialization) noexcept;
/// The initialisation of that name. Throws Error(invalid_argument).
UmapInitialization umap_initialization_from_name(std::string_view name);

/// An earlier layout of the same rows, which does not move: the update form of AlignedUMAP (umap-learn's
/// aligned_umap.py). With every edge and negative sample, a row also moves by
/// −clip(alignment · e^−(steps_ago − 1) · weight · (y − layout)), each coordinate clipped to ±4.
struct UmapReference {
  /// float32 or float64 [n, dimensions], n the rows of the matrix given: where each was. A row with NaN was not there.
  /// Best in the units of the layout before: take it as umap() made it.
  AnyView layout;
  /// float32 or float64 [n]: Jaccard overlap in [0, 1] of the row's neighbours then and now; not read for rows that
  /// were not there. Default: 1 for all rows.
  std::optional<AnyView> weights = std::nullopt;
  /// Steps between that layout and this one, 1 ….
  std::int64_t steps_ago = 1;
};

struct UmapOptions {
  /// Rows in a neighbourhood, the row itself counted as in umap-learn, 2 …; more than there are rows are clamped, with
  /// a warning. Small numbers show detail, large ones the whole. Default 15. Unused where neighbours are given.
  std::int64_t n_neighbors = 15;
  /// Of the layout: 2 or 3.
  std::int64_t dimensions = 2;
  /// Distance below which rows of the layout need not come closer, 0 … spread.
  double min_dist = 0.1;
  /// Unit of the layout: how fast the pull falls off beyond min_dist, above 0.
  double spread = 1;
  /// Passes over the graph, 0 …. Default: 500 for up to 10,000 rows, else 200, as umap-learn. A warm start (`initial`
  /// together with references) takes 60 and 40.
  std::optional<std::int64_t> epochs = std::nullopt;
  /// Step of the first epoch in units of the layout, above 0; it falls linearly to 0. Default: 1; 0.5 for a warm start.
  std::optional<double> learning_rate = std::nullopt;
  /// Random rows that push for each edge that pulls, 0 ….
  std::int64_t negative_sample_rate = 5;
  /// Distance of the rows.
  Metric metric = Metric::euclidean;
  /// How neighbours are searched.
  KnnMethod knn_method = KnnMethod::automatic;
  /// int32 or int64 [n, any]: row numbers from which the approximate search starts, such as those of an earlier epoch.
  std::optional<AnyView> initial_neighbors = std::nullopt;
  /// Where the rows start.
  UmapInitialization initialization = UmapInitialization::spectral;
  /// float32 or float64 [n, dimensions], with UmapInitialization::given: taken as they are. A row with NaN starts at
  /// the weighted mean of its neighbours.
  std::optional<AnyView> initial = std::nullopt;
  /// Nearest neighbours taken to be connected for certain, 0 …; fractions interpolate.
  double local_connectivity = 1;
  /// How the directions of an edge are joined: 1 by fuzzy union, 0 by fuzzy intersection.
  double set_op_mix_ratio = 1;
  /// Weight of the push of negative samples, 0 ….
  double repulsion_strength = 1;
  /// The curve 1 / (1 + a·d^(2b)) of an edge's weight by distance in the layout, both above 0. Default: fitted to
  /// min_dist and spread.
  std::optional<double> a = std::nullopt;
  std::optional<double> b = std::nullopt;
  /// Earlier layouts that rows are held to.
  std::vector<UmapReference> references = {};
  /// How strongly, 0 …. Default 1e-2, as AlignedUMAP.
  double alignment = 1e-2;
  /// Rows with NaN or infinity. Default: refuse them.
  NonFiniteRows non_finite = NonFiniteRows::error;
  std::uint64_t seed = 0;
  /// Threads at most; 0 means every core. The result does not depend on it.
  int threads = 0;
  /// Told how far the computation is; may be empty.
  Progress progress = {};
  /// Asks the computation to end, with Error(cancelled).
  std::stop_token stop = {};
};

/// Wall time of the stages.
struct UmapSeconds {
  double neighbors = 0;
  double graph = 0;
  double initialization = 0;
  double optimization = 0;
};

/// What umap() makes of m rows.
struct Umap {
  /// float32 [m, dimensions].
  Tensor embedding;
  /// The row of the matrix given for each of the m, where rows were left out; else empty: they are 0 … m − 1.
  std::vector<std::int64_t> rows;
  /// Rows left out for NaN or infinity.
  std::int64_t dropped_rows = 0;
  /// The neighbours that the graph was made of, a row not among its own.
  Neighbors neighbors;
  /// Epochs done, and those after which the step is 0.
  std::int64_t epochs = 0;
  std::int64_t planned_epochs = 0;
  /// The curve 1 / (1 + a·d^(2b)).
  double a = 0;
  double b = 0;
  /// The initialisation that was used, and why.
  UmapInitialization initialization = UmapInitialization::spectral;
  std::string initialization_reason;
  /// Connected components of the graph, and its edges, each counted once.
  std::int64_t components = 0;
  std::int64_t edges = 0;
  UmapSeconds seconds;
  /// What was changed on the way, one sentence each.
  std::vector<std::string> warnings;
};

namespace detail {
class UmapRun;
}

/// A layout under way. run(3) and run(4) give the bits of run(7).
class UmapState {
 public:
  /// Searches neighbours, makes the graph and places the rows; nothing given is needed afterwards. Throws as umap().
  explicit UmapState(const AnyView& x, const UmapOptions& options = {});
  explicit UmapState(const Neighbors& neighbors, const UmapOptions& options = {});
  UmapState(UmapState&& other) noexcept;
  UmapState& operator=(UmapState&& other) noexcept;
  ~UmapState();

  /// Does up to so many epochs more; returns how many it did. Throws Error(cancelled).
  std::int64_t run(std::int64_t epochs);
  /// Epochs done.
  std::int64_t epoch() const noexcept;
  /// Epochs after which the step is 0, and run() does nothing.
  std::int64_t planned_epochs() const noexcept;
  /// The layout as it is.
  Umap result() const;

 private:
  std::unique_ptr<detail::UmapRun> run_;
};

/// The layout of x[n, d], any element type and strides. Up to 3 rows lie on a line. Rows that are equal may come to lie
/// on one point.
///
/// Memory beyond the input: that of knn(), or twice the neighbours and 200 bytes a row.
///
/// Throws Error(empty) for no rows or columns; Error(invalid_argument) for options out of range, another rank than 2,
/// or values beyond 1e150; Error(too_large) for 2^31 rows or more; Error(non_finite) as `non_finite` says;
/// Error(cancelled).
Umap umap(const AnyView& x, const UmapOptions& options = {});

/// The same of neighbours, such as knn() finds: indices and distances [m, k], a row not among its own. Throws
/// Error(invalid_argument) for row numbers outside the data, or distances that are negative or not finite.
Umap umap(const Neighbors& neighbors, const UmapOptions& options = {});

/// New rows in a layout that stays as it is.
struct UmapTransform {
  /// float32 [m, dimensions].
  Tensor embedding;
  /// As those of Umap, for the query.
  std::vector<std::int64_t> rows;
  std::int64_t dropped_rows = 0;
  std::int64_t epochs = 0;
  std::vector<std::string> warnings;
};

/// Lays out the rows of query[q, d] among those of data[n, d], of which `layout` was made: each starts at the weighted
/// mean of its neighbours in the data, and moves by their pull and by negative samples of the layout, as umap-learn's
/// transform(). Epochs default to 100 for up to 10,000 rows, else 30. `options` should be those of umap(). Throws as
/// umap(), and Error(invalid_argument) for a matrix that is not the one of the layout.
UmapTransform umap_transform(const Umap& layout, const AnyView& data, const AnyView& query,
                             const UmapOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/umap_inl.hpp>
#include <layerscope/impl/umap_transform_inl.hpp>
#endif
