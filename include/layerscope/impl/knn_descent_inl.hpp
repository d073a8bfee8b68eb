// Descent: each row is compared with the neighbours of its neighbours, and with the rows that have it as neighbour.
//
// A round reads the lists as they were at its start and writes each row's own list, which holds the nearest whatever
// the order: the same bits for any number of threads.
#pragma once

#include <layerscope/impl/knn_exact_inl.hpp>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Row numbers, each once; forgets all at once.
class KnnSeen {
 public:
  /// Room for `most` rows.
  explicit KnnSeen(std::int64_t most) {
    std::size_t size = 64;
    while (size < 2 * static_cast<std::size_t>(most)) size *= 2;
    slots_.assign(size, 0);
  }
  void clear() noexcept {
    if (++round_ != 0) return;
    std::fill(slots_.begin(), slots_.end(), 0);
    round_ = 1;
  }
  /// Whether the row was not there.
  bool insert(std::int32_t row) noexcept {
    const std::uint64_t entry = std::uint64_t{round_} << 32 | static_cast<std::uint32_t>(row);
    for (std::size_t at = static_cast<std::uint32_t>(row) * 0x9E3779B1U % slots_.size();;
         at = (at + 1) % slots_.size()) {
      if (slots_[at] == entry) return false;
      if (slots_[at] >> 32 != round_) {
        slots_[at] = entry;
        return true;
      }
    }
  }

 private:
  std::vector<std::uint64_t> slots_;
  std::uint32_t round_ = 1;
};

/// Rows so that one is mostly followed by one of its neighbours, which then are read while they are near in memory:
/// depth first along the first neighbours of lists [n, any]. Row r is number kept[r] of the lists, where that is given.
LAYERSCOPE_INLINE std::vector<std::int32_t> order_along(const AnyView& lists, std::int64_t n,
                                                        const std::vector<std::int64_t>& kept) {
  std::vector<std::int32_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  if (!kept.empty()) return order;  // few are dropped, but numbers would have to be looked up
  constexpr std::int64_t some = 6;
  const std::int64_t columns = (std::min)(some, lists.extent(1));
  std::vector<std::int64_t> near(static_cast<std::size_t>(n * columns));
  convert_into(lists.narrow(1, 0, columns), DType::i64, near.data());
  std::vector<bool> seen(static_cast<std::size_t>(n));
  std::vector<std::int64_t> open;
  std::size_t next = 0;
  for (std::int64_t start = 0; start < n; ++start) {
    open.push_back(start);
    while (!open.empty()) {
      const std::int64_t row = open.back();
      open.pop_back();
      if (row < 0 || row >= n || seen[static_cast<std::size_t>(row)]) continue;
      seen[static_cast<std::size_t>(row)] = true;
      order[next++] = static_cast<std::int32_t>(row);
      for (std::int64_t i = columns; i-- > 0;) open.push_back(near[static_cast<std::size_t>(row * columns + i)]);
    }
  }
  return order;
}

class KnnDescent {
 public:
  /// `order[p]` is the row whose list is number p of `keys`, which holds rows of `points`.
  KnnDescent(StridedMatrix<float> points, std::int64_t columns, Difference difference,
             std::span<const std::int32_t> order, NearestKeys& keys, std::int64_t unit_rows, int threads,
             const std::stop_token& stop)
      : points_(points),
        d_(columns),
        difference_(difference),
        order_(order),
        n_(static_cast<std::int64_t>(order.size())),
        keys_(keys),
        unit_rows_(unit_rows),
        threads_(threads),
        stop_(stop) {}

  /// Fills the lists from rows of numbers of a matrix, of which only the rows `kept` are here, or all where that is
  /// empty. Numbers that are no rows are passed over.
  void start(const AnyView& given, const std::vector<std::int64_t>& kept) {
    const std::int64_t columns = given.extent(1);
    std::vector<std::int32_t> position;
    if (!kept.empty()) {
      position.assign(at(given.extent(0)), -1);
      for (std::int64_t r = 0; r < n_; ++r) position[at(kept[at(r)])] = static_cast<std::int32_t>(r);
    }
    parallel_for(ceil_divide(n_, unit_rows_), threads_, [&](std::int64_t unit) {
      KnnSeen seen(1 + columns);
      std::vector<std::int64_t> numbers(at(columns));
      std::vector<std::int32_t> others;
      std::vector<float> distances;
      for (std::int64_t p = unit * unit_rows_; p < (std::min)(n_, (unit + 1) * unit_rows_); ++p) {
        const std::int32_t row = order_[at(p)];
        convert_into(given.narrow(0, kept.empty() ? row : kept[at(row)], 1), DType::i64, numbers.data());
        seen.clear();
        seen.insert(row);
        others.clear();
        for (std::int64_t number : numbers) {
          if (number < 0 || number >= given.extent(0)) continue;
          if (!kept.empty()) number = position[at(number)];
          if (number >= 0 && seen.insert(static_cast<std::int32_t>(number))) {
            others.push_back(static_cast<std::int32_t>(number));
          }
        }
        offer(p, row, others, distances);
      }
    });
  }

  /// Compares with the `reach` nearest of each of the `reach` nearest, and with rows that have it among theirs.
  void round(std::int64_t reach) {
    reach_ = reach;
    read_lists();
    reverse_lists();
    parallel_for(ceil_divide(n_, unit_rows_), threads_, [&](std::int64_t unit) {
      throw_if_stopped(stop_, "knn");
      KnnSeen seen(1 + keys_.kept() + reach_ * (reach_ + 2));
      std::vector<std::int32_t> others;
      std::vector<float> distances;
      for (std::int64_t p = unit * unit_rows_; p < (std::min)(n_, (unit + 1) * unit_rows_); ++p) {
        const std::int32_t row = order_[at(p)];
        gather(p, row, seen, others);
        offer(p, row, others, distances);
      }
    });
  }

 private:
  static std::size_t at(std::int64_t i) noexcept { return static_cast<std::size_t>(i); }

  void offer(std::int64_t p, std::int32_t row, const std::vector<std::int32_t>& others, std::vector<float>& distances) {
    distances.resize(others.size());
    gathered_distances(difference_, d_, points_.data + row * points_.row_stride, points_.data, points_.row_stride,
                       others.data(), static_cast<std::int64_t>(others.size()), distances.data());
    for (std::size_t i = 0; i < others.size(); ++i) {
      if (distances[i] <= keys_.limits()[p]) keys_.push(p, knn_key(distances[i], others[i]));
    }
  }

  /// The nearest of each list.
  void read_lists() {
    near_.assign(at(n_ * reach_), -1);
    parallel_for(ceil_divide(n_, unit_rows_), threads_, [&](std::int64_t unit) {
      for (std::int64_t p = unit * unit_rows_; p < (std::min)(n_, (unit + 1) * unit_rows_); ++p) {
        const std::int64_t count = keys_.finish(p);
        std::uint64_t* const keys = keys_.keys(p);
        const std::int64_t some = (std::min)(count, reach_);
        std::partial_sort(keys, keys + some, keys + count);
        std::int32_t* const near = near_.data() + order_[at(p)] * reach_;
        for (std::int64_t i = 0; i < some; ++i) near[i] = key_row(keys[i]);
      }
    });
  }

  void reverse_lists() {
    begins_.assign(at(n_ + 1), 0);
    for (const std::int32_t other : near_) {
      if (other >= 0) ++begins_[at(other) + 1];
    }
    std::partial_sum(begins_.begin(), begins_.end(), begins_.begin());
    reverse_.resize(at(begins_.back()));
    std::vector<std::int64_t> next(begins_.begin(), begins_.end() - 1);
    for (std::int64_t row = 0; row < n_; ++row) {
      for (std::int64_t i = 0; i < reach_; ++i) {
        const std::int32_t other = near_[at(row * reach_ + i)];
        if (other >= 0) reverse_[at(next[at(other)]++)] = static_cast<std::int32_t>(row);
      }
    }
  }

  void gather(std::int64_t p, std::int32_t row, KnnSeen& seen, std::vector<std::int32_t>& others) {
    seen.clear();
    others.clear();
    seen.insert(row);
    const std::int64_t count = keys_.finish(p);
    const std::uint64_t* const keys = keys_.keys(p);
    for (std::int64_t i = 0; i < count; ++i) seen.insert(key_row(keys[i]));
    const std::int64_t last = (std::min)(begins_[at(row + 1)], begins_[at(row)] + 2 * reach_);
    for (std::int64_t i = begins_[at(row)]; i < last; ++i) {
      if (seen.insert(reverse_[at(i)])) others.push_back(reverse_[at(i)]);
    }
    const std::int32_t* const near = near_.data() + row * reach_;
    for (std::int64_t i = 0; i < reach_ && near[i] >= 0; ++i) {
      const std::int32_t* const theirs = near_.data() + near[i] * reach_;
      for (std::int64_t j = 0; j < reach_ && theirs[j] >= 0; ++j) {
        if (seen.insert(theirs[j])) others.push_back(theirs[j]);
      }
    }
  }

  StridedMatrix<float> points_;
  std::int64_t d_;
  Difference difference_;
  std::span<const std::int32_t> order_;
  std::int64_t n_;
  NearestKeys& keys_;
  std::int64_t unit_rows_;
  std::int64_t reach_ = 0;
  int threads_;
  const std::stop_token& stop_;
  std::vector<std::int32_t> near_;     ///< [n, reach] by row, −1 where there is none
  std::vector<std::int64_t> begins_;   ///< of each row, in reverse_
  std::vector<std::int32_t> reverse_;  ///< the rows that have it among their nearest
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
