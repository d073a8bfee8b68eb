// Candidates for neighbours: each row is compared with the rows of the clusters whose centres are nearest to it.
#pragma once

#include <layerscope/impl/knn_clusters_inl.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <numeric>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// The `kept` nearest of the rows of `probes` clusters, for every row (inverted lists: Sivic and Zisserman, "Video
/// Google", ICCV 2003). What is kept does not depend on the order of the comparisons.
class KnnProbing {
 public:
  KnnProbing(const KnnRows& points, const KnnCentres& centres, std::int64_t probes, std::int64_t kept, int threads,
             const std::stop_token& stop)
      : points_(points),
        centres_(centres),
        n_(points.rows()),
        d_(points.columns()),
        direct_(d_ <= knn_direct_columns || points.difference() == Difference::absolute),
        probes_(probes),
        threads_(threads),
        stop_(stop) {
    group_rows();
    list_probers();
    keys_ = std::make_unique<NearestKeys>(n_, unit_rows, kept, room_for(kept));
  }

  /// Compares all; `report` is told the fraction done.
  template <class Report>
  void run(const Report& report) {
    const std::int64_t parts = static_cast<std::int64_t>(parts_.size()) - 1;
    const std::unique_ptr<std::mutex[]> locks(new std::mutex[at(ceil_divide(n_, unit_rows))]);
    // A row's own cluster first: most of what comes after it is too far, then.
    report(0.0);
    parallel_for(parts, threads_, [&](std::int64_t part) {
      std::vector<std::int32_t> own(at(parts_[at(part + 1)].first - parts_[at(part)].first));
      std::iota(own.begin(), own.end(), static_cast<std::int32_t>(parts_[at(part)].first));
      compare(part, own, locks.get());
    });
    report(0.2);
    parallel_for(parts, threads_, [&](std::int64_t part) {
      compare(part, {probers_.data() + begins_[at(part)], at(begins_[at(part + 1)] - begins_[at(part)])}, locks.get());
    });
    std::vector<std::int32_t>().swap(probers_);
  }

  /// Rows in the order of their clusters; positions in it number the rows of keys().
  const std::vector<std::int32_t>& order() const noexcept { return order_; }
  NearestKeys& keys() noexcept { return *keys_; }
  static constexpr std::int64_t unit_rows = 192;
  /// Places of a list: the fewer, the more often it is cut back to `kept`.
  static constexpr std::int64_t room_for(std::int64_t kept) noexcept {
    return kept + (std::max)(kept / 6, std::int64_t{16});
  }

 private:
  static std::size_t at(std::int64_t i) noexcept { return static_cast<std::size_t>(i); }

  struct Part {
    std::int64_t first;   ///< position of its first row
    std::int64_t centre;  ///< whose cluster it is, or is part of
  };

  /// Clusters of many equal rows are cut into parts, of which a row is compared with a few.
  void group_rows() {
    const std::int64_t count = centres_.count();
    std::vector<std::int32_t> rows(at(n_));
    std::iota(rows.begin(), rows.end(), 0);
    nearest_.resize(at(n_ * probes_));
    centres_.find_nearest(rows, probes_, false, nearest_.data());
    std::vector<std::int64_t> begins(at(count + 1), 0);
    for (std::int64_t r = 0; r < n_; ++r) ++begins[at(nearest_[at(r * probes_)]) + 1];
    std::partial_sum(begins.begin(), begins.end(), begins.begin());
    order_ = std::move(rows);
    std::vector<std::int64_t> next(begins.begin(), begins.end() - 1);
    for (std::int64_t r = 0; r < n_; ++r) {
      order_[at(next[at(nearest_[at(r * probes_)])]++)] = static_cast<std::int32_t>(r);
    }
    const std::int64_t most = (std::max)(std::int64_t{256}, 8 * n_ / count);
    for (std::int64_t c = 0; c < count; ++c) {
      first_parts_.push_back(static_cast<std::int64_t>(parts_.size()));
      const std::int64_t size = begins[at(c + 1)] - begins[at(c)];
      const std::int64_t pieces = (std::max)(std::int64_t{1}, ceil_divide(size, most));
      for (std::int64_t p = 0; p < pieces; ++p) parts_.push_back({begins[at(c)] + size * p / pieces, c});
    }
    first_parts_.push_back(static_cast<std::int64_t>(parts_.size()));
    parts_.push_back({n_, 0});
  }

  /// body(part, position) for each comparison of a row with a part, but the one it is in, by increasing position.
  template <class Body>
  void for_each_probe(const Body& body) const {
    constexpr std::int64_t most_parts = 4;
    std::int64_t own = 0;
    for (std::int64_t position = 0; position < n_; ++position) {
      while (parts_[at(own + 1)].first <= position) ++own;
      const std::uint16_t* const nearest = nearest_.data() + order_[at(position)] * probes_;
      for (std::int64_t p = 0; p < probes_; ++p) {
        const std::int64_t first = first_parts_[at(nearest[p])];
        const std::int64_t pieces = first_parts_[at(nearest[p] + 1)] - first;
        const std::int64_t start = p == 0 ? own - first : position % pieces;
        for (std::int64_t piece = p == 0 ? 1 : 0; piece < (std::min)(pieces, most_parts); ++piece) {
          body(first + (start + piece) % pieces, position);
        }
      }
    }
  }

  void list_probers() {
    begins_.assign(parts_.size(), 0);
    for_each_probe([&](std::int64_t part, std::int64_t) { ++begins_[at(part + 1)]; });
    std::partial_sum(begins_.begin(), begins_.end(), begins_.begin());
    probers_.resize(at(begins_.back()));
    std::vector<std::int64_t> next(begins_.begin(), begins_.end() - 1);
    for_each_probe([&](std::int64_t part, std::int64_t position) {
      probers_[at(next[at(part)]++)] = static_cast<std::int32_t>(position);
    });
    std::vector<std::uint16_t>().swap(nearest_);
  }

  /// Rows at the `probers` positions against the rows of a part.
  void compare(std::int64_t part, std::span<const std::int32_t> probers, std::mutex* locks) {
    throw_if_stopped(stop_, "knn");
    const std::int64_t first = parts_[at(part)].first;
    const std::int64_t columns = parts_[at(part + 1)].first - first;
    if (columns == 0 || probers.empty()) return;
    const std::int32_t* const column_ids = order_.data() + first;
    // Products of differences from the centre do not cancel where rows are near it.
    const std::vector<float> origin = points_.origin(centres_.centre(parts_[at(part)].centre));
    const std::int64_t width = (std::min)(columns, knn_unit);
    const AlignedBuffer<float> copy(KnnRows::pack_scratch_rows * d_);
    const AlignedBuffer<float> b(packed_size(columns, d_));
    const AlignedBuffer<float> a(packed_size(row_block, d_));
    const AlignedBuffer<float> tile(row_block * width);
    const AlignedBuffer<float> scratch(packed_scratch_size());
    std::vector<float> b_norms(at(packed_size(columns, 1)));
    std::vector<float> a_norms(at(packed_size(row_block, 1)));
    std::vector<std::int32_t> ids(at(row_block));
    points_.pack_from(origin.data(), column_ids, columns, b.data(), copy.data());
    packed_norms(columns, d_, b.data(), b_norms.data());
    const std::int64_t rows = static_cast<std::int64_t>(probers.size());
    for (std::int64_t i = 0; i < rows; i += row_block) {
      const std::int64_t some = (std::min)(row_block, rows - i);
      for (std::int64_t r = 0; r < some; ++r) ids[at(r)] = order_[at(probers[at(i + r)])];
      points_.pack_from(origin.data(), ids.data(), some, a.data(), copy.data());
      packed_norms(some, d_, a.data(), a_norms.data());
      for (std::int64_t j = 0; j < columns; j += width) {
        const std::int64_t count = (std::min)(width, columns - j);
        if (direct_) {
          differences_packed(points_.difference(), some, count, d_, a.data(), b.data() + j * d_, tile.data(), width,
                             scratch.data());
        } else {
          squared_distances_packed(some, count, d_, a.data(), a_norms.data(), b.data() + j * d_, b_norms.data() + j,
                                   tile.data(), width, scratch.data());
        }
        select(probers.data() + i, some, ids.data(), column_ids + j, count, tile.data(), width, locks);
      }
    }
  }

  void select(const std::int32_t* positions, std::int64_t rows, const std::int32_t* ids, const std::int32_t* column_ids,
              std::int64_t columns, const float* tile, std::int64_t width, std::mutex* locks) {
    std::int32_t hits[NearestKeys::step + 16];
    std::unique_lock<std::mutex> locked;
    std::int64_t unit = -1;
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t position = positions[r];
      if (position / unit_rows != unit) {
        unit = position / unit_rows;
        if (locked.owns_lock()) locked.unlock();
        locked = std::unique_lock<std::mutex>(locks[unit]);
      }
      keys_->push_within(position, tile + r * width, columns, column_ids, 0, ids[r], hits);
    }
  }

  const KnnRows& points_;
  const KnnCentres& centres_;
  std::int64_t n_;
  std::int64_t d_;
  bool direct_;
  std::int64_t probes_;
  int threads_;
  const std::stop_token& stop_;
  std::vector<std::uint16_t> nearest_;  ///< [n, probes]
  std::vector<std::int32_t> order_;
  std::vector<Part> parts_;
  std::vector<std::int64_t> first_parts_;  ///< of each centre
  std::vector<std::int64_t> begins_;       ///< of each part, in probers_
  std::vector<std::int32_t> probers_;
  std::unique_ptr<NearestKeys> keys_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
