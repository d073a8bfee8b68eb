// Eigenpairs of symmetric positive semi-definite matrices: all of them, or the leading ones of a matrix that is only
// applied to blocks of vectors.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/parallel.hpp>

#include <cstdint>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Falling values[k] and orthonormal vectors[k, m], one in each row.
struct EigenPairs {
  std::vector<double> values;
  std::vector<double> vectors;
  /// Largest ‖C·v − λ·v‖ over the pairs, relative to the largest value; 0 for a dense solver.
  double residual = 0;
  /// Blocks of vectors that C was applied to.
  int applications = 0;
};

/// to[count, m] = from[count, m] · C: C applied to `count` vectors, one in each row.
using ApplyToRows = FunctionRef<void(const double* from, std::int64_t count, double* to)>;

/// The `k` leading pairs of C[m, m], of which the upper triangle is read, by tridiagonalisation.
EigenPairs dense_eigenpairs(std::int64_t m, std::int64_t k, const double* c);

/// The `k` leading pairs by Chebyshev-filtered subspace iteration, to a residual of `tolerance`
/// relative to the largest value. Empty when that does not
/// converge, which wants the dense solver.
EigenPairs leading_eigenpairs(std::int64_t m, std::int64_t k, double tolerance, std::uint64_t seed, int threads,
                              ApplyToRows apply);

/// The `k` leading pairs as Rayleigh–Ritz finds them in a random subspace of k + oversampling directions after
/// 1 + power_iterations applications.
EigenPairs randomized_eigenpairs(std::int64_t m, std::int64_t k, std::int64_t oversampling,
                                 std::int64_t power_iterations, std::uint64_t seed, int threads, ApplyToRows apply);

/// Makes rows[count, m] orthonormal in their order, as Gram and Schmidt would. Rows that depend on earlier ones become
/// arbitrary orthonormal ones.
void orthonormalize_rows(std::int64_t count, std::int64_t m, double* rows, int threads);

/// A symmetric matrix packed once for many products.
class PackedSymmetric {
 public:
  /// Copies both triangles of C[m, m].
  PackedSymmetric(std::int64_t m, const double* c, int threads);
  ~PackedSymmetric();
  PackedSymmetric(const PackedSymmetric&) = delete;
  PackedSymmetric& operator=(const PackedSymmetric&) = delete;

  /// to[count, m] = from[count, m] · C.
  void apply(const double* from, std::int64_t count, double* to) const;

 private:
  std::int64_t m_;
  int threads_;
  double* panels_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/symmetric_eigen_inl.hpp>
#endif
