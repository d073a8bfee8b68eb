// The inner kernels of the matrix products, one set per instruction set.
//
// A *panel* holds `panel_rows` rows of an operand, interleaved: [depth][panel_rows]. Both operands of a product are
// panels; a *strip* is a narrower cut of the left one, [depth][strip_rows], small enough for the second cache. The
// inner kernel keeps a *tile* of strip_rows × panel_rows sums in registers.
#pragma once

#include <layerscope/core/kernels/isa.hpp>
#include <layerscope/core/kernels/matmul.hpp>
#include <layerscope/impl/kernels/x86_inl.hpp>

#include <cstdint>

#ifdef LAYERSCOPE_X86_KERNELS_
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// What becomes of a finished tile.
enum class Put : std::uint8_t {
  store,
  add,
  add_to_double,
  distance,           ///< row_norm + column_norm − 2 · tile
  add_then_distance,  ///< the same with the product so far, which is in C
};

/// C[rows, columns] from strips and panels of one depth block. Positions in C, norms and panels are relative to the
/// job; first_row and first_column are its place in a symmetric product, of which only the upper triangle is computed.
template <class Real>
struct TileJob {
  const Real* strips;
  const Real* panels;
  std::int64_t panel_stride;
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t depth;
  Put put;
  Real* c;
  double* c_double;
  std::int64_t c_stride;
  std::int64_t first_row;
  std::int64_t first_column;
  const Real* row_norms;
  const Real* column_norms;
};

/// Rows [first_row, first_row + rows) at depths [first_depth, first_depth + depth) of the source, whose columns are the
/// depth, to groups [depth][group], group_stride apart; missing rows of the last group are zero.
template <class Source, class Real>
struct PackJob {
  StridedMatrix<Source> source;
  std::int64_t first_row;
  std::int64_t rows;
  std::int64_t first_depth;
  std::int64_t depth;
  std::int64_t group;
  std::int64_t group_stride;
  Real* to;
};

/// The kernels of one level.
template <class Real>
struct GemmKernels {
  void (*multiply_block)(const TileJob<Real>&);
  void (*strips_from_panels)(const Real*, std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t, Real*);
  std::int64_t panel_rows;
  std::int64_t strip_rows;
};

struct PackKernels {
  void (*depth_contiguous)(const PackJob<float, float>&);
  void (*rows_contiguous)(const PackJob<float, float>&);
};

/// All that the drivers need of a level.
struct MatrixKernels {
  GemmKernels<float> f32;
  GemmKernels<double> f64;
  PackKernels pack;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

#define LAYERSCOPE_KERNEL_BODY <layerscope/impl/kernels/gemm_body.inc>
#include <layerscope/impl/kernels/for_each_level.inc>
#undef LAYERSCOPE_KERNEL_BODY
#define LAYERSCOPE_KERNEL_BODY <layerscope/impl/kernels/pack_body.inc>
#include <layerscope/impl/kernels/for_each_level.inc>
#undef LAYERSCOPE_KERNEL_BODY

namespace layerscope::inline LAYERSCOPE_ABI::detail {

#define LAYERSCOPE_MATRIX_KERNELS(level)                                                                              \
  MatrixKernels {                                                                                                     \
    {level::f32::multiply_block, level::f32::strips_from_panels, level::f32::panel_rows, level::f32::strip_rows},     \
        {level::f64::multiply_block, level::f64::strips_from_panels, level::f64::panel_rows, level::f64::strip_rows}, \
        {level::pack_depth_contiguous, level::pack_rows_contiguous},                                                  \
  }

inline constexpr MatrixKernels portable_matrix_kernels = LAYERSCOPE_MATRIX_KERNELS(level_portable);
#ifdef LAYERSCOPE_X86_KERNELS_
inline constexpr MatrixKernels avx2_matrix_kernels = LAYERSCOPE_MATRIX_KERNELS(level_avx2);
inline constexpr MatrixKernels avx512_matrix_kernels = LAYERSCOPE_MATRIX_KERNELS(level_avx512);
#endif

/// The kernels of a level that this processor supports.
LAYERSCOPE_INLINE const MatrixKernels& matrix_kernels(IsaLevel level) noexcept {
#ifdef LAYERSCOPE_X86_KERNELS_
  if (level == IsaLevel::avx512) return avx512_matrix_kernels;
  if (level == IsaLevel::avx2) return avx2_matrix_kernels;
#endif
  static_cast<void>(level);
  return portable_matrix_kernels;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
