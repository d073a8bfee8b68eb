// Body of algorithms/attention_rollout.hpp but for attention_flow().
#pragma once

#include <layerscope/algorithms/attention_rollout.hpp>
#include <layerscope/algorithms/detail/attention_graph.hpp>
#include <layerscope/algorithms/detail/attention_rows.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/kernels/matmul.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE Tensor attention_rollout(std::span<const Attention> layers, const RolloutOptions& options) {
  constexpr const char* what = "attention_rollout";
  const std::int64_t n = detail::tokens_of_stack(layers, options.residual, what);
  const auto matrix = [&](const Attention& layer) {
    return detail::with_residual(detail::fused_heads(layer, options.fusion, what, options.threads), n,
                                 options.residual);
  };
  std::vector<double> rolled = matrix(layers[0]);
  for (std::size_t i = 1; i < layers.size(); ++i) {
    const std::vector<double> next = matrix(layers[i]);
    std::vector<double> product(rolled.size());
    matmul(n, n, n, StridedMatrix<double>{next.data(), n}, StridedMatrix<double>{rolled.data(), n}, product.data(), n,
           options.threads);
    rolled = std::move(product);
  }
  Tensor result(DType::f64, {n, n});
  std::copy(rolled.begin(), rolled.end(), result.mutable_data<double>());
  return result;
}

LAYERSCOPE_INLINE Tensor cross_attention_rollout(const Attention& cross, std::span<const Attention> encoder,
                                                 const RolloutOptions& options) {
  constexpr const char* what = "cross_attention_rollout";
  const AnyView weights = detail::attention_heads_view(cross, what);
  const Tensor rolled = attention_rollout(encoder, options);
  const std::int64_t queries = weights.extent(1);
  const std::int64_t keys = weights.extent(2);
  if (keys != rolled.extent(0)) {
    throw Error(ErrorCode::invalid_argument, std::string(what) + ": " + to_text(keys) + " keys; expected the " +
                                                 to_text(rolled.extent(0)) + " tokens of the encoder");
  }
  const std::vector<double> fused = detail::fused_heads(cross, options.fusion, what, options.threads);
  Tensor result(DType::f64, {queries, keys});
  matmul(queries, keys, keys, StridedMatrix<double>{fused.data(), keys},
         StridedMatrix<double>{rolled.data<double>(), keys}, result.mutable_data<double>(), keys, options.threads);
  return result;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
