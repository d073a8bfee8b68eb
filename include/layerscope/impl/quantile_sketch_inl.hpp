// Body of algorithms/quantile_sketch.hpp.
#pragma once

#include <layerscope/algorithms/quantile_sketch.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/impl/kernels/moments_inl.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// The key of a magnitude, 0 for zero and for what rounds to it.
constexpr std::int32_t sketch_key(double value) noexcept {
  const std::uint64_t magnitude = std::bit_cast<std::uint64_t>(value) & ~(std::uint64_t{1} << 63);
  return static_cast<std::int32_t>((magnitude + (std::uint64_t{1} << 44)) >> 45);
}
constexpr double sketch_value(std::int32_t key) noexcept {
  return std::bit_cast<double>(static_cast<std::uint64_t>(key) << 45);
}

/// How the table of float32 keys hands over its counts.
struct SketchAccess {
  /// `times` copies of a value that was rounded already; neither extremes nor the total change.
  static void add_rounded(QuantileSketch& sketch, double value, std::uint64_t times) {
    const std::int32_t key = sketch_key(value);
    if (key == 0) {
      sketch.zeros_ += times;
      return;
    }
    QuantileSketch::Side& side = sign_bit(value) ? sketch.negative_ : sketch.positive_;
    side.reserve_keys(key, key);
    side.counts[static_cast<std::size_t>(key - side.first)] += times;
  }

  static void widen(QuantileSketch& sketch, double low, double high, std::uint64_t count) noexcept {
    sketch.min_ = sketch.count_ == 0 ? low : (std::min)(sketch.min_, low);
    sketch.max_ = sketch.count_ == 0 ? high : (std::max)(sketch.max_, high);
    sketch.count_ += count;
  }
};

/// Counts of float32 values by sign, exponent and seven rounded fraction bits, for inputs that outweigh half a MiB.
class FloatKeyTable {
 public:
  FloatKeyTable() : counts_(static_cast<std::uint32_t*>(std::calloc(slots, sizeof(std::uint32_t))), &std::free) {
    if (!counts_) throw std::bad_alloc();
  }

  /// Whether add() takes a block: subnormal floats have keys of another kind.
  static bool takes(const MagnitudeScan& scan) noexcept {
    return scan.smallest_nonzero == 0 || scan.smallest_nonzero >= 0x00800000u;
  }

  /// Takes finite values; `scan` is of them.
  void add(std::span<const float> values, const MagnitudeScan& scan) {
    if (scan.smallest_nonzero != 0) low_ = (std::min)(low_, key(static_cast<std::uint32_t>(scan.smallest_nonzero)));
    high_ = (std::max)(high_, key(static_cast<std::uint32_t>(scan.largest)));
    std::uint32_t* const counts = counts_.get();
    // Neighbours count in two tables: equal ones in a row would wait for each other's store.
    std::size_t i = 0;
    for (; i + 2 <= values.size(); i += 2) {
      ++counts[2 * key(std::bit_cast<std::uint32_t>(values[i]))];
      ++counts[2 * key(std::bit_cast<std::uint32_t>(values[i + 1])) + 1];
    }
    if (i < values.size()) ++counts[2 * key(std::bit_cast<std::uint32_t>(values[i]))];
  }

  /// Hands the counts over and forgets them.
  void flush(QuantileSketch& sketch) {
    for (const std::uint32_t sign : {0u, 0x8000u}) {
      take(sketch, sign);
      for (std::uint32_t key = low_; key <= high_; ++key) take(sketch, sign | key);
    }
    low_ = 0x8000u;
    high_ = 0;
  }

 private:
  static constexpr std::size_t slots = 2 * 0x10000;
  static constexpr std::uint32_t key(std::uint32_t bits) noexcept { return (bits + 0x8000u) >> 16; }

  void take(QuantileSketch& sketch, std::uint32_t key) {
    std::uint32_t* const pair = counts_.get() + 2 * std::size_t{key};
    const std::uint64_t times = std::uint64_t{pair[0]} + pair[1];
    if (times == 0) return;
    pair[0] = pair[1] = 0;
    // The largest magnitudes round up to 2^128, which only a double holds.
    const std::uint64_t magnitude = (std::uint64_t{key & 0x7FFFu} << 45) + (std::uint64_t{1023 - 127} << 52);
    const double value = (key & 0x7FFFu) == 0 ? 0.0 : std::bit_cast<double>(magnitude);
    SketchAccess::add_rounded(sketch, (key & 0x8000u) != 0 ? -value : value, times);
  }

  std::unique_ptr<std::uint32_t[], decltype(&std::free)> counts_;
  std::uint32_t low_ = 0x8000u;
  std::uint32_t high_ = 0;
};

template <class T>
void add_to_sketch(std::span<const T> values, QuantileSketch& sketch) {
  for (const T value : values) {
    if (!is_finite(value)) {
      throw Error(ErrorCode::non_finite, "quantile sketch: value " + to_text(value) + "; expected finite numbers");
    }
  }
  for (const T value : values) sketch.add(static_cast<double>(value));
}

}  // namespace detail

LAYERSCOPE_INLINE std::uint64_t QuantileSketch::Side::at(std::int32_t key) const noexcept {
  return key < first || key >= end() ? 0 : counts[static_cast<std::size_t>(key - first)];
}

LAYERSCOPE_INLINE void QuantileSketch::Side::reserve_keys(std::int32_t low, std::int32_t high) {
  if (low >= first && high < end()) return;
  std::int32_t new_first = low & ~127;  // whole powers of two
  std::int32_t new_end = (high | 127) + 1;
  if (!counts.empty()) {
    new_first = (std::min)(new_first, first);
    new_end = (std::max)(new_end, end());
  }
  std::vector<std::uint64_t> wider(static_cast<std::size_t>(new_end - new_first));
  std::copy(counts.begin(), counts.end(), wider.begin() + (counts.empty() ? 0 : first - new_first));
  counts = std::move(wider);
  first = new_first;
}

LAYERSCOPE_INLINE void QuantileSketch::add(double value, std::uint64_t times) {
  if (!is_finite(value)) {
    throw Error(ErrorCode::non_finite, "quantile sketch: value " + to_text(value) + "; expected a finite number");
  }
  if (times == 0) return;
  detail::SketchAccess::add_rounded(*this, value, times);
  detail::SketchAccess::widen(*this, value, value, times);
}

LAYERSCOPE_INLINE void QuantileSketch::add(std::span<const float> values) {
  detail::add_to_sketch(values, *this);
}

LAYERSCOPE_INLINE void QuantileSketch::add(std::span<const double> values) {
  detail::add_to_sketch(values, *this);
}

LAYERSCOPE_INLINE void QuantileSketch::merge(const QuantileSketch& other) {
  if (other.count_ == 0) return;
  if (this == &other) return merge(QuantileSketch(other));
  const auto add_side = [](Side& into, const Side& from) {
    if (from.counts.empty()) return;
    into.reserve_keys(from.first, from.end() - 1);
    for (std::int32_t key = from.first; key < from.end(); ++key) {
      into.counts[static_cast<std::size_t>(key - into.first)] += from.at(key);
    }
  };
  add_side(positive_, other.positive_);
  add_side(negative_, other.negative_);
  zeros_ += other.zeros_;
  detail::SketchAccess::widen(*this, other.min_, other.max_, other.count_);
}

LAYERSCOPE_INLINE double QuantileSketch::at_rank(std::uint64_t rank) const {
  if (rank == 0) return min_;
  if (rank + 1 == count_) return max_;
  std::uint64_t below = 0;
  double value = 0;
  const auto reached = [&](std::uint64_t here, double candidate) {
    below += here;
    value = candidate;
    return rank < below;
  };
  bool found = false;
  for (std::int32_t key = negative_.end(); !found && key-- > negative_.first;) {
    found = reached(negative_.at(key), -detail::sketch_value(key));
  }
  found = found || reached(zeros_, 0);
  for (std::int32_t key = positive_.first; !found && key < positive_.end(); ++key) {
    found = reached(positive_.at(key), detail::sketch_value(key));
  }
  return (std::clamp)(value, min_, max_);
}

LAYERSCOPE_INLINE double QuantileSketch::quantile(double q) const {
  if (count_ == 0) throw Error(ErrorCode::empty, "quantile: of no values; expected at least one");
  if (!is_finite(q) || q < 0 || q > 1) {
    throw Error(ErrorCode::invalid_argument, "quantile: q is " + to_text(q) + "; expected 0 to 1");
  }
  const double position = q * static_cast<double>(count_ - 1);
  const double lower = std::floor(position);
  const auto rank = (std::min)(static_cast<std::uint64_t>(lower), count_ - 1);
  const double fraction = position - lower;
  const double value = at_rank(rank);
  if (fraction <= 0 || rank + 1 >= count_) return value;
  const double next = at_rank(rank + 1);
  return (std::clamp)(value * (1 - fraction) + next * fraction, value, (std::max)(value, next));
}

LAYERSCOPE_INLINE bool QuantileSketch::equals(const QuantileSketch& other) const noexcept {
  const auto same_side = [](const Side& a, const Side& b) {
    const std::int32_t first = (std::min)(a.first, b.first);
    const std::int32_t end = (std::max)(a.end(), b.end());
    for (std::int32_t key = first; key < end; ++key) {
      if (a.at(key) != b.at(key)) return false;
    }
    return true;
  };
  return count_ == other.count_ && zeros_ == other.zeros_ && min_ == other.min_ && max_ == other.max_ &&
         same_side(positive_, other.positive_) && same_side(negative_, other.negative_);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
