// Rows grouped around centres, and the centres nearest to each row.
#pragma once

#include <layerscope/core/random.hpp>
#include <layerscope/impl/knn_exact_inl.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Centres by Lloyd's iteration on a sample (Lloyd, "Least squares quantization in PCM", IEEE Trans. Inf. Theory 28,
/// 1982), in the units of KnnRows::copy().
class KnnCentres {
 public:
  KnnCentres(const KnnRows& points, std::int64_t count, std::uint64_t seed, int threads, const std::stop_token& stop)
      : points_(points),
        d_(points.columns()),
        threads_(threads),
        count_((std::min)(count, points.rows())),
        centres_(at(count_ * d_)),
        packed_(packed_size(count_, d_)),
        norms_(at(packed_size(count_, 1))),
        origin_(points.origin(std::vector<float>(at(d_)).data())) {
    constexpr int iterations = 4;
    constexpr std::int64_t sample_bytes = std::int64_t{16} << 20;
    const std::int64_t most = (std::max)(4 * count, (std::min)(32 * count, sample_bytes / 4 / d_));
    const std::vector<std::int64_t> drawn = Random(seed, 0x6B6D).sample(points.rows(), (std::min)(points.rows(), most));
    const std::vector<std::int32_t> ids(drawn.begin(), drawn.end());
    const std::int64_t rows = static_cast<std::int64_t>(ids.size());
    for (std::int64_t c = 0; c < count_; ++c) {
      points.copy(ids.data(), c * rows / count_, 1, true, centres_.data() + c * d_);
    }
    std::vector<std::int32_t> nearest(at(rows));
    for (int iteration = 0; iteration < iterations; ++iteration) {
      throw_if_stopped(stop, "knn");
      pack();
      find_nearest(ids, 1, false, nearest.data());
      update(ids, nearest);
    }
    pack();
  }

  std::int64_t count() const noexcept { return count_; }
  const float* centre(std::int64_t c) const noexcept { return centres_.data() + c * d_; }

  /// to[ids, m]: the m centres nearest to each of the rows, the nearest one first; at the same distance the one of
  /// lower number. The others are `sorted` as well, or in no order.
  template <class Number>
  void find_nearest(std::span<const std::int32_t> ids, std::int64_t m, bool sorted, Number* to) const {
    const std::int64_t rows = static_cast<std::int64_t>(ids.size());
    parallel_for(ceil_divide(rows, row_block), threads_, [&](std::int64_t task) {
      const std::int64_t first = task * row_block;
      const std::int64_t some = (std::min)(row_block, rows - first);
      const AlignedBuffer<float> copy(KnnRows::pack_scratch_rows * d_);
      const AlignedBuffer<float> packed(packed_size(some, d_));
      const AlignedBuffer<float> tile(row_block * knn_unit);
      const AlignedBuffer<float> scratch(packed_scratch_size());
      std::vector<float> norms(at(packed_size(some, 1)));
      std::int32_t hits[NearestKeys::step + 16];
      points_.pack_from(origin_.data(), ids.data() + first, some, packed.data(), copy.data());
      packed_norms(some, d_, packed.data(), norms.data());
      NearestKeys keys(some, row_block, m, (std::max)(2 * m, m + 24));
      const bool direct = d_ <= knn_direct_columns || points_.difference() == Difference::absolute;
      for (std::int64_t c = 0; c < count_; c += knn_unit) {
        const std::int64_t columns = (std::min)(knn_unit, count_ - c);
        if (direct) {
          differences_packed(points_.difference(), some, columns, d_, packed.data(), packed_.data() + c * d_,
                             tile.data(), knn_unit, scratch.data());
        } else {
          squared_distances_packed(some, columns, d_, packed.data(), norms.data(), packed_.data() + c * d_,
                                   norms_.data() + c, tile.data(), knn_unit, scratch.data());
        }
        for (std::int64_t r = 0; r < some; ++r) {
          keys.push_within(r, tile.data() + r * knn_unit, columns, nullptr, c, -1, hits);
        }
      }
      for (std::int64_t r = 0; r < some; ++r) {
        const std::int64_t found = keys.finish(r);
        std::uint64_t* const own_keys = keys.keys(r);
        if (sorted) {
          std::sort(own_keys, own_keys + found);
        } else {
          std::swap(*std::min_element(own_keys, own_keys + found), *own_keys);
        }
        for (std::int64_t i = 0; i < m; ++i) to[(first + r) * m + i] = static_cast<Number>(key_row(own_keys[i]));
      }
    });
  }

 private:
  static std::size_t at(std::int64_t i) noexcept { return static_cast<std::size_t>(i); }

  void pack() {
    const StridedMatrix<float> all{centres_.data(), d_};
    pack_rows(count_, d_, all, packed_.data(), threads_);
    packed_norms(count_, d_, packed_.data(), norms_.data());
  }

  /// Each centre becomes the mean of its rows, summed in their order; one without rows stays.
  void update(const std::vector<std::int32_t>& ids, const std::vector<std::int32_t>& nearest) {
    std::vector<std::int64_t> begins(at(count_ + 1), 0);
    for (const std::int32_t c : nearest) ++begins[at(c) + 1];
    std::partial_sum(begins.begin(), begins.end(), begins.begin());
    std::vector<std::int32_t> sorted(ids.size());
    std::vector<std::int64_t> next(begins.begin(), begins.end() - 1);
    for (std::size_t i = 0; i < ids.size(); ++i) sorted[at(next[at(nearest[i])]++)] = ids[i];
    parallel_for(count_, threads_, [&](std::int64_t c) {
      const std::int64_t rows = begins[at(c + 1)] - begins[at(c)];
      if (rows == 0) return;
      std::vector<double> sum(at(d_));
      std::vector<float> row(at(d_));
      for (std::int64_t i = begins[at(c)]; i < begins[at(c + 1)]; ++i) {
        points_.copy(sorted.data(), i, 1, true, row.data());
        for (std::int64_t j = 0; j < d_; ++j) sum[at(j)] += static_cast<double>(row[at(j)]);
      }
      for (std::int64_t j = 0; j < d_; ++j) {
        centres_[at(c * d_ + j)] = static_cast<float>(sum[at(j)] / static_cast<double>(rows));
      }
    });
  }

  const KnnRows& points_;
  std::int64_t d_;
  int threads_;
  std::int64_t count_;
  std::vector<float> centres_;  ///< [count, d]
  AlignedBuffer<float> packed_;
  std::vector<float> norms_;
  std::vector<float> origin_;  ///< of the rows' own copies
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
