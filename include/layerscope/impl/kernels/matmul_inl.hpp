// Bodies of core/kernels/matmul.hpp: blocking, packing and threads around the inner kernels of gemm_inl.hpp.
#pragma once

#include <layerscope/core/kernels/matmul.hpp>
#include <layerscope/core/parallel.hpp>
#include <layerscope/impl/kernels/gemm_inl.hpp>

#include <algorithm>
#include <cstddef>
#include <new>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Depth of one block: what a panel has of it (24 KiB) stays in the first cache. Fixed, since it sets the rounding.
inline constexpr std::int64_t depth_block = 256;
/// Rows of the left operand that one task keeps as strips in the second cache.
inline constexpr std::int64_t row_block = 96;
/// A multiple of the panel rows of every level and type.
inline constexpr std::int64_t column_block = 768;
/// Elements of the right operand packed at once, but at least one depth block: small enough to stay in the third cache.
inline constexpr std::int64_t slab_elements = std::int64_t{1} << 18;
/// Below this many multiplications a thread costs more than it brings.
inline constexpr std::int64_t parallel_threshold = std::int64_t{1} << 20;

constexpr std::int64_t ceil_divide(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}
constexpr std::int64_t round_up(std::int64_t a, std::int64_t b) {
  return ceil_divide(a, b) * b;
}

/// Uninitialised elements on a boundary of 64 bytes.
template <class T>
class AlignedBuffer {
 public:
  explicit AlignedBuffer(std::int64_t size)
      : data_(static_cast<T*>(::operator new (static_cast<std::size_t>(size) * sizeof(T), std::align_val_t{64}))) {}
  ~AlignedBuffer() { ::operator delete (data_, std::align_val_t{64}); }
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;

  T* data() const noexcept { return data_; }

 private:
  T* data_;
};

template <class Real>
const GemmKernels<Real>& gemm_of(const MatrixKernels& kernels) noexcept {
  if constexpr (sizeof(Real) == sizeof(float)) {
    return kernels.f32;
  } else {
    return kernels.f64;
  }
}

template <class Source, class Real>
void pack(const MatrixKernels& kernels, const PackJob<Source, Real>& job) {
  if constexpr (sizeof(Source) == sizeof(float) && sizeof(Real) == sizeof(float)) {
    if (job.source.column_stride == 1) return kernels.pack.depth_contiguous(job);
    if (job.source.row_stride == 1) return kernels.pack.rows_contiguous(job);
  }
  const StridedMatrix<Source>& source = job.source;
  for (std::int64_t group = 0; group < job.rows; group += job.group) {
    Real* to = job.to + (group / job.group) * job.group_stride;
    const std::int64_t present = (std::min)(job.group, job.rows - group);
    for (std::int64_t t = 0; t < job.depth; ++t, to += job.group) {
      const std::int64_t depth = job.first_depth + t;
      const Real shift = source.column_shift != nullptr ? static_cast<Real>(source.column_shift[depth]) : Real(0);
      const Source* from = source.data + depth * source.column_stride + (job.first_row + group) * source.row_stride;
      for (std::int64_t i = 0; i < present; ++i) {
        const std::int64_t row = job.first_row + group + i;
        const Real row_shift = source.row_shift != nullptr ? static_cast<Real>(source.row_shift[row]) : Real(0);
        to[i] = static_cast<Real>(from[i * source.row_stride]) - row_shift - shift;
      }
      for (std::int64_t i = present; i < job.group; ++i) to[i] = Real(0);
    }
  }
}

/// What a general product does with its last depth block.
template <class Real>
struct Finish {
  const Real* row_norms = nullptr;
  const Real* column_norms = nullptr;

  Put put(std::int64_t first_depth, std::int64_t depth, std::int64_t k) const noexcept {
    const bool first = first_depth == 0;
    if (row_norms == nullptr || first_depth + depth < k) return first ? Put::store : Put::add;
    return first ? Put::distance : Put::add_then_distance;
  }
};

/// C[m, n] = A[m, k] · B[n, k]ᵀ: both operands with the depth as columns.
template <class Real>
void product(const MatrixKernels& kernels, std::int64_t m, std::int64_t n, std::int64_t k, const StridedMatrix<Real>& a,
             const StridedMatrix<Real>& b, Real* c, std::int64_t c_stride, const Finish<Real>& finish, int threads) {
  if (m <= 0 || n <= 0) return;
  const GemmKernels<Real>& gemm = gemm_of<Real>(kernels);
  const double multiplications = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const int used = multiplications < static_cast<double>(parallel_threshold) ? 1 : threads;

  const std::int64_t slab_columns = (std::min)(round_up(n, gemm.panel_rows), 4 * column_block);
  const std::int64_t slab_depth =
      (std::min)(k, (std::max)(depth_block, slab_elements / slab_columns / depth_block * depth_block));
  const AlignedBuffer<Real> panels((std::max<std::int64_t>)(1, slab_columns * slab_depth));

  for (std::int64_t j0 = 0; j0 < n; j0 += slab_columns) {
    const std::int64_t columns = (std::min)(slab_columns, n - j0);
    // A depth of zero still has to clear C, hence the do-while.
    std::int64_t t0 = 0;
    do {
      const std::int64_t depth = (std::min)(slab_depth, k - t0);
      const std::int64_t panel_stride = gemm.panel_rows * depth;
      parallel_for(ceil_divide(columns, gemm.panel_rows), used, [&](std::int64_t panel) {
        const std::int64_t first = panel * gemm.panel_rows;
        pack(kernels, PackJob<Real, Real>{b, j0 + first, (std::min)(gemm.panel_rows, columns - first), t0, depth,
                                          gemm.panel_rows, panel_stride, panels.data() + panel * panel_stride});
      });
      const std::int64_t row_blocks = ceil_divide(m, row_block);
      const std::int64_t column_blocks = ceil_divide(columns, column_block);
      parallel_for(row_blocks * column_blocks, used, [&](std::int64_t task) {
        alignas(64) Real strips[row_block * depth_block];
        const std::int64_t i0 = task / column_blocks * row_block;
        const std::int64_t first = task % column_blocks * column_block;
        const std::int64_t rows = (std::min)(row_block, m - i0);
        std::int64_t t = 0;
        do {
          const std::int64_t block = (std::min)(depth_block, depth - t);
          pack(kernels, PackJob<Real, Real>{a, i0, rows, t0 + t, block, gemm.strip_rows, gemm.strip_rows * block,
                                            static_cast<Real*>(strips)});
          TileJob<Real> job{};
          job.strips = strips;
          job.panels = panels.data() + first / gemm.panel_rows * panel_stride + t * gemm.panel_rows;
          job.panel_stride = panel_stride;
          job.rows = rows;
          job.columns = (std::min)(column_block, columns - first);
          job.depth = block;
          job.put = finish.put(t0 + t, block, k);
          job.c = c + i0 * c_stride + j0 + first;
          job.c_stride = c_stride;
          job.first_column = job.rows;  // nothing is below a diagonal here
          if (finish.row_norms != nullptr) {
            job.row_norms = finish.row_norms + i0;
            job.column_norms = finish.column_norms + j0 + first;
          }
          gemm.multiply_block(job);
          t += block;
        } while (t < depth);
      });
      t0 += depth;
    } while (t0 < k);
  }
}

/// Upper triangle of C[columns, columns] += XᵀX over rows [first, last) of few columns, on the calling thread.
template <class Source, class Real>
void add_narrow_symmetric(const MatrixKernels& kernels, std::int64_t first, std::int64_t last, std::int64_t columns,
                          const StridedMatrix<Source>& by_column, double* c) {
  const GemmKernels<Real>& gemm = gemm_of<Real>(kernels);
  const AlignedBuffer<Real> panels(round_up(columns, gemm.panel_rows) * depth_block);
  const AlignedBuffer<Real> strips(round_up(columns, gemm.strip_rows) * depth_block);
  for (std::int64_t t = first; t < last; t += depth_block) {
    const std::int64_t depth = (std::min)(depth_block, last - t);
    const std::int64_t panel_stride = gemm.panel_rows * depth;
    pack(kernels, PackJob<Source, Real>{by_column, 0, columns, t, depth, gemm.panel_rows, panel_stride, panels.data()});
    gemm.strips_from_panels(panels.data(), panel_stride, 0, columns, 0, depth, strips.data());
    TileJob<Real> job{};
    job.strips = strips.data();
    job.panels = panels.data();
    job.panel_stride = panel_stride;
    job.rows = columns;
    job.columns = columns;
    job.depth = depth;
    job.put = Put::add_to_double;
    job.c_double = c;
    job.c_stride = columns;
    gemm.multiply_block(job);
  }
}

/// Up to so many columns a symmetric product is cut by rows, each range with its own C; beyond, C is cut into tiles.
inline constexpr std::int64_t narrow_columns = 128;
inline constexpr std::int64_t narrow_ranges = 8;
inline constexpr std::int64_t narrow_range_rows = 4 * depth_block;

template <class Source, class Real>
void add_symmetric(const MatrixKernels& kernels, std::int64_t rows, std::int64_t columns,
                   const StridedMatrix<Source>& x, double* c, int threads) {
  if (rows <= 0 || columns <= 0) return;
  const GemmKernels<Real>& gemm = gemm_of<Real>(kernels);
  const StridedMatrix<Source> by_column = x.transposed();

  if (columns <= narrow_columns) {
    const std::int64_t ranges = (std::clamp)(rows / narrow_range_rows, std::int64_t{1}, narrow_ranges);
    const std::int64_t range_rows = round_up(ceil_divide(rows, ranges), depth_block);
    const std::int64_t square = columns * columns;
    std::vector<double> partial(static_cast<std::size_t>(ranges * square));
    parallel_for(ranges, threads, [&](std::int64_t range) {
      add_narrow_symmetric<Source, Real>(kernels, range * range_rows, (std::min)(rows, (range + 1) * range_rows),
                                         columns, by_column, partial.data() + range * square);
    });
    for (std::int64_t range = 0; range < ranges; ++range) {
      const double* from = partial.data() + range * square;
      for (std::int64_t i = 0; i < columns; ++i) {
        for (std::int64_t j = i; j < columns; ++j) c[i * columns + j] += from[i * columns + j];
      }
    }
    return;
  }

  // As many rows at a time as fit the memory promised (two buffers of 4 · columns² bytes), for few starts of threads.
  const std::int64_t chunk = (std::clamp)(
      columns * 4 / static_cast<std::int64_t>(sizeof(Real)) / depth_block * depth_block, depth_block, 16 * depth_block);
  const std::int64_t chunks = ceil_divide(rows, chunk);
  const std::int64_t panel_count = ceil_divide(columns, gemm.panel_rows);
  const std::int64_t buffer_size = panel_count * gemm.panel_rows * (std::min)(chunk, rows);
  const AlignedBuffer<Real> buffers(buffer_size * (std::min<std::int64_t>)(chunks, 2));
  const std::int64_t pack_columns = 8 * gemm.panel_rows;
  const std::int64_t pack_blocks = ceil_divide(columns, pack_columns);

  // The cut of C into tiles does not touch the order of any sum, so it may follow the number of threads: wide tiles
  // repack less, small ones share the work out better. Those on the diagonal or above it, longest rows first.
  const bool few_threads = resolve_threads(threads) <= 4;
  const std::int64_t tile_rows = columns >= 8 * row_block && few_threads ? row_block : row_block / 2;
  const std::int64_t tile_columns = few_threads ? column_block : column_block / 4;
  const std::int64_t tiles_across = ceil_divide(columns, tile_columns);
  std::vector<std::int64_t> tiles;
  for (std::int64_t i = 0; i < ceil_divide(columns, tile_rows); ++i) {
    for (std::int64_t j = i * tile_rows / tile_columns; j < tiles_across; ++j) tiles.push_back(i * tiles_across + j);
  }
  const auto tile_count = static_cast<std::int64_t>(tiles.size());

  const auto pack_task = [&](std::int64_t chunk_index, std::int64_t task) {
    const std::int64_t t0 = chunk_index * chunk;
    const std::int64_t depth = (std::min)(chunk, rows - t0);
    const std::int64_t first = task % pack_blocks * pack_columns;
    const std::int64_t t = task / pack_blocks * depth_block;
    if (t >= depth) return;
    pack(kernels,
         PackJob<Source, Real>{by_column, first, (std::min)(pack_columns, columns - first), t0 + t,
                               (std::min)(depth_block, depth - t), gemm.panel_rows, gemm.panel_rows * depth,
                               buffers.data() + chunk_index % 2 * buffer_size + first * depth + t * gemm.panel_rows});
  };
  const auto tile_task = [&](std::int64_t chunk_index, std::int64_t task) {
    alignas(64) Real strips[row_block * depth_block];
    const std::int64_t depth = (std::min)(chunk, rows - chunk_index * chunk);
    const Real* panels = buffers.data() + chunk_index % 2 * buffer_size;
    const std::int64_t tile = tiles[static_cast<std::size_t>(task)];
    TileJob<Real> job{};
    job.strips = strips;
    job.panel_stride = gemm.panel_rows * depth;
    job.first_row = tile / tiles_across * tile_rows;
    job.first_column = tile % tiles_across * tile_columns;
    job.rows = (std::min)(tile_rows, columns - job.first_row);
    job.columns = (std::min)(tile_columns, columns - job.first_column);
    job.put = Put::add_to_double;
    job.c_double = c + job.first_row * columns + job.first_column;
    job.c_stride = columns;
    for (std::int64_t t = 0; t < depth; t += depth_block) {
      job.depth = (std::min)(depth_block, depth - t);
      gemm.strips_from_panels(panels, job.panel_stride, job.first_row, job.rows, t, job.depth, strips);
      job.panels = panels + job.first_column * depth + t * gemm.panel_rows;
      gemm.multiply_block(job);
    }
  };

  // Each round packs the next chunk while the tiles of this one are computed.
  const std::int64_t pack_tasks = pack_blocks * ceil_divide((std::min)(chunk, rows), depth_block);
  parallel_for(pack_tasks, threads, [&](std::int64_t task) { pack_task(0, task); });
  for (std::int64_t round = 0; round < chunks; ++round) {
    parallel_for(tile_count + (round + 1 < chunks ? pack_tasks : 0), threads, [&](std::int64_t task) {
      if (task < tile_count) {
        tile_task(round, task);
      } else {
        pack_task(round + 1, task - tile_count);
      }
    });
  }
}

LAYERSCOPE_INLINE void distances_packed(const MatrixKernels& kernels, std::int64_t m, std::int64_t n, std::int64_t k,
                                        const float* a_packed, const float* a_norms, const float* b_packed,
                                        const float* b_norms, float* out, std::int64_t out_stride, float* scratch) {
  const GemmKernels<float>& gemm = kernels.f32;
  const std::int64_t panel_stride = gemm.panel_rows * k;
  const Finish<float> finish{a_norms, b_norms};
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
      job.put = finish.put(t, depth, k);
      job.c = out + i0 * out_stride;
      job.c_stride = out_stride;
      job.first_column = job.rows;
      job.row_norms = a_norms + i0;
      job.column_norms = b_norms;
      gemm.multiply_block(job);
      t += depth;
    } while (t < k);
  }
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE void matmul(std::int64_t m, std::int64_t n, std::int64_t k, StridedMatrix<float> a,
                              StridedMatrix<float> b, float* c, std::int64_t c_stride, int threads) {
  detail::product<float>(detail::matrix_kernels(isa_level()), m, n, k, a, b.transposed(), c, c_stride, {}, threads);
}

LAYERSCOPE_INLINE void matmul(std::int64_t m, std::int64_t n, std::int64_t k, StridedMatrix<double> a,
                              StridedMatrix<double> b, double* c, std::int64_t c_stride, int threads) {
  detail::product<double>(detail::matrix_kernels(isa_level()), m, n, k, a, b.transposed(), c, c_stride, {}, threads);
}

LAYERSCOPE_INLINE void add_symmetric_product(std::int64_t rows, std::int64_t columns, StridedMatrix<float> x, double* c,
                                             ProductPrecision precision, int threads) {
  const detail::MatrixKernels& kernels = detail::matrix_kernels(isa_level());
  if (precision == ProductPrecision::single_blocks) {
    detail::add_symmetric<float, float>(kernels, rows, columns, x, c, threads);
  } else {
    detail::add_symmetric<float, double>(kernels, rows, columns, x, c, threads);
  }
}

LAYERSCOPE_INLINE void add_symmetric_product(std::int64_t rows, std::int64_t columns, StridedMatrix<double> x,
                                             double* c, int threads) {
  detail::add_symmetric<double, double>(detail::matrix_kernels(isa_level()), rows, columns, x, c, threads);
}

LAYERSCOPE_INLINE void mirror_upper_triangle(std::int64_t n, double* c) {
  // By square blocks, since a column of a large C misses the cache at every element.
  constexpr std::int64_t block = 32;
  for (std::int64_t i0 = 0; i0 < n; i0 += block) {
    for (std::int64_t j0 = i0; j0 < n; j0 += block) {
      for (std::int64_t i = i0; i < (std::min)(n, i0 + block); ++i) {
        for (std::int64_t j = (std::max)(j0, i + 1); j < (std::min)(n, j0 + block); ++j) c[j * n + i] = c[i * n + j];
      }
    }
  }
}

LAYERSCOPE_INLINE void symmetric_product(std::int64_t rows, std::int64_t columns, StridedMatrix<float> x, double* c,
                                         ProductPrecision precision, int threads) {
  if (columns > 0) std::fill_n(c, columns * columns, 0.0);
  add_symmetric_product(rows, columns, x, c, precision, threads);
  mirror_upper_triangle(columns, c);
}

LAYERSCOPE_INLINE void symmetric_product(std::int64_t rows, std::int64_t columns, StridedMatrix<double> x, double* c,
                                         int threads) {
  if (columns > 0) std::fill_n(c, columns * columns, 0.0);
  add_symmetric_product(rows, columns, x, c, threads);
  mirror_upper_triangle(columns, c);
}

LAYERSCOPE_INLINE void squared_norms(std::int64_t m, std::int64_t k, StridedMatrix<float> a, float* out, int threads) {
  constexpr std::int64_t rows_per_task = 512;
  parallel_for(detail::ceil_divide(m, rows_per_task), m * k < detail::parallel_threshold ? 1 : threads,
               [&](std::int64_t task) {
                 const std::int64_t last = (std::min)(m, (task + 1) * rows_per_task);
                 for (std::int64_t r = task * rows_per_task; r < last; ++r) {
                   const float* row = a.data + r * a.row_stride;
                   const float shift = a.row_shift != nullptr ? a.row_shift[r] : 0.0F;
                   // Four chains: one alone waits for its own additions.
                   double sums[4] = {0, 0, 0, 0};
                   for (std::int64_t c = 0; c < k; ++c) {
                     const float column_shift = a.column_shift != nullptr ? a.column_shift[c] : 0.0F;
                     const double value = static_cast<double>(row[c * a.column_stride] - shift - column_shift);
                     sums[c % 4] += value * value;
                   }
                   out[r] = static_cast<float>((sums[0] + sums[1]) + (sums[2] + sums[3]));
                 }
               });
}

LAYERSCOPE_INLINE void squared_distances(std::int64_t m, std::int64_t n, std::int64_t k, StridedMatrix<float> a,
                                         const float* a_norms, StridedMatrix<float> b, const float* b_norms, float* out,
                                         std::int64_t out_stride, int threads) {
  detail::product<float>(detail::matrix_kernels(isa_level()), m, n, k, a, b, out, out_stride, {a_norms, b_norms},
                         threads);
}

LAYERSCOPE_INLINE std::int64_t packed_size(std::int64_t rows, std::int64_t k) {
  return detail::round_up(rows, detail::matrix_kernels(isa_level()).f32.panel_rows) * k;
}

LAYERSCOPE_INLINE void pack_rows(std::int64_t rows, std::int64_t k, StridedMatrix<float> a, float* packed,
                                 int threads) {
  const detail::MatrixKernels& kernels = detail::matrix_kernels(isa_level());
  const std::int64_t panel_rows = kernels.f32.panel_rows;
  parallel_for(detail::ceil_divide(rows, panel_rows), rows * k < detail::parallel_threshold ? 1 : threads,
               [&](std::int64_t panel) {
                 const std::int64_t first = panel * panel_rows;
                 detail::pack(kernels, detail::PackJob<float, float>{a, first, (std::min)(panel_rows, rows - first), 0,
                                                                     k, panel_rows, panel_rows * k,
                                                                     packed + panel * panel_rows * k});
               });
}

LAYERSCOPE_INLINE std::int64_t packed_scratch_size() {
  return detail::row_block * detail::depth_block;
}

LAYERSCOPE_INLINE void squared_distances_packed(std::int64_t m, std::int64_t n, std::int64_t k, const float* a_packed,
                                                const float* a_norms, const float* b_packed, const float* b_norms,
                                                float* out, std::int64_t out_stride, float* scratch) {
  detail::distances_packed(detail::matrix_kernels(isa_level()), m, n, k, a_packed, a_norms, b_packed, b_norms, out,
                           out_stride, scratch);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
