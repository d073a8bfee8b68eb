// t-SNE: points of the plane or of space whose near neighbours are those of the rows of a matrix.
//
// Van der Maaten and Hinton, "Visualizing Data using t-SNE", JMLR 9 (2008). Affinities over the nearest 3 · perplexity
// rows, and repulsion by a tree of cells: van der Maaten, JMLR 15 (2014). Repulsion on a grid by FFT in the manner of
// Linderman et al., "Fast interpolation-based t-SNE" (Nature Methods 16, 2019), here with cubic B-splines and their
// derivatives as in smooth particle-mesh Ewald (Essmann et al., J. Chem. Phys. 103, 1995): one real convolution an
// iteration. Learning rate and initialisation after Belkina et al. (2019) and Kobak and Berens (2019), Nature
// Communications 10. Anchors after Rauber, Falcão and Telea, "Visualizing time-dependent data using dynamic t-SNE"
// (EuroVis 2016).
#pragma once

#include <layerscope/algorithms/knn.hpp>
#include <layerscope/algorithms/non_finite_rows.hpp>
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

/// How the repulsion between all pairs is summed.
enum class TsneRepulsion : std::uint8_t {
  automatic,      ///< each iteration takes the one that costs least, by n and the span of the layout
  exact,          ///< pair by pair
  tree,           ///< cells of far points count as one (Barnes–Hut)
  interpolation,  ///< on a grid of a third of a unit by FFT: forces within some 2 %; two dimensions. Where the layout
                  ///< spans over a thousand units both ways, by the tree
};

/// "automatic", "exact", "tree", "interpolation".
const char* name(TsneRepulsion repulsion) noexcept;
/// The one of that name. Throws Error(invalid_argument).
TsneRepulsion tsne_repulsion_from_name(std::string_view name);

struct TsneOptions {
  /// Of the layout, 2 or 3. Default 2.
  int dimensions = 2;
  /// Effective number of neighbours of each point, at least 1; above a third of the neighbours there are it is clamped,
  /// with a warning. Default 30.
  double perplexity = 30;
  /// How far apart rows are. Default: euclidean.
  Metric metric = Metric::euclidean;
  /// How the nearest 3 · perplexity rows are searched. Default: by the shape.
  KnnMethod neighbors = KnnMethod::automatic;
  /// Iterations in all, 0 …. Default: 750 up to 10,000 rows, 500 above; 100 with anchors.
  std::optional<int> iterations = std::nullopt;
  /// The first of them, 0 …, in which affinities are multiplied by early_exaggeration. Default: a quarter, at most 125;
  /// none with anchors.
  std::optional<int> early_iterations = std::nullopt;
  /// Default 12, at least 1.
  double early_exaggeration = 12;
  /// Of the rest, at least 1; more draws clusters together (Böhm, Berens and Kobak, JMLR 23, 2022). Default 1.
  double exaggeration = 1;
  /// Step length, above 0. Default: n / 12, at least 20, during early iterations, and four times that after them.
  std::optional<double> learning_rate = std::nullopt;
  /// How repulsion is summed. Default: automatic.
  TsneRepulsion repulsion = TsneRepulsion::automatic;
  /// Of the tree, in (0, 1]: a cell counts as one body for points farther away than its side divided by this. Default
  /// 0.5.
  double angle = 0.5;
  /// Starting layout, [n, dimensions] of numbers up to 1e9 in magnitude, used as it is. Default: the anchors; else the
  /// leading principal components, or noise where only neighbours are given, scaled to a standard deviation of 1e-4.
  std::optional<Tensor> initial = std::nullopt;
  /// Where points were in an earlier layout, [n, dimensions]; NaN where a row is new, which then starts among its
  /// neighbours. Adds anchor_strength / (2n) Σ weight · ‖y − anchor‖² to what is minimised. Default: none.
  std::optional<Tensor> anchors = std::nullopt;
  /// Default 0.1, at least 0.
  double anchor_strength = 0.1;
  /// The weights, [n] of numbers from 0 to 1e9: less for rows that have moved. Default: 1 for all.
  std::optional<Tensor> anchor_weights = std::nullopt;
  /// Rows with NaN or infinity. Default: refuse them.
  NonFiniteRows non_finite = NonFiniteRows::error;
  /// Of the noise that parts equal points. Default 0.
  std::uint64_t seed = 0;
  /// Threads at most; 0 means every core. The result does not depend on it.
  int threads = 0;
  /// Told how far the computation is; may be empty.
  Progress progress = {};
  /// Asks the computation to end, with Error(cancelled).
  std::stop_token stop = {};
};

/// Wall time spent, in seconds.
struct TsneSeconds {
  double neighbors = 0;
  double affinities = 0;
  double initialization = 0;
  double optimization = 0;
};

/// A layout, as tsne() and TsneState::result() give it.
struct Tsne {
  /// float32 [m, dimensions], m being the rows that entered.
  Tensor embedding;
  /// Kullback–Leibler divergence KL(P‖Q) over the neighbours kept, without exaggeration and anchors; 0 for fewer than
  /// two rows. The normalisation of Q is summed as repulsion is.
  double kl = 0;
  /// Iterations done, and those of them whose repulsion was summed on a grid or by a tree.
  int iterations = 0;
  int interpolated_iterations = 0;
  int tree_iterations = 0;
  /// The perplexity used.
  double perplexity = 0;
  /// Row of the input that each of the m rows is, where rows were left out; else empty.
  std::vector<std::int64_t> rows;
  std::int64_t dropped_rows = 0;
  TsneSeconds seconds;
  /// What was changed on the way, one sentence each.
  std::vector<std::string> warnings;
};

/// t-SNE under way: a training loop can spend a few iterations at a time.
///
///   TsneState state(x, options);
///   while (state.iteration() < state.iterations()) state.run(10);
class TsneState {
 public:
  /// Finds neighbours, affinities and the starting layout of x[n, d], any element type and strides. Throws
  /// Error(empty) for no rows or columns; Error(invalid_argument) for options out of range, `initial` or `anchors` of
  /// another shape, NaN or infinity in `initial`, interpolation in three dimensions; and what knn() and pca() throw.
  /// Where rows are left out, `initial` and `anchors` have a row for each of those left.
  explicit TsneState(const AnyView& x, TsneOptions options = {});
  /// The same from neighbours that are there already, themselves excluded. `metric`, `neighbors` and `non_finite` are
  /// not used.
  explicit TsneState(const Neighbors& neighbors, TsneOptions options = {});
  ~TsneState();
  TsneState(TsneState&&) noexcept;
  TsneState& operator=(TsneState&&) noexcept;

  /// Does up to `iterations` more, not beyond iterations(). Throws Error(cancelled), after which it may be called
  /// again.
  void run(int iterations);

  /// Iterations done.
  int iteration() const noexcept;
  /// Iterations wanted in all: the option, or what stands for it.
  int iterations() const noexcept;
  /// The layout as it stands, with its KL divergence. Not while run() is under way in another thread.
  Tsne result() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A layout of the rows of x[n, d]. Time: n · perplexity an iteration, beside the repulsion and the search of
/// neighbours. Memory beyond the input and the neighbours: at most 16 bytes for each neighbour and 150 for each row,
/// and 13 for each node of a grid. Throws as TsneState.
Tsne tsne(const AnyView& x, const TsneOptions& options = {});

/// The same of neighbours.
Tsne tsne(const Neighbors& neighbors, const TsneOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/tsne_inl.hpp>
#endif
