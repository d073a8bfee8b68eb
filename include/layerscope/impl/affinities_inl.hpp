// The joint probabilities of t-SNE: a symmetric sparse matrix made of nearest neighbours.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/impl/kernels/tsne_inl.hpp>
#include <layerscope/impl/thread_team_inl.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// P, row by row, neighbours in increasing order, each row filled up to a multiple of tsne_edge_group by edges of no
/// affinity to itself. The affinities add up to 1.
struct Affinities {
  std::vector<std::int64_t> offsets;  ///< [n + 1]
  std::vector<std::int32_t> neighbor;
  std::vector<float> affinity;
};

inline constexpr std::int64_t affinity_block = 256;  // rows of one task

/// p[j] ∝ exp(−β (d_j² − d_0²)), its entropy that of `perplexity` equal ones; at most 64 steps of Newton's method on
/// log β, kept inside the bracket found so far. Distances increase.
inline void conditional_affinities(const float* distances, std::int64_t k, double perplexity, double* squares,
                                   double* p) {
  const double nearest = static_cast<double>(distances[0]) * static_cast<double>(distances[0]);
  double mean = 0;
  for (std::int64_t j = 0; j < k; ++j) {
    squares[j] = static_cast<double>(distances[j]) * static_cast<double>(distances[j]) - nearest;
    mean += squares[j];
  }
  mean /= static_cast<double>(k);
  if (!(mean > 0)) {  // all at one distance
    std::fill(p, p + k, 1.0 / static_cast<double>(k));
    return;
  }
  const double wanted = std::log((std::min)(perplexity, static_cast<double>(k)));
  double low = -1e3, high = 1e3;  // of log(β · mean)
  double at = 0;
  double sum = 1;
  for (int step = 0; step < 64; ++step) {
    const double beta = std::exp(at) / mean;
    double first = 0, second = 0;
    sum = 0;
    for (std::int64_t j = 0; j < k; ++j) {
      p[j] = std::exp(-beta * squares[j]);
      sum += p[j];
      first += p[j] * squares[j];
      second += p[j] * squares[j] * squares[j];
    }
    first /= sum;
    second = second / sum - first * first;
    const double excess = std::log(sum) + beta * first - wanted;  // falls as β grows
    if (std::abs(excess) < 1e-6) break;
    (excess > 0 ? low : high) = at;
    const double slope = beta * beta * second;
    double next = slope > 0 ? at + excess / slope : (excess > 0 ? high : low);
    if (!(next > low && next < high) || std::abs(next - at) > 4) {
      next = excess > 0 ? (std::min)(at + 4, (at + high) / 2) : (std::max)(at - 4, (at + low) / 2);
    }
    if (next == at) break;
    at = next;
  }
  for (std::int64_t j = 0; j < k; ++j) p[j] /= sum;
}

/// P_j|i / 2n of the k nearest neighbours of each of n rows: [n, k].
inline std::vector<float> conditional_affinities(const float* distances, std::int64_t n, std::int64_t k,
                                                 double perplexity, ThreadTeam& team) {
  const auto uk = static_cast<std::size_t>(k);
  std::vector<float> affinities(static_cast<std::size_t>(n) * uk);
  team.run((n + affinity_block - 1) / affinity_block, [&](std::int64_t block) {
    std::vector<double> squares(uk), p(uk);
    for (std::int64_t i = block * affinity_block; i < (std::min)(n, (block + 1) * affinity_block); ++i) {
      conditional_affinities(distances + i * k, k, perplexity, squares.data(), p.data());
      float* const row = affinities.data() + i * k;
      for (std::size_t j = 0; j < uk; ++j) row[j] = static_cast<float>(p[j] / (2 * static_cast<double>(n)));
    }
  });
  return affinities;
}

/// P + Pᵀ of P[n, k] in the columns `indices`, both of which are sorted by column within each row.
inline Affinities joint_affinities(std::int32_t* indices, std::vector<float> p, std::int64_t n, std::int64_t k,
                                   ThreadTeam& team) {
  const auto un = static_cast<std::size_t>(n), uk = static_cast<std::size_t>(k);
  const auto for_each_row = [&](auto&& row) {
    team.run((n + affinity_block - 1) / affinity_block, [&](std::int64_t block) {
      std::vector<std::pair<std::int32_t, float>> edges(uk);
      for (std::int64_t i = block * affinity_block; i < (std::min)(n, (block + 1) * affinity_block); ++i) {
        row(static_cast<std::size_t>(i), edges);
      }
    });
  };
  for_each_row([&](std::size_t i, std::vector<std::pair<std::int32_t, float>>& edges) {
    for (std::size_t j = 0; j < uk; ++j) edges[j] = {indices[i * uk + j], p[i * uk + j]};
    std::sort(edges.begin(), edges.end());
    for (std::size_t j = 0; j < uk; ++j) std::tie(indices[i * uk + j], p[i * uk + j]) = edges[j];
  });

  // The transpose by counting: rows in increasing order again, as they are gone through in order.
  std::vector<std::int64_t> begins(un + 1, 0);
  for (std::size_t e = 0; e < p.size(); ++e) ++begins[static_cast<std::size_t>(indices[e]) + 1];
  std::partial_sum(begins.begin(), begins.end(), begins.begin());
  std::vector<std::uint32_t> transpose(p.size());  // edges by the row that they lead to
  {
    std::vector<std::int64_t> next(begins.begin(), begins.end() - 1);
    for (std::size_t e = 0; e < p.size(); ++e) {
      transpose[static_cast<std::size_t>(next[static_cast<std::size_t>(indices[e])]++)] = static_cast<std::uint32_t>(e);
    }
  }

  Affinities result;
  result.offsets.assign(un + 1, 0);
  // Both lists of row i merged: counted first, then written.
  const auto merge = [&](std::size_t i, auto&& take) {
    std::size_t a = i * uk;
    const std::size_t a_end = a + uk;
    auto b = static_cast<std::size_t>(begins[i]);
    const auto b_end = static_cast<std::size_t>(begins[i + 1]);
    while (a != a_end || b != b_end) {
      const std::int32_t none = (std::numeric_limits<std::int32_t>::max)();
      const std::int32_t forward = a == a_end ? none : indices[a];
      const std::int32_t backward = b == b_end ? none : static_cast<std::int32_t>(transpose[b] / uk);
      const std::int32_t to = (std::min)(forward, backward);
      float sum = 0;
      if (forward == to) sum += p[a++];
      if (backward == to) sum += p[transpose[b++]];
      take(to, sum);
    }
  };
  for_each_row([&](std::size_t i, auto&) {
    std::int64_t count = 0;
    merge(i, [&](std::int32_t, float) { ++count; });
    result.offsets[i + 1] = (count + tsne_edge_group - 1) / tsne_edge_group * tsne_edge_group;
  });
  std::partial_sum(result.offsets.begin(), result.offsets.end(), result.offsets.begin());
  result.neighbor.resize(static_cast<std::size_t>(result.offsets.back()));
  result.affinity.resize(result.neighbor.size());
  for_each_row([&](std::size_t i, auto&) {
    auto at = static_cast<std::size_t>(result.offsets[i]);
    merge(i, [&](std::int32_t to, float sum) {
      result.neighbor[at] = to;
      result.affinity[at++] = sum;
    });
    for (; at < static_cast<std::size_t>(result.offsets[i + 1]); ++at) {
      result.neighbor[at] = static_cast<std::int32_t>(i);
      result.affinity[at] = 0;
    }
  });
  return result;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
