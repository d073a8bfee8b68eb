// What a tensor holds, in one pass: count, mean, variance, extremes, zeros, NaN and infinities, quantiles; the same for
// each channel, and the channels that are dead.
//
// Means and variances are merged pairwise after Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for
// computing sample variances" (1979), in float64. All values stream and merge: over batches, files or processes.
#pragma once

#include <layerscope/algorithms/quantile_sketch.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/layout.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <cstdint>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {
struct MomentsAccess;
}

/// Count, mean, variance and extremes of finite numbers, beside counts of the others. A small value.
class Moments {
 public:
  /// Takes one number of any kind.
  void add(double value) noexcept;
  /// Takes everything that `other` took.
  void merge(const Moments& other) noexcept;

  /// Finite numbers taken; the functions below are of these alone.
  std::uint64_t count() const noexcept { return count_; }
  std::uint64_t nan_count() const noexcept { return nan_; }
  std::uint64_t positive_infinity_count() const noexcept { return positive_infinity_; }
  std::uint64_t negative_infinity_count() const noexcept { return negative_infinity_; }
  /// All numbers taken.
  std::uint64_t total() const noexcept { return count_ + nan_ + positive_infinity_ + negative_infinity_; }
  std::uint64_t zero_count() const noexcept { return zeros_; }

  /// zero_count() / total(). Throws Error(empty) when nothing was taken.
  double zero_fraction() const;
  /// These throw Error(empty) when no finite number was taken.
  double mean() const;
  double(min)() const;  // in parentheses, since users define macros of these names
  double(max)() const;
  Range range() const { return {(min)(), (max)()}; }
  /// Mean squared deviation from the mean (numpy's ddof = 0); the largest double where it would exceed that.
  double variance() const;
  /// Square root of the variance, right even where the variance itself is out of range.
  double standard_deviation() const;

  friend bool operator==(const Moments&, const Moments&) = default;

 private:
  friend struct detail::MomentsAccess;
  void set_mean(double high, double low) noexcept;
  void require_count(const char* what) const;

  std::uint64_t count_ = 0;
  std::uint64_t zeros_ = 0;
  std::uint64_t nan_ = 0;
  std::uint64_t positive_infinity_ = 0;
  std::uint64_t negative_infinity_ = 0;
  double min_ = 0;
  double max_ = 0;
  // mean = (mean_ + mean_low_) · 2^exponent_, in twice the precision so that differences of means far from zero keep
  // theirs; sum of squared deviations = squares_ · 4^exponent_, which no square can overflow.
  double mean_ = 0;
  double mean_low_ = 0;
  double squares_ = 0;
  int exponent_ = 0;
};

struct StatisticsOptions {
  /// Threads used at most. Default 0: every core. The result does not depend on it.
  int threads = 0;
};

/// Moments and quantiles of everything taken.
class Statistics : private Moments {
 public:
  using Moments::count;
  using Moments::max;
  using Moments::mean;
  using Moments::min;
  using Moments::nan_count;
  using Moments::negative_infinity_count;
  using Moments::positive_infinity_count;
  using Moments::range;
  using Moments::standard_deviation;
  using Moments::total;
  using Moments::variance;
  using Moments::zero_count;
  using Moments::zero_fraction;

  const Moments& moments() const noexcept { return *this; }

  /// Takes one number of any kind.
  void add(double value);
  /// Takes every element of a tensor; elements of 64-bit integer types are rounded to float64.
  void add(const AnyView& view, const StatisticsOptions& options = {});
  /// Takes everything that `other` took.
  void merge(const Statistics& other);

  /// The value below which a fraction `q` of the finite numbers lies, within 0.4 % of the exact one (QuantileSketch).
  /// Throws Error(empty) when no finite number was taken and Error(invalid_argument) for `q` outside [0, 1].
  double quantile(double q) const { return sketch_.quantile(q); }
  const QuantileSketch& sketch() const noexcept { return sketch_; }

  friend bool operator==(const Statistics&, const Statistics&) = default;

 private:
  QuantileSketch sketch_;
};

/// Statistics of all elements; an empty tensor gives a count of 0.
Statistics statistics(const AnyView& view, const StatisticsOptions& options = {});

/// When a channel counts as dead.
enum class DeadRule : std::uint8_t {
  zero,      ///< every number was 0: a ReLU that never fires
  constant,  ///< every number was the same finite one
};

/// Moments of each channel over everything taken.
class ChannelStatistics {
 public:
  /// Takes a batch. The channel is axis C of the layout, else O (weights), else D (features of tokens). Throws
  /// Error(invalid_argument) when the layout has none of them, its rank is not the view's, or the number of channels
  /// differs from the batches before.
  void add(const AnyView& batch, const Layout& layout, const StatisticsOptions& options = {});
  /// Takes everything that `other` took. Throws Error(invalid_argument) when the numbers of channels differ.
  void merge(const ChannelStatistics& other);

  /// 0 before the first batch.
  std::int64_t channels() const noexcept { return static_cast<std::int64_t>(moments_.size()); }
  /// Throws Error(invalid_argument) outside [0, channels()).
  const Moments& operator[](std::int64_t channel) const;
  /// Dead channels in increasing order. A channel without numbers, or with NaN or infinity, is not dead.
  std::vector<std::int64_t> dead(DeadRule rule = DeadRule::zero) const;

  friend bool operator==(const ChannelStatistics&, const ChannelStatistics&) = default;

 private:
  std::vector<Moments> moments_;
};

/// Statistics of each channel of one tensor. Throws as ChannelStatistics::add.
ChannelStatistics channel_statistics(const AnyView& view, const Layout& layout, const StatisticsOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/statistics_inl.hpp>
#endif
