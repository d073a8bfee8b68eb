// Matrix products of float32 and float64 over raw pointers: general, symmetric, and squared Euclidean distances.
//
// Packed panels and register tiles after Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication"
// (ACM TOMS 34(3), 2008), and BLIS (ACM TOMS 41(3), 2015). The instruction set is chosen at run time (isa.hpp). Every
// element of a result is summed in one fixed order, so the bits do not depend on the number of threads.
//
// `threads` <= 0 means every core. Sizes may be zero; pointers of empty matrices are not read. Nothing is checked here:
// these are the inner functions, their callers validate.
#pragma once

#include <layerscope/config.hpp>

#include <cstdint>

namespace layerscope::inline LAYERSCOPE_ABI {

/// A borrowed matrix: element (r, c) is data[r * row_stride + c * column_stride], minus row_shift[r] and
/// column_shift[c] where those are given (centring without a centred copy). Strides count elements, any sign.
template <class T>
struct StridedMatrix {
  const T* data = nullptr;
  std::int64_t row_stride = 0;
  std::int64_t column_stride = 1;
  const T* row_shift = nullptr;
  const T* column_shift = nullptr;

  constexpr StridedMatrix transposed() const noexcept {
    return {data, column_stride, row_stride, column_shift, row_shift};
  }
};

/// C[m, n] = A[m, k] · B[k, n], rows of C `c_stride` apart; A · Bᵀ is `matmul(…, a, b.transposed(), …)`. C must not
/// overlap A or B. Sums are taken in the element type, 256 products at a time.
void matmul(std::int64_t m, std::int64_t n, std::int64_t k, StridedMatrix<float> a, StridedMatrix<float> b, float* c,
            std::int64_t c_stride, int threads);
void matmul(std::int64_t m, std::int64_t n, std::int64_t k, StridedMatrix<double> a, StridedMatrix<double> b, double* c,
            std::int64_t c_stride, int threads);

/// How the products inside a symmetric product of float32 values are taken.
enum class ProductPrecision : std::uint8_t {
  single_blocks,  ///< float32 within blocks of 256 rows, float64 between blocks: relative error of a sum near 1e-7
  full_double,    ///< float64 throughout, at half the speed
};

/// C[columns, columns] = XᵀX for X[rows, columns], both triangles, contiguous rows. For X · Xᵀ pass the transposed X.
/// Half the arithmetic of a general product. Memory beyond C: at most 8 · columns² bytes and 2 MiB.
void symmetric_product(std::int64_t rows, std::int64_t columns, StridedMatrix<float> x, double* c,
                       ProductPrecision precision, int threads);
void symmetric_product(std::int64_t rows, std::int64_t columns, StridedMatrix<double> x, double* c, int threads);

/// The same, added to the upper triangle of C alone: for sources that arrive in blocks of rows.
void add_symmetric_product(std::int64_t rows, std::int64_t columns, StridedMatrix<float> x, double* c,
                           ProductPrecision precision, int threads);
void add_symmetric_product(std::int64_t rows, std::int64_t columns, StridedMatrix<double> x, double* c, int threads);

/// Copies the upper triangle of C[n, n] to the lower one.
void mirror_upper_triangle(std::int64_t n, double* c);

/// out[m] = Σ_c a(r, c)² over `k` columns, summed in float64.
void squared_norms(std::int64_t m, std::int64_t k, StridedMatrix<float> a, float* out, int threads);

/// out[m, n] = ‖a_i − b_j‖² for rows a_i of A[m, k] and b_j of B[n, k], as ‖a‖² + ‖b‖² − 2a·b, never negative.
/// The absolute error is near 1e-7 · (‖a‖² + ‖b‖²): centre the data first where that matters. `a_norms` and `b_norms`
/// are what squared_norms() gives.
void squared_distances(std::int64_t m, std::int64_t n, std::int64_t k, StridedMatrix<float> a, const float* a_norms,
                       StridedMatrix<float> b, const float* b_norms, float* out, std::int64_t out_stride, int threads);

/// For loops over many pairs of blocks: rows packed once in the order that the inner kernel reads.
/// Number of floats that pack_rows() writes for `rows` rows of `k` columns.
std::int64_t packed_size(std::int64_t rows, std::int64_t k);
/// Packs rows of A[rows, k] into `packed`, which is aligned to 64 bytes.
void pack_rows(std::int64_t rows, std::int64_t k, StridedMatrix<float> a, float* packed, int threads);
/// squared_distances() of two packed blocks, on the calling thread. `scratch` has packed_scratch_size() floats aligned
/// to 64 bytes.
void squared_distances_packed(std::int64_t m, std::int64_t n, std::int64_t k, const float* a_packed,
                              const float* a_norms, const float* b_packed, const float* b_norms, float* out,
                              std::int64_t out_stride, float* scratch);
std::int64_t packed_scratch_size();

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/kernels/matmul_inl.hpp>
#endif
