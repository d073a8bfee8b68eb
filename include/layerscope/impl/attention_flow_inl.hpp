// Body of attention_flow() of algorithms/attention_rollout.hpp.
#pragma once

#include <layerscope/algorithms/attention_rollout.hpp>
#include <layerscope/algorithms/detail/attention_graph.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/parallel.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// A network of layers of n nodes, level L (the output) down to level 0 (the input), with edges from each node to those
/// of the level below.
class LayeredFlow {
 public:
  /// `capacities[l]` is Â of layer l: row-major, from node i of level l + 1 to node j of level l.
  LayeredFlow(const std::vector<std::vector<double>>& capacities, std::int64_t n)
      : full_(capacities), n_(static_cast<std::size_t>(n)), levels_(capacities.size()) {}

  /// The largest flow from node `source` of the highest level to node `sink` of the lowest.
  double maximum(std::size_t source, std::size_t sink) {
    down_ = full_;
    up_.assign(levels_, std::vector<double>(n_ * n_, 0.0));
    source_ = levels_ * n_ + source;
    sink_ = sink;
    double total = 0;
    while (measure_distances()) {
      next_.assign((levels_ + 1) * n_, 0);
      for (double pushed = push(source_, unlimited); pushed > 0; pushed = push(source_, unlimited)) total += pushed;
    }
    return total;
  }

 private:
  static constexpr double unlimited = 1e300;  // more than all rows together, whose entries are at most 1

  /// What is left of the edge from `node` to its neighbour `k`: first the level below, then the one above.
  double* rest(std::size_t node, std::size_t k, std::size_t& to) {
    const std::size_t level = node / n_;
    const std::size_t i = node % n_;
    if (k < n_) {
      if (level == 0) return nullptr;
      to = (level - 1) * n_ + k;
      return &down_[level - 1][i * n_ + k];
    }
    if (level == levels_) return nullptr;
    to = (level + 1) * n_ + (k - n_);
    return &up_[level][(k - n_) * n_ + i];
  }
  double& reverse(std::size_t node, std::size_t k) {
    const std::size_t level = node / n_;
    const std::size_t i = node % n_;
    return k < n_ ? up_[level - 1][i * n_ + k] : down_[level][(k - n_) * n_ + i];
  }

  /// Breadth first from the source; whether the sink is reached.
  bool measure_distances() {
    distance_.assign((levels_ + 1) * n_, -1);
    queue_.clear();
    queue_.push_back(source_);
    distance_[source_] = 0;
    for (std::size_t at = 0; at < queue_.size(); ++at) {
      const std::size_t node = queue_[at];
      for (std::size_t k = 0; k < 2 * n_; ++k) {
        std::size_t to = 0;
        const double* const left = rest(node, k, to);
        if (left == nullptr || !(*left > 0) || distance_[to] >= 0) continue;
        distance_[to] = distance_[node] + 1;
        queue_.push_back(to);
      }
    }
    return distance_[sink_] >= 0;
  }

  /// One path along increasing distances; what it carries. Each saturates an edge exactly, so that this ends.
  double push(std::size_t node, double limit) {
    if (node == sink_) return limit;
    for (std::size_t& k = next_[node]; k < 2 * n_; ++k) {
      std::size_t to = 0;
      double* const left = rest(node, k, to);
      if (left == nullptr || !(*left > 0) || distance_[to] != distance_[node] + 1) continue;
      const double pushed = push(to, (std::min)(limit, *left));
      if (!(pushed > 0)) continue;
      *left -= pushed;
      reverse(node, k) += pushed;
      return pushed;
    }
    return 0;
  }

  const std::vector<std::vector<double>>& full_;
  std::size_t n_, levels_;
  std::size_t source_ = 0, sink_ = 0;
  std::vector<std::vector<double>> down_, up_;  // what is left of the edges, and of their reverses
  std::vector<std::int64_t> distance_;
  std::vector<std::size_t> next_, queue_;
};

}  // namespace detail

LAYERSCOPE_INLINE Tensor attention_flow(std::span<const Attention> layers, const FlowOptions& options) {
  constexpr const char* what = "attention_flow";
  const std::int64_t n = detail::tokens_of_stack(layers, options.residual, what);
  if (n > 512) {
    throw Error(ErrorCode::too_large, std::string(what) + ": " + to_text(n) + " tokens; expected at most 512");
  }
  if (options.query && (*options.query < 0 || *options.query >= n)) {
    throw Error(ErrorCode::invalid_argument,
                std::string(what) + ": query " + to_text(*options.query) + "; expected 0 to " + to_text(n - 1));
  }
  std::vector<std::vector<double>> capacities;
  for (const Attention& layer : layers) {
    capacities.push_back(
        detail::with_residual(detail::fused_heads(layer, options.fusion, what, options.threads), n, options.residual));
    for (const double capacity : capacities.back()) {
      if (capacity < 0) {
        throw Error(ErrorCode::invalid_argument,
                    std::string(what) + ": a weight of " + to_text(capacity) + "; expected 0 or more");
      }
    }
  }
  const std::int64_t first = options.query.value_or(0);
  const std::int64_t rows = options.query ? 1 : n;
  Tensor result(DType::f64, {rows, n});
  double* const out = result.mutable_data<double>();
  // In batches, so that progress and stops are seen to on the calling thread.
  const std::int64_t batch = 4 * static_cast<std::int64_t>(resolve_threads(options.threads));
  for (std::int64_t begin = 0; begin < rows; begin += batch) {
    throw_if_stopped(options.stop, what);
    if (options.progress) options.progress(static_cast<double>(begin) / static_cast<double>(rows), "flow");
    const std::int64_t count = (std::min)(batch, rows - begin);
    parallel_for(count, options.threads, [&](std::int64_t i) {
      detail::LayeredFlow flow(capacities, n);
      for (std::int64_t sink = 0; sink < n; ++sink) {
        out[(begin + i) * n + sink] =
            flow.maximum(static_cast<std::size_t>(first + begin + i), static_cast<std::size_t>(sink));
      }
    });
  }
  if (options.progress) options.progress(1, "flow");
  return result;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
