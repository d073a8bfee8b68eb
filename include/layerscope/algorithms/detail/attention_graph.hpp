// The matrices that rollout and flow go through.
#pragma once

#include <layerscope/algorithms/attention_rollout.hpp>
#include <layerscope/config.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// A layer's heads as one matrix, row-major float64 [queries, keys]. Throws Error(non_finite), and as
/// summarize_attention().
std::vector<double> fused_heads(const Attention& layer, HeadFusion fusion, const char* what, int threads);

/// Â of one layer of n tokens.
std::vector<double> with_residual(std::vector<double> fused, std::int64_t n, double residual);

/// The number of tokens of layers that can follow each other. Throws as attention_rollout().
std::int64_t tokens_of_stack(std::span<const Attention> layers, double residual, const char* what);

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/attention_graph_inl.hpp>
#endif
