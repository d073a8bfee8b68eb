// Body of algorithms/calibration.hpp: the numbers.
#pragma once

#include <layerscope/algorithms/calibration.hpp>
#include <layerscope/impl/prediction_rows_inl.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// A number and whether it came true.
struct Forecast {
  double probability;
  std::uint8_t right;
};

/// By probability, equal ones the wrong first: the order says nothing of where the rows stood.
inline void sort_forecasts(std::vector<Forecast>& forecasts) {
  std::sort(forecasts.begin(), forecasts.end(), [](const Forecast& a, const Forecast& b) {
    return a.probability != b.probability ? a.probability < b.probability : a.right < b.right;
  });
}

/// The mean, summed from the smallest on, which makes it the same for any order.
inline double sorted_mean(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

inline void fill_bins(Calibration& result, const std::vector<Forecast>& sorted, int bins) {
  for (int i = 0; i < bins; ++i) {
    result.bins.push_back({static_cast<double>(i) / bins, static_cast<double>(i + 1) / bins});
  }
  std::size_t bin = 0;
  for (const Forecast& forecast : sorted) {
    while (bin + 1 < result.bins.size() && forecast.probability > result.bins[bin].high) ++bin;
    CalibrationBin& one = result.bins[bin];
    ++one.count;
    one.confidence += forecast.probability;
    one.accuracy += forecast.right;
  }
  const auto n = static_cast<double>(sorted.size());
  for (CalibrationBin& one : result.bins) {
    result.confidence += one.confidence / n;
    result.accuracy += one.accuracy / n;
    if (one.count == 0) continue;
    one.confidence /= static_cast<double>(one.count);
    one.accuracy /= static_cast<double>(one.count);
    const double gap = std::fabs(one.accuracy - one.confidence);
    result.ece += static_cast<double>(one.count) / n * gap;
    result.mce = (std::max)(result.mce, gap);
  }
}

/// Mean over ranges of equally many forecasts (which may cut a forecast) of |share that came true − mean probability|.
inline double adaptive_error(std::vector<Forecast> forecasts, int ranges) {
  sort_forecasts(forecasts);
  const auto n = static_cast<double>(forecasts.size());
  const double size = n / ranges;
  double error = 0;
  double gap = 0;       // of the range so far: Σ weight · (share − probability)
  double position = 0;  // forecasts before the group
  int range = 0;
  for (std::size_t first = 0; first < forecasts.size();) {
    std::size_t last = first;
    double right = 0;
    for (; last < forecasts.size() && forecasts[last].probability == forecasts[first].probability; ++last) {
      right += forecasts[last].right;
    }
    const auto count = static_cast<double>(last - first);
    const double each = right / count - forecasts[first].probability;
    const double end = static_cast<double>(last);
    while (range + 1 < ranges && end >= (range + 1) * size) {
      gap += ((range + 1) * size - position) * each;
      error += std::fabs(gap) / n;
      position = (range + 1) * size;
      gap = 0;
      ++range;
    }
    gap += (end - position) * each;
    position = end;
    first = last;
  }
  return error + std::fabs(gap) / n;
}

inline std::vector<std::int64_t> checked_labels(const AnyView& labels, const PredictionRows& rows) {
  const auto refuse = [](const std::string& problem) {
    throw Error(ErrorCode::invalid_argument, "calibration: " + problem);
  };
  if (labels.shape() != rows.shape) {
    refuse("labels of shape " + to_text(labels.shape()) + "; expected one for each prediction, " + to_text(rows.shape));
  }
  if (labels.dtype() == DType::f16 || labels.dtype() == DType::bf16 || labels.dtype() == DType::f32 ||
      labels.dtype() == DType::f64) {
    refuse(std::string("labels are ") + name(labels.dtype()) + "; expected integers");
  }
  const Tensor numbers = convert(labels, DType::i64);
  const std::int64_t* const found = numbers.data<std::int64_t>();
  for (std::int64_t r = 0; r < numbers.size(); ++r) {
    if (found[r] >= rows.classes) {
      refuse("label " + to_text(found[r]) + " of row " + to_text(r) + "; expected at most " +
             to_text(rows.classes - 1) + ", or less than 0 where there is none");
    }
  }
  return {found, found + numbers.size()};
}

}  // namespace detail

LAYERSCOPE_INLINE Calibration calibration(const AnyView& predictions, const AnyView& labels,
                                          const CalibrationOptions& options) {
  for (const auto& [what, value] : {std::pair{"bins", options.bins}, {"ranges", options.ranges}}) {
    if (value < 1 || value > 1000) {
      throw Error(ErrorCode::invalid_argument,
                  "calibration: " + std::string(what) + " " + to_text(value) + "; expected 1 to 1000");
    }
  }
  const detail::PredictionRows rows = detail::read_predictions(predictions, options.predictions, "calibration");
  const std::vector<std::int64_t> truth = detail::checked_labels(labels, rows);
  constexpr double least = 0x1p-52;

  Calibration result;
  result.classes = rows.classes;
  std::vector<std::int64_t> kept;
  std::vector<detail::Forecast> forecasts;
  std::vector<double> squares, logs;
  std::int64_t impossible = 0;
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    const std::int64_t label = truth[detail::index_of(r)];
    if (label < 0 || rows.undefined[detail::index_of(r)] != 0) {
      ++(label < 0 ? result.unlabelled_rows : result.undefined_rows);
      continue;
    }
    kept.push_back(r);
    const double* const p = rows.probabilities.data() + r * rows.classes;
    const std::int64_t predicted = detail::largest_class(p, rows.classes);
    forecasts.push_back({p[predicted], static_cast<std::uint8_t>(predicted == label ? 1 : 0)});
    double square = 0;
    for (std::int64_t c = 0; c < rows.classes; ++c) {
      const double off = p[c] - (c == label ? 1 : 0);
      square += off * off;
    }
    squares.push_back(square);
    impossible += p[label] < least ? 1 : 0;
    logs.push_back(-std::log((std::max)(p[label], least)));
  }
  if (kept.empty()) {
    throw Error(ErrorCode::empty, "calibration: 0 of " + to_text(rows.rows) + " rows are left (" +
                                      to_text(result.unlabelled_rows) + " without a label, " +
                                      to_text(result.undefined_rows) + " undefined); expected at least one");
  }
  result.rows = static_cast<std::int64_t>(kept.size());
  result.brier = detail::sorted_mean(std::move(squares));
  result.nll = detail::sorted_mean(std::move(logs));
  detail::sort_forecasts(forecasts);
  detail::fill_bins(result, forecasts, options.bins);

  const int ranges = static_cast<int>((std::min<std::int64_t>)(options.ranges, result.rows));
  std::vector<double> errors(detail::index_of(rows.classes));
  parallel_for(rows.classes, options.predictions.threads, [&](std::int64_t c) {
    std::vector<detail::Forecast> of_class;
    of_class.reserve(kept.size());
    for (const std::int64_t r : kept) {
      of_class.push_back({rows.probabilities[detail::index_of(r * rows.classes + c)],
                          static_cast<std::uint8_t>(truth[detail::index_of(r)] == c ? 1 : 0)});
    }
    errors[detail::index_of(c)] = detail::adaptive_error(std::move(of_class), ranges);
  });
  for (const double error : errors) result.ace += error / static_cast<double>(rows.classes);

  detail::warn_of_rows(result.warnings, rows.rows, result.undefined_rows, rows.unnormalised, rows.first_unnormalised);
  if (result.unlabelled_rows > 0) {
    result.warnings.push_back(to_text(result.unlabelled_rows) + " of " + to_text(rows.rows) +
                              " rows have no label and were left out");
  }
  if (impossible > 0) {
    result.warnings.push_back(to_text(impossible) +
                              " rows give their class a probability below 2^-52, which the NLL takes for that");
  }
  if (ranges < options.ranges) {
    result.warnings.push_back("ranges " + to_text(options.ranges) + " exceed the rows; " + to_text(ranges) +
                              " are used");
  }
  return result;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
