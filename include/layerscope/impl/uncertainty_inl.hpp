// Body of algorithms/uncertainty.hpp: the numbers.
#pragma once

#include <layerscope/algorithms/uncertainty.hpp>
#include <layerscope/core/parallel.hpp>
#include <layerscope/impl/prediction_rows_inl.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

inline constexpr double undefined_number = std::numeric_limits<double>::quiet_NaN();

/// Welford's update: means and sums of squared deviations of identical numbers stay exact.
inline void add_to_mean(double value, double count, double& mean, double& squares) noexcept {
  const double before = value - mean;
  mean += before / count;
  squares += before * (value - mean);
}

inline Tensor filled_tensor(const Shape& shape, const std::vector<double>& values,
                            const std::vector<std::uint8_t>& undefined, std::int64_t each, double factor) {
  Tensor tensor(DType::f64, shape);
  double* out = tensor.mutable_data<double>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    out[i] = undefined[i / static_cast<std::size_t>(each)] != 0 ? undefined_number : values[i] * factor;
  }
  return tensor;
}

inline std::string found_expected(const Shape& found, const Shape& expected) {
  return "shape " + to_text(found) + "; expected " + to_text(expected) + " as before";
}

}  // namespace detail

LAYERSCOPE_INLINE void UncertaintyAccumulator::add(const AnyView& member) {
  constexpr const char* what = "uncertainty";
  if (members_ > 0 && member.shape() != member_shape_) {
    throw Error(ErrorCode::invalid_argument, "uncertainty: member " + to_text(members_) + " of " +
                                                 detail::found_expected(member.shape(), member_shape_));
  }
  const detail::PredictionRows rows = detail::read_predictions(member, options_, what);
  if (members_ == 0) {
    std::vector<double> mean(rows.probabilities.size()), squares(rows.probabilities.size()),
        entropy(detail::index_of(rows.rows));
    std::vector<std::uint8_t> undefined(entropy.size());
    mean_ = std::move(mean);
    squares_ = std::move(squares);
    entropy_ = std::move(entropy);
    undefined_ = std::move(undefined);
    member_shape_ = member.shape();
    rows_shape_ = rows.shape;
    classes_ = rows.classes;
  }
  const auto count = static_cast<double>(++members_);
  if (unnormalised_ == 0 && rows.unnormalised > 0) {
    first_unnormalised_ = "member " + to_text(members_ - 1) + ", " + rows.first_unnormalised;
  }
  unnormalised_ += rows.unnormalised;
  const std::int64_t block = (std::max<std::int64_t>)(1, 16384 / rows.classes);
  const std::int64_t blocks = (rows.rows - 1) / block + 1;
  parallel_for(blocks, blocks < 4 ? 1 : options_.threads, [&](std::int64_t b) {
    for (std::int64_t r = b * block; r < (std::min)((b + 1) * block, rows.rows); ++r) {
      const double* const p = rows.probabilities.data() + r * rows.classes;
      undefined_[detail::index_of(r)] |= rows.undefined[detail::index_of(r)];
      for (std::int64_t c = 0; c < rows.classes; ++c) {
        const std::size_t at = detail::index_of(r * rows.classes + c);
        detail::add_to_mean(p[c], count, mean_[at], squares_[at]);
      }
      double unused = 0;
      detail::add_to_mean(detail::entropy_of(p, rows.classes), count, entropy_[detail::index_of(r)], unused);
    }
  });
}

LAYERSCOPE_INLINE Uncertainty UncertaintyAccumulator::result() const {
  if (members_ == 0) throw Error(ErrorCode::empty, "uncertainty: 0 members were added; expected at least one");
  Uncertainty result;
  result.members = members_;
  result.classes = classes_;
  Shape with_classes = rows_shape_;
  with_classes.push_back(classes_);
  result.mean = detail::filled_tensor(with_classes, mean_, undefined_, classes_, 1);
  result.variance =
      detail::filled_tensor(with_classes, squares_, undefined_, classes_, 1 / static_cast<double>(members_));
  std::vector<double> predictive(entropy_.size()), information(entropy_.size());
  result.predicted = Tensor(DType::i64, rows_shape_);
  std::int64_t* const predicted = result.predicted.mutable_data<std::int64_t>();
  for (std::size_t r = 0; r < entropy_.size(); ++r) {
    const double* const p = mean_.data() + r * static_cast<std::size_t>(classes_);
    predictive[r] = detail::entropy_of(p, classes_);
    information[r] = (std::max)(predictive[r] - entropy_[r], 0.0);
    predicted[r] = undefined_[r] != 0 ? -1 : detail::largest_class(p, classes_);
  }
  result.predictive_entropy = detail::filled_tensor(rows_shape_, predictive, undefined_, 1, 1);
  result.expected_entropy = detail::filled_tensor(rows_shape_, entropy_, undefined_, 1, 1);
  result.mutual_information = detail::filled_tensor(rows_shape_, information, undefined_, 1, 1);
  result.undefined_rows = std::count(undefined_.begin(), undefined_.end(), std::uint8_t{1});
  if (members_ == 1) result.warnings.emplace_back("1 member, so that variance and mutual information are 0");
  detail::warn_of_rows(result.warnings, static_cast<std::int64_t>(entropy_.size()), result.undefined_rows,
                       unnormalised_, first_unnormalised_);
  return result;
}

LAYERSCOPE_INLINE Uncertainty uncertainty(const AnyView& members, const PredictionOptions& options) {
  if (members.rank() < 3) {
    if (members.empty()) throw Error(ErrorCode::empty, "uncertainty: members of shape " + to_text(members.shape()));
    throw Error(ErrorCode::invalid_argument,
                "uncertainty: members of shape " + to_text(members.shape()) + "; expected [members, n, classes, …]");
  }
  UncertaintyAccumulator sums(options);
  for (std::int64_t member = 0; member < members.extent(0); ++member) sums.add(members.select(0, member));
  return sums.result();
}

LAYERSCOPE_INLINE void RegressionAccumulator::add(const AnyView& mean, const std::optional<AnyView>& variance) {
  const auto refuse = [](const std::string& problem) {
    throw Error(ErrorCode::invalid_argument, "regression uncertainty: " + problem);
  };
  if (mean.rank() == 0 || mean.empty()) {
    throw Error(ErrorCode::empty, "regression uncertainty: predictions of shape " + to_text(mean.shape()) +
                                      "; expected at least one element");
  }
  if (members_ > 0 && mean.shape() != shape_) {
    refuse("member " + to_text(members_) + " of " + detail::found_expected(mean.shape(), shape_));
  }
  if (members_ > 0 && variance.has_value() != with_variances_) {
    refuse("member " + to_text(members_) + (variance ? " with" : " without") +
           " variances; expected them of all members or of none");
  }
  if (variance && variance->shape() != mean.shape()) {
    refuse("variances of shape " + to_text(variance->shape()) + " for predictions of " + to_text(mean.shape()) +
           "; expected the same");
  }
  const Tensor values = convert(mean, DType::f64);
  const Tensor variances = variance ? convert(*variance, DType::f64) : Tensor();
  const auto count = static_cast<std::size_t>(values.size());
  for (std::size_t i = 0; variance && i < count; ++i) {
    const double found = variances.data<double>()[i];
    if (is_finite(found) && found < 0) {
      refuse("variance " + to_text(found) + " at number " + to_text(i) + "; expected 0 or more");
    }
  }
  if (members_ == 0) {
    std::vector<double> means(count), squares(count), aleatoric(variance ? count : 0);
    std::vector<std::uint8_t> undefined(count);
    mean_ = std::move(means);
    squares_ = std::move(squares);
    aleatoric_ = std::move(aleatoric);
    undefined_ = std::move(undefined);
    shape_ = mean.shape();
    with_variances_ = variance.has_value();
  }
  const auto members = static_cast<double>(++members_);
  for (std::size_t i = 0; i < count; ++i) {
    const double value = values.data<double>()[i];
    const double doubt = variance ? variances.data<double>()[i] : 0;
    if (!is_finite(value) || !is_finite(doubt)) {
      undefined_[i] = 1;
      continue;
    }
    detail::add_to_mean(value, members, mean_[i], squares_[i]);
    double unused = 0;
    if (variance) detail::add_to_mean(doubt, members, aleatoric_[i], unused);
  }
}

LAYERSCOPE_INLINE RegressionUncertainty RegressionAccumulator::result() const {
  if (members_ == 0) {
    throw Error(ErrorCode::empty, "regression uncertainty: 0 members were added; expected at least one");
  }
  RegressionUncertainty result;
  result.members = members_;
  result.mean = detail::filled_tensor(shape_, mean_, undefined_, 1, 1);
  const double share = 1 / static_cast<double>(members_);
  result.epistemic_variance = detail::filled_tensor(shape_, squares_, undefined_, 1, share);
  result.total_variance = result.epistemic_variance;
  if (with_variances_) {
    result.aleatoric_variance = detail::filled_tensor(shape_, aleatoric_, undefined_, 1, 1);
    double* const total = result.total_variance.mutable_data<double>();
    for (std::size_t i = 0; i < mean_.size(); ++i) {
      if (undefined_[i] == 0) total[i] += aleatoric_[i];
    }
  }
  result.undefined = std::count(undefined_.begin(), undefined_.end(), std::uint8_t{1});
  if (members_ == 1) result.warnings.emplace_back("1 member, so that the epistemic variance is 0");
  if (result.undefined > 0) {
    result.warnings.push_back(to_text(result.undefined) + " of " + to_text(mean_.size()) +
                              " numbers are undefined: NaN or infinity in a member");
  }
  return result;
}

LAYERSCOPE_INLINE const char* name(UncertaintyScore score) noexcept {
  switch (score) {
    case UncertaintyScore::predictive_entropy: return "predictive entropy";
    case UncertaintyScore::expected_entropy: return "expected entropy";
    case UncertaintyScore::mutual_information: return "mutual information";
    case UncertaintyScore::doubt: return "1 - confidence";
  }
  return "unknown";
}

LAYERSCOPE_INLINE std::vector<double> sample_scores(const Uncertainty& of, UncertaintyScore score) {
  std::vector<double> scores;
  const std::int64_t samples = of.predicted.empty() ? 0 : of.predicted.extent(0);
  const std::int64_t rows = samples == 0 ? 0 : of.predicted.size() / samples;
  const auto value = [&](std::int64_t row) {
    switch (score) {
      case UncertaintyScore::predictive_entropy: return of.predictive_entropy.data<double>()[row];
      case UncertaintyScore::expected_entropy: return of.expected_entropy.data<double>()[row];
      case UncertaintyScore::mutual_information: return of.mutual_information.data<double>()[row];
      case UncertaintyScore::doubt: break;
    }
    return 1 -
           of.mean
               .data<double>()[row * of.classes + (std::max)(std::int64_t{0}, of.predicted.data<std::int64_t>()[row])];
  };
  for (std::int64_t sample = 0; sample < samples; ++sample) {
    double sum = 0;
    std::int64_t count = 0;
    for (std::int64_t row = sample * rows; row < (sample + 1) * rows; ++row) {
      if (of.predicted.data<std::int64_t>()[row] < 0) continue;
      sum += value(row);
      ++count;
    }
    scores.push_back(count == 0 ? detail::undefined_number : sum / static_cast<double>(count));
  }
  return scores;
}

LAYERSCOPE_INLINE std::vector<std::int64_t> most_uncertain(const Uncertainty& of, std::int64_t count,
                                                           UncertaintyScore score) {
  if (count < 1) {
    throw Error(ErrorCode::invalid_argument, "most_uncertain: count " + to_text(count) + "; expected 1 or more");
  }
  const std::vector<double> scores = sample_scores(of, score);
  std::vector<std::int64_t> order(scores.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    const double x = scores[detail::index_of(a)], y = scores[detail::index_of(b)];
    if (is_nan(x) || is_nan(y)) return is_nan(x) && !is_nan(y);
    return x > y;
  });
  if (static_cast<std::int64_t>(order.size()) > count) order.resize(detail::index_of(count));
  return order;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
