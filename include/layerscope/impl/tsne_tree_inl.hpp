// The repulsion of t-SNE by a tree of cells (Barnes and Hut, Nature 324, 1986; van der Maaten, JMLR 15, 2014).
#pragma once

#include <layerscope/impl/kernels/tsne_inl.hpp>
#include <layerscope/impl/thread_team_inl.hpp>
#include <layerscope/impl/tsne_box.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Points are sorted along a Morton curve, so that those of a cell are neighbours in memory, and those of one vector
/// near each other: they walk the tree together.
class TsneTree {
 public:
  /// Σ_j q² (y_i − y_j) and Σ_j q, itself included, of all points. A cell of side s counts as one body for points
  /// farther from its mean than s / angle.
  void repel(const TsneKernels& kernels, std::int64_t n, int dimensions, double angle,
             const std::array<const float*, 3>& y, const TsneBox& box, const std::array<float*, 3>& force, float* total,
             ThreadTeam& team) {
    sort(n, dimensions, y, box, team);
    float side = 0;
    for (int k = 0; k < dimensions; ++k) side = (std::max)(side, box.high[k] - box.low[k]);
    cells_.clear();
    Builder{*this, dimensions, static_cast<float>(angle)}.add(0, n, levels(dimensions), side);
    TsneTreeRange job{};
    for (std::size_t k = 0; k < 3; ++k) {
      job.y[k] = sorted_[k].data();
      job.force[k] = force[k];
    }
    job.cells = cells_.data();
    job.cell_count = static_cast<std::int64_t>(cells_.size());
    job.order = order_.data();
    job.total = total;
    constexpr std::int64_t points = 128;
    team.run((n + points - 1) / points, [&](std::int64_t task) {
      TsneTreeRange range = job;
      range.first = task * points;
      range.last = (std::min)(n, range.first + points);
      kernels.tree(range);
    });
  }

 private:
  using Key = std::pair<std::uint64_t, std::int32_t>;  // place on the curve, point
  static constexpr std::int64_t block = 8192;
  static constexpr std::int64_t leaf_points = 8;
  static constexpr std::int64_t most_pairs = 64;  // points of a smallest cell that still count one by one

  static int levels(int dimensions) noexcept { return dimensions == 2 ? 31 : 21; }

  static std::uint64_t interleave(const std::array<std::uint64_t, 3>& place, int dimensions) noexcept {
    std::uint64_t key = 0;
    for (int bit = levels(dimensions) - 1; bit >= 0; --bit) {
      for (int k = 0; k < dimensions; ++k) key = key << 1 | (place[static_cast<std::size_t>(k)] >> bit & 1);
    }
    return key;
  }

  void sort(std::int64_t n, int dimensions, const std::array<const float*, 3>& y, const TsneBox& box,
            ThreadTeam& team) {
    const auto un = static_cast<std::size_t>(n);
    keys_.resize(un);
    order_.resize(un);
    double side = 0;
    for (int k = 0; k < dimensions; ++k) {
      side = (std::max)(side, static_cast<double>(box.high[k]) - static_cast<double>(box.low[k]));
    }
    const double cells = static_cast<double>((std::uint64_t{1} << levels(dimensions)) - 1);
    const double scale = side > 0 ? cells / side : 0;
    const std::int64_t blocks = (n + block - 1) / block;
    team.run(blocks, [&](std::int64_t task) {
      const std::int64_t first = task * block, last = (std::min)(n, first + block);
      for (std::int64_t i = first; i < last; ++i) {
        std::array<std::uint64_t, 3> place{};
        for (int k = 0; k < dimensions; ++k) {
          const auto axis = static_cast<std::size_t>(k);
          place[axis] =
              static_cast<std::uint64_t>((static_cast<double>(y[axis][i]) - static_cast<double>(box.low[k])) * scale);
        }
        keys_[static_cast<std::size_t>(i)] = {interleave(place, dimensions), static_cast<std::int32_t>(i)};
      }
      std::sort(keys_.begin() + first, keys_.begin() + last);
    });
    for (std::int64_t width = block; width < n; width *= 2) {  // runs merged in pairs
      team.run((n + 2 * width - 1) / (2 * width), [&](std::int64_t task) {
        const std::int64_t first = task * 2 * width, middle = (std::min)(n, first + width);
        std::inplace_merge(keys_.begin() + first, keys_.begin() + middle,
                           keys_.begin() + (std::min)(n, first + 2 * width));
      });
    }
    for (std::size_t k = 0; k < 3; ++k) sorted_[k].assign(un + tsne_edge_group, 0.0F);
    team.run(blocks, [&](std::int64_t task) {
      for (std::int64_t i = task * block; i < (std::min)(n, (task + 1) * block); ++i) {
        const auto at = static_cast<std::size_t>(i);
        order_[at] = keys_[at].second;
        for (std::size_t k = 0; k < static_cast<std::size_t>(dimensions); ++k) sorted_[k][at] = y[k][order_[at]];
      }
    });
  }

  struct Builder {
    TsneTree& tree;
    int dimensions;
    float angle;

    /// The cell of sorted points [begin, end), which agree in all but the lowest `level` digits. At most 31 deep.
    void add(std::int64_t begin, std::int64_t end, int level, float side) const {
      const std::size_t at = tree.cells_.size();
      tree.cells_.push_back({});
      TsneCell cell{};
      cell.mass = static_cast<float>(end - begin);
      cell.reach = side / angle * (side / angle);
      const std::int64_t count = end - begin;
      if (count <= leaf_points || level == 0) {
        cell.begin = static_cast<std::int32_t>(begin);
        cell.count = static_cast<std::int32_t>(count);
        if (count > most_pairs) {  // points at one place
          cell.count = 0;
          cell.reach = -1;
        }
      } else {
        const int shift = (level - 1) * dimensions;
        for (std::int64_t from = begin; from < end;) {
          const std::uint64_t digit = tree.keys_[static_cast<std::size_t>(from)].first >> shift;
          const auto past = std::partition_point(tree.keys_.begin() + from, tree.keys_.begin() + end,
                                                 [&](const Key& key) { return key.first >> shift == digit; });
          const std::int64_t to = past - tree.keys_.begin();
          add(from, to, level - 1, side / 2);
          from = to;
        }
      }
      std::array<double, 3> sum{};
      if (tree.cells_.size() > at + 1) {
        for (std::size_t child = at + 1; child < tree.cells_.size();
             child = static_cast<std::size_t>(tree.cells_[child].next)) {
          const TsneCell& part = tree.cells_[child];
          for (std::size_t k = 0; k < 3; ++k) {
            sum[k] += static_cast<double>(part.mass) * static_cast<double>(part.center[k]);
          }
        }
      } else {
        for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
          for (std::size_t k = 0; k < 3; ++k) sum[k] += static_cast<double>(tree.sorted_[k][i]);
        }
      }
      for (std::size_t k = 0; k < 3; ++k) cell.center[k] = static_cast<float>(sum[k] / static_cast<double>(count));
      cell.next = static_cast<std::int32_t>(tree.cells_.size());
      tree.cells_[at] = cell;
    }
  };

  std::vector<Key> keys_;
  std::vector<std::int32_t> order_;
  std::array<std::vector<float>, 3> sorted_;
  std::vector<TsneCell> cells_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
