// Predictions read as rows of probabilities: what uncertainty() and calibration() share.
#pragma once

#include <layerscope/algorithms/uncertainty.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/parallel.hpp>
#include <layerscope/core/tensor.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

inline std::size_t index_of(std::int64_t i) noexcept {
  return static_cast<std::size_t>(i);
}

/// Rows of probabilities, and what was wrong with them before.
struct PredictionRows {
  Shape shape;  ///< of the rows: the prediction's without the classes
  std::int64_t rows = 0, classes = 0;
  std::vector<double> probabilities;    ///< [rows, classes]
  std::vector<std::uint8_t> undefined;  ///< [rows]: has NaN or infinity, or nothing but zeros
  std::int64_t unnormalised = 0;
  std::string first_unnormalised;  ///< "row 3 sums to 0.7"
};

inline void check_prediction_options(const PredictionOptions& options, const char* what) {
  if (!(options.tolerance > 0) || !is_finite(options.tolerance)) {
    throw Error(ErrorCode::invalid_argument,
                std::string(what) + ": tolerance " + to_text(options.tolerance) + "; expected a number above 0");
  }
}

/// exp(x − largest), which is 0 for −infinity whatever the compiler thinks of infinities.
inline double softmax_term(double x, double largest) noexcept {
  return is_finite(x) ? std::exp(x - largest) : 0;
}

/// −Σ p log p in nats.
inline double entropy_of(const double* p, std::int64_t classes) noexcept {
  double sum = 0;
  for (std::int64_t c = 0; c < classes; ++c) {
    if (p[c] > 0) sum -= p[c] * std::log(p[c]);
  }
  return (std::max)(sum, 0.0);
}

/// Reads rows [first, last) of the matrix; the message of the first negative probability, or nothing.
inline std::string read_block(const AnyView& matrix, std::int64_t first, std::int64_t last,
                              const PredictionOptions& options, PredictionRows& into, std::vector<double>& sums) {
  const std::int64_t classes = into.classes;
  double* row = into.probabilities.data() + first * classes;
  convert_into(matrix.narrow(0, first, last - first), DType::f64, row);
  for (std::int64_t r = first; r < last; ++r, row += classes) {
    bool finite = true;
    if (options.kind == PredictionKind::logits) {
      bool any = false;
      double largest = 0;
      for (std::int64_t c = 0; c < classes; ++c) {
        const bool is_number = is_finite(row[c]);
        finite = finite && (is_number || (!is_nan(row[c]) && sign_bit(row[c])));
        if (is_number && (!any || row[c] > largest)) largest = row[c];
        any = any || is_number;
      }
      finite = finite && any;
      if (finite) {
        for (std::int64_t c = 0; c < classes; ++c) row[c] = softmax_term(row[c], largest);
      }
    } else {
      for (std::int64_t c = 0; c < classes; ++c) finite = finite && is_finite(row[c]);
      for (std::int64_t c = 0; finite && c < classes; ++c) {
        if (row[c] < -1e-6) {
          return "row " + to_text(r) + ", class " + to_text(c) + " is " + to_text(row[c]) +
                 "; expected a probability of at least 0, or PredictionKind::logits";
        }
        row[c] = (std::max)(row[c], 0.0);
      }
    }
    double sum = 0;
    for (std::int64_t c = 0; finite && c < classes; ++c) sum += row[c];
    if (!finite || !(sum > 0)) {
      into.undefined[index_of(r)] = 1;
      std::fill(row, row + classes, 0.0);
      continue;
    }
    const bool as_given = options.kind == PredictionKind::probabilities && std::fabs(sum - 1) <= options.tolerance;
    if (as_given) continue;
    sums[index_of(r)] = sum;
    for (std::int64_t c = 0; c < classes; ++c) row[c] /= sum;
  }
  return {};
}

inline PredictionRows read_predictions(const AnyView& x, const PredictionOptions& options, const char* what) {
  check_prediction_options(options, what);
  const auto refuse = [&](const std::string& problem) {
    throw Error(ErrorCode::invalid_argument, std::string(what) + ": " + problem);
  };
  if (x.rank() == 0 || x.empty()) {
    throw Error(ErrorCode::empty,
                std::string(what) + ": predictions of shape " + to_text(x.shape()) + "; expected at least one element");
  }
  if (x.rank() < 2) refuse("predictions of shape " + to_text(x.shape()) + "; expected samples and classes");
  const int axis = options.class_axis < 0 ? options.class_axis + x.rank() : options.class_axis;
  if (axis < 0 || axis >= x.rank()) {
    refuse("class_axis " + to_text(options.class_axis) + " of predictions of shape " + to_text(x.shape()) +
           "; expected one of its axes");
  }
  PredictionRows result;
  result.classes = x.extent(axis);
  if (result.classes < 2) {
    refuse("1 class in predictions of shape " + to_text(x.shape()) +
           "; expected 2 or more (of one output p of a sigmoid, give p and 1 - p)");
  }
  std::vector<int> order;
  for (int i = 0; i < x.rank(); ++i) {
    if (i == axis) continue;
    order.push_back(i);
    result.shape.push_back(x.extent(i));
  }
  order.push_back(axis);
  result.rows = x.size() / result.classes;
  const AnyView turned = x.permute(order);
  const Shape matrix_shape{result.rows, result.classes};
  const std::optional<AnyView> in_place = turned.reshape(matrix_shape);
  const AnyView matrix = in_place ? *in_place : *contiguous(turned, x.dtype()).reshape(matrix_shape);
  result.probabilities.resize(index_of(x.size()));
  result.undefined.assign(index_of(result.rows), 0);
  std::vector<double> sums(index_of(result.rows), 1);
  const std::int64_t block = (std::max<std::int64_t>)(1, 16384 / result.classes);
  const std::int64_t blocks = (result.rows - 1) / block + 1;
  std::vector<std::string> problems(index_of(blocks));
  parallel_for(blocks, blocks < 4 ? 1 : options.threads, [&](std::int64_t b) {
    problems[index_of(b)] =
        read_block(matrix, b * block, (std::min)((b + 1) * block, result.rows), options, result, sums);
  });
  for (const std::string& problem : problems) {
    if (!problem.empty()) refuse(problem);
  }
  if (options.kind == PredictionKind::probabilities) {
    for (std::int64_t r = 0; r < result.rows; ++r) {
      if (sums[index_of(r)] == 1) continue;
      if (result.unnormalised++ == 0) {
        result.first_unnormalised = "row " + to_text(r) + " sums to " + to_short_text(sums[index_of(r)]);
      }
    }
  }
  return result;
}

inline void warn_of_rows(std::vector<std::string>& warnings, std::int64_t rows, std::int64_t undefined,
                         std::int64_t unnormalised, const std::string& first_unnormalised) {
  if (undefined > 0) {
    warnings.push_back(to_text(undefined) + " of " + to_text(rows) +
                       " rows are undefined: NaN, infinity or no probability at all");
  }
  if (unnormalised > 0) {
    warnings.push_back(to_text(unnormalised) + " rows do not sum to 1 (" + first_unnormalised +
                       ") and were divided by their sums");
  }
}

/// The class of the largest probability, of equal ones the lowest.
inline std::int64_t largest_class(const double* p, std::int64_t classes) noexcept {
  return std::max_element(p, p + classes) - p;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
