// Approximate nearest neighbours by descent: neighbours of neighbours are compared until few lists improve.
//
// Every round reads the lists as they were at its start, and lists do not depend on the order of offers: the same bits
// for any number of threads.
#pragma once

#include <layerscope/impl/knn_forest_inl.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

class KnnDescent {
 public:
  KnnDescent(const KnnJob& job, const KnnOptions& options)
      : job_(job),
        options_(options),
        rows_(job.data),
        n_(job.data.rows()),
        d_(job.data.columns()),
        lists_(n_, (std::min)(n_ - 1, job.k + (std::max<std::int64_t>)(5, job.k / 8))),
        candidates_((std::clamp)(job.k, std::int64_t{15}, std::int64_t{60})) {}

  /// Writes the results; returns the number of rounds.
  std::int64_t run() {
    find_floats();
    start();
    measure_lists();
    std::int64_t rounds = 0;
    // Rounds beyond this many have been seen to bring nothing; the bound is for input that nobody has seen.
    constexpr std::int64_t most_rounds = 20;
    while (rounds < most_rounds) {
      report(0.4 + 0.5 * static_cast<double>(rounds) / static_cast<double>(most_rounds), "descent");
      ++rounds;
      join_neighbors();
      if (static_cast<double>(count_fresh()) < 0.005 * static_cast<double>(n_ * lists_.room())) break;
    }
    report(0.9, "exact distances");
    finish();
    return rounds;
  }

 private:
  void report(double fraction, const char* stage) const {
    throw_if_stopped(job_.stop, "knn");
    if (job_.progress) job_.progress(fraction, stage);
  }

  /// Float32 rows in one place: those of the caller where they need no treatment.
  void find_floats() {
    if (const auto own = rows_.in_place()) {
      floats_ = own->data;
      stride_ = own->row_stride;
      return;
    }
    copy_ = std::make_unique<AlignedBuffer<float>>(n_ * d_);
    constexpr std::int64_t rows_per_task = 256;
    parallel_for(ceil_divide(n_, rows_per_task), job_.threads, [&](std::int64_t task) {
      const std::int64_t first = task * rows_per_task;
      rows_.copy(nullptr, first, (std::min)(rows_per_task, n_ - first), true, copy_->data() + first * d_);
    });
    floats_ = copy_->data();
    stride_ = d_;
  }

  void start() {
    const bool warm = options_.initial.has_value();
    const std::int64_t trees = warm ? 2 : tree_count;
    trees_ = trees;
    leaf_of_.resize(static_cast<std::size_t>(n_ * trees));
    // A leaf has at least half as many rows: enough to fill the lists of all.
    const std::int64_t most = (std::max)(leaf_rows, 4 * lists_.room());
    std::vector<KnnTree> forest(static_cast<std::size_t>(trees));
    {
      const KnnSketch sketch = make_sketch(rows_, options_.seed, job_.threads);
      report(0.05, "trees");
      parallel_for(trees, job_.threads, [&](std::int64_t t) {
        forest[static_cast<std::size_t>(t)] =
            make_tree(sketch.points.data(), n_, sketch.columns, most,
                      Random(options_.seed, 0x74726565 + (static_cast<std::uint64_t>(t) << 32)));
      });
    }
    for (std::size_t t = 0; t < forest.size(); ++t) {
      report(0.1 + 0.25 * static_cast<double>(t) / static_cast<double>(trees), "leaves");
      const KnnTree& tree = forest[t];
      // Each row is in one leaf of a tree: no list is written by two threads.
      parallel_for(static_cast<std::int64_t>(tree.leaves.size()) - 1, job_.threads, [&](std::int64_t leaf) {
        const std::int64_t first = tree.leaves[static_cast<std::size_t>(leaf)];
        const std::int64_t last = tree.leaves[static_cast<std::size_t>(leaf + 1)];
        join_leaf(rows_, tree.order.data() + first, last - first, lists_);
        for (std::int64_t at = first; at < last; ++at) {
          const std::int64_t row = tree.order[static_cast<std::size_t>(at)];
          leaf_of_[static_cast<std::size_t>(row * trees) + t] = static_cast<std::int32_t>(leaf);
        }
      });
    }
    order_ = std::move(forest[0].order);
    if (warm) start_from(*options_.initial);
  }

  void start_from(const AnyView& given) {
    const std::int64_t columns = given.extent(1);
    // Its numbers are those of the matrix before rows were dropped.
    const std::vector<std::int64_t>& kept = rows_.kept();
    std::vector<std::int32_t> position;
    if (!kept.empty()) {
      position.assign(static_cast<std::size_t>(given.extent(0)), -1);
      for (std::int64_t r = 0; r < n_; ++r) {
        position[static_cast<std::size_t>(kept[static_cast<std::size_t>(r)])] = static_cast<std::int32_t>(r);
      }
    }
    constexpr std::int64_t rows_per_task = 256;
    parallel_for(ceil_divide(n_, rows_per_task), job_.threads, [&](std::int64_t task) {
      std::vector<std::int64_t> row(static_cast<std::size_t>(columns));
      std::vector<std::int32_t> others;
      std::vector<float> distances;
      for (std::int64_t r = task * rows_per_task; r < (std::min)(n_, (task + 1) * rows_per_task); ++r) {
        const std::int64_t own = kept.empty() ? r : kept[static_cast<std::size_t>(r)];
        convert_into(given.narrow(0, own, 1), DType::i64, row.data());
        others.clear();
        for (std::int64_t other : row) {
          if (other < 0 || other >= given.extent(0)) continue;
          if (!kept.empty()) other = position[static_cast<std::size_t>(other)];
          if (other >= 0 && other != r) others.push_back(static_cast<std::int32_t>(other));
        }
        measure(r, others, distances);
        for (std::size_t i = 0; i < others.size(); ++i) {
          if (distances[i] <= lists_.limit(r)) lists_.offer(r, distances[i], others[i]);
        }
      }
    });
  }

  void measure(std::int64_t row, const std::vector<std::int32_t>& others, std::vector<float>& distances) const {
    distances.resize(others.size());
    gathered_distances(rows_.difference(), d_, floats_ + row * stride_, floats_, stride_, others.data(),
                       static_cast<std::int64_t>(others.size()), distances.data());
  }

  /// Whether a leaf has compared the two already.
  bool compared(std::int64_t a, std::int64_t b) const noexcept {
    const std::int32_t* const x = leaf_of_.data() + a * trees_;
    const std::int32_t* const y = leaf_of_.data() + b * trees_;
    bool same = false;
    for (std::int64_t t = 0; t < trees_; ++t) same |= x[t] == y[t];
    return same;
  }

  /// Distances by differences instead of products, so that a pair has one distance from here on.
  void measure_lists() {
    report(0.35, "distances");
    for_blocks([&](std::int64_t first, std::int64_t last) {
      std::vector<std::int32_t> others;
      std::vector<float> distances;
      for (std::int64_t at = first; at < last; ++at) {
        const std::int32_t row = order_[static_cast<std::size_t>(at)];
        std::uint64_t* const keys = lists_.list(row);
        others.clear();
        for (std::int64_t i = 0; i < lists_.room() && keys[i] != NeighborLists::none; ++i) {
          others.push_back(NeighborLists::row(keys[i]));
        }
        measure(row, others, distances);
        for (std::size_t i = 0; i < others.size(); ++i) keys[i] = NeighborLists::make(distances[i], others[i], true);
        lists_.reorder(row);
      }
    });
  }

  /// Blocks of rows in the order of the first tree, so that those of a block share neighbours.
  template <class Body>
  void for_blocks(const Body& body) const {
    constexpr std::int64_t block = 128;
    parallel_for(ceil_divide(n_, block), job_.threads, [&](std::int64_t task) {
      throw_if_stopped(job_.stop, "knn");
      body(task * block, (std::min)(n_, (task + 1) * block));
    });
  }

  std::int64_t count_fresh() const {
    std::int64_t count = 0;
    for (std::int64_t r = 0; r < n_; ++r) {
      const std::uint64_t* const keys = lists_.list(r);
      for (std::int64_t i = 0; i < lists_.room() && keys[i] != NeighborLists::none; ++i) {
        count += NeighborLists::fresh(keys[i]) ? 1 : 0;
      }
    }
    return count;
  }

  /// An edge as candidate of a row: kept are those of lowest priority, a random number of the round and the pair.
  struct Candidate {
    std::uint32_t priority;
    std::int32_t row;
    friend bool operator<(const Candidate& a, const Candidate& b) {
      return a.priority < b.priority || (a.priority == b.priority && a.row < b.row);
    }
    friend bool operator==(const Candidate& a, const Candidate& b) { return a.row == b.row; }
  };

  /// A hash of two rows and the round (the finaliser of MurmurHash3), the same for both directions.
  std::uint32_t priority(std::int64_t a, std::int64_t b) const noexcept {
    const std::uint64_t low = static_cast<std::uint64_t>((std::min)(a, b));
    const std::uint64_t high = static_cast<std::uint64_t>((std::max)(a, b));
    std::uint64_t x = (low << 32 | high) + 0x9E3779B97F4A7C15U * (options_.seed + 0x1F * round_ + 1);
    x = (x ^ x >> 33) * 0xFF51AFD7ED558CCDU;
    x = (x ^ x >> 33) * 0xC4CEB9FE1A85EC53U;
    return static_cast<std::uint32_t>((x ^ x >> 33) >> 16);
  }

  void join_neighbors() {
    ++round_;
    choose_candidates();
    const std::unique_ptr<std::mutex[]> locks(new std::mutex[lock_count]);
    const auto offer = [&](std::int64_t row, float distance, std::int64_t candidate) {
      const std::lock_guard lock(locks[static_cast<std::size_t>(row % lock_count)]);
      lists_.offer(row, distance, candidate);
    };
    for_blocks([&](std::int64_t first, std::int64_t last) {
      std::vector<std::int32_t> others;
      std::vector<float> distances;
      for (std::int64_t at = first; at < last; ++at) {
        const std::int64_t row = order_[static_cast<std::size_t>(at)];
        const std::int32_t* const fresh = fresh_.data() + row * candidates_;
        const std::int32_t* const old = old_.data() + row * candidates_;
        const std::int64_t fresh_count = fresh_counts_[static_cast<std::size_t>(row)];
        const std::int64_t old_count = old_counts_[static_cast<std::size_t>(row)];
        for (std::int64_t i = 0; i < fresh_count; ++i) {
          const std::int32_t a = fresh[i];
          others.clear();
          for (std::int64_t c = i + 1; c < fresh_count; ++c) {
            if (!compared(a, fresh[c])) others.push_back(fresh[c]);
          }
          for (std::int64_t c = 0; c < old_count; ++c) {
            if (old[c] != a && !compared(a, old[c])) others.push_back(old[c]);
          }
          measure(a, others, distances);
          for (std::size_t c = 0; c < others.size(); ++c) {
            if (distances[c] <= lists_.limit(a)) offer(a, distances[c], others[c]);
            if (distances[c] <= lists_.limit(others[c])) offer(others[c], distances[c], a);
          }
        }
      }
    });
  }

  /// For each row some of its neighbours and of the rows whose neighbour it is, new ones and old ones apart; new ones
  /// that were chosen count as old from now on.
  void choose_candidates() {
    // Rows whose neighbour each row is, by increasing number: a counting sort.
    std::vector<std::int64_t> begins(static_cast<std::size_t>(n_ + 1), 0);
    const auto for_each = [&](const auto& body) {
      for (std::int64_t r = 0; r < n_; ++r) {
        const std::uint64_t* const keys = lists_.list(r);
        for (std::int64_t i = 0; i < lists_.room() && keys[i] != NeighborLists::none; ++i) body(r, keys[i]);
      }
    };
    for_each([&](std::int64_t, std::uint64_t key) { ++begins[static_cast<std::size_t>(NeighborLists::row(key)) + 1]; });
    for (std::size_t r = 1; r < begins.size(); ++r) begins[r] += begins[r - 1];
    std::vector<std::uint32_t> reverse(static_cast<std::size_t>(begins.back()));
    std::vector<std::int64_t> next(begins.begin(), begins.end() - 1);
    for_each([&](std::int64_t r, std::uint64_t key) {
      const auto place = next[static_cast<std::size_t>(NeighborLists::row(key))]++;
      reverse[static_cast<std::size_t>(place)] =
          static_cast<std::uint32_t>(r) << 1 | static_cast<std::uint32_t>(NeighborLists::fresh(key));
    });
    fresh_.resize(static_cast<std::size_t>(n_ * candidates_));
    old_.resize(fresh_.size());
    fresh_counts_.resize(static_cast<std::size_t>(n_));
    old_counts_.resize(static_cast<std::size_t>(n_));
    for_blocks([&](std::int64_t first, std::int64_t last) {
      std::vector<Candidate> fresh;
      std::vector<Candidate> old;
      for (std::int64_t r = first; r < last; ++r) {
        fresh.clear();
        old.clear();
        std::uint64_t* const keys = lists_.list(r);
        const auto add = [&](std::int32_t other, bool is_fresh) {
          (is_fresh ? fresh : old).push_back({priority(r, other), other});
        };
        for (std::int64_t i = 0; i < lists_.room() && keys[i] != NeighborLists::none; ++i) {
          add(NeighborLists::row(keys[i]), NeighborLists::fresh(keys[i]));
        }
        for (std::int64_t i = begins[static_cast<std::size_t>(r)]; i < begins[static_cast<std::size_t>(r + 1)]; ++i) {
          const std::uint32_t edge = reverse[static_cast<std::size_t>(i)];
          add(static_cast<std::int32_t>(edge >> 1), (edge & 1) != 0);
        }
        fresh_counts_[static_cast<std::size_t>(r)] = keep(fresh, fresh_.data() + r * candidates_);
        old_counts_[static_cast<std::size_t>(r)] = keep(old, old_.data() + r * candidates_);
        const std::int32_t* const chosen = fresh_.data() + r * candidates_;
        const std::int32_t* const end = chosen + fresh_counts_[static_cast<std::size_t>(r)];
        for (std::int64_t i = 0; i < lists_.room() && keys[i] != NeighborLists::none; ++i) {
          if (NeighborLists::fresh(keys[i]) && std::find(chosen, end, NeighborLists::row(keys[i])) != end) {
            keys[i] &= ~std::uint64_t{1};
          }
        }
      }
    });
  }

  /// Those of lowest priority, each once; returns how many.
  std::int32_t keep(std::vector<Candidate>& from, std::int32_t* to) const {
    // A pair appears twice at most, so twice the room holds all that can be kept.
    const std::size_t enough = static_cast<std::size_t>(2 * candidates_);
    if (from.size() > enough) {
      std::nth_element(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(enough), from.end());
      from.resize(enough);
    }
    std::sort(from.begin(), from.end());
    from.erase(std::unique(from.begin(), from.end()), from.end());
    const std::size_t count = (std::min)(from.size(), static_cast<std::size_t>(candidates_));
    for (std::size_t i = 0; i < count; ++i) to[i] = from[i].row;
    return static_cast<std::int32_t>(count);
  }

  /// Exact distances of what the lists hold.
  void finish() {
    for_blocks([&](std::int64_t first, std::int64_t last) {
      std::vector<double> values(static_cast<std::size_t>(d_));
      std::vector<double> scratch(static_cast<std::size_t>(d_));
      std::vector<ExactNeighbor> found;
      for (std::int64_t at = first; at < last; ++at) {
        const std::int32_t row = order_[static_cast<std::size_t>(at)];
        const std::uint64_t* const keys = lists_.list(row);
        rows_.values(row, values.data());
        found.clear();
        // What is farther by more than float32 sums err cannot be among the k nearest of the list.
        const float limit = key_distance(keys[job_.k - 1]) * 1.0001F;
        for (std::int64_t i = 0; i < lists_.room() && keys[i] != NeighborLists::none; ++i) {
          if (i >= job_.k && key_distance(keys[i]) > limit) break;
          if (i + 1 < lists_.room() && keys[i + 1] != NeighborLists::none) {
            rows_.prefetch(NeighborLists::row(keys[i + 1]));
          }
          const std::int32_t other = NeighborLists::row(keys[i]);
          found.emplace_back(rows_.sum_of_differences(values.data(), other, scratch.data()), other);
        }
        if (job_.self == SelfNeighbor::include) found.emplace_back(0, row);
        put_neighbors(job_, row, found);
      }
    });
  }

  static constexpr std::int64_t tree_count = 6;
  static constexpr std::int64_t leaf_rows = 288;
  static constexpr std::int64_t lock_count = 4096;

  const KnnJob& job_;
  const KnnOptions& options_;
  const KnnRows& rows_;
  std::int64_t n_;
  std::int64_t d_;
  NeighborLists lists_;
  std::int64_t candidates_;
  std::uint64_t round_ = 0;
  const float* floats_ = nullptr;
  std::int64_t stride_ = 0;
  std::unique_ptr<AlignedBuffer<float>> copy_;
  std::vector<std::int32_t> order_;
  std::int64_t trees_ = 0;
  std::vector<std::int32_t> leaf_of_;  ///< [n, trees]
  std::vector<std::int32_t> fresh_;
  std::vector<std::int32_t> old_;
  std::vector<std::int32_t> fresh_counts_;
  std::vector<std::int32_t> old_counts_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
