// Products of a sparse matrix with a block of eight vectors, dispatched by instruction set.
#pragma once

#include <layerscope/core/kernels/isa.hpp>
#include <layerscope/impl/kernels/x86_inl.hpp>

#include <cstdint>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// to = product · D⁻¹ W · x + own · x + before · to, in blocks of eight numbers a vertex: D holds the sums of the rows
/// of W.
struct GraphProductJob {
  const std::int64_t* first;  ///< [vertices + 1]
  const std::int32_t* neighbors;
  const float* weights;
  const float* inverse_degrees;
  const float* x;
  float product;
  float own;
  float before;
  float* to;
};

inline constexpr std::int64_t graph_product_columns = 8;

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

#define LAYERSCOPE_KERNEL_BODY <layerscope/impl/kernels/graph_product_body.inc>
#include <layerscope/impl/kernels/for_each_level.inc>
#undef LAYERSCOPE_KERNEL_BODY

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// For the vertices `begin` … `end` − 1.
LAYERSCOPE_INLINE void graph_product(const GraphProductJob& job, std::int64_t begin, std::int64_t end) {
#ifdef LAYERSCOPE_X86_KERNELS_
  if (isa_level() == IsaLevel::avx512) return level_avx512::graph_product(job, begin, end);
  if (isa_level() == IsaLevel::avx2) return level_avx2::graph_product(job, begin, end);
#endif
  level_portable::graph_product(job, begin, end);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
