// Body of algorithms/detail/attention_graph.hpp.
#pragma once

#include <layerscope/algorithms/detail/attention_graph.hpp>
#include <layerscope/algorithms/detail/attention_rows.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/parallel.hpp>
#include <layerscope/core/tensor.hpp>

#include <algorithm>
#include <string>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

LAYERSCOPE_INLINE std::vector<double> fused_heads(const Attention& layer, HeadFusion fusion, const char* what,
                                                  int threads) {
  const AnyView weights = attention_heads_view(layer, what);
  const std::int64_t heads = weights.extent(0);
  const std::int64_t keys = weights.extent(2);
  std::vector<double> fused(static_cast<std::size_t>(weights.extent(1) * keys));
  parallel_for(weights.extent(1), threads, [&](std::int64_t query) {
    const Tensor rows = convert(weights.select(1, query), DType::f64);
    double* const out = fused.data() + query * keys;
    for (std::int64_t head = 0; head < heads; ++head) {
      const double* const row = rows.data<double>() + head * keys;
      for (std::int64_t k = 0; k < keys; ++k) {
        if (!is_finite(row[k])) {
          throw Error(ErrorCode::non_finite, std::string(what) + ": " + to_text(row[k]) + " at head " + to_text(head) +
                                                 ", query " + to_text(query) + ", key " + to_text(k) +
                                                 "; expected finite weights");
        }
        if (head == 0) {
          out[k] = row[k];
        } else if (fusion == HeadFusion::mean) {
          out[k] += row[k];
        } else {
          out[k] = fusion == HeadFusion::max ? (std::max)(out[k], row[k]) : (std::min)(out[k], row[k]);
        }
      }
    }
    if (fusion == HeadFusion::mean) {
      for (std::int64_t k = 0; k < keys; ++k) out[k] /= static_cast<double>(heads);
    }
  });
  return fused;
}

LAYERSCOPE_INLINE std::vector<double> with_residual(std::vector<double> fused, std::int64_t n, double residual) {
  for (std::int64_t i = 0; i < n; ++i) {
    double* const row = fused.data() + i * n;
    double sum = 0;
    for (std::int64_t k = 0; k < n; ++k) {
      row[k] = (1 - residual) * row[k] + (k == i ? residual : 0.0);
      sum += row[k];
    }
    if (sum == 0) continue;  // a padded query without weights and without a residual passes nothing on
    for (std::int64_t k = 0; k < n; ++k) row[k] /= sum;
  }
  return fused;
}

LAYERSCOPE_INLINE std::int64_t tokens_of_stack(std::span<const Attention> layers, double residual, const char* what) {
  if (layers.empty()) throw Error(ErrorCode::empty, std::string(what) + ": no layers given");
  const auto refuse = [&](const std::string& problem) {
    throw Error(ErrorCode::invalid_argument, std::string(what) + ": " + problem);
  };
  if (!is_finite(residual) || residual < 0 || residual >= 1) {
    refuse("residual " + to_text(residual) + "; expected 0 or more and below 1");
  }
  std::int64_t tokens = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const AnyView weights = attention_heads_view(layers[i], what);
    if (i == 0) tokens = weights.extent(1);
    if (layers[i].kind == AttentionKind::cross || weights.extent(1) != tokens || weights.extent(2) != tokens) {
      refuse("layer " + to_text(i) + " is " + name(layers[i].kind) + " of " + to_text(weights.extent(1)) +
             " queries and " + to_text(weights.extent(2)) + " keys; expected " + to_text(tokens) +
             " of each, one sequence looking at itself");
    }
  }
  return tokens;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
