// The rows that knn() compares: their exact values in float64, and float32 copies near the origin.
#pragma once

#include <layerscope/algorithms/knn.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/kernels/distances.hpp>
#include <layerscope/core/kernels/matmul.hpp>
#include <layerscope/core/parallel.hpp>
#include <layerscope/impl/kernels/matmul_inl.hpp>
#include <layerscope/impl/pca_rows_inl.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Where float32 copies have their origin and their unit: distances between them are `scale` times the exact ones.
struct KnnFrame {
  std::vector<double> centre;
  double scale = 1;
  /// A column more than the source, for the cosine of rows of zeros: 1 there, 0 for all others.
  bool zero_column = false;
};

/// A matrix [n, d] for one metric. Cosine and correlation become half the squared Euclidean distance of rows of norm 1.
class KnnRows {
 public:
  /// Reads `x` once, for the function `what`. Throws Error(non_finite), Error(empty), Error(invalid_argument) for
  /// values beyond 1e150.
  KnnRows(const AnyView& x, Metric metric, NonFiniteRows policy, int threads, const char* what)
      : x_(x), what_(what), metric_(metric), threads_(threads), d_(x.extent(1)) {
    if (!scan()) {
      drop_rows(policy);
      scan();
    }
    if (magnitude_ > 1e150) {
      throw Error(ErrorCode::invalid_argument, std::string(what) + ": a value of magnitude " + to_text(magnitude_) +
                                                   " was found; at most 1e150 is expected, since distances are sums "
                                                   "of squares");
    }
  }

  std::int64_t rows() const noexcept { return x_.extent(0); }
  /// Columns of the values, the extra one included.
  std::int64_t columns() const noexcept { return d_ + (frame_.zero_column ? 1 : 0); }
  bool has_zero_rows() const noexcept { return has_zero_rows_; }
  /// Numbers of the rows that were not dropped; empty where none was.
  const std::vector<std::int64_t>& kept() const noexcept { return kept_; }
  Difference difference() const noexcept {
    return metric_ == Metric::manhattan ? Difference::absolute : Difference::squared;
  }
  const KnnFrame& frame() const noexcept { return frame_; }

  /// The frame of these rows: medians of a sample, as outliers do not move them.
  KnnFrame make_frame(bool zero_column) const {
    KnnFrame frame;
    frame.zero_column = zero_column;
    const std::int64_t d = d_ + (zero_column ? 1 : 0);
    const std::int64_t count =
        (std::min)(rows(), (std::clamp)((std::int64_t{1} << 20) / d, std::int64_t{8}, std::int64_t{256}));
    std::vector<double> sample(at(count * d));
    for (std::int64_t s = 0; s < count; ++s) values_of(s * rows() / count, zero_column, sample.data() + s * d);
    frame.centre.resize(at(d));
    std::vector<double> column(at(count));
    const auto middle = column.begin() + count / 2;
    for (std::int64_t c = 0; c < d; ++c) {
      for (std::int64_t s = 0; s < count; ++s) column[at(s)] = sample[at(s * d + c)];
      std::nth_element(column.begin(), middle, column.end());
      // As float32, so that a float32 value minus it is rounded once.
      const double limit = static_cast<double>((std::numeric_limits<float>::max)());
      frame.centre[at(c)] = std::abs(*middle) < limit ? static_cast<double>(static_cast<float>(*middle)) : *middle;
    }
    std::vector<double> norms;
    for (std::int64_t s = 0; s < count; ++s) {
      double sum = 0;
      for (std::int64_t c = 0; c < d; ++c) {
        const double value = sample[at(s * d + c)] - frame.centre[at(c)];
        sum += value * value;
      }
      if (sum > 0) norms.push_back(std::sqrt(sum));
    }
    double norm = magnitude_ > 0 ? magnitude_ : 1;
    if (!norms.empty()) {
      std::nth_element(norms.begin(), norms.begin() + static_cast<std::ptrdiff_t>(norms.size() / 2), norms.end());
      norm = norms[norms.size() / 2];
    }
    if (norm < 0x1p-20 || norm > 0x1p20) frame.scale = std::ldexp(1.0, -std::ilogb(norm));
    return frame;
  }

  /// Makes what pack() and norm() give. Rows whose norm is beyond 2^50 of the frame's units become far_row()s.
  void use_frame(const KnnFrame& frame) {
    frame_ = frame;
    centre_.assign(frame.centre.size(), 0);
    plain_ = direct() && frame.scale == 1 && !frame.zero_column && magnitude_ < 0x1p38 && plain_metric();
    if (plain_)
      std::transform(frame.centre.begin(), frame.centre.end(), centre_.begin(),
                     [](double value) { return static_cast<float>(value); });
    norms_.resize(at(rows()));
    const std::int64_t d = columns();
    constexpr std::int64_t rows_per_task = 256;
    parallel_for(ceil_divide(rows(), rows_per_task), threads_, [&](std::int64_t task) {
      const std::int64_t first = task * rows_per_task;
      const std::int64_t last = (std::min)(rows(), first + rows_per_task);
      if (plain_ && metric_ == Metric::euclidean) {
        squared_norms(last - first, d, floats_from(first), norms_.data() + first, 1);
        return;
      }
      std::vector<double> row(at(d));
      for (std::int64_t r = first; r < last; ++r) norms_[at(r)] = framed(r, row.data());
    });
  }

  /// Σ of squares, or of magnitudes for manhattan, of the float32 copy of row r; far_norm for a far row.
  float norm(std::int64_t r) const noexcept { return norms_[at(r)]; }
  const float* norms() const noexcept { return norms_.data(); }
  static constexpr float far_norm = 1e37F;
  bool far_row(std::int64_t r) const noexcept { return norms_[at(r)] >= far_norm; }

  /// to[count, columns()] = float32 copies of rows `ids`, or of the rows from `first` on where that is null. A far row
  /// is zero in products, whose norms keep it away, and far off in sums of differences.
  void copy(const std::int32_t* ids, std::int64_t first, std::int64_t count, bool for_differences, float* to) const {
    const std::int64_t d = columns();
    std::vector<double> row(at(d));
    for (std::int64_t r = 0; r < count; ++r, to += d) {
      const std::int64_t id = ids != nullptr ? ids[first + r] : first + r;
      if (far_row(id)) {
        std::fill_n(to, d, for_differences ? 1e33F / static_cast<float>(d) : 0.0F);
        if (for_differences && difference() == Difference::squared) std::fill_n(to, d, 1e16F);
        continue;
      }
      if (plain_) {
        const float* from = source(id);
        for (std::int64_t c = 0; c < d; ++c) to[c] = from[c] - centre_[at(c)];
        continue;
      }
      framed(id, row.data());
      for (std::int64_t c = 0; c < d; ++c) to[c] = static_cast<float>(row[at(c)]);
    }
  }

  /// The same in the order of pack_rows(). `scratch` holds 64 rows.
  void pack(const std::int32_t* ids, std::int64_t first, std::int64_t count, bool for_differences, float* packed,
            float* scratch) const {
    const std::int64_t d = columns();
    if (plain_ && ids == nullptr) return pack_rows(count, d, floats_from(first), packed, 1);
    const std::int64_t panel_rows = matrix_kernels(isa_level()).f32.panel_rows;
    for (std::int64_t r = 0; r < count; r += panel_rows) {
      const std::int64_t part = (std::min)(panel_rows, count - r);
      if (plain_) {
        for (std::int64_t i = 0; i < part; ++i) std::copy_n(source(ids[first + r + i]), d, scratch + i * d);
        pack_rows(part, d, {scratch, d, 1, nullptr, centre_.data()}, packed + r * d, 1);
        continue;
      }
      copy(ids, first + r, part, for_differences, scratch);
      pack_rows(part, d, {scratch, d}, packed + r * d, 1);
    }
  }
  static constexpr std::int64_t pack_scratch_rows = 64;

  /// What pack_from() needs of a point in the units of copy().
  std::vector<float> origin(const float* point) const {
    std::vector<float> shift(point, point + columns());
    if (plain_) {
      for (std::size_t c = 0; c < shift.size(); ++c) shift[c] += centre_[c];
    }
    return shift;
  }

  /// Rows `ids` minus an origin(), in the order of pack_rows(). `scratch` holds 64 rows.
  void pack_from(const float* origin, const std::int32_t* ids, std::int64_t count, float* packed,
                 float* scratch) const {
    const std::int64_t d = columns();
    const std::int64_t panel_rows = matrix_kernels(isa_level()).f32.panel_rows;
    for (std::int64_t r = 0; r < count; r += panel_rows) {
      const std::int64_t part = (std::min)(panel_rows, count - r);
      if (plain_) {
        for (std::int64_t i = 0; i < part; ++i) std::copy_n(source(ids[r + i]), d, scratch + i * d);
      } else {
        copy(ids, r, part, true, scratch);
      }
      pack_rows(part, d, {scratch, d, 1, nullptr, origin}, packed + r * d, 1);
    }
  }

  /// The rows as they lie in memory, where float32 differences of them are as good as those of the copies.
  std::optional<StridedMatrix<float>> in_place() const {
    if (!plain_) return std::nullopt;
    return StridedMatrix<float>{source(0), x_.strides()[0]};
  }

  /// to[count, columns] = the float32 copies of the rows from `first` on times directions[columns(), columns].
  void project(std::int64_t first, std::int64_t count, const float* directions, std::int64_t columns, float* to) const {
    const std::int64_t d = this->columns();
    if (plain_) return matmul(count, columns, d, floats_from(first), {directions, columns}, to, columns, 1);
    std::vector<float> part(at(count * d));
    copy(nullptr, first, count, false, part.data());
    matmul(count, columns, d, {part.data(), d}, {directions, columns}, to, columns, 1);
  }

  /// The exact row: to[columns()].
  void values(std::int64_t r, double* to) const { values_of(r, frame_.zero_column, to); }

  /// The sum of differences() between `a`, made by values() of this or of other rows, and row r. `scratch` is a row.
  double sum_of_differences(const double* a, std::int64_t r, double* scratch) const {
    if (direct()) {
      double sum = exact_distance(difference(), d_, a, source(r), mean_of(r), scale_of(r));
      if (frame_.zero_column) {
        const double more = a[d_] - zero_value(r);
        sum += more * more;
      }
      return sum;
    }
    values(r, scratch);
    return exact_distance(difference(), columns(), a, scratch);
  }

  /// Asks for row r, which sum_of_differences() reads soon.
  void prefetch(std::int64_t r) const noexcept {
    if (!direct()) return;
    const char* from = reinterpret_cast<const char*>(source(r));
    for (std::int64_t at = 0; at < (std::min<std::int64_t>)(4 * d_, 4096); at += 64) __builtin_prefetch(from + at);
  }

  /// The distance of a sum of differences.
  double distance(double sum) const noexcept {
    switch (metric_) {
      case Metric::euclidean: return std::sqrt(sum);
      case Metric::manhattan: return sum;
      case Metric::cosine:
      case Metric::correlation: break;
    }
    // What float64 makes of rows of norm 1 that have the same direction.
    return sum < 1e-30 ? 0 : sum / 2;
  }

 private:
  static std::size_t at(std::int64_t i) noexcept { return static_cast<std::size_t>(i); }
  bool plain_metric() const noexcept { return metric_ == Metric::euclidean || metric_ == Metric::manhattan; }
  /// Rows lie in memory as float32, one element after the other.
  bool direct() const noexcept { return x_.dtype() == DType::f32 && (x_.strides()[1] == 1 || d_ == 1); }
  const float* source(std::int64_t r) const noexcept {
    return static_cast<const float*>(x_.data()) + r * x_.strides()[0];
  }
  StridedMatrix<float> floats_from(std::int64_t first) const noexcept {
    return {source(first), x_.strides()[0], 1, nullptr, centre_.data()};
  }
  double mean_of(std::int64_t r) const noexcept { return means_.empty() ? 0 : means_[at(r)]; }
  double scale_of(std::int64_t r) const noexcept { return scales_.empty() ? 1 : scales_[at(r)]; }
  double zero_value(std::int64_t r) const noexcept { return scale_of(r) == 0 ? 1 : 0; }

  void values_of(std::int64_t r, bool zero_column, double* to) const {
    read_doubles(x_, r, 1, 0, d_, to);
    if (!plain_metric()) {
      for (std::int64_t c = 0; c < d_; ++c) to[c] = (to[c] - mean_of(r)) * scale_of(r);
    }
    if (zero_column) to[d_] = zero_value(r);
  }

  /// Row r in the frame, and what norm() says of it; the row is not to be converted to float32 when it is far.
  float framed(std::int64_t r, double* to) const {
    values(r, to);
    double sum = 0;
    double magnitudes = 0;
    for (std::int64_t c = 0; c < columns(); ++c) {
      to[c] = (to[c] - frame_.centre[at(c)]) * frame_.scale;
      magnitudes += std::abs(to[c]);
    }
    if (magnitudes > 0x1p50) return far_norm;
    for (std::int64_t c = 0; c < columns(); ++c) {
      const double rounded = static_cast<double>(static_cast<float>(to[c]));
      sum += rounded * rounded;
    }
    return static_cast<float>(metric_ == Metric::manhattan ? magnitudes : sum);
  }

  /// Largest magnitude; means and scales of the rows for cosine and correlation. False when a value is not finite.
  bool scan() {
    const std::int64_t n = rows();
    if (!plain_metric()) {
      means_.assign(at(n), 0);
      scales_.assign(at(n), 0);
    }
    constexpr std::int64_t rows_per_task = 256;
    const std::int64_t tasks = ceil_divide(n, rows_per_task);
    std::vector<double> largest(at(tasks), 0);
    parallel_for(tasks, n * d_ < parallel_threshold ? 1 : threads_, [&](std::int64_t task) {
      std::vector<double> row(at(d_));
      if (plain_metric() && direct()) {
        const std::int64_t first = task * rows_per_task;
        const std::uint32_t bits = add_columns_kernel(isa_level())(source(first), (std::min)(rows_per_task, n - first),
                                                                   d_, x_.strides()[0], row.data());
        largest[at(task)] =
            bits < 0x7F800000 ? exact_double(std::bit_cast<float>(bits)) : (std::numeric_limits<double>::max)();
        return;
      }
      double most = 0;
      for (std::int64_t r = task * rows_per_task; r < (std::min)(n, (task + 1) * rows_per_task); ++r) {
        read_doubles(x_, r, 1, 0, d_, row.data());
        double row_most = 0;
        for (const double value : row) {
          const double magnitude = is_finite(value) ? std::abs(value) : (std::numeric_limits<double>::max)();
          row_most = (std::max)(row_most, magnitude);
        }
        most = (std::max)(most, row_most);
        if (plain_metric() || most > 1e150) continue;
        scale_row(r, row);
      }
      largest[at(task)] = most;
    });
    magnitude_ = n > 0 ? *std::max_element(largest.begin(), largest.end()) : 0;
    if (magnitude_ == (std::numeric_limits<double>::max)()) return false;
    has_zero_rows_ = std::find(scales_.begin(), scales_.end(), 0.0) != scales_.end();
    return true;
  }

  void scale_row(std::int64_t r, std::vector<double>& row) {
    if (metric_ == Metric::correlation) {
      double sum = 0;  // from the first element, so that a constant row has exactly its value as mean
      for (const double value : row) sum += value - row[0];
      means_[at(r)] = row[0] + sum / static_cast<double>(d_);
    }
    double most = 0;
    for (double& value : row) {
      value -= means_[at(r)];
      most = (std::max)(most, std::abs(value));
    }
    if (!(most > 1e-290)) return;
    double sum = 0;
    for (const double value : row) sum += (value / most) * (value / most);
    scales_[at(r)] = 1 / (most * std::sqrt(sum));
  }

  /// Leaves out the rows with NaN or infinity, after scan() has seen that there are some.
  void drop_rows(NonFiniteRows policy) {
    std::vector<double> row(at(d_));
    const std::int64_t n = rows();
    for (std::int64_t r = 0; r < n; ++r) {
      read_doubles(x_, r, 1, 0, d_, row.data());
      const auto bad = std::find_if(row.begin(), row.end(), [](double value) { return !is_finite(value); });
      if (bad == row.end()) {
        kept_.push_back(r);
      } else if (policy == NonFiniteRows::error) {
        throw Error(ErrorCode::non_finite, std::string(what_) + ": row " + to_text(r) + ", column " +
                                               to_text(bad - row.begin()) + " is " + to_text(*bad) +
                                               "; finite values are expected");
      }
    }
    if (kept_.empty()) {
      throw Error(ErrorCode::empty,
                  std::string(what_) + ": 0 of " + to_text(n) + " rows are finite; at least one is expected");
    }
    const std::int64_t count = static_cast<std::int64_t>(kept_.size());
    if (count == n) {
      kept_.clear();
      return;
    }
    Tensor rest(x_.dtype(), {count, d_});
    std::byte* to = rest.mutable_raw();
    for (const std::int64_t r : kept_) {
      convert_into(x_.narrow(0, r, 1), x_.dtype(), to);
      to += at(d_) * size_of(x_.dtype());
    }
    x_ = rest.view();
  }

  AnyView x_;
  const char* what_;
  Metric metric_;
  int threads_;
  std::int64_t d_;
  double magnitude_ = 0;
  bool has_zero_rows_ = false;
  bool plain_ = false;
  std::vector<double> means_;
  std::vector<double> scales_;
  std::vector<std::int64_t> kept_;
  KnnFrame frame_;
  std::vector<float> centre_;
  std::vector<float> norms_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
