// Lists of neighbours that only improve, and their start: all pairs within the leaves of random-projection trees.
#pragma once

#include <layerscope/core/random.hpp>
#include <layerscope/impl/knn_exact_inl.hpp>

#include <atomic>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// For each row the nearest others seen so far, ordered by distance and row number. What a list holds in the end does
/// not depend on the order in which candidates are offered, as long as a pair always comes with the same distance.
class NeighborLists {
 public:
  NeighborLists(std::int64_t rows, std::int64_t room)
      : room_(room), keys_(static_cast<std::size_t>(rows * room), none), limits_(static_cast<std::size_t>(rows)) {
    for (auto& limit : limits_) limit.store((std::numeric_limits<float>::max)(), std::memory_order_relaxed);
  }

  /// A key of a list: distance, row, and whether it is new. Larger than any of them: an empty place.
  static constexpr std::uint64_t none = (std::numeric_limits<std::uint64_t>::max)();
  static constexpr std::uint64_t make(float distance, std::int64_t row, bool fresh) noexcept {
    return std::uint64_t{std::bit_cast<std::uint32_t>(distance)} << 32 | static_cast<std::uint64_t>(row) << 1 |
           static_cast<std::uint64_t>(fresh);
  }
  static constexpr std::int32_t row(std::uint64_t key) noexcept {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(key) >> 1);
  }
  static constexpr bool fresh(std::uint64_t key) noexcept { return (key & 1) != 0; }

  std::int64_t room() const noexcept { return room_; }
  std::uint64_t* list(std::int64_t row) noexcept { return keys_.data() + row * room_; }
  const std::uint64_t* list(std::int64_t row) const noexcept { return keys_.data() + row * room_; }
  /// The largest distance that can still enter; may be read while another thread offers.
  float limit(std::int64_t row) const noexcept {
    return limits_[static_cast<std::size_t>(row)].load(std::memory_order_relaxed);
  }

  /// Takes a candidate in, or not. One thread at a time for each row.
  void offer(std::int64_t row, float distance, std::int64_t candidate) {
    std::uint64_t* const keys = list(row);
    const std::uint64_t key = make(distance, candidate, true);
    if (key > keys[room_ - 1]) return;
    for (std::int64_t i = 0; i < room_; ++i) {
      if (NeighborLists::row(keys[i]) == candidate) return;  // an empty place has a row that no matrix has
    }
    std::uint64_t* const place = std::upper_bound(keys, keys + room_, key);
    std::move_backward(place, keys + room_ - 1, keys + room_);
    *place = key;
    set_limit(row);
  }

  /// Orders a list whose distances were changed.
  void reorder(std::int64_t row) {
    std::sort(list(row), list(row) + room_);
    set_limit(row);
  }

 private:
  void set_limit(std::int64_t row) {
    const std::uint64_t last = list(row)[room_ - 1];
    if (last == none) return;
    limits_[static_cast<std::size_t>(row)].store(key_distance(last), std::memory_order_relaxed);
  }

  std::int64_t room_;
  std::vector<std::uint64_t> keys_;
  std::vector<std::atomic<float>> limits_;
};

/// Rows in the order of the leaves of one tree, and where the leaves begin; the last entry is the number of rows.
struct KnnTree {
  std::vector<std::int32_t> order;
  std::vector<std::int64_t> leaves;
};

/// Halves nodes at the median of the difference of the distances to two random rows of the node.
LAYERSCOPE_INLINE KnnTree make_tree(const float* points, std::int64_t n, std::int64_t columns, std::int64_t leaf,
                                    const Random& random) {
  KnnTree tree;
  tree.order.resize(static_cast<std::size_t>(n));
  std::iota(tree.order.begin(), tree.order.end(), 0);
  std::vector<float> distances(static_cast<std::size_t>(2 * n));
  std::vector<std::pair<float, std::int32_t>> margins(static_cast<std::size_t>(n));
  std::vector<std::pair<std::int64_t, std::int64_t>> open{{0, n}};
  std::uint64_t node = 0;
  while (!open.empty()) {
    const auto [first, last] = open.back();
    open.pop_back();
    const std::int64_t count = last - first;
    if (count <= leaf) {
      tree.leaves.push_back(first);
      continue;
    }
    std::int32_t* const rows = tree.order.data() + first;
    const auto a = static_cast<std::int64_t>(random.below(2 * node, static_cast<std::uint64_t>(count)));
    const auto step = static_cast<std::int64_t>(random.below(2 * node + 1, static_cast<std::uint64_t>(count - 1)));
    const std::int64_t b = (a + 1 + step) % count;
    ++node;
    gathered_distances(Difference::squared, columns, points + rows[a] * columns, points, columns, rows, count,
                       distances.data());
    gathered_distances(Difference::squared, columns, points + rows[b] * columns, points, columns, rows, count,
                       distances.data() + n);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::size_t at = static_cast<std::size_t>(i);
      margins[at] = {distances[at] - distances[at + static_cast<std::size_t>(n)], rows[i]};
    }
    const std::int64_t half = count / 2;
    std::nth_element(margins.begin(), margins.begin() + half, margins.begin() + count);
    for (std::int64_t i = 0; i < count; ++i) rows[i] = margins[static_cast<std::size_t>(i)].second;
    open.emplace_back(first + half, last);
    open.emplace_back(first, first + half);
  }
  tree.leaves.push_back(n);
  return tree;
}

/// The rows along random directions, or themselves where they have few columns: what trees are made of.
struct KnnSketch {
  std::int64_t columns;
  std::vector<float> points;
};

LAYERSCOPE_INLINE KnnSketch make_sketch(const KnnRows& rows, std::uint64_t seed, int threads) {
  constexpr std::int64_t most_columns = 48;
  constexpr std::int64_t rows_per_task = 256;
  const std::int64_t d = rows.columns();
  const std::int64_t n = rows.rows();
  KnnSketch sketch{(std::min)(d, most_columns), {}};
  sketch.points.resize(static_cast<std::size_t>(n * sketch.columns));
  std::vector<float> directions;
  if (sketch.columns < d) {
    const Random random(seed, 0x736B65);
    for (std::int64_t i = 0; i < d * sketch.columns; ++i) {
      directions.push_back(static_cast<float>(random.normal(static_cast<std::uint64_t>(i))));
    }
  }
  parallel_for(ceil_divide(n, rows_per_task), threads, [&](std::int64_t task) {
    const std::int64_t first = task * rows_per_task;
    const std::int64_t count = (std::min)(rows_per_task, n - first);
    float* const to = sketch.points.data() + first * sketch.columns;
    if (directions.empty()) return rows.copy(nullptr, first, count, false, to);
    rows.project(first, count, directions.data(), sketch.columns, to);
  });
  return sketch;
}

/// Offers each pair of rows of one leaf to both.
LAYERSCOPE_INLINE void join_leaf(const KnnRows& rows, const std::int32_t* ids, std::int64_t count,
                                 NeighborLists& lists) {
  const std::int64_t d = rows.columns();
  const bool direct = d <= knn_direct_columns || rows.difference() == Difference::absolute;
  const std::int64_t stride = round_up(count, 16);
  const AlignedBuffer<float> packed(packed_size(count, d));
  const AlignedBuffer<float> room(KnnRows::pack_scratch_rows * d);
  const AlignedBuffer<float> scratch(packed_scratch_size());
  const AlignedBuffer<float> tile(row_block * stride);
  std::vector<float> norms(static_cast<std::size_t>(count));
  std::vector<float> limits(static_cast<std::size_t>(count));
  std::vector<std::int32_t> hits(static_cast<std::size_t>(count + 16));
  rows.pack(ids, 0, count, direct, packed.data(), room.data());
  for (std::int64_t r = 0; r < count; ++r) {
    norms[static_cast<std::size_t>(r)] = rows.norm(ids[r]);
    limits[static_cast<std::size_t>(r)] = lists.limit(ids[r]);
  }
  for (std::int64_t i = 0; i < count; i += row_block) {
    const std::int64_t some = (std::min)(row_block, count - i);
    const float* const from = packed.data() + i * d;
    if (direct) {
      differences_packed(rows.difference(), some, count - i, d, from, from, tile.data(), stride, scratch.data());
    } else {
      squared_distances_packed(some, count - i, d, from, norms.data() + i, from, norms.data() + i, tile.data(), stride,
                               scratch.data());
    }
    for (std::int64_t r = 0; r < some; ++r) {
      const std::int64_t row = i + r;
      const float* const values = tile.data() + r * stride + r + 1;
      const std::int64_t found = find_within(values, count - row - 1, limits[static_cast<std::size_t>(row)],
                                             limits.data() + row + 1, hits.data());
      for (std::int64_t h = 0; h < found; ++h) {
        const std::int64_t at = hits[static_cast<std::size_t>(h)];
        const std::size_t column = static_cast<std::size_t>(row + 1 + at);
        if (values[at] <= limits[static_cast<std::size_t>(row)]) {
          lists.offer(ids[row], values[at], ids[column]);
          limits[static_cast<std::size_t>(row)] = lists.limit(ids[row]);
        }
        if (values[at] <= limits[column]) {
          lists.offer(ids[column], values[at], ids[row]);
          limits[column] = lists.limit(ids[column]);
        }
      }
    }
  }
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
