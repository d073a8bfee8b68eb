// Which units of a layer do nothing, or the same as others, and how many directions the layer really uses.
//
// Effective rank: Roy and Vetterli, "The Effective Rank: A Measure of Effective Dimensionality" (EUSIPCO 2007).
// Participation ratio: of the eigenvalues of the covariance, as in Gao et al., "A theory of multineuronal
// dimensionality" (2017). Saturation: Rakitianskaia and Engelbrecht, "Measuring Saturation in Neural Networks" (2015).
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/image.hpp>
#include <layerscope/core/layout.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

/// What is taken off a matrix before its singular values are found.
enum class Centring : std::uint8_t {
  columns,  ///< the mean of each column, so that they are roots of the covariance's eigenvalues
  none,     ///< nothing, as Roy and Vetterli define the effective rank
};

struct EffectiveRankOptions {
  /// Default: columns.
  Centring centring = Centring::columns;
  /// Threads at most; 0 means every core. The result does not depend on it.
  int threads = 0;
};

struct EffectiveRank {
  /// exp of the entropy of the singular values divided by their sum, from 1 to the rank; 0 where all are 0.
  double effective_rank = 0;
  /// (Σ λ)² / Σ λ² of their squares, from 1 to the rank; 0 where all are 0.
  double participation_ratio = 0;
  /// Singular values that are not 0: those below 1e-7 of the largest count as 0.
  std::int64_t rank = 0;
  std::vector<double> singular_values;  ///< falling, min(rows, columns) of them
};

/// Of x[n, …], later axes flattened, any element type and strides; n·k² operations for the smaller side k. Throws
/// Error(empty) without elements, Error(non_finite) naming the first number that is not finite,
/// Error(invalid_argument) for values beyond 1e60.
EffectiveRank effective_rank(const AnyView& x, const EffectiveRankOptions& options = {});

struct UnitHealthOptions {
  /// What the activation function cannot leave, such as {0, 1} of a sigmoid and {-1, 1} of tanh, finite, min < max.
  /// Default: none, and no unit is called saturated.
  std::optional<Range> bounds = std::nullopt;
  /// A number is saturated within this share of the distance of the bounds from one of them, in (0, 0.5). Default 0.05.
  double margin = 0.05;
  /// A unit is saturated when this share of its numbers is, in (0, 1]. Default 0.95.
  double saturated_share = 0.95;
  /// Two units are duplicates from this |correlation| on, in (0, 1]. Default 0.99.
  double duplicate_correlation = 0.99;
  /// Threads at most; 0 means every core. The result does not depend on it.
  int threads = 0;
};

struct UnitHealth {
  std::int64_t units = 0;
  std::int64_t numbers = 0;                           ///< of each unit that entered: samples times positions
  std::vector<std::int64_t> dead;                     ///< put out nothing but 0 (DeadRule::zero)
  std::vector<std::int64_t> constant;                 ///< put out one other number only
  std::vector<std::int64_t> saturated;                ///< see UnitHealthOptions; constant ones may be among them
  std::vector<std::vector<std::int64_t>> duplicates;  ///< groups of two or more, linked by correlation, mirrored or not
  Tensor correlation;                                 ///< float64 [units, units]; NaN for units that do not vary
  EffectiveRank rank;                                 ///< of the numbers, centred
  std::vector<std::string> warnings;
};

/// Of what a layer puts out. The unit is axis C of the layout, else O, else D; a number of it is one sample at one
/// position. Rows with NaN or infinity in any unit are left out of correlations and rank, with a warning. Throws
/// Error(empty) without elements or finite rows, Error(invalid_argument) for a layout without units or of another rank,
/// more than 2048 units, values beyond 1e60, and options out of range.
UnitHealth unit_health(const AnyView& outputs, const Layout& layout, const UnitHealthOptions& options = {});

/// "64 units, 3 dead (1, 7, 8), 2 groups of duplicates (0 4; 5 9 11); effective rank 41.2, participation ratio 12.9".
std::string describe(const UnitHealth& of);

struct UnitHealthChartOptions {
  /// First line. Default none.
  std::string title{};
};

/// The correlation of every two units, from blue (-1) over white to red (1), units that do not vary in magenta; below,
/// describe() and the warnings. Throws Error(empty) without units.
Image unit_health_chart(const UnitHealth& of, const UnitHealthChartOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/unit_health_inl.hpp>
#endif
