// The exact ranks of given rows among all, by distance from a query row.
#pragma once

#include <layerscope/impl/knn_exact_inl.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Whatever the float32 search computes less than this for is nearer to query row `row` than `sum`; −1 where nothing
/// can be said. The counterpart of knn_reach().
LAYERSCOPE_INLINE double knn_certain(const KnnJob& job, std::int64_t row, double sum) {
  constexpr double unit = 0x1p-24;
  const std::int64_t d = job.data.columns();
  const bool absolute = job.data.difference() == Difference::absolute;
  const double given = static_cast<double>(job.queries.norm(row)) * 1.000001;
  const double norm = absolute ? given : std::sqrt(given);
  const double distance = (absolute ? sum : std::sqrt(sum)) * job.data.frame().scale;
  const std::int64_t blocks = d / depth_block;
  const double terms = static_cast<double>((std::min)(d, depth_block) + blocks + 4);
  if (norm + distance > 0x1p40) return -1;
  const double size = 2 * norm + distance;
  const double moved = (std::max)(0.0, distance - unit * size);
  if (absolute) return moved * (1 - terms * unit);
  if (d <= knn_direct_columns) return moved * moved * (1 - terms * unit);
  // The bound must rise with the distance, so that it holds for all that is farther.
  const double error = knn_product_error(d, size);
  return error / size < distance / 2 ? distance * distance - error : -1;
}

/// ranks[m, k]: for each of the m rows `ids`, 1 + the number of other rows that are nearer to it than targets[m, k], a
/// lower row number being nearer at the same distance.
LAYERSCOPE_INLINE std::vector<std::int64_t> neighbor_ranks(const KnnJob& job, std::span<const std::int32_t> ids,
                                                           std::span<const std::int32_t> targets, std::int64_t k) {
  struct Target {
    double sum;
    std::int32_t row;
    std::int64_t place;  ///< column of `targets`
    double certain;
    double reach;
    std::int64_t nearer;     ///< counted one by one
    std::int64_t certainly;  ///< rows below `certain`, but not below that of the target before
  };
  const KnnRows& rows = job.data;
  const std::int64_t m = static_cast<std::int64_t>(ids.size());
  const std::int64_t n = rows.rows();
  const std::int64_t d = rows.columns();
  const bool direct = d <= knn_direct_columns || rows.difference() == Difference::absolute;
  const std::int64_t panel_rows = matrix_kernels(isa_level()).f32.panel_rows;
  std::vector<Target> all(static_cast<std::size_t>(m * k));
  parallel_for(m, job.threads, [&](std::int64_t r) {
    std::vector<double> row(static_cast<std::size_t>(d));
    std::vector<double> scratch(static_cast<std::size_t>(d));
    const std::int32_t id = ids[static_cast<std::size_t>(r)];
    rows.values(id, row.data());
    Target* const own = all.data() + r * k;
    for (std::int64_t c = 0; c < k; ++c) {
      const std::int32_t target = targets[static_cast<std::size_t>(r * k + c)];
      const double sum = rows.sum_of_differences(row.data(), target, scratch.data());
      own[c] = {sum, target, c, knn_certain(job, id, sum), knn_reach(job, id, sum), 0, 0};
    }
    std::sort(own, own + k,
              [](const Target& a, const Target& b) { return a.sum < b.sum || (a.sum == b.sum && a.row < b.row); });
    // Bounds rise along the targets, as −1 and rounding could keep them from doing.
    for (std::int64_t c = 1; c < k; ++c) {
      own[c].certain = (std::max)(own[c].certain, own[c - 1].certain);
      own[c].reach = (std::max)(own[c].reach, own[c - 1].reach);
    }
  });

  const std::int64_t fitting = (std::int64_t{4} << 20) / d / knn_unit * knn_unit;
  const std::int64_t group = (std::min)((std::max)(panel_rows, fitting), round_up(n, panel_rows));
  const std::int64_t tile_columns = (std::min)(group, knn_unit);
  const AlignedBuffer<float> packed(packed_size(group, d));
  for (std::int64_t j0 = 0; j0 < n; j0 += group) {
    throw_if_stopped(job.stop, "embedding_quality");
    const std::int64_t j1 = (std::min)(n, j0 + group);
    parallel_for(ceil_divide(j1 - j0, 4 * panel_rows), job.threads, [&](std::int64_t task) {
      const AlignedBuffer<float> scratch(KnnRows::pack_scratch_rows * d);
      const std::int64_t first = j0 + task * 4 * panel_rows;
      rows.pack(nullptr, first, (std::min)(4 * panel_rows, j1 - first), direct, packed.data() + (first - j0) * d,
                scratch.data());
    });
    parallel_for(ceil_divide(m, row_block), job.threads, [&](std::int64_t task) {
      const std::int64_t i0 = task * row_block;
      const std::int64_t count = (std::min)(row_block, m - i0);
      const AlignedBuffer<float> a(packed_size(count, d));
      const AlignedBuffer<float> room(KnnRows::pack_scratch_rows * d);
      const AlignedBuffer<float> scratch(packed_scratch_size());
      const AlignedBuffer<float> tile(row_block * tile_columns);
      std::vector<std::int32_t> hits(static_cast<std::size_t>(tile_columns + 16));
      std::vector<float> norms(static_cast<std::size_t>(count));
      std::vector<double> values(static_cast<std::size_t>(d));
      std::vector<double> other(static_cast<std::size_t>(d));
      rows.pack(ids.data(), i0, count, direct, a.data(), room.data());
      for (std::int64_t r = 0; r < count; ++r) {
        norms[static_cast<std::size_t>(r)] = rows.norm(ids[static_cast<std::size_t>(i0 + r)]);
      }
      for (std::int64_t j = j0; j < j1; j += tile_columns) {
        const std::int64_t columns = (std::min)(tile_columns, j1 - j);
        const float* b = packed.data() + (j - j0) * d;
        if (direct) {
          differences_packed(rows.difference(), count, columns, d, a.data(), b, tile.data(), tile_columns,
                             scratch.data());
        } else {
          squared_distances_packed(count, columns, d, a.data(), norms.data(), b, rows.norms() + j, tile.data(),
                                   tile_columns, scratch.data());
        }
        for (std::int64_t r = 0; r < count; ++r) {
          const std::int32_t id = ids[static_cast<std::size_t>(i0 + r)];
          Target* const own = all.data() + (i0 + r) * k;
          const double most = own[k - 1].reach;
          const float limit = most < 1e38 ? static_cast<float>(most * 1.0000002) : 3e38F;
          const float* const found = tile.data() + r * tile_columns;
          const std::int64_t hit_count = find_within(found, columns, limit, nullptr, hits.data());
          bool have_values = false;
          for (std::int64_t h = 0; h < hit_count; ++h) {
            const std::int32_t at = hits[static_cast<std::size_t>(h)];
            const std::int32_t column = static_cast<std::int32_t>(j) + at;
            if (column == id) continue;
            const double value = static_cast<double>(found[at]);
            // Targets before `first` are nearer for certain, those from `last` on farther.
            std::int64_t first = 0;
            while (first < k && own[first].reach < value) ++first;
            std::int64_t last = first;
            while (last < k && value >= own[last].certain) ++last;
            if (last < k) ++own[last].certainly;
            if (first == last) continue;
            if (!have_values) rows.values(id, values.data());
            have_values = true;
            const double sum = rows.sum_of_differences(values.data(), column, other.data());
            for (std::int64_t t = first; t < last; ++t) {
              own[t].nearer += sum < own[t].sum || (sum == own[t].sum && column < own[t].row);
            }
          }
        }
      }
    });
  }
  std::vector<std::int64_t> ranks(static_cast<std::size_t>(m * k));
  for (std::int64_t r = 0; r < m; ++r) {
    std::int64_t certainly = 0;
    for (std::int64_t c = 0; c < k; ++c) {
      const Target& target = all[static_cast<std::size_t>(r * k + c)];
      certainly += target.certainly;
      ranks[static_cast<std::size_t>(r * k + target.place)] = 1 + certainly + target.nearer;
    }
  }
  return ranks;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
