// Quantiles of a stream in bounded memory: counts of the values rounded to eight significant bits.
//
// DDSketch (Masson, Rim, Lee, VLDB 2019) with linear steps inside each power of two. Its state is a function of the
// multiset of values alone: no order of arrival is worse than another, and merging equals concatenation exactly.
#pragma once

#include <layerscope/config.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {
struct SketchAccess;
}

/// Streaming and mergeable quantiles. Memory: 1 KiB for each power of two between the smallest and the largest nonzero
/// magnitude seen, per sign; at most 0.6 MiB for float32 and 4.1 MiB for float64 values.
class QuantileSketch {
 public:
  /// |quantile(q) − exact| ≤ relative_error · |exact| for the value at each rank, for magnitudes of at least 2.3e-308.
  /// Numbers of at most eight significant bits (bfloat16, uint8, integers up to 256) are exact.
  static constexpr double relative_error = 0x1p-8;

  /// Takes `times` copies of a value. Throws Error(non_finite) for NaN and infinity.
  void add(double value, std::uint64_t times = 1);
  /// Takes many values. Throws Error(non_finite) before taking any when one of them is NaN or infinite.
  void add(std::span<const float> values);
  void add(std::span<const double> values);

  /// Takes everything that `other` took.
  void merge(const QuantileSketch& other);

  /// How many values were taken.
  std::uint64_t count() const noexcept { return count_; }

  /// The value below which a fraction `q` in [0, 1] lies, interpolated between ranks as numpy.quantile does; 0 and 1
  /// give the smallest and the largest value exactly. Throws Error(empty) before the first value and
  /// Error(invalid_argument) for `q` outside [0, 1].
  double quantile(double q) const;

  /// Equal when the same multiset was taken, up to the rounding stated above.
  friend bool operator==(const QuantileSketch& a, const QuantileSketch& b) noexcept { return a.equals(b); }

 private:
  friend struct detail::SketchAccess;

  /// Counts by key: the upper 19 bits of a nonzero magnitude, rounded to nearest.
  struct Side {
    std::int32_t first = 0;  // key of counts[0]
    std::vector<std::uint64_t> counts;

    void reserve_keys(std::int32_t low, std::int32_t high);
    std::uint64_t at(std::int32_t key) const noexcept;
    std::int32_t end() const noexcept { return first + static_cast<std::int32_t>(counts.size()); }
  };

  bool equals(const QuantileSketch& other) const noexcept;
  double at_rank(std::uint64_t rank) const;

  Side positive_;
  Side negative_;
  std::uint64_t zeros_ = 0;
  std::uint64_t count_ = 0;
  double min_ = 0;
  double max_ = 0;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/quantile_sketch_inl.hpp>
#endif
