// Principal component analysis: the directions of largest variance of the rows of a matrix.
//
// Hotelling, "Analysis of a complex of statistical variables into principal components", J. Educ. Psych. 24 (1933).
// Exact solvers take the eigenvectors of the covariance matrix [d, d] or of the Gram matrix [n, n]; the leading ones
// by Chebyshev-filtered subspace iteration (Zhou, Saad, Tiago and Chelikowsky, J. Comput. Phys. 219, 2006). The
// randomized one is subspace iteration with Rayleigh–Ritz (Halko, Martinsson and Tropp, SIAM Rev. 53, 2011, Alg. 4.4).
#pragma once

#include <layerscope/algorithms/non_finite_rows.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/progress.hpp>
#include <layerscope/core/tensor.hpp>

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

enum class PcaSolver : std::uint8_t {
  automatic,   ///< covariance for d ≤ n, gram for n < d; randomized where both exceed 4096 and k is below an eighth
  covariance,  ///< exact, by the covariance matrix: n·d² operations, 32·d² bytes
  gram,        ///< exact, by the products of rows: d·n² operations, for n < d
  randomized,  ///< approximate: the last components lose a few percent of their variance where the spectrum is flat
};

/// "automatic", "covariance", "gram", "randomized".
const char* name(PcaSolver solver) noexcept;

struct PcaOptions {
  /// Components wanted, 1 …; more than min(n, d) are clamped to it, with a warning. Default: min(n, d).
  std::optional<std::int64_t> components = std::nullopt;
  /// How they are computed. Default: by the shape.
  PcaSolver solver = PcaSolver::automatic;
  /// Extra directions that the randomized solver carries along, 0 …; more is more accurate. Default 10, as Halko et al.
  std::int64_t oversampling = 10;
  /// Passes of the randomized solver over the data beyond the first, 0 …. Default 4, as scikit-learn for most shapes.
  std::int64_t power_iterations = 4;
  /// Rows with NaN or infinity. Default: refuse them.
  NonFiniteRows non_finite = NonFiniteRows::error;
  /// Seed of the starting directions. Exact solvers converge to the same components for any seed, up to rounding.
  std::uint64_t seed = 0;
  /// Threads at most; 0 means every core. The result does not depend on it.
  int threads = 0;
  /// Told how far the computation is; may be empty.
  Progress progress = {};
  /// Asks the computation to end, with Error(cancelled).
  std::stop_token stop = {};
};

/// What pca() finds. n rows, d columns, k components.
struct Pca {
  /// float64 [d]: the mean of each column.
  Tensor mean;
  /// float64 [k, d]: orthonormal rows by falling variance, the entry of largest magnitude positive. Rows beyond `rank`
  /// are zero.
  Tensor components;
  /// [k]: variance along each component, with n − 1 in the denominator; 0 beyond `rank` and for n = 1.
  std::vector<double> explained_variance;
  /// [k]: the same over total_variance; 0 when that is 0.
  std::vector<double> explained_variance_ratio;
  /// Sum of the variances of all columns.
  double total_variance = 0;
  /// How many of the components found have a variance above the rounding of the input.
  std::int64_t rank = 0;
  /// Rows that entered, and rows left out for NaN or infinity.
  std::int64_t rows = 0;
  std::int64_t dropped_rows = 0;
  /// The solver that was used, never `automatic`.
  PcaSolver solver = PcaSolver::covariance;
  /// What was changed on the way, one sentence each.
  std::vector<std::string> warnings;

  /// Coordinates of the rows of x[n, d] along the components: [n, k], float64 for a float64 x, else float32. Rows with
  /// NaN or infinity are refused or left out, as `non_finite` says. Throws Error(invalid_argument) when the columns are
  /// not those of the fit, Error(non_finite).
  Tensor transform(const AnyView& x, int threads = 0, NonFiniteRows non_finite = NonFiniteRows::error) const;

  /// The rows whose coordinates are scores[n, k]: [n, d], float64 for float64 scores, else float32. Throws
  /// Error(invalid_argument) when the columns are not the k components.
  Tensor inverse_transform(const AnyView& scores, int threads = 0) const;
};

/// The leading principal components of x[n, d], any element type and strides. float32 and float64 are read in place.
///
/// Few components of a large matrix cost n·d² operations in float32 arithmetic with float64 sums, refined on the data:
/// variances are exact to some 2e-7 of themselves. Small inputs, many components, and variances below 1e-4 of the
/// largest take float64 arithmetic throughout. Values from 1e-45 to 1e150 in magnitude are taken.
///
/// Throws Error(empty) for no rows or columns; Error(invalid_argument) for options out of range, another rank than 2,
/// or values beyond 1e150; Error(non_finite) as `non_finite` says; Error(cancelled).
Pca pca(const AnyView& x, const PcaOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/pca_inl.hpp>
#include <layerscope/impl/pca_transform_inl.hpp>
#endif
