// How alike two layers see the same samples: of one network, of two, or of one at two times.
//
// Linear CKA: Kornblith, Norouzi, Lee and Hinton, "Similarity of Neural Network Representations Revisited" (ICML 2019).
// Debiased CKA: the same ratio of the unbiased estimator HSIC_1 (Song, Smola, Gretton, Bedo and Borgwardt, "Feature
// Selection via Dependence Maximization", JMLR 13, 2012, equation 5); averaged over minibatches: Nguyen, Raghu and
// Kornblith, "Do Wide and Deep Networks Learn the Same Things?" (ICLR 2021, section 3.1). Orthogonal Procrustes: Ding,
// Denain and Steinhardt, "Grounding Representation Similarity with Statistical Testing" (NeurIPS 2021, section 2).
//
// A representation is a tensor [n, …] with a row for each of n samples, the same samples for all; what follows the
// first axis is flattened, and the representations may differ in it. Nothing depends on the order of samples or
// features, on a rotation or reflection of the features, a factor, or an offset of each feature.
#pragma once

#include <layerscope/algorithms/non_finite_rows.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/image.hpp>
#include <layerscope/core/progress.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {
struct SimilarityAccess;
}

enum class SimilarityMeasure : std::uint8_t {
  /// ‖XᵀY‖² / (‖XᵀX‖ ‖YᵀY‖) of centred columns, in [0, 1]; 1 for representations that a rotation and a factor turn into
  /// each other. Biased upwards where there are more features than samples.
  linear_cka,
  /// HSIC_1(X, Y) / √(HSIC_1(X, X) HSIC_1(Y, Y)): about 0 for independent representations whatever their width, hence
  /// also below 0; at most about 1. At least 4 samples.
  debiased_cka,
  /// 2 − 2‖XᵀY‖_* of centred columns scaled to ‖X‖ = ‖Y‖ = 1, in [0, 2]: the least squared distance of X from any
  /// rotation of Y. A distance: 0 for representations that are turned into each other.
  procrustes,
};

/// "linear CKA", "debiased CKA", "Procrustes distance".
const char* name(SimilarityMeasure measure) noexcept;

struct SimilarityOptions {
  /// Samples with NaN or infinity in any of the representations. Default: refuse them.
  NonFiniteRows non_finite = NonFiniteRows::error;
  /// Threads at most; 0 means every core. The result does not depend on it.
  int threads = 0;
  /// Asks the computation to end, with Error(cancelled).
  std::stop_token stop = {};
};

/// The three measures of x[n, …] and y[n, …], of any element types and strides, in float64. They throw Error(empty)
/// without samples or features; Error(invalid_argument) for numbers of samples that differ, fewer than 2 (debiased: 4)
/// of them, values beyond 1e60 in magnitude, and where the measure is undefined: a representation that is constant over
/// the samples, or (debiased) whose HSIC_1 with itself is not positive; Error(non_finite), Error(cancelled).
double linear_cka(const AnyView& x, const AnyView& y, const SimilarityOptions& options = {});
double debiased_cka(const AnyView& x, const AnyView& y, const SimilarityOptions& options = {});
double procrustes_distance(const AnyView& x, const AnyView& y, const SimilarityOptions& options = {});

/// What a layer makes of n samples.
struct Representation {
  std::string name;
  AnyView values;  ///< [n, …]
};

/// A measure of each pair of two lists of layers.
struct SimilarityMatrix {
  SimilarityMeasure measure = SimilarityMeasure::linear_cka;
  std::vector<std::string> row_names;
  std::vector<std::string> column_names;
  std::vector<double> values;  ///< [rows, columns]; NaN where it is undefined, which a warning names
  std::int64_t samples = 0;    ///< that entered
  std::int64_t dropped_samples = 0;
  std::vector<std::string> warnings;

  double operator()(std::size_t row, std::size_t column) const noexcept {
    return values[row * column_names.size() + column];
  }
};

/// Every layer against every layer. Sums of products of features, or of samples, whichever are fewer: at most
/// 8·min((Σ features)², layers·n²) bytes beside the layer that is read. Throws as the measures do, but an undefined one
/// is NaN with a warning; Error(empty) without layers.
SimilarityMatrix similarity(std::span<const Representation> layers,
                            SimilarityMeasure measure = SimilarityMeasure::linear_cka,
                            const SimilarityOptions& options = {});

/// Every layer of `rows` against every layer of `columns`, such as two checkpoints or two epochs.
SimilarityMatrix similarity(std::span<const Representation> rows, std::span<const Representation> columns,
                            SimilarityMeasure measure = SimilarityMeasure::linear_cka,
                            const SimilarityOptions& options = {});

/// The layers up to `first` as rows against the others as columns, of a matrix of all against all. Throws
/// Error(invalid_argument) for another matrix and unless 0 < first < its rows.
SimilarityMatrix between(const SimilarityMatrix& all, std::size_t first);

/// The same from minibatches that need not be kept: sums of products of features, so that the result is that of all
/// samples at once, to rounding. Memory: 8·(Σ features)² bytes; MinibatchCka takes layers too wide for that.
class SimilarityAccumulator {
 public:
  explicit SimilarityAccumulator(SimilarityOptions options = {}) : options_(std::move(options)) {}

  /// Takes a batch of samples into account, of the same layers in the same order each time. One that throws changes
  /// nothing. Throws as similarity(); Error(invalid_argument) for other layers than before, Error(too_large) for more
  /// than 32,768 features in all.
  void add(std::span<const Representation> batch);

  /// Every layer against every layer. Throws Error(empty) before the first sample.
  SimilarityMatrix result(SimilarityMeasure measure = SimilarityMeasure::linear_cka) const;

  std::int64_t samples() const noexcept { return samples_; }
  std::int64_t dropped_samples() const noexcept { return dropped_; }

 private:
  friend struct detail::SimilarityAccess;

  SimilarityOptions options_;
  std::vector<std::string> names_;
  std::vector<std::int64_t> begins_;  // [layers + 1] of the features of each
  std::int64_t samples_ = 0;
  std::int64_t dropped_ = 0;
  std::vector<double> origin_;   // [features] that is taken off, as variances want it
  std::vector<double> sums_;     // [features]
  std::vector<double> scatter_;  // [features, features], upper triangle
  std::vector<double> norms_;    // [layers]: Σ ‖x‖²
  std::vector<double> squares_;  // [layers, layers]: Σ ‖x‖²‖y‖²
  std::vector<double> cubes_;    // [layers, features]: Σ ‖x‖² z
};

/// Debiased CKA from minibatches of at least 4 samples: HSIC_1 of each batch, averaged. Unbiased for any size of batch,
/// noisier than of all samples at once; memory 8·layers² bytes beside one batch.
class MinibatchCka {
 public:
  explicit MinibatchCka(SimilarityOptions options = {}) : options_(std::move(options)) {}

  /// Takes a batch into account. Throws as SimilarityAccumulator::add() apart from Error(too_large), and
  /// Error(invalid_argument) for fewer than 4 samples.
  void add(std::span<const Representation> batch);

  /// Every layer against every layer. Throws Error(empty) before the first batch.
  SimilarityMatrix result() const;

  std::int64_t batches() const noexcept { return batches_; }
  std::int64_t samples() const noexcept { return samples_; }

 private:
  SimilarityOptions options_;
  std::vector<std::string> names_;
  std::vector<double> hsic_;  // [layers, layers], summed
  std::int64_t batches_ = 0;
  std::int64_t samples_ = 0;
  std::int64_t dropped_ = 0;
};

struct SimilarityChartOptions {
  /// First line. Default none.
  std::string title{};
  /// What the rows and the columns are: "epoch 3", "mnist.safetensors". Default none.
  std::string row_label{};
  std::string column_label{};
  /// Side of a cell in pixels, 1 to 256. Derived when absent: 40, less where there are more than 24 rows or columns.
  std::optional<std::int64_t> cell{};
  /// Small lines below. Default: number of samples, and the warnings of the matrix.
  std::optional<std::vector<std::string>> captions{};
};

/// A cell for each pair with its number where there is room, names at the left and below, a colour bar: 0 to 1 for CKA
/// (from the smallest number where that is below 0), 0 to 2 for Procrustes. NaN is magenta. Throws Error(empty) without
/// cells, Error(invalid_argument) where names and numbers do not match and for a cell out of range.
Image similarity_chart(const SimilarityMatrix& matrix, const SimilarityChartOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/similarity_accumulator_inl.hpp>
#include <layerscope/impl/similarity_chart_inl.hpp>
#include <layerscope/impl/similarity_inl.hpp>
#endif
