// Body of algorithms/detail/attention_rows.hpp.
#pragma once

#include <layerscope/algorithms/detail/attention_rows.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

LAYERSCOPE_INLINE AnyView attention_heads_view(const Attention& attention, const char* what) {
  AnyView weights = attention.weights;
  const auto refuse = [&](const std::string& problem) {
    throw Error(ErrorCode::invalid_argument, std::string(what) + ": " + problem);
  };
  if (weights.rank() == 0 || weights.empty()) {
    throw Error(ErrorCode::empty, std::string(what) + ": shape " + to_text(weights.shape()) + " holds no weight");
  }
  if (weights.rank() < 2 || weights.rank() > 4) {
    refuse("shape " + to_text(weights.shape()) + "; expected [heads, queries, keys], [queries, keys] or [samples, " +
           "heads, queries, keys]");
  }
  if (weights.rank() == 4) {
    if (attention.sample < 0 || attention.sample >= weights.extent(0)) {
      refuse("sample " + to_text(attention.sample) + " of " + to_text(weights.extent(0)) + "; expected 0 to " +
             to_text(weights.extent(0) - 1));
    }
    return weights.select(0, attention.sample);
  }
  if (attention.sample != 0) {
    refuse("sample " + to_text(attention.sample) + " of weights of shape " + to_text(weights.shape()) +
           "; expected 0, as there is no axis of samples");
  }
  if (weights.rank() == 3) return weights;
  const Strides& strides = weights.strides();
  return {weights.data(), weights.dtype(), Shape{1, weights.extent(0), weights.extent(1)},
          Strides{0, strides[0], strides[1]}, weights.owner()};
}

LAYERSCOPE_INLINE void settle_tokens(AttentionSummary& summary, const char* what) {
  const auto check = [&](const std::vector<std::string>& tokens, std::int64_t expected, const char* side) {
    if (tokens.empty() || static_cast<std::int64_t>(tokens.size()) == expected) return;
    throw Error(ErrorCode::invalid_argument, std::string(what) + ": " + to_text(tokens.size()) + " tokens for the " +
                                                 to_text(expected) + ' ' + side + "; expected none or one each");
  };
  check(summary.query_tokens, summary.queries, "queries");
  check(summary.key_tokens, summary.keys, "keys");
  if (summary.key_tokens.empty() && summary.keys == summary.queries && summary.kind != AttentionKind::cross) {
    summary.key_tokens = summary.query_tokens;
  }
}

LAYERSCOPE_INLINE void check_summary_options(const AttentionSummaryOptions& options, const char* what) {
  if (options.max_side < 1) {
    throw Error(ErrorCode::invalid_argument,
                std::string(what) + ": max_side " + to_text(options.max_side) + "; expected 1 or more");
  }
  if (options.tolerance && (is_nan(*options.tolerance) || sign_bit(*options.tolerance))) {
    throw Error(ErrorCode::invalid_argument,
                std::string(what) + ": tolerance " + to_text(*options.tolerance) + "; expected 0 or more");
  }
}

LAYERSCOPE_INLINE AttentionCollector::AttentionCollector(AttentionSummary summary,
                                                         const AttentionSummaryOptions& options, double tolerance)
    : summary_(std::move(summary)), tolerance_(tolerance) {
  const auto pool = [&](std::int64_t extent) { return (extent - 1) / options.max_side + 1; };
  summary_.query_pool = pool(summary_.queries);
  summary_.key_pool = pool(summary_.keys);
  rows_ = (summary_.queries - 1) / summary_.query_pool + 1;
  columns_ = (summary_.keys - 1) / summary_.key_pool + 1;
  summary_.pooled = Tensor(DType::f32, {summary_.heads, rows_, columns_});
  pooled_ = summary_.pooled.mutable_data<float>();
  summary_.marked.assign(static_cast<std::size_t>(blocks()), 0);
  blocks_.resize(static_cast<std::size_t>(blocks()));
}

/// What one row holds.
struct RowSums {
  double sum = 0, weighted_log = 0, distance = 0;
  std::int64_t nan = 0, infinite = 0;
  float smallest = (std::numeric_limits<float>::max)();
  float largest = std::numeric_limits<float>::lowest();
  float later = 0;  // the weight on a later key that is largest
};

inline RowSums sums_of_row(const float* row, std::int64_t keys, std::int64_t position, bool causal) {
  RowSums sums;
  for (std::int64_t k = 0; k < keys; ++k) {
    const float w = row[k];
    if (!is_finite(w)) {
      ++(is_nan(w) ? sums.nan : sums.infinite);
      continue;
    }
    sums.smallest = (std::min)(sums.smallest, w);
    sums.largest = (std::max)(sums.largest, w);
    if (w == 0) continue;
    const auto weight = static_cast<double>(w);
    sums.sum += weight;
    if (w > 0) sums.weighted_log += weight * std::log(weight);
    sums.distance += weight * static_cast<double>(k < position ? position - k : k - position);
    if (causal && k > position && std::fabs(w) > std::fabs(sums.later)) sums.later = w;
  }
  return sums;
}

LAYERSCOPE_INLINE void AttentionCollector::add(std::int64_t block, const float* rows) {
  const std::int64_t keys = summary_.keys;
  const std::int64_t first = block % rows_ * summary_.query_pool;
  const std::int64_t last = (std::min)(first + summary_.query_pool, summary_.queries);
  const bool causal = is_causal(summary_.kind);
  const std::int64_t shift = summary_.kind == AttentionKind::cross ? 0 : keys - summary_.queries;
  AttentionBlock& found = blocks_[static_cast<std::size_t>(block)];
  float* const out = pooled_ + block * columns_;
  for (std::int64_t query = first; query < last; ++query, rows += keys) {
    for (std::int64_t column = 0; column < columns_; ++column) {
      const std::int64_t begin = column * summary_.key_pool;
      const std::int64_t end = (std::min)(begin + summary_.key_pool, keys);
      float most = query == first ? rows[begin] : pooled_weight(out[column], rows[begin]);
      for (std::int64_t k = begin + 1; k < end; ++k) most = pooled_weight(most, rows[k]);
      out[column] = most;
    }
    const RowSums sums = sums_of_row(rows, keys, query + shift, causal);
    const auto tell = [&](AttentionFault fault, double value) {
      const auto at = static_cast<std::size_t>(fault);
      if (found.rows[at]++ > 0) return;
      found.query[at] = query;
      found.value[at] = value;
    };
    if (sums.smallest <= sums.largest) {
      found.smallest = found.any ? (std::min)(found.smallest, sums.smallest) : sums.smallest;
      found.largest = found.any ? (std::max)(found.largest, sums.largest) : sums.largest;
      found.any = true;
    }
    const bool finite = sums.nan + sums.infinite == 0;
    const bool off = finite && is_finite(tolerance_) && std::fabs(sums.sum - 1) > tolerance_;
    if (sums.nan > 0) tell(AttentionFault::nan, 0);
    if (sums.infinite > 0) tell(AttentionFault::infinite, 0);
    if (sums.smallest < 0) tell(AttentionFault::negative, static_cast<double>(sums.smallest));
    if (off) tell(AttentionFault::row_sum, sums.sum);
    if (sums.later != 0) tell(AttentionFault::future, static_cast<double>(sums.later));
    if (off || sums.smallest < 0 || sums.later != 0) summary_.marked[static_cast<std::size_t>(block)] = 1;
    if (!finite || sums.smallest < 0 || !(sums.sum > 0)) continue;
    ++found.sound;
    // A rounding error below 0 would be an entropy that there is none of.
    found.entropy += (std::max)(0.0, std::log(sums.sum) - sums.weighted_log / sums.sum);
    found.distance += sums.distance / sums.sum;
  }
}

LAYERSCOPE_INLINE AttentionSummary AttentionCollector::finish() {
  constexpr double none = std::numeric_limits<double>::quiet_NaN();
  bool any = false;
  for (const AttentionBlock& block : blocks_) {
    if (!block.any) continue;
    const auto smallest = static_cast<double>(block.smallest);
    const auto largest = static_cast<double>(block.largest);
    summary_.range.min = any ? (std::min)(summary_.range.min, smallest) : smallest;
    summary_.range.max = any ? (std::max)(summary_.range.max, largest) : largest;
    any = true;
  }
  for (std::int64_t head = 0; head < summary_.heads; ++head) {
    AttentionBlock all;
    for (std::int64_t row = 0; row < rows_; ++row) {
      const AttentionBlock& block = blocks_[static_cast<std::size_t>(head * rows_ + row)];
      all.entropy += block.entropy;
      all.distance += block.distance;
      all.sound += block.sound;
    }
    const auto sound = static_cast<double>(all.sound);
    const bool placed = summary_.kind != AttentionKind::cross;
    summary_.entropy.push_back(all.sound > 0 ? all.entropy / sound : none);
    summary_.distance.push_back(all.sound > 0 && placed ? all.distance / sound : none);
    summary_.sound_rows.push_back(all.sound);
  }
  for (std::size_t fault = 0; fault < attention_faults; ++fault) {
    AttentionWarning warning;
    warning.fault = static_cast<AttentionFault>(fault);
    warning.rows_total = summary_.heads * summary_.queries;
    for (std::int64_t i = 0; i < blocks(); ++i) {
      const AttentionBlock& block = blocks_[static_cast<std::size_t>(i)];
      if (warning.rows == 0 && block.rows[fault] > 0) {
        warning.head = i / rows_;
        warning.query = block.query[fault];
        warning.value = block.value[fault];
      }
      warning.rows += block.rows[fault];
    }
    if (warning.rows > 0) summary_.warnings.push_back(warning);
  }
  return std::move(summary_);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
