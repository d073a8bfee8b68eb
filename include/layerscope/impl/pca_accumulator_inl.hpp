// Body of algorithms/pca_accumulator.hpp.
#pragma once

#include <layerscope/algorithms/pca_accumulator.hpp>
#include <layerscope/impl/kernels/matmul_inl.hpp>
#include <layerscope/impl/pca_inl.hpp>
#include <layerscope/impl/pca_rows_inl.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

inline void check_same_columns(std::int64_t found, std::int64_t expected) {
  if (expected == 0 || found == expected) return;
  throw Error(ErrorCode::invalid_argument, "pca: a batch of " + to_text(found) + " columns after batches of " +
                                               to_text(expected) + "; as many are expected");
}

/// Weight of the difference of two means in the scatter of both sets together.
inline double joint_weight(std::int64_t a, std::int64_t b) noexcept {
  return static_cast<double>(a) * (static_cast<double>(b) / static_cast<double>(a + b));
}

}  // namespace detail

LAYERSCOPE_INLINE void PcaAccumulator::note_type(DType dtype) noexcept {
  if (detail::rank_tolerance(dtype, 1) > detail::rank_tolerance(coarsest_, 1)) coarsest_ = dtype;
}

LAYERSCOPE_INLINE void PcaAccumulator::prepare(std::int64_t columns, double magnitude) {
  if (columns_ == 0) {
    std::vector<double> mean(static_cast<std::size_t>(columns));
    scatter_.assign(static_cast<std::size_t>(columns * columns), 0.0);
    mean_ = std::move(mean);
    columns_ = columns;
  }
  magnitude_ = (std::max)(magnitude_, magnitude);
  const double scale = detail::PcaRows::scale_for(magnitude_);
  const double before = std::exchange(scale_, scale);
  if (before == scale || rows_ == 0) return;
  const double change = scale / before;  // below 1, as the magnitude has grown
  for (double& value : mean_) value *= change;
  for (double& value : scatter_) value *= change * change;
}

LAYERSCOPE_INLINE void PcaAccumulator::add(const AnyView& x) {
  detail::check_pca_input(x);
  const std::int64_t d = x.extent(1);
  detail::check_same_columns(d, columns_);
  std::optional<detail::PcaRows> read;
  try {
    read.emplace(x, options_.non_finite, options_.threads);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::empty) throw;
    dropped_ += x.extent(0);  // no row is finite
    return;
  }
  detail::PcaRows& rows = *read;
  const std::int64_t n = rows.rows();
  // 4 · d² bytes at a time, but enough rows for the product to be efficient; one more for the means.
  const std::int64_t step = (std::min)(
      n, (std::clamp)(detail::round_up(d / 2, detail::depth_block), detail::depth_block, 16 * detail::depth_block));
  const detail::AlignedBuffer<double> part((step + 1) * d);
  prepare(d, rows.unscaled_magnitude());
  rows.set_scale(scale_);

  // The means' share is a row like the others: the difference of the means, times the root of its weight.
  std::int64_t extra = 0;
  if (rows_ > 0) {
    const double root = std::sqrt(detail::joint_weight(rows_, n));
    for (std::int64_t c = 0; c < d; ++c) {
      const std::size_t at = static_cast<std::size_t>(c);
      part.data()[c] = root * (rows.means()[at] - mean_[at]);
    }
    extra = 1;
  }
  for (std::int64_t first = 0; first < n; first += step) {
    const std::int64_t count = (std::min)(step, n - first);
    rows.centred(first, count, 0, d, part.data() + extra * d);
    add_symmetric_product(count + extra, d, StridedMatrix<double>{part.data(), d}, scatter_.data(), options_.threads);
    extra = 0;
  }
  const double share = static_cast<double>(n) / static_cast<double>(rows_ + n);
  for (std::size_t c = 0; c < mean_.size(); ++c) {
    mean_[c] = rows_ == 0 ? rows.means()[c] : mean_[c] + share * (rows.means()[c] - mean_[c]);
  }
  rows_ += n;
  dropped_ += rows.dropped();
  note_type(rows.dtype());
}

LAYERSCOPE_INLINE void PcaAccumulator::merge(const PcaAccumulator& other) {
  if (other.columns_ == 0) {
    dropped_ += other.dropped_;
    return;
  }
  detail::check_same_columns(other.columns_, columns_);
  if (&other == this) return merge(PcaAccumulator(other));
  prepare(other.columns_, other.magnitude_);
  const double change = scale_ / other.scale_;
  std::vector<double> difference(mean_.size());
  for (std::size_t c = 0; c < mean_.size(); ++c) difference[c] = other.mean_[c] * change - mean_[c];
  const double weight = rows_ > 0 ? detail::joint_weight(rows_, other.rows_) : 0;
  const std::int64_t d = columns_;
  parallel_for(d, d * d < detail::parallel_threshold ? 1 : options_.threads, [&](std::int64_t i) {
    const double left = weight * difference[static_cast<std::size_t>(i)];
    for (std::int64_t j = i; j < d; ++j) {
      const std::size_t at = static_cast<std::size_t>(i * d + j);
      scatter_[at] += other.scatter_[at] * change * change + left * difference[static_cast<std::size_t>(j)];
    }
  });
  const double share = static_cast<double>(other.rows_) / static_cast<double>(rows_ + other.rows_);
  for (std::size_t c = 0; c < mean_.size(); ++c) mean_[c] += share * difference[c];
  rows_ += other.rows_;
  dropped_ += other.dropped_;
  note_type(other.coarsest_);
}

LAYERSCOPE_INLINE Pca PcaAccumulator::result(const PcaOptions& options) const {
  detail::check_pca_options(options);
  if (options.solver != PcaSolver::automatic && options.solver != PcaSolver::covariance) {
    throw Error(ErrorCode::invalid_argument,
                std::string("pca: solver ") + name(options.solver) +
                    " of an accumulator, which has no rows; automatic or covariance is expected");
  }
  if (rows_ == 0) {
    throw Error(ErrorCode::empty,
                "pca: an accumulator of 0 rows (" + to_text(dropped_) + " left out); at least one row is expected");
  }
  throw_if_stopped(options.stop, "pca");
  if (options.progress) options.progress(0.1, "eigenvectors");
  Pca result;
  detail::PcaSummary summary;
  summary.rows = rows_;
  summary.dropped_rows = dropped_;
  summary.columns = columns_;
  summary.components = detail::clamp_components(options, rows_, columns_, result.warnings);
  summary.scale = scale_;
  summary.magnitude = magnitude_ * scale_;
  summary.tolerance = detail::rank_tolerance(coarsest_, (std::min)(rows_, columns_));
  summary.means = &mean_;
  std::vector<double> covariance(scatter_);
  const double factor = 1 / static_cast<double>((std::max<std::int64_t>)(1, rows_ - 1));
  for (double& value : covariance) value *= factor;
  mirror_upper_triangle(columns_, covariance.data());
  summary.total_variance = detail::trace(columns_, covariance);
  result.solver = PcaSolver::covariance;
  const detail::EigenPairs pairs =
      detail::solve_symmetric(columns_, summary.components, std::move(covariance), 1e-9, options);
  detail::finish_pca(pairs, summary, result);
  if (options.progress) options.progress(1, "pca");
  return result;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
