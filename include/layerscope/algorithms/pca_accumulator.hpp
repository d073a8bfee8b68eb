// Principal components of rows that arrive in batches, or on several workers, without keeping them.
//
// The mean and the scatter matrix Σ(x − mean)(x − mean)ᵀ of two sets of rows give those of their union: Chan, Golub and
// LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", COMPSTAT 1982. The components
// are those of all rows, where incremental SVDs that keep k directions only approximate them.
#pragma once

#include <layerscope/algorithms/non_finite_rows.hpp>
#include <layerscope/algorithms/pca.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/dtype.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <cstdint>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

struct PcaAccumulatorOptions {
  /// Rows with NaN or infinity. Default: refuse the batch that holds one.
  NonFiniteRows non_finite = NonFiniteRows::error;
  /// Threads of add() and merge() at most; 0 means every core. The result does not depend on it.
  int threads = 0;
};

/// What pca() of all rows seen so far needs, as a value: batches are added, accumulators merged, in any order.
///
/// Products are taken in float64, so that the result depends on how the rows were cut into batches by rounding only
/// (some 1e-15 of the largest variance), and equals that of pca() of all rows at once to its own accuracy.
///
/// Memory: 8·d² bytes kept; with what add() and result() need meanwhile never more than 32·d² bytes and 1 MiB, batches
/// apart. The first batch settles d.
class PcaAccumulator {
 public:
  explicit PcaAccumulator(PcaAccumulatorOptions options = {}) : options_(options) {}

  /// Takes the rows of x[n, d], of any element type and strides, into account; O(n·d²). A batch that throws changes
  /// nothing. Throws Error(empty) for no rows or columns; Error(invalid_argument) for another rank than 2, values
  /// beyond 1e150, or another number of columns than before; Error(non_finite) as the options say. With
  /// NonFiniteRows::drop a batch of which nothing is left is counted, and no error.
  void add(const AnyView& x);

  /// Takes the rows of another accumulator into account; O(d²). Throws Error(invalid_argument) when its columns are
  /// not as many. One that has seen nothing changes nothing.
  void merge(const PcaAccumulator& other);

  /// The components of all rows so far, by PcaSolver::covariance. Throws Error(empty) before the first row,
  /// Error(invalid_argument) for options out of range and for the solvers gram and randomized, which need the rows,
  /// Error(cancelled). PcaOptions::non_finite says nothing here.
  Pca result(const PcaOptions& options = {}) const;

  /// Rows taken, rows left out for NaN or infinity, and columns (0 before the first batch).
  std::int64_t rows() const noexcept { return rows_; }
  std::int64_t dropped_rows() const noexcept { return dropped_; }
  std::int64_t columns() const noexcept { return columns_; }

 private:
  /// Gives the sums room and the power of two that this magnitude needs.
  void prepare(std::int64_t columns, double magnitude);
  void note_type(DType dtype) noexcept;

  PcaAccumulatorOptions options_;
  std::int64_t rows_ = 0;
  std::int64_t dropped_ = 0;
  std::int64_t columns_ = 0;
  DType coarsest_ = DType::f64;  // of the element types seen, for the rank
  double scale_ = 1;             // values are multiplied by it
  double magnitude_ = 0;         // the largest, not scaled
  std::vector<double> mean_;     // [d]
  std::vector<double> scatter_;  // [d, d], upper triangle
};

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/pca_accumulator_inl.hpp>
#endif
