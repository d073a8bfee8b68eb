// The forces of UMAP on the rows of a layout, and the steps they lead to; dispatched by instruction set.
#pragma once

#include <layerscope/core/kernels/isa.hpp>
#include <layerscope/impl/kernels/x86_inl.hpp>

#include <cstdint>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Positions have `stride` floats a row: 2, or 4 of which the last is not read, in 3 dimensions.
struct UmapForceJob {
  const float* own;     ///< the rows that are moved
  const float* others;  ///< the rows that pull and push; may be the same
  std::int64_t stride;
  std::uint32_t other_count;
  const std::int64_t* first_edge;  ///< [rows + 1]
  const std::int32_t* to;          ///< rows of `others`
  const float* weight;             ///< of each edge, the largest being 1
  const float* pushes;             ///< negative samples that each row is due in an epoch
  float pull;                      ///< how often an edge is met from this side: 2 where both ends move
  float a;
  float b;
  float repulsion;
  std::uint64_t key;  ///< of the random numbers of this epoch
};

/// One pass of Adam over `count` numbers; `gradient` points where to go.
struct UmapStepJob {
  const float* gradient;
  const float* from;
  float* to;
  float* mean;    ///< running mean of the gradient
  float* square;  ///< running mean of its square
  float rate;     ///< step, with the corrections of the first epochs
  float mean_decay;
  float square_decay;
  float epsilon;
  std::int64_t count;
};

/// Of the 2^32 numbers, one that a row, a sample and an epoch have to themselves; see umap_body.inc for the rest.
constexpr std::uint32_t umap_row_key(std::uint64_t key, std::uint64_t row) noexcept {
  std::uint64_t x = key + row * 0x9E3779B97F4A7C15u;  // SplitMix64: Steele, Lea and Flood, OOPSLA 2014
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
  x = (x ^ x >> 27) * 0x94D049BB133111EBu;
  return static_cast<std::uint32_t>((x ^ x >> 31) >> 32);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

#define LAYERSCOPE_KERNEL_BODY <layerscope/impl/kernels/umap_body.inc>
#include <layerscope/impl/kernels/for_each_level.inc>
#undef LAYERSCOPE_KERNEL_BODY

namespace layerscope::inline LAYERSCOPE_ABI::detail {

struct UmapKernels {
  void (*forces)(const UmapForceJob&, std::int64_t, std::int64_t, float*);
  void (*step)(const UmapStepJob&);
  void (*powers)(const float*, std::int64_t, float, float*);
};

inline constexpr UmapKernels portable_umap_kernels{level_portable::umap_forces, level_portable::umap_step,
                                                   level_portable::umap_powers};
#ifdef LAYERSCOPE_X86_KERNELS_
inline constexpr UmapKernels avx2_umap_kernels{level_avx2::umap_forces, level_avx2::umap_step, level_avx2::umap_powers};
inline constexpr UmapKernels avx512_umap_kernels{level_avx512::umap_forces, level_avx512::umap_step,
                                                 level_avx512::umap_powers};
#endif

/// The kernels of a level that this processor supports.
LAYERSCOPE_INLINE const UmapKernels& umap_kernels(IsaLevel level) noexcept {
#ifdef LAYERSCOPE_X86_KERNELS_
  if (level == IsaLevel::avx512) return avx512_umap_kernels;
  if (level == IsaLevel::avx2) return avx2_umap_kernels;
#endif
  static_cast<void>(level);
  return portable_umap_kernels;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
