// The smallest keys of each of many rows, kept while keys arrive in any order.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/kernels/distances.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// A number that is not negative and the row it belongs to, as one integer that orders by both.
constexpr std::uint64_t knn_key(float distance, std::int64_t row) noexcept {
  return std::uint64_t{std::bit_cast<std::uint32_t>(distance)} << 32 | static_cast<std::uint32_t>(row);
}
constexpr float key_distance(std::uint64_t key) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(key >> 32));
}
constexpr std::int32_t key_row(std::uint64_t key) noexcept {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(key));
}

/// Puts the `kept` smallest of `count` different keys first, in no order: std::nth_element without a jump for each
/// comparison, of which every other one is predicted wrong.
inline void select_smallest(std::uint64_t* keys, std::int64_t count, std::int64_t kept) {
  std::int64_t first = 0;
  std::int64_t last = count;
  for (int round = 0; last - first > 1; ++round) {
    if (round == 40) return std::nth_element(keys + first, keys + kept - 1, keys + last);
    const std::uint64_t a = keys[first], b = keys[first + (last - first) / 2], c = keys[last - 1];
    const std::uint64_t pivot = (std::max)((std::min)(a, b), (std::min)((std::max)(a, b), c));
    std::uint64_t* const end = keys + last;
    std::uint64_t* below = keys + first;
    for (std::uint64_t* at = keys + first; at != end; ++at) {
      const std::uint64_t key = *at;
      *at = *below;
      *below = key;
      below += key < pivot ? 1 : 0;
    }
    const std::int64_t middle = below - keys;  // keys before it are less than the pivot, which is somewhere behind
    if (middle >= kept) {
      last = middle;
    } else {
      // The pivot to its place, so that the rest is smaller than the whole.
      std::swap(*std::find(below, end, pivot), *below);
      first = middle + 1;
      if (first >= kept) return;
    }
  }
}

/// The `kept` smallest keys of each row: a set that does not depend on the order of arrival. Keys are appended below a
/// limit, and cut back to `kept` when a row's room is full. Rows are held in units, each with memory of its own.
class NearestKeys {
 public:
  NearestKeys(std::int64_t rows, std::int64_t unit_rows, std::int64_t kept, std::int64_t room)
      : unit_rows_(unit_rows),
        kept_(kept),
        room_(room),
        limits_(at(rows), largest_float),
        last_(at(rows), largest_key),
        counts_(at(rows), 0) {
    units_.resize(at((rows + unit_rows - 1) / unit_rows));
    for (auto& unit : units_) unit.reset(new std::uint64_t[at(unit_rows * room)]);
  }

  std::int64_t kept() const noexcept { return kept_; }
  /// Largest number that can still enter, of each row.
  const float* limits() const noexcept { return limits_.data(); }

  void push(std::int64_t row, std::uint64_t key) {
    if (key >= last_[at(row)]) return;
    std::uint64_t* keys = keys_of(row);
    std::int32_t& count = counts_[at(row)];
    keys[count++] = key;
    if (count == room_) cut(row);
  }

  /// push() for values[j] of the rows numbers[j], or of the rows from `first` on where that is null, without row `own`.
  /// `hits` has room for `step` + 16.
  void push_within(std::int64_t row, const float* values, std::int64_t count, const std::int32_t* numbers,
                   std::int64_t first, std::int64_t own, std::int32_t* hits) {
    // In steps, so that the first numbers bound what is taken of the rest.
    for (std::int64_t j = 0; j < count; j += step) {
      const std::int64_t found = find_within(values + j, (std::min)(step, count - j), limits_[at(row)], nullptr, hits);
      for (std::int64_t h = 0; h < found; ++h) {
        const std::int64_t c = j + hits[h];
        const std::int64_t other = numbers != nullptr ? numbers[c] : first + c;
        if (other != own) push(row, knn_key(values[c], other));
      }
    }
  }
  static constexpr std::int64_t step = 64;

  /// Cuts row back to its `kept` smallest keys, in no order; returns how many there are.
  std::int64_t finish(std::int64_t row) {
    if (counts_[at(row)] > kept_) cut(row);
    return counts_[at(row)];
  }
  std::uint64_t* keys(std::int64_t row) noexcept { return keys_of(row); }
  void free_unit(std::int64_t unit) { units_[at(unit)].reset(); }

 private:
  static constexpr float largest_float = (std::numeric_limits<float>::max)();
  static constexpr std::uint64_t largest_key = (std::numeric_limits<std::uint64_t>::max)();
  static std::size_t at(std::int64_t i) noexcept { return static_cast<std::size_t>(i); }

  std::uint64_t* keys_of(std::int64_t row) noexcept {
    return units_[at(row / unit_rows_)].get() + row % unit_rows_ * room_;
  }

  void cut(std::int64_t row) {
    std::uint64_t* keys = keys_of(row);
    select_smallest(keys, counts_[at(row)], kept_);
    counts_[at(row)] = static_cast<std::int32_t>(kept_);
    last_[at(row)] = *std::max_element(keys, keys + kept_);
    limits_[at(row)] = key_distance(last_[at(row)]);
  }

  std::int64_t unit_rows_;
  std::int64_t kept_;
  std::int64_t room_;
  std::vector<float> limits_;
  std::vector<std::uint64_t> last_;
  std::vector<std::int32_t> counts_;
  std::vector<std::unique_ptr<std::uint64_t[]>> units_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
