// What reaches a token through all layers: attention rollout and attention flow (Abnar and Zuidema, "Quantifying
// Attention Flow in Transformers", ACL 2020, sections 3.1 and 3.2).
//
// Both look at the matrices Â = (1 − r)·A + r·I with rows divided by their sums, A being the mean over a layer's heads
// and r the share of the residual connection: what a token passes on to itself.
#pragma once

#include <layerscope/algorithms/attention.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/progress.hpp>
#include <layerscope/core/tensor.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>

namespace layerscope::inline LAYERSCOPE_ABI {

/// How the heads of a layer become one matrix.
enum class HeadFusion : std::uint8_t { mean, max, min };

struct RolloutOptions {
  /// Default mean, the paper's.
  HeadFusion fusion = HeadFusion::mean;
  /// Share of the residual connection, 0 (none) to below 1. Default 0.5: A + I, its rows divided by their sums.
  double residual = 0.5;
  /// Most threads to use, the caller's included; 0 means every core. Does not change the result.
  int threads = 0;
};

/// Â_L · … · Â_1 of the layers given from the first to the last, float64 [tokens, tokens]: how much of each input token
/// (column) is in each token of the output (row). Rows sum to 1. Of L layers of uniform attention to n tokens it is
/// J/n + 2^(−L)·(I − J/n), J being all ones.
///
/// O(L · n³). Memory: 3 · n² numbers of 8 bytes. Throws Error(empty) without layers, Error(invalid_argument) for layers
/// that are not square, not of one size or of kind cross, for options outside their ranges and as
/// summarize_attention(), Error(non_finite) for NaN and infinity.
Tensor attention_rollout(std::span<const Attention> layers, const RolloutOptions& options = {});

/// How much of each input token of an encoder (column) reaches each query of one cross-attention layer (row): the fused
/// weights of `cross` times the rollout of the encoder, float64 [queries, keys]. Throws as attention_rollout(), and
/// Error(invalid_argument) when `cross` has another number of keys than the encoder has tokens.
Tensor cross_attention_rollout(const Attention& cross, std::span<const Attention> encoder,
                               const RolloutOptions& options = {});

struct FlowOptions {
  /// As in RolloutOptions.
  HeadFusion fusion = HeadFusion::mean;
  double residual = 0.5;
  /// The one token of the output looked at. Default: all of them.
  std::optional<std::int64_t> query{};
  /// Most threads to use, the caller's included; 0 means every core. Does not change the result.
  int threads = 0;
  /// Called with the share of the queries done, on the calling thread.
  Progress progress{};
  /// Asked for before each query; a stop throws Error(cancelled).
  std::stop_token stop{};
};

/// The largest flow from each token of the output (row) to each input token (column) through the network whose edges
/// between layers have the capacities Â, each pair for itself; float64 [tokens, tokens], or [1, tokens] with a query.
/// Of one layer it is Â itself. Rows need not sum to 1. By Dinic's algorithm (Soviet Math. Doklady 11, 1970).
///
/// One maximum flow a pair in a network of L · n² edges: seconds for 12 layers of 64 tokens. Throws as
/// attention_rollout(), and Error(too_large) beyond 512 tokens.
Tensor attention_flow(std::span<const Attention> layers, const FlowOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/attention_flow_inl.hpp>
#include <layerscope/impl/attention_rollout_inl.hpp>
#endif
