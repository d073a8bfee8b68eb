// Approximate nearest neighbours: clusters are searched for candidates, as many as a sample of rows says are needed.
//
// The exact neighbours of a sample of rows are found first. They tell whether a sketch ranks the nearest rows well
// enough, how many of its candidates have to be measured in full, and how many clusters hold the neighbours wanted.
// Rows without structure need most clusters, and then all pairs are compared. Lists that are given are improved by
// descent instead, as long as the sample says that this suffices.
#pragma once

#include <layerscope/impl/knn_descent_inl.hpp>
#include <layerscope/impl/knn_probing_inl.hpp>
#include <layerscope/impl/knn_sketch_inl.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

class KnnApproximate {
 public:
  KnnApproximate(const KnnJob& job, const KnnOptions& options)
      : job_(job), options_(options), rows_(job.data), n_(job.data.rows()) {}

  /// How the results were found; none were written where both are 0: all pairs have to be compared.
  struct Found {
    std::int64_t clusters = 0;  ///< that each row was compared with
    std::int64_t rounds = 0;    ///< of the descent
    std::string reason;
  };

  Found run() {
    Found found;
    if (n_ <= few_rows) {
      found.reason = "few rows";
      return found;
    }
    find_truth();
    kept_ = (std::min)(n_ - 1, job_.k + (std::max)(std::int64_t{5}, job_.k / 8));
    find_points();
    if (options_.initial && descend(found)) return found;
    report(0.15, "clusters");
    // 2√n balance the search of the centres with that of the clusters.
    const auto wanted = static_cast<std::int64_t>(2 * std::sqrt(static_cast<double>(n_)));
    const KnnCentres centres(*points_, (std::min)({wanted, n_ / 16, most_clusters}), options_.seed, job_.threads,
                             job_.stop);
    const std::int64_t probes = probes_needed(centres);
    if (most_searched * probes > centres.count()) {
      found.reason = "neighbours are spread over " + to_text(probes) + " of " + to_text(centres.count()) + " clusters";
      return found;
    }
    KnnProbing probing(*points_, centres, probes, kept_, job_.threads, job_.stop);
    probing.run([&](double done) { report(0.25 + 0.6 * done, "candidates"); });
    measure(probing.order(), probing.keys());
    found.clusters = probes;
    return found;
  }

 private:
  static std::size_t at(std::int64_t i) noexcept { return static_cast<std::size_t>(i); }

  void report(double fraction, const char* stage) const {
    throw_if_stopped(job_.stop, "knn");
    if (job_.progress) job_.progress(fraction, stage);
  }

  /// The rows themselves, or a sketch of them that suffices.
  void find_points() {
    points_ = &rows_;
    if (!knn_sketch_pays(rows_)) return;
    report(0.1, "sketch");
    floats_ = make_sketch(rows_, options_.seed, job_.threads);
    use_floats(Metric::euclidean);
    if (!judge_sketch()) drop_floats();
  }

  void use_floats(Metric metric) {
    of_floats_.emplace(floats_.view(), metric, NonFiniteRows::error, job_.threads, "knn");
    of_floats_->use_frame(of_floats_->make_frame(false));
    points_ = &*of_floats_;
  }
  void drop_floats() {
    points_ = &rows_;
    of_floats_.reset();
    floats_ = Tensor();
  }

  /// From the lists that were given; false where that does not find enough, and nothing was written.
  bool descend(Found& found) {
    if (!points_->in_place() && rows_.columns() < 2 * knn_sketch_columns) copy_rows();
    const auto floats = points_->in_place();
    if (!floats) return false;
    report(0.15, "lists given");
    const std::vector<std::int32_t> order = order_along(*options_.initial, n_, rows_.kept());
    NearestKeys keys(n_, KnnProbing::unit_rows, kept_, KnnProbing::room_for(kept_));
    KnnDescent descent(*floats, points_->columns(), points_->difference(), order, keys, KnnProbing::unit_rows,
                       job_.threads, job_.stop);
    descent.start(*options_.initial, rows_.kept());
    // Where the lists are near the truth already, few candidates do.
    for (const std::int64_t reach : {(job_.k + 2) / 3, (2 * job_.k + 2) / 3, job_.k}) {
      report(0.3 + 0.15 * static_cast<double>(found.rounds), "descent");
      descent.round((std::clamp)(reach, std::int64_t{5}, std::int64_t{24}));
      ++found.rounds;
      if (recall_of_lists(order, keys) >= wanted_recall) {
        measure(order, keys);
        return true;
      }
    }
    found.rounds = 0;
    if (!knn_sketch_pays(rows_)) drop_floats();
    return false;
  }

  /// Float32 rows in one place, of which the descent takes distances one by one.
  void copy_rows() {
    const Shape shape{n_, rows_.columns()};
    floats_ = Tensor(DType::f32, shape, allocate_bytes(byte_count(DType::f32, shape)));
    constexpr std::int64_t rows_per_task = 256;
    float* const to = floats_.mutable_data<float>();
    parallel_for(ceil_divide(n_, rows_per_task), job_.threads, [&](std::int64_t task) {
      const std::int64_t first = task * rows_per_task;
      rows_.copy(nullptr, first, (std::min)(rows_per_task, n_ - first), true, to + first * rows_.columns());
    });
    use_floats(rows_.difference() == Difference::absolute ? Metric::manhattan : Metric::euclidean);
  }

  /// Of the true neighbours of the sample's rows, the fraction that the lists hold.
  double recall_of_lists(const std::vector<std::int32_t>& order, NearestKeys& keys) const {
    const std::size_t k = truth_.size() / ids_.size();
    std::vector<std::int64_t> position(at(n_));
    for (std::int64_t p = 0; p < n_; ++p) position[at(order[at(p)])] = p;
    std::int64_t found = 0;
    for (std::size_t s = 0; s < ids_.size(); ++s) {
      const std::int64_t count = keys.finish(position[at(ids_[s])]);
      const std::uint64_t* const list = keys.keys(position[at(ids_[s])]);
      for (std::size_t i = 0; i < k; ++i) {
        found += std::any_of(list, list + count, [&](std::uint64_t key) { return key_row(key) == truth_[s * k + i]; });
      }
    }
    return static_cast<double>(found) / static_cast<double>(truth_.size());
  }

  /// The k nearest of the sample's rows by any rows of the same matrix: [ids, k].
  std::vector<std::int32_t> nearest_of_sample(const KnnRows& points, std::int64_t k) const {
    const Shape shape{n_, k};
    // Pages of rows outside the sample are not touched.
    Tensor indices(DType::i32, shape, allocate_bytes(byte_count(DType::i32, shape)));
    Tensor distances(DType::f32, shape, allocate_bytes(byte_count(DType::f32, shape)));
    const Progress silent;
    const KnnJob job{points,
                     points,
                     true,
                     SelfNeighbor::exclude,
                     k,
                     indices.mutable_data<std::int32_t>(),
                     distances.mutable_data<float>(),
                     job_.threads,
                     silent,
                     job_.stop};
    exact_neighbors(job, ids_);
    std::vector<std::int32_t> found;
    for (const std::int32_t id : ids_) {
      const std::int32_t* const row = indices.data<std::int32_t>() + id * k;
      found.insert(found.end(), row, row + k);
    }
    return found;
  }

  void find_truth() {
    report(0.02, "sample");
    const std::vector<std::int64_t> drawn = Random(options_.seed, 0x736D70).sample(n_, sample_rows);
    ids_.assign(drawn.begin(), drawn.end());
    const std::int64_t k = (std::min)(job_.k, n_ - 1);
    truth_ = nearest_of_sample(rows_, k);
  }

  /// Whether few enough candidates of the sketch hold the nearest rows; sets how many are kept.
  bool judge_sketch() {
    const std::int64_t k = static_cast<std::int64_t>(truth_.size() / ids_.size());
    const std::int64_t most = (std::min)(n_ - 1, 3 * k);
    const std::vector<std::int32_t> listed = nearest_of_sample(*points_, most);
    // found[i]: true neighbours among the first i candidates of the sketch. Rows that are as near count as well.
    std::vector<std::int64_t> found(at(most + 1), 0);
    std::vector<double> values(at(rows_.columns()));
    std::vector<double> scratch(at(rows_.columns()));
    for (std::size_t s = 0; s < ids_.size(); ++s) {
      rows_.values(ids_[s], values.data());
      const auto sum = [&](std::int32_t other) {
        return rows_.sum_of_differences(values.data(), other, scratch.data());
      };
      const double limit = sum(truth_[(s + 1) * at(k) - 1]);
      std::int64_t have = 0;
      for (std::int64_t i = 0; i < most; ++i) {
        have = (std::min)(k, have + (sum(listed[s * at(most) + at(i)]) <= limit ? 1 : 0));
        found[at(i + 1)] += have;
      }
    }
    const double all = static_cast<double>(truth_.size());
    std::int64_t kept = kept_;
    while (kept < most && static_cast<double>(found[at(kept)]) < wanted_of_sketch * all) ++kept;
    recall_of_sketch_ = static_cast<double>(found[at(kept)]) / all;
    if (recall_of_sketch_ < least_of_sketch) {
      recall_of_sketch_ = 1;
      return false;
    }
    kept_ = kept;
    return true;
  }

  /// Clusters of a row that hold enough of the neighbours of the sample's rows.
  std::int64_t probes_needed(const KnnCentres& centres) const {
    const std::int64_t count = centres.count();
    const std::int64_t k = static_cast<std::int64_t>(truth_.size() / ids_.size());
    std::vector<std::int32_t> ranked(ids_.size() * at(count));
    centres.find_nearest(ids_, count, true, ranked.data());
    std::vector<std::int32_t> owner(truth_.size());
    centres.find_nearest(truth_, 1, false, owner.data());
    std::vector<std::int64_t> found(at(count), 0);
    std::vector<std::int64_t> rank(at(count));
    for (std::size_t s = 0; s < ids_.size(); ++s) {
      for (std::int64_t c = 0; c < count; ++c) rank[at(ranked[s * at(count) + at(c)])] = c;
      for (std::int64_t i = 0; i < k; ++i) ++found[at(rank[at(owner[s * at(k) + at(i)])])];
    }
    const double enough = (std::min)(1.0, wanted_recall / recall_of_sketch_) * static_cast<double>(truth_.size());
    std::int64_t probes = 0;
    std::int64_t have = 0;
    while (probes < count && static_cast<double>(have) < enough) have += found[at(probes++)];
    return probes;
  }

  /// Exact distances of the candidates.
  void measure(std::span<const std::int32_t> order, NearestKeys& all) {
    const bool sketched = points_ != &rows_ && knn_sketch_pays(rows_);
    drop_floats();
    report(0.85, "exact distances");
    const std::int64_t units = ceil_divide(n_, KnnProbing::unit_rows);
    std::vector<std::vector<std::int32_t>> open(at(units));
    parallel_for(units, job_.threads, [&](std::int64_t unit) {
      throw_if_stopped(job_.stop, "knn");
      Measuring work(rows_.columns());
      const std::int64_t first = unit * KnnProbing::unit_rows;
      for (std::int64_t position = first; position < (std::min)(n_, first + KnnProbing::unit_rows); ++position) {
        const std::int32_t row = order[at(position)];
        const std::int64_t count = all.finish(position);
        std::uint64_t* const keys = all.keys(position);
        std::sort(keys, keys + count);
        work.others.clear();
        for (std::int64_t i = 0; i < count; ++i) work.others.push_back(key_row(keys[i]));
        if (sketched) leave_out_far(row, keys, work);
        rows_.values(row, work.values.data());
        work.found.clear();
        for (std::size_t i = 0; i < work.others.size(); ++i) {
          if (i + 1 < work.others.size()) rows_.prefetch(work.others[i + 1]);
          const std::int32_t other = work.others[i];
          work.found.emplace_back(rows_.sum_of_differences(work.values.data(), other, work.scratch.data()), other);
        }
        if (job_.self == SelfNeighbor::include) work.found.emplace_back(0, row);
        if (static_cast<std::int64_t>(work.found.size()) < job_.k) {
          open[at(unit)].push_back(row);
        } else {
          put_neighbors(job_, row, work.found);
        }
      }
      all.free_unit(unit);
    });
    // Rows among small clusters, or with lists too short: not enough candidates.
    std::vector<std::int32_t> rest;
    for (const auto& part : open) rest.insert(rest.end(), part.begin(), part.end());
    if (!rest.empty()) exact_neighbors(job_, rest);
  }

  struct Measuring {
    explicit Measuring(std::int64_t columns) : values(at(columns)), scratch(at(columns)) {}
    std::vector<double> values;
    std::vector<double> scratch;
    std::vector<std::int32_t> others;
    std::vector<float> distances;
    std::vector<float> ordered;
    std::vector<ExactNeighbor> found;
  };

  /// Of candidates by increasing distance in the sketch, leaves those that can be among the k nearest. Distances in the
  /// sketch are not longer than those of whole rows, up to rounding.
  void leave_out_far(std::int32_t row, const std::uint64_t* keys, Measuring& work) const {
    const auto floats = rows_.in_place();
    const std::int64_t count = static_cast<std::int64_t>(work.others.size());
    if (!floats || count <= job_.k) return;
    work.distances.resize(at(count));
    const auto measure = [&](std::int64_t first, std::int64_t last) {
      gathered_distances(rows_.difference(), rows_.columns(), floats->data + row * floats->row_stride, floats->data,
                         floats->row_stride, work.others.data() + first, last - first, work.distances.data() + first);
    };
    constexpr std::int64_t step = 8;
    std::int64_t measured = job_.k;
    measure(0, measured);
    float limit = 0;
    for (;;) {
      work.ordered.assign(work.distances.begin(), work.distances.begin() + measured);
      std::nth_element(work.ordered.begin(), work.ordered.begin() + (job_.k - 1), work.ordered.end());
      limit = work.ordered[at(job_.k - 1)];
      if (measured == count || 0.999F * key_distance(keys[measured]) > limit) break;
      const std::int64_t next = (std::min)(count, measured + step);
      measure(measured, next);
      measured = next;
    }
    // What is farther by more than float32 sums err is not among the k nearest.
    std::int64_t left = 0;
    for (std::int64_t i = 0; i < measured; ++i) {
      if (work.distances[at(i)] <= limit * 1.0001F) work.others[at(left++)] = work.others[at(i)];
    }
    work.others.resize(at(left));
  }

  static constexpr std::int64_t few_rows = 1024;
  static constexpr std::int64_t most_clusters = 65535;
  /// A search of this part of all clusters, and no more, keeps the memory of its lists within bounds.
  static constexpr std::int64_t most_searched = 6;
  static constexpr std::int64_t sample_rows = 128;
  static constexpr double wanted_of_sketch = 0.993;
  static constexpr double least_of_sketch = 0.985;
  static constexpr double wanted_recall = 0.985;

  const KnnJob& job_;
  const KnnOptions& options_;
  const KnnRows& rows_;
  std::int64_t n_;
  std::vector<std::int32_t> ids_;    ///< the sample
  std::vector<std::int32_t> truth_;  ///< its exact neighbours, [ids, k]
  std::int64_t kept_ = 0;
  double recall_of_sketch_ = 1;
  const KnnRows* points_ = nullptr;  ///< in which candidates are found
  Tensor floats_;
  std::optional<KnnRows> of_floats_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
