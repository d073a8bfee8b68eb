// Body of algorithms/statistics.hpp.
#pragma once

#include <layerscope/algorithms/statistics.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/parallel.hpp>
#include <layerscope/impl/element_range_inl.hpp>
#include <layerscope/impl/kernels/moments_inl.hpp>
#include <layerscope/impl/quantile_sketch_inl.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

inline constexpr std::int64_t statistics_unit = std::int64_t{1} << 16;  // elements that one thread takes at a time
inline constexpr std::int64_t statistics_block = 2048;                  // elements per pass, within the first cache

struct MomentsAccess {
  /// Moments of 1 to statistics_block finite numbers. Two passes over the block, then one correction of the mean: no
  /// cancellation however far the numbers lie from zero.
  template <class T>
  static Moments of_finite(const T* x, std::int64_t count, const SumScan& scan) {
    Moments result;
    result.count_ = static_cast<std::uint64_t>(count);
    result.zeros_ = scan.zeros;
    result.min_ = scan.min;
    result.max_ = scan.max;
    result.mean_ = scan.min;
    if (scan.min == scan.max) return result;  // its deviations are exactly zero
    const double n = static_cast<double>(count);
    const double mean = scan.sum / n;
    const DeviationScan deviations = scan_deviations(x, count, mean);
    result.set_mean(mean, deviations.sum / n);
    result.squares_ = (std::max)(0.0, deviations.squares - deviations.sum * deviations.sum / n);
    return result;
  }

  /// The same for doubles whose squares would leave the range of double: scaled by a power of two.
  static Moments of_extreme(const double* x, std::int64_t count, const SumScan& scan, int exponent) {
    double scaled[statistics_block];
    for (std::int64_t i = 0; i < count; ++i) scaled[i] = std::ldexp(x[i], -exponent);
    Moments result = of_finite(scaled, count, scan_sums(scaled, count));
    result.exponent_ = exponent;
    result.zeros_ = scan.zeros;
    result.min_ = scan.min;
    result.max_ = scan.max;
    return result;
  }

  static void count_non_finite(Moments& into, double value) {
    if (is_nan(value)) {
      ++into.nan_;
    } else {
      ++(sign_bit(value) ? into.negative_infinity_ : into.positive_infinity_);
    }
  }
};

/// Adds at most statistics_block numbers; `each_finite(span, sums, magnitudes)` sees the finite ones.
template <class T, class EachFinite>
void add_moments(const T* x, std::int64_t count, Moments& into, EachFinite&& each_finite) {
  if (count == 0) return;
  const MagnitudeScan magnitudes = scan_magnitudes(x, count);
  constexpr std::uint64_t infinity = sizeof(T) == 4 ? 0x7F800000u : 0x7FF0000000000000u;
  if (magnitudes.largest >= infinity) {
    T finite[statistics_block];
    std::int64_t kept = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      if (is_finite(x[i])) {
        finite[kept++] = x[i];
      } else {
        MomentsAccess::count_non_finite(into, static_cast<double>(x[i]));
      }
    }
    return add_moments(finite, kept, into, each_finite);
  }
  const SumScan scan = scan_sums(x, count);
  if constexpr (sizeof(T) == 8) {
    const double largest = std::bit_cast<double>(magnitudes.largest);
    if (largest > 0x1p450 || (largest > 0 && largest < 0x1p-400)) {
      into.merge(MomentsAccess::of_extreme(x, count, scan, std::ilogb(largest)));
      return each_finite(std::span<const T>(x, static_cast<std::size_t>(count)), scan, magnitudes);
    }
  }
  into.merge(MomentsAccess::of_finite(x, count, scan));
  each_finite(std::span<const T>(x, static_cast<std::size_t>(count)), scan, magnitudes);
}

struct IgnoreFinite {
  template <class Values>
  void operator()(const Values&, const SumScan&, const MagnitudeScan&) const noexcept {}
};

/// Puts blocks of finite numbers into a sketch, by way of the table when there are many.
class SketchFiller {
 public:
  SketchFiller(QuantileSketch& sketch, std::int64_t expected) : sketch_(sketch) {
    if (expected >= 2 * statistics_unit) table_ = std::make_unique<FloatKeyTable>();
  }

  void operator()(std::span<const float> values, const SumScan& sums, const MagnitudeScan& magnitudes) {
    if (!table_ || !FloatKeyTable::takes(magnitudes)) return sketch_.add(values);
    table_->add(values, magnitudes);
    SketchAccess::widen(sketch_, sums.min, sums.max, values.size());
    held_ += values.size();
    if (held_ >= std::uint64_t{1} << 31) flush();  // before a 32-bit count could overflow
  }
  void operator()(std::span<const double> values, const SumScan&, const MagnitudeScan&) { sketch_.add(values); }

  void flush() {
    if (table_) table_->flush(sketch_);
    held_ = 0;
  }

 private:
  QuantileSketch& sketch_;
  std::unique_ptr<FloatKeyTable> table_;
  std::uint64_t held_ = 0;
};

/// The axis that statistics of channels keep apart.
inline int channel_axis(const AnyView& view, const Layout& layout) {
  if (layout.rank() != view.rank()) {
    throw Error(ErrorCode::invalid_argument, "channel statistics: layout " + std::string(layout.axes()) + " has " +
                                                 to_text(layout.rank()) + " axes; the shape is " +
                                                 to_text(view.shape()));
  }
  for (const char letter : {'C', 'O', 'D'}) {
    if (layout.find(letter) >= 0) return layout.find(letter);
  }
  throw Error(ErrorCode::invalid_argument,
              "channel statistics: layout " + std::string(layout.axes()) + " names no axis C, O or D");
}

/// Whether neighbours along `axis` lie closer in memory than neighbours along any other.
inline bool innermost_in_memory(const AnyView& view, int axis) {
  for (int other = 0; other < view.rank(); ++other) {
    if (other != axis && view.extent(other) > 1 && std::abs(view.strides()[other]) <= std::abs(view.strides()[axis])) {
      return false;
    }
  }
  return true;
}

inline constexpr std::int64_t channel_group = 16;         // channels that are read together
inline constexpr std::int64_t channel_positions = 16384;  // positions of a group that one thread takes at a time

/// Adds positions [start, start + count) of a few channels: `view` has the channel axis first.
template <class Work>
void add_channels(const AnyView& view, std::int64_t start, std::int64_t count, std::span<Moments> into) {
  for (std::size_t channel = 0; channel < into.size(); ++channel) {
    const ElementRange range(view.select(0, static_cast<std::int64_t>(channel)));
    for (std::int64_t done = 0; done < count; done += statistics_block) {
      Work buffer[statistics_block];
      const std::int64_t n = (std::min)(statistics_block, count - done);
      add_moments(range.read(start + done, n, buffer), n, into[channel], IgnoreFinite{});
    }
  }
}

/// The same where channels are neighbours in memory: `view` has the channel axis last. Reads whole cache lines.
template <class Work>
void add_interleaved_channels(const AnyView& view, std::int64_t start, std::int64_t count, std::span<Moments> into) {
  constexpr std::int64_t tile = 256;
  const auto channels = static_cast<std::int64_t>(into.size());
  const ElementRange range(view);
  for (std::int64_t done = 0; done < count; done += tile) {
    Work buffer[tile * channel_group];
    Work transposed[tile * channel_group];
    const std::int64_t n = (std::min)(tile, count - done);
    const Work* const rows = range.read((start + done) * channels, n * channels, buffer);
    for (std::int64_t row = 0; row < n; ++row) {
      for (std::int64_t c = 0; c < channels; ++c) transposed[c * tile + row] = rows[row * channels + c];
    }
    for (std::int64_t c = 0; c < channels; ++c) {
      add_moments(transposed + c * tile, n, into[static_cast<std::size_t>(c)], IgnoreFinite{});
    }
  }
}

}  // namespace detail

LAYERSCOPE_INLINE void Moments::add(double value) noexcept {
  detail::add_moments(&value, 1, *this, detail::IgnoreFinite{});
}

LAYERSCOPE_INLINE void Moments::merge(const Moments& other) noexcept {
  nan_ += other.nan_;
  positive_infinity_ += other.positive_infinity_;
  negative_infinity_ += other.negative_infinity_;
  if (other.count_ == 0) return;
  if (count_ == 0) {
    Moments taken = other;
    taken.nan_ = nan_;
    taken.positive_infinity_ = positive_infinity_;
    taken.negative_infinity_ = negative_infinity_;
    *this = taken;
    return;
  }
  // All-zero moments have no scale of their own.
  const bool here_zero = mean_ == 0 && squares_ == 0;
  const bool other_zero = other.mean_ == 0 && other.squares_ == 0;
  const int exponent = other_zero ? exponent_ : here_zero ? other.exponent_ : (std::max)(exponent_, other.exponent_);
  const auto scaled = [exponent](double value, int from, int power) {
    return from == exponent ? value : std::ldexp(value, power * (from - exponent));
  };
  const double mean = scaled(mean_, exponent_, 1);
  const double low = scaled(mean_low_, exponent_, 1);
  const double delta =
      (scaled(other.mean_, other.exponent_, 1) - mean) + (scaled(other.mean_low_, other.exponent_, 1) - low);
  const double n = static_cast<double>(count_);
  const double m = static_cast<double>(other.count_);
  squares_ =
      scaled(squares_, exponent_, 2) + scaled(other.squares_, other.exponent_, 2) + delta * delta * (n / (n + m)) * m;
  set_mean(mean, low + delta * (m / (n + m)));
  exponent_ = exponent;
  min_ = (std::min)(min_, other.min_);
  max_ = (std::max)(max_, other.max_);
  count_ += other.count_;
  zeros_ += other.zeros_;
}

LAYERSCOPE_INLINE void Moments::set_mean(double high, double low) noexcept {
  mean_ = high + low;
  const double added = mean_ - high;
  mean_low_ = (high - (mean_ - added)) + (low - added);  // what the sum above rounded away (Knuth's two-sum)
}

LAYERSCOPE_INLINE void Moments::require_count(const char* what) const {
  if (count_ == 0) {
    throw Error(ErrorCode::empty, std::string("statistics: ") + what + " of no finite numbers among the " +
                                      to_text(total()) + " taken; expected at least one");
  }
}

LAYERSCOPE_INLINE double Moments::zero_fraction() const {
  if (total() == 0) throw Error(ErrorCode::empty, "statistics: zero fraction of no numbers; expected at least one");
  return static_cast<double>(zeros_) / static_cast<double>(total());
}

LAYERSCOPE_INLINE double Moments::mean() const {
  require_count("mean");
  return (std::clamp)(std::ldexp(mean_, exponent_), min_, max_);
}

LAYERSCOPE_INLINE double(Moments::min)() const {
  require_count("minimum");
  return min_;
}

LAYERSCOPE_INLINE double(Moments::max)() const {
  require_count("maximum");
  return max_;
}

LAYERSCOPE_INLINE double Moments::variance() const {
  require_count("variance");
  const double variance = std::ldexp(squares_ / static_cast<double>(count_), 2 * exponent_);
  return is_finite(variance) ? variance : (std::numeric_limits<double>::max)();
}

LAYERSCOPE_INLINE double Moments::standard_deviation() const {
  require_count("standard deviation");
  return std::ldexp(std::sqrt(squares_ / static_cast<double>(count_)), exponent_);
}

LAYERSCOPE_INLINE void Statistics::add(double value) {
  detail::add_moments(&value, 1, static_cast<Moments&>(*this),
                      [this](std::span<const double> finite, const detail::SumScan&, const detail::MagnitudeScan&) {
                        sketch_.add(finite.front());
                      });
}

LAYERSCOPE_INLINE void Statistics::add(const AnyView& view, const StatisticsOptions& options) {
  if (view.empty()) return;
  const std::int64_t units = (view.size() + detail::statistics_unit - 1) / detail::statistics_unit;
  // Below four units a thread costs more than it saves.
  const std::int64_t workers = (std::clamp<std::int64_t>)(units / 4, 1, resolve_threads(options.threads));
  std::vector<Moments> moments(static_cast<std::size_t>(units));
  std::vector<QuantileSketch> sketches(static_cast<std::size_t>(workers));
  std::atomic<std::int64_t> next{0};
  const detail::ElementRange range(view);
  // Moments are kept by unit and merged in order; a sketch does not depend on the order, so each worker has one.
  parallel_for(workers, static_cast<int>(workers), [&](std::int64_t worker) {
    detail::SketchFiller filler(sketches[static_cast<std::size_t>(worker)], view.size());
    const auto take = [&](auto work) {
      using Work = decltype(work);
      Work buffer[detail::statistics_block];
      for (std::int64_t unit = next++; unit < units; unit = next++) {
        const std::int64_t end = (std::min)((unit + 1) * detail::statistics_unit, view.size());
        for (std::int64_t start = unit * detail::statistics_unit; start < end; start += detail::statistics_block) {
          const std::int64_t count = (std::min)(detail::statistics_block, end - start);
          detail::add_moments(range.read(start, count, buffer), count, moments[static_cast<std::size_t>(unit)], filler);
        }
      }
    };
    detail::fits_float(view.dtype()) ? take(float{}) : take(double{});
    filler.flush();
  });
  for (const Moments& part : moments) Moments::merge(part);
  for (const QuantileSketch& part : sketches) sketch_.merge(part);
}

LAYERSCOPE_INLINE void Statistics::merge(const Statistics& other) {
  Moments::merge(other);
  sketch_.merge(other.sketch_);
}

LAYERSCOPE_INLINE Statistics statistics(const AnyView& view, const StatisticsOptions& options) {
  Statistics result;
  result.add(view, options);
  return result;
}

LAYERSCOPE_INLINE void ChannelStatistics::add(const AnyView& batch, const Layout& layout,
                                              const StatisticsOptions& options) {
  const int axis = detail::channel_axis(batch, layout);
  const std::int64_t channels = batch.extent(axis);
  if (!moments_.empty() && this->channels() != channels) {
    throw Error(ErrorCode::invalid_argument, "channel statistics: " + to_text(channels) + " channels given after " +
                                                 to_text(this->channels()) + " before; expected as many");
  }
  if (moments_.empty()) moments_.resize(static_cast<std::size_t>(channels));
  if (batch.empty()) return;

  const bool interleaved = detail::innermost_in_memory(batch, axis);
  std::vector<int> order;
  if (!interleaved) order.push_back(axis);
  for (int other = 0; other < batch.rank(); ++other) {
    if (other != axis) order.push_back(other);
  }
  if (interleaved) order.push_back(axis);
  const AnyView view = batch.permute(order);
  const int at = interleaved ? view.rank() - 1 : 0;

  const std::int64_t positions = batch.size() / channels;
  const std::int64_t chunks = (positions + detail::channel_positions - 1) / detail::channel_positions;
  const std::int64_t groups = (channels + detail::channel_group - 1) / detail::channel_group;
  std::vector<Moments> parts(static_cast<std::size_t>(chunks * channels));
  const std::int64_t worth = batch.size() / (4 * detail::statistics_unit);
  const int threads = static_cast<int>((std::clamp<std::int64_t>)(worth, 1, resolve_threads(options.threads)));
  parallel_for(chunks * groups, threads, [&](std::int64_t unit) {
    const std::int64_t chunk = unit / groups;
    const std::int64_t first = unit % groups * detail::channel_group;
    const std::int64_t width = (std::min)(detail::channel_group, channels - first);
    const AnyView group = view.narrow(at, first, width);
    const std::int64_t start = chunk * detail::channel_positions;
    const std::int64_t count = (std::min)(detail::channel_positions, positions - start);
    const auto into =
        std::span(parts).subspan(static_cast<std::size_t>(chunk * channels + first), static_cast<std::size_t>(width));
    const auto take = [&](auto work) {
      using Work = decltype(work);
      interleaved ? detail::add_interleaved_channels<Work>(group, start, count, into)
                  : detail::add_channels<Work>(group, start, count, into);
    };
    detail::fits_float(view.dtype()) ? take(float{}) : take(double{});
  });
  for (std::size_t i = 0; i < parts.size(); ++i) moments_[i % static_cast<std::size_t>(channels)].merge(parts[i]);
}

LAYERSCOPE_INLINE void ChannelStatistics::merge(const ChannelStatistics& other) {
  if (other.moments_.empty()) return;
  if (moments_.empty()) moments_.resize(other.moments_.size());
  if (channels() != other.channels()) {
    throw Error(ErrorCode::invalid_argument, "channel statistics: merging " + to_text(other.channels()) +
                                                 " channels into " + to_text(channels()) + "; expected as many");
  }
  for (std::size_t i = 0; i < moments_.size(); ++i) moments_[i].merge(other.moments_[i]);
}

LAYERSCOPE_INLINE const Moments& ChannelStatistics::operator[](std::int64_t channel) const {
  if (channel < 0 || channel >= channels()) {
    throw Error(ErrorCode::invalid_argument, "channel statistics: channel " + to_text(channel) + " of " +
                                                 to_text(channels()) + " channels; expected an index below");
  }
  return moments_[static_cast<std::size_t>(channel)];
}

LAYERSCOPE_INLINE std::vector<std::int64_t> ChannelStatistics::dead(DeadRule rule) const {
  std::vector<std::int64_t> result;
  for (std::int64_t channel = 0; channel < channels(); ++channel) {
    const Moments& moments = (*this)[channel];
    if (moments.count() == 0 || moments.count() != moments.total()) continue;
    const bool zero = moments.zero_count() == moments.count();
    if (zero || (rule == DeadRule::constant && (moments.min)() == (moments.max)())) result.push_back(channel);
  }
  return result;
}

LAYERSCOPE_INLINE ChannelStatistics channel_statistics(const AnyView& view, const Layout& layout,
                                                       const StatisticsOptions& options) {
  ChannelStatistics result;
  result.add(view, layout, options);
  return result;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
