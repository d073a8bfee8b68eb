// The smallest keys of each of many rows, kept while keys arrive in any order.
#pragma once

#include <layerscope/config.hpp>

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

  /// Largest number that can still enter, of each row.
  const float* limits() const noexcept { return limits_.data(); }

  void push(std::int64_t row, std::uint64_t key) {
    if (key >= last_[at(row)]) return;
    std::uint64_t* keys = keys_of(row);
    std::int32_t& count = counts_[at(row)];
    keys[count++] = key;
    if (count == room_) cut(row);
  }

  /// Cuts row back to its `kept` smallest keys, in no order; returns how many there are.
  std::int64_t finish(std::int64_t row) {
    if (counts_[at(row)] > kept_) cut(row);
    return counts_[at(row)];
  }
  const std::uint64_t* keys(std::int64_t row) noexcept { return keys_of(row); }
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
    std::nth_element(keys, keys + kept_ - 1, keys + counts_[at(row)]);
    counts_[at(row)] = static_cast<std::int32_t>(kept_);
    last_[at(row)] = keys[kept_ - 1];
    limits_[at(row)] = key_distance(keys[kept_ - 1]);
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
