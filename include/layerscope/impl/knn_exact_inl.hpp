// Exact nearest neighbours: all pairs by matrix products, the selection fused in, every row proven or searched again.
#pragma once

#include <layerscope/impl/knn_nearest_inl.hpp>
#include <layerscope/impl/knn_rows_inl.hpp>

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Rows of one lock and of one piece of memory; a multiple of row_block.
inline constexpr std::int64_t knn_unit = column_block;
/// Up to so many columns differences are as fast as products, and do not cancel.
inline constexpr std::int64_t knn_direct_columns = 8;

/// One search: what it reads and where its results go.
struct KnnJob {
  const KnnRows& queries;
  const KnnRows& data;
  /// Both are the same matrix: each pair is computed once, and no row is compared with itself.
  bool same;
  SelfNeighbor self;
  std::int64_t k;
  std::int32_t* indices;  ///< [queries.rows(), k], so for the next
  float* distances;
  int threads;
  const Progress& progress;
  const std::stop_token& stop;
};

/// A neighbour by its exact sum of differences.
using ExactNeighbor = std::pair<double, std::int32_t>;

/// The k first of `found` by sum and row number, to row `row` of the results.
LAYERSCOPE_INLINE void put_neighbors(const KnnJob& job, std::int64_t row, std::vector<ExactNeighbor>& found) {
  std::partial_sort(found.begin(), found.begin() + job.k, found.end());
  for (std::int64_t c = 0; c < job.k; ++c) {
    const auto& [sum, index] = found[static_cast<std::size_t>(c)];
    job.indices[row * job.k + c] = index;
    job.distances[row * job.k + c] = static_cast<float>(
        (std::min)(job.data.distance(sum), static_cast<double>((std::numeric_limits<float>::max)())));
  }
}

/// How far a squared distance by products of float32 copies, of norms that add up to `size`, can be from the exact one.
LAYERSCOPE_INLINE double knn_product_error(std::int64_t d, double size) noexcept {
  const std::int64_t blocks = d / depth_block;
  const double terms = static_cast<double>((std::min)(d, depth_block) + blocks + 4);
  return 1.01 * (terms / 2 + 8) * 0x1p-24 * size * size;
}

/// The most that the float32 search can have computed for a row nearer than `sum` to query row `row`; a row that was
/// left out with more is not nearer. Rounding to float32, products and sums are bounded as by Higham, "Accuracy and
/// Stability of Numerical Algorithms", 2nd ed., section 3.1. Huge where nothing can be said.
LAYERSCOPE_INLINE double knn_reach(const KnnJob& job, std::int64_t row, double sum) {
  constexpr double unit = 0x1p-24;
  const std::int64_t d = job.data.columns();
  const bool absolute = job.data.difference() == Difference::absolute;
  const double given = static_cast<double>(job.queries.norm(row)) * 1.000001;
  const double norm = absolute ? given : std::sqrt(given);
  const double distance = (absolute ? sum : std::sqrt(sum)) * job.data.frame().scale;
  const std::int64_t blocks = d / depth_block;
  const double terms = static_cast<double>((std::min)(d, depth_block) + blocks + 4);
  if (norm + distance > 0x1p40) return (std::numeric_limits<double>::max)();
  const double size = 2 * norm + distance;  // ‖x‖ + ‖y‖ at most
  const double moved = distance + unit * size;
  if (absolute) return moved * (1 + terms * unit);
  if (d <= knn_direct_columns) return moved * moved * (1 + terms * unit);
  return distance * distance + knn_product_error(d, size);
}

/// One pass in float32 for the query rows `ids`, or all of them where there are none.
class KnnPass {
 public:
  KnnPass(const KnnJob& job, std::span<const std::int32_t> ids, std::int64_t slack)
      : job_(job),
        ids_(ids),
        n_(job.data.rows()),
        d_(job.data.columns()),
        rows_(ids.empty() ? job.queries.rows() : static_cast<std::int64_t>(ids.size())),
        symmetric_(job.same && ids.empty()),
        direct_(d_ <= knn_direct_columns || absolute()) {
    const std::int64_t others = n_ - (job.same ? 1 : 0);
    kept_ = (std::max<std::int64_t>)(1, (std::min)(others, job.k + slack));
    // Beyond the input: 12·n·k bytes and 64 MiB, of which the results take 8·n·k when the keys have gone.
    constexpr std::int64_t group_bytes = std::int64_t{16} << 20;
    const std::int64_t budget = 12 * rows_ * job.k + (std::int64_t{32} << 20);
    const std::int64_t row_bytes = 8 + 4 + 4;
    const std::int64_t fits = (budget / rows_ - row_bytes) / 8;
    room_ = fits >= kept_ + kept_ / 2 ? (std::min)(2 * kept_, fits) : kept_ + kept_ / 2 + 1;
    room_ = (std::max)(room_, kept_ + 8);
    band_ = (std::max)(knn_unit, budget / (8 * room_ + row_bytes) / knn_unit * knn_unit);
    const std::int64_t panel_rows = matrix_kernels(isa_level()).f32.panel_rows;
    const std::int64_t fitting = group_bytes / 4 / d_;
    group_ =
        fitting >= knn_unit ? fitting / knn_unit * knn_unit : (std::max)(panel_rows, fitting / panel_rows * panel_rows);
    group_ = (std::min)(group_, round_up(n_, panel_rows));
    // Enough tasks for the threads, but of a size that repays packing.
    task_rows_ = rows_ >= 8192 && d_ <= 2048 ? 4 * row_block : row_block;
  }

  /// Writes the results of all rows; returns those that could not be proven, in increasing order.
  std::vector<std::int32_t> run() {
    std::vector<std::int32_t> unproven;
    const AlignedBuffer<float> packed(packed_size(group_, d_));
    const std::int64_t bands = ceil_divide(rows_, band_);
    for (std::int64_t band = 0; band < bands; ++band) {
      first_ = band * band_;
      last_ = (std::min)(rows_, first_ + band_);
      NearestKeys keys(last_ - first_, knn_unit, kept_, room_);
      const std::int64_t units = ceil_divide(last_ - first_, knn_unit);
      const std::unique_ptr<std::mutex[]> locks(new std::mutex[static_cast<std::size_t>(units)]);
      for (std::int64_t j0 = 0; j0 < n_; j0 += group_) {
        throw_if_stopped(job_.stop, "knn");
        if (job_.progress) {
          const double done = static_cast<double>(band) + static_cast<double>(j0) / static_cast<double>(n_);
          job_.progress(0.95 * done / static_cast<double>(bands), "exact search");
        }
        compare_group(j0, (std::min)(n_, j0 + group_), packed.data(), keys, locks.get());
      }
      finish_band(keys, unproven);
    }
    return unproven;
  }

 private:
  bool absolute() const noexcept { return job_.data.difference() == Difference::absolute; }
  std::int64_t id(std::int64_t row) const noexcept { return ids_.empty() ? row : ids_[static_cast<std::size_t>(row)]; }

  /// All rows of the band against columns [j0, j1) of the data.
  void compare_group(std::int64_t j0, std::int64_t j1, float* packed, NearestKeys& keys, std::mutex* locks) {
    const std::int64_t panel_rows = matrix_kernels(isa_level()).f32.panel_rows;
    parallel_for(ceil_divide(j1 - j0, 4 * panel_rows), job_.threads, [&](std::int64_t task) {
      const AlignedBuffer<float> scratch(KnnRows::pack_scratch_rows * d_);
      const std::int64_t first = j0 + task * 4 * panel_rows;
      job_.data.pack(nullptr, first, (std::min)(4 * panel_rows, j1 - first), direct_, packed + (first - j0) * d_,
                     scratch.data());
    });
    parallel_for(ceil_divide(last_ - first_, task_rows_), job_.threads, [&](std::int64_t task) {
      const std::int64_t i0 = first_ + task * task_rows_;
      const std::int64_t i1 = (std::min)(last_, i0 + task_rows_);
      // Columns before the row, of the same band, are served by the earlier row.
      if (symmetric_ && j0 >= first_ && j1 <= i0) return;
      throw_if_stopped(job_.stop, "knn");
      Work work(*this, packed, j0, i0, i1 - i0);
      for (std::int64_t i = i0; i < i1; i += row_block) {
        const std::int64_t rows = (std::min)(row_block, i1 - i);
        if (!symmetric_) {
          compare(work, i, rows, j0, j1, false, keys, locks);
          continue;
        }
        compare(work, i, rows, j0, (std::min)(j1, first_), false, keys, locks);
        compare(work, i, rows, (std::max)(j0, i), (std::min)(j1, last_), true, keys, locks);
        compare(work, i, rows, (std::max)(j0, last_), j1, false, keys, locks);
      }
    });
  }

  /// What one task needs: its rows packed, and a tile.
  struct Work {
    Work(const KnnPass& pass, const float* group, std::int64_t group_first, std::int64_t first, std::int64_t count)
        : packed(packed_size(count, pass.d_)),
          scratch(packed_scratch_size()),
          tile(row_block * knn_unit),
          norms(static_cast<std::size_t>(count)),
          hits(static_cast<std::size_t>(knn_unit + 16)),
          columns(group),
          columns_first(group_first),
          rows_first(first) {
      const AlignedBuffer<float> rows(KnnRows::pack_scratch_rows * pass.d_);
      pass.job_.queries.pack(pass.ids_.empty() ? nullptr : pass.ids_.data(), first, count, pass.direct_, packed.data(),
                             rows.data());
      for (std::int64_t r = 0; r < count; ++r) {
        norms[static_cast<std::size_t>(r)] = pass.job_.queries.norm(pass.id(first + r));
      }
    }
    AlignedBuffer<float> packed;
    AlignedBuffer<float> scratch;
    AlignedBuffer<float> tile;
    std::vector<float> norms;
    std::vector<std::int32_t> hits;
    const float* columns;
    std::int64_t columns_first;
    std::int64_t rows_first;
  };

  /// Rows [i, i + rows) against columns [j0, j1); `both` ways for pairs of the band, where a column exceeds the row.
  void compare(Work& work, std::int64_t i, std::int64_t rows, std::int64_t j0, std::int64_t j1, bool both,
               NearestKeys& keys, std::mutex* locks) {
    const std::int64_t panel_rows = matrix_kernels(isa_level()).f32.panel_rows;
    // Columns start where a panel does; what is before j0 is computed, but not looked at.
    for (std::int64_t j = work.columns_first + (j0 - work.columns_first) / panel_rows * panel_rows; j < j1;) {
      const std::int64_t end = (std::min)(j1, (j / knn_unit + 1) * knn_unit);  // units are whole panels
      const float* a = work.packed.data() + (i - work.rows_first) * d_;
      const float* b = work.columns + (j - work.columns_first) * d_;
      if (direct_) {
        differences_packed(job_.data.difference(), rows, end - j, d_, a, b, work.tile.data(), knn_unit,
                           work.scratch.data());
      } else {
        squared_distances_packed(rows, end - j, d_, a, work.norms.data() + (i - work.rows_first), b,
                                 job_.data.norms() + j, work.tile.data(), knn_unit, work.scratch.data());
      }
      select(work, i, rows, j, (std::max)(j, j0), end, both, keys, locks);
      j = end;
    }
  }

  /// The tile's numbers of columns [j0, end), the first of the tile being `start`.
  void select(Work& work, std::int64_t i, std::int64_t rows, std::int64_t start, std::int64_t j0, std::int64_t end,
              bool both, NearestKeys& keys, std::mutex* locks) {
    const std::int64_t row_unit = (i - first_) / knn_unit;
    std::unique_lock<std::mutex> locked_rows(locks[row_unit], std::defer_lock);
    std::unique_lock<std::mutex> locked_columns;
    const std::int64_t column_unit = (j0 - first_) / knn_unit;
    if (both && column_unit != row_unit) {
      locked_columns = std::unique_lock<std::mutex>(locks[column_unit], std::defer_lock);
      std::lock(locked_rows, locked_columns);
    } else {
      locked_rows.lock();
    }
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t row = i + r;
      const std::int64_t from = both ? (std::max)(j0, row + 1) : j0;
      if (from >= end) continue;
      const float* values = work.tile.data() + r * knn_unit + (from - start);
      const std::int64_t found = find_within(values, end - from, keys.limits()[row - first_],
                                             both ? keys.limits() + (from - first_) : nullptr, work.hits.data());
      const std::int64_t own = job_.same ? id(row) : -1;
      for (std::int64_t h = 0; h < found; ++h) {
        const std::int64_t at = work.hits[static_cast<std::size_t>(h)];
        const std::int64_t column = from + at;
        if (column == own) continue;
        keys.push(row - first_, knn_key(values[at], column));
        if (both) keys.push(column - first_, knn_key(values[at], row));
      }
    }
  }

  /// Leaves out candidates that rounding alone cannot have put behind k others.
  void leave_out_far(std::int64_t query, std::vector<std::uint64_t>& candidates, std::vector<double>& uppers) const {
    if (direct_ || static_cast<std::int64_t>(candidates.size()) <= job_.k) return;
    const double own = std::sqrt(static_cast<double>(job_.queries.norm(query)));
    const auto error = [&](std::uint64_t key) {
      const double size = own + std::sqrt(static_cast<double>(job_.data.norm(key_row(key))));
      return knn_product_error(d_, size * 1.000001);
    };
    uppers.clear();
    for (const std::uint64_t key : candidates) uppers.push_back(static_cast<double>(key_distance(key)) + error(key));
    std::nth_element(uppers.begin(), uppers.begin() + (job_.k - 1), uppers.end());
    const double upper = uppers[static_cast<std::size_t>(job_.k - 1)];
    std::erase_if(candidates,
                  [&](std::uint64_t key) { return static_cast<double>(key_distance(key)) - error(key) > upper; });
  }

  /// Exact distances of what was kept, and whether a row left out could be nearer.
  void finish_band(NearestKeys& keys, std::vector<std::int32_t>& unproven) {
    const std::int64_t units = ceil_divide(last_ - first_, knn_unit);
    std::vector<std::vector<std::int32_t>> open(static_cast<std::size_t>(units));
    const std::int64_t others = n_ - (job_.same ? 1 : 0);
    parallel_for(units, job_.threads, [&](std::int64_t unit) {
      throw_if_stopped(job_.stop, "knn");
      std::vector<double> row(static_cast<std::size_t>(d_));
      std::vector<double> scratch(static_cast<std::size_t>(d_));
      std::vector<std::uint64_t> candidates;
      std::vector<double> uppers;
      std::vector<ExactNeighbor> found;
      for (std::int64_t i = first_ + unit * knn_unit; i < (std::min)(last_, first_ + (unit + 1) * knn_unit); ++i) {
        const std::int64_t query = id(i);
        const std::int64_t count = keys.finish(i - first_);
        const std::uint64_t* const nearest = keys.keys(i - first_);
        job_.queries.values(query, row.data());
        std::uint64_t last = 0;
        for (std::int64_t c = 0; c < count; ++c) last = (std::max)(last, nearest[c]);
        candidates.assign(nearest, nearest + count);
        leave_out_far(query, candidates, uppers);
        found.clear();
        for (std::size_t c = 0; c < candidates.size(); ++c) {
          if (c + 1 < candidates.size()) job_.data.prefetch(key_row(candidates[c + 1]));
          const std::int32_t index = key_row(candidates[c]);
          found.emplace_back(job_.data.sum_of_differences(row.data(), index, scratch.data()), index);
        }
        if (job_.same && job_.self == SelfNeighbor::include) found.emplace_back(0, static_cast<std::int32_t>(query));
        put_neighbors(job_, query, found);
        if (count == others) continue;
        const double sum = found[static_cast<std::size_t>(job_.k - 1)].first;
        // Nothing is nearer than 0.
        if (sum > 0 && static_cast<double>(key_distance(last)) <= knn_reach(job_, query, sum)) {
          open[static_cast<std::size_t>(unit)].push_back(static_cast<std::int32_t>(query));
        }
      }
      keys.free_unit(unit);
    });
    for (const auto& part : open) unproven.insert(unproven.end(), part.begin(), part.end());
  }

  const KnnJob& job_;
  std::span<const std::int32_t> ids_;
  std::int64_t n_;
  std::int64_t d_;
  std::int64_t rows_;
  bool symmetric_;
  bool direct_;
  std::int64_t kept_ = 0;
  std::int64_t room_ = 0;
  std::int64_t band_ = 0;
  std::int64_t group_ = 0;
  std::int64_t task_rows_ = 0;
  std::int64_t first_ = 0;  ///< of the band, so for the next
  std::int64_t last_ = 0;
};

/// The query rows `ids` by comparing all pairs in float64.
LAYERSCOPE_INLINE void compare_all(const KnnJob& job, std::span<const std::int32_t> ids) {
  constexpr std::int64_t rows_per_task = 4;
  const std::int64_t count = static_cast<std::int64_t>(ids.size());
  parallel_for(ceil_divide(count, rows_per_task), job.threads, [&](std::int64_t task) {
    const std::size_t d = static_cast<std::size_t>(job.data.columns());
    const std::size_t first = static_cast<std::size_t>(task * rows_per_task);
    const std::size_t rows = (std::min)(ids.size() - first, static_cast<std::size_t>(rows_per_task));
    std::vector<double> values(rows * d);
    std::vector<double> scratch(d);
    std::vector<ExactNeighbor> found[rows_per_task];
    for (std::size_t r = 0; r < rows; ++r) job.queries.values(ids[first + r], values.data() + r * d);
    const std::size_t room = 2 * static_cast<std::size_t>(job.k) + 64;
    for (std::int32_t j = 0; j < static_cast<std::int32_t>(job.data.rows()); ++j) {
      if (j % 1024 == 0) throw_if_stopped(job.stop, "knn");
      for (std::size_t r = 0; r < rows; ++r) {
        if (job.same && job.self == SelfNeighbor::exclude && j == ids[first + r]) continue;
        found[r].emplace_back(job.data.sum_of_differences(values.data() + r * d, j, scratch.data()), j);
        if (found[r].size() < room) continue;
        std::nth_element(found[r].begin(), found[r].begin() + job.k, found[r].end());
        found[r].resize(static_cast<std::size_t>(job.k));
      }
    }
    for (std::size_t r = 0; r < rows; ++r) put_neighbors(job, ids[first + r], found[r]);
  });
}

/// The exact neighbours of the query rows `ids`, or of all; returns how many had to be searched again.
LAYERSCOPE_INLINE std::int64_t exact_neighbors(const KnnJob& job, std::span<const std::int32_t> ids) {
  if (job.k == 0) return 0;
  const std::vector<std::int32_t> open = KnnPass(job, ids, 8 + job.k / 8).run();
  if (open.empty()) return 0;
  // Close crowds: what float32 cannot tell apart, up to 1024 rows more of it.
  std::vector<std::int32_t> near;
  std::vector<std::int32_t> rest;
  for (const std::int32_t row : open) (job.queries.far_row(row) ? rest : near).push_back(row);
  if (!near.empty()) {
    const std::vector<std::int32_t> still = KnnPass(job, near, 1024 + job.k).run();
    rest.insert(rest.end(), still.begin(), still.end());
  }
  compare_all(job, rest);
  return static_cast<std::int64_t>(open.size());
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
