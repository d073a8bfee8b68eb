// Attention weights to test with.
#pragma once

#include <layerscope/algorithms/attention.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/core/tensor.hpp>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace layerscope_test {

/// Random rows that sum to 1, float64 [heads, queries, keys]; of a causal kind, without weight on later keys.
inline layerscope::Tensor random_attention(std::int64_t heads, std::int64_t queries, std::int64_t keys,
                                           layerscope::AttentionKind kind, std::uint64_t seed) {
  layerscope::Tensor weights(layerscope::DType::f64, {heads, queries, keys});
  double* row = weights.mutable_data<double>();
  const layerscope::Random random(seed);
  for (std::int64_t i = 0; i < heads * queries; ++i, row += keys) {
    const std::int64_t visible = layerscope::is_causal(kind) ? i % queries + keys - queries + 1 : keys;
    double sum = 0;
    for (std::int64_t k = 0; k < visible; ++k) {
      row[k] = std::exp(1.5 * random.normal(static_cast<std::uint64_t>(i * keys + k)));
      sum += row[k];
    }
    for (std::int64_t k = 0; k < visible; ++k) row[k] /= sum;
  }
  return weights;
}

/// Every query looks at all keys alike.
inline layerscope::Tensor uniform_attention(std::int64_t heads, std::int64_t queries, std::int64_t keys) {
  layerscope::Tensor weights(layerscope::DType::f64, {heads, queries, keys});
  for (std::int64_t i = 0; i < weights.size(); ++i) {
    weights.mutable_data<double>()[i] = 1 / static_cast<double>(keys);
  }
  return weights;
}

/// "t0", "t1" …
inline std::vector<std::string> numbered_tokens(std::int64_t count) {
  std::vector<std::string> tokens;
  for (std::int64_t i = 0; i < count; ++i) tokens.push_back("t" + std::to_string(i));
  return tokens;
}

}  // namespace layerscope_test
