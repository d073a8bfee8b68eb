// The forces of t-SNE on ranges of points, dispatched by instruction set.
#pragma once

#include <layerscope/core/kernels/isa.hpp>
#include <layerscope/impl/kernels/x86_inl.hpp>

#include <cstdint>

#ifdef LAYERSCOPE_X86_KERNELS_
#include <immintrin.h>
#endif

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Edges of one point are padded to a multiple of this with edges of no affinity to itself: the widest vector.
inline constexpr std::int64_t tsne_edge_group = 16;

/// Points [first, last) of n, coordinates one array a dimension: repulsion pair by pair.
struct TsnePairs {
  std::int64_t first;
  std::int64_t last;
  std::int64_t n;
  int dimensions;  ///< 2 or 3
  const float* y[3];
  float* force[3];
  float* total;
};

/// Points [first, last): attraction along their edges.
struct TsneEdges {
  std::int64_t first;
  std::int64_t last;
  const float* y[3];
  const float* plane;           ///< in the plane: x and y of each point side by side, aligned to 8 bytes
  const std::int64_t* offsets;  ///< [n + 1], multiples of tsne_edge_group
  const std::int32_t* neighbor;
  const float* affinity;
  float* force[3];
};

/// Places [first, last) of the points in the order of their grid rows.
struct TsneGridRange {
  std::int64_t first;
  std::int64_t last;
  const std::int32_t* order;
  const float* x;
  const float* y;
  float x0;
  float y0;
  float scale;  ///< nodes per unit
  float* grid;
  std::int64_t stride;
  std::int64_t first_row;  ///< of the grid, when spreading
  const float* self;       ///< [4, 4]: what the grid makes a point feel of itself, by overlaps of the splines
  float* force_x;
  float* force_y;
  float* total;
};

/// A cell of a tree in depth-first order: a body of `mass` points at their mean.
struct TsneCell {
  float center[3];
  float mass;
  float reach;         ///< squared distance beyond which the cell counts as one body
  std::int32_t next;   ///< the cell after all those within
  std::int32_t begin;  ///< of a leaf's points in their sorted order
  std::int32_t count;  ///< 0 for an inner cell, and for one that is always a single body
};

/// Points [first, last) in sorted order: repulsion by the tree's cells.
struct TsneTreeRange {
  std::int64_t first;
  std::int64_t last;
  const float* y[3];  ///< sorted; a whole vector beyond `last` can be read; zeros for z in the plane
  const TsneCell* cells;
  std::int64_t cell_count;
  const std::int32_t* order;  ///< whose force each sorted point's is
  float* force[3];            ///< the third null in the plane
  float* total;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

#define LAYERSCOPE_KERNEL_BODY <layerscope/impl/kernels/tsne_body.inc>
#include <layerscope/impl/kernels/for_each_level.inc>
#undef LAYERSCOPE_KERNEL_BODY
#define LAYERSCOPE_KERNEL_BODY <layerscope/impl/kernels/tsne_grid_body.inc>
#include <layerscope/impl/kernels/for_each_level.inc>
#undef LAYERSCOPE_KERNEL_BODY

namespace layerscope::inline LAYERSCOPE_ABI::detail {

struct TsneKernels {
  void (*pairs)(const TsnePairs&);
  void (*edges_plane)(const TsneEdges&);
  void (*edges_space)(const TsneEdges&);
  void (*tree)(const TsneTreeRange&);
  void (*spread)(const TsneGridRange&);
  void (*interpolate)(const TsneGridRange&);
};

inline TsneKernels tsne_kernels(IsaLevel level) noexcept {
#ifdef LAYERSCOPE_X86_KERNELS_
  if (level == IsaLevel::avx512) {
    return {level_avx512::tsne_pairs, level_avx512::tsne_edges_plane, level_avx512::tsne_edges_space,
            level_avx512::tsne_tree,  level_avx512::tsne_spread,      level_avx512::tsne_interpolate};
  }
  if (level == IsaLevel::avx2) {
    return {level_avx2::tsne_pairs, level_avx2::tsne_edges_plane, level_avx2::tsne_edges_space,
            level_avx2::tsne_tree,  level_avx2::tsne_spread,      level_avx2::tsne_interpolate};
  }
#endif
  static_cast<void>(level);
  return {level_portable::tsne_pairs, level_portable::tsne_edges_plane, level_portable::tsne_edges_space,
          level_portable::tsne_tree,  level_portable::tsne_spread,      level_portable::tsne_interpolate};
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
