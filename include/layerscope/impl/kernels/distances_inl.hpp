// Bodies of core/kernels/distances.hpp.
#pragma once

#include <layerscope/core/kernels/distances.hpp>
#include <layerscope/impl/kernels/matmul_inl.hpp>

#include <algorithm>

#define LAYERSCOPE_KERNEL_BODY <layerscope/impl/kernels/distances_body.inc>
#include <layerscope/impl/kernels/for_each_level.inc>
#undef LAYERSCOPE_KERNEL_BODY

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// The kernels of one level.
struct DistanceKernels {
  struct Sums {
    void (*gathered)(std::int64_t, const float*, const float*, std::int64_t, const std::int32_t*, std::int64_t, float*);
    double (*exact_of_floats)(std::int64_t, const double*, const float*, double, double);
    double (*exact_of_plain_floats)(std::int64_t, const double*, const float*, double, double);
    double (*exact_of_doubles)(std::int64_t, const double*, const double*, double, double);
    void (*tiles)(const TileJob<float>&);
  };
  Sums squared;
  Sums absolute;
  void (*panel_norms)(std::int64_t, const float*, float*);
  std::int64_t (*find_within)(const float*, std::int64_t, float, const float*, std::int32_t*);

  constexpr const Sums& of(Difference what) const noexcept { return what == Difference::squared ? squared : absolute; }
};

#define LAYERSCOPE_DISTANCE_KERNELS(level)                                                                             \
  DistanceKernels {                                                                                                    \
    {level::gathered_squared, level::exact_squared, level::plain_squared, level::exact_squared, level::squared_tiles}, \
        {level::gathered_absolute, level::exact_absolute, level::plain_absolute, level::exact_absolute,                \
         level::absolute_tiles},                                                                                       \
        level::panel_norms, level::find_within,                                                                        \
  }

inline constexpr DistanceKernels portable_distance_kernels = LAYERSCOPE_DISTANCE_KERNELS(level_portable);
#ifdef LAYERSCOPE_X86_KERNELS_
inline constexpr DistanceKernels avx2_distance_kernels = LAYERSCOPE_DISTANCE_KERNELS(level_avx2);
inline constexpr DistanceKernels avx512_distance_kernels = LAYERSCOPE_DISTANCE_KERNELS(level_avx512);
#endif
#undef LAYERSCOPE_DISTANCE_KERNELS

/// The kernels of a level that this processor supports.
LAYERSCOPE_INLINE const DistanceKernels& distance_kernels(IsaLevel level) noexcept {
#ifdef LAYERSCOPE_X86_KERNELS_
  if (level == IsaLevel::avx512) return avx512_distance_kernels;
  if (level == IsaLevel::avx2) return avx2_distance_kernels;
#endif
  static_cast<void>(level);
  return portable_distance_kernels;
}

LAYERSCOPE_INLINE void differences_of(const MatrixKernels& matrix, const DistanceKernels& kernels, Difference what,
                                      std::int64_t m, std::int64_t n, std::int64_t k, const float* a_packed,
                                      const float* b_packed, float* out, std::int64_t out_stride, float* scratch) {
  const GemmKernels<float>& gemm = matrix.f32;
  const std::int64_t panel_stride = gemm.panel_rows * k;
  for (std::int64_t i0 = 0; i0 < m; i0 += row_block) {
    std::int64_t t = 0;
    do {
      const std::int64_t depth = (std::min)(depth_block, k - t);
      TileJob<float> job{};
      job.rows = (std::min)(row_block, m - i0);
      gemm.strips_from_panels(a_packed, panel_stride, i0, job.rows, t, depth, scratch);
      job.strips = scratch;
      job.panels = b_packed + t * gemm.panel_rows;
      job.panel_stride = panel_stride;
      job.columns = n;
      job.depth = depth;
      job.put = t == 0 ? Put::store : Put::add;
      job.c = out + i0 * out_stride;
      job.c_stride = out_stride;
      kernels.of(what).tiles(job);
      t += depth;
    } while (t < k);
  }
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE void gathered_distances(Difference what, std::int64_t d, const float* a, const float* b,
                                          std::int64_t b_stride, const std::int32_t* rows, std::int64_t count,
                                          float* out) {
  detail::distance_kernels(isa_level()).of(what).gathered(d, a, b, b_stride, rows, count, out);
}

LAYERSCOPE_INLINE double exact_distance(Difference what, std::int64_t d, const double* a, const float* b, double shift,
                                        double scale) {
  const auto& sums = detail::distance_kernels(isa_level()).of(what);
  if (shift == 0 && scale == 1) return sums.exact_of_plain_floats(d, a, b, 0, 1);
  return sums.exact_of_floats(d, a, b, shift, scale);
}

LAYERSCOPE_INLINE double exact_distance(Difference what, std::int64_t d, const double* a, const double* b) {
  return detail::distance_kernels(isa_level()).of(what).exact_of_doubles(d, a, b, 0, 1);
}

LAYERSCOPE_INLINE void differences_packed(Difference what, std::int64_t m, std::int64_t n, std::int64_t k,
                                          const float* a_packed, const float* b_packed, float* out,
                                          std::int64_t out_stride, float* scratch) {
  detail::differences_of(detail::matrix_kernels(isa_level()), detail::distance_kernels(isa_level()), what, m, n, k,
                         a_packed, b_packed, out, out_stride, scratch);
}

LAYERSCOPE_INLINE void packed_norms(std::int64_t rows, std::int64_t k, const float* packed, float* out) {
  const std::int64_t panel_rows = detail::matrix_kernels(isa_level()).f32.panel_rows;
  const auto& kernels = detail::distance_kernels(isa_level());
  for (std::int64_t r = 0; r < rows; r += panel_rows) kernels.panel_norms(k, packed + r * k, out + r);
}

LAYERSCOPE_INLINE std::int64_t find_within(const float* values, std::int64_t count, float limit, const float* limits,
                                           std::int32_t* hits) {
  return detail::distance_kernels(isa_level()).find_within(values, count, limit, limits, hits);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
