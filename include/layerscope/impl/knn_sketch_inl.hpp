// Rows along few directions, in which neighbours of wide rows are looked for before they are measured in full.
#pragma once

#include <layerscope/algorithms/detail/symmetric_eigen.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/impl/knn_exact_inl.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Directions of a sketch: two panels of the product's kernel at its widest.
inline constexpr std::int64_t knn_sketch_columns = 96;

/// Rows of as many columns at least are worth a sketch; sums of magnitudes have none.
LAYERSCOPE_INLINE bool knn_sketch_pays(const KnnRows& rows) noexcept {
  return rows.difference() == Difference::squared && rows.columns() >= 2 * knn_sketch_columns &&
         rows.rows() > knn_sketch_columns;
}

/// The rows along the leading principal directions of a sample of them, [n, knn_sketch_columns] in the units of
/// KnnRows::copy(). The directions are orthonormal: distances are never longer than those of the whole rows.
LAYERSCOPE_INLINE Tensor make_sketch(const KnnRows& rows, std::uint64_t seed, int threads) {
  constexpr std::int64_t columns = knn_sketch_columns;
  constexpr std::int64_t rows_per_task = 256;
  const std::int64_t n = rows.rows();
  const std::int64_t d = rows.columns();
  const std::int64_t most = (std::clamp)((std::int64_t{1} << 21) / d, 2 * columns, std::int64_t{2048});
  const std::vector<std::int64_t> drawn = Random(seed, 0x736B65).sample(n, (std::min)(n, most));
  std::vector<std::int32_t> ids(drawn.begin(), drawn.end());
  std::erase_if(ids, [&](std::int32_t id) { return rows.far_row(id); });
  const std::int64_t count = static_cast<std::int64_t>(ids.size());
  std::vector<float> sample(static_cast<std::size_t>(count * d));
  rows.copy(ids.data(), 0, count, false, sample.data());
  const StridedMatrix<float> x{sample.data(), d};
  const EigenPairs pairs =
      randomized_eigenpairs(d, columns, 8, 1, seed, threads, [&](const double* from, std::int64_t vectors, double* to) {
        const std::vector<float> given(from, from + vectors * d);
        std::vector<float> along(static_cast<std::size_t>(count * vectors));
        std::vector<float> back(static_cast<std::size_t>(vectors * d));
        matmul(count, vectors, d, x, StridedMatrix<float>{given.data(), d}.transposed(), along.data(), vectors,
               threads);
        matmul(vectors, d, count, StridedMatrix<float>{along.data(), vectors}.transposed(), x, back.data(), d, threads);
        std::copy(back.begin(), back.end(), to);
      });
  std::vector<float> directions(static_cast<std::size_t>(d * columns));
  for (std::int64_t c = 0; c < columns; ++c) {
    for (std::int64_t i = 0; i < d; ++i) {
      directions[static_cast<std::size_t>(i * columns + c)] =
          static_cast<float>(pairs.vectors[static_cast<std::size_t>(c * d + i)]);
    }
  }
  const Shape shape{n, columns};
  Tensor sketch(DType::f32, shape, allocate_bytes(byte_count(DType::f32, shape)));
  float* const to = sketch.mutable_data<float>();
  parallel_for(ceil_divide(n, rows_per_task), threads, [&](std::int64_t task) {
    const std::int64_t first = task * rows_per_task;
    const std::int64_t last = (std::min)(n, first + rows_per_task);
    rows.project(first, last - first, directions.data(), columns, to + first * columns);
    for (std::int64_t r = first; r < last; ++r) {
      if (rows.far_row(r)) std::fill_n(to + r * columns, columns, 1e16F);
    }
  });
  return sketch;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
