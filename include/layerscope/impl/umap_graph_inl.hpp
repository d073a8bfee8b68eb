// The fuzzy graph of UMAP: weights of the edges from each row to its neighbours, joined over both directions.
//
// Sections 3.1 and 4.1 of McInnes, Healy and Melville (2018); Algorithms 2 and 3.
#pragma once

#include <layerscope/algorithms/knn.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/parallel.hpp>
#include <layerscope/impl/kernels/matmul_inl.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Edges of n vertices by the one they start from.
struct UmapGraph {
  std::vector<std::int64_t> first{0};  ///< [n + 1]
  std::vector<std::int32_t> to;
  std::vector<float> weight;

  std::int64_t vertices() const noexcept { return static_cast<std::int64_t>(first.size()) - 1; }
  std::int64_t begin(std::int64_t v) const noexcept { return first[static_cast<std::size_t>(v)]; }
  std::int64_t end(std::int64_t v) const noexcept { return first[static_cast<std::size_t>(v + 1)]; }
};

/// Neighbours of n rows by their positions; −1 is none.
struct UmapNeighbors {
  std::int64_t n = 0;
  std::int64_t k = 0;
  const std::int32_t* indices = nullptr;
  const float* distances = nullptr;
  std::vector<std::int32_t> positions;  ///< what `indices` points to, where row numbers had to be changed
};

/// Positions among `rows`, which is empty for 0 … data_rows − 1. A row among its own neighbours is taken out.
LAYERSCOPE_INLINE UmapNeighbors checked_neighbors(const Neighbors& given, const std::vector<std::int64_t>& rows,
                                                  std::int64_t data_rows, SelfNeighbor self, const char* what) {
  const Tensor& indices = given.indices;
  const Tensor& distances = given.distances;
  if (indices.rank() != 2 || !(indices.shape() == distances.shape())) {
    throw Error(ErrorCode::invalid_argument, std::string(what) + ": neighbours have indices of shape " +
                                                 to_text(indices.shape()) + " and distances of shape " +
                                                 to_text(distances.shape()) + "; expected two matrices [rows, k]");
  }
  UmapNeighbors found;
  found.n = indices.extent(0);
  found.k = indices.extent(1);
  found.indices = indices.data<std::int32_t>();
  found.distances = distances.data<float>();
  std::vector<std::int32_t> position;
  if (!rows.empty()) {
    position.assign(static_cast<std::size_t>(rows.back()) + 1, -1);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      position[static_cast<std::size_t>(rows[r])] = static_cast<std::int32_t>(r);
    }
    data_rows = rows.back() + 1;
  }
  bool own = false;
  for (std::int64_t i = 0; i < found.n * found.k; ++i) {
    const std::int64_t index = found.indices[i];
    const bool outside =
        index < 0 || index >= data_rows || (!position.empty() && position[static_cast<std::size_t>(index)] < 0);
    if (outside) {
      throw Error(ErrorCode::invalid_argument, std::string(what) + ": row " + to_text(i / found.k) +
                                                   " has the neighbour " + to_text(index) +
                                                   "; expected rows of the data, 0 to " + to_text(data_rows - 1));
    }
    if (!is_finite(found.distances[i]) || found.distances[i] < 0) {
      throw Error(ErrorCode::invalid_argument, std::string(what) + ": row " + to_text(i / found.k) +
                                                   " has a neighbour at distance " + to_text(found.distances[i]) +
                                                   "; expected finite distances from 0 on");
    }
    const std::int64_t at = position.empty() ? index : position[static_cast<std::size_t>(index)];
    own = own || (self == SelfNeighbor::exclude && at == i / found.k);
  }
  if (position.empty() && !own) return found;
  found.positions.resize(static_cast<std::size_t>(found.n * found.k));
  for (std::int64_t i = 0; i < found.n * found.k; ++i) {
    std::int32_t at = found.indices[i];
    if (!position.empty()) at = position[static_cast<std::size_t>(at)];
    if (self == SelfNeighbor::exclude && at == i / found.k) at = -1;
    found.positions[static_cast<std::size_t>(i)] = at;
  }
  found.indices = found.positions.data();
  return found;
}

/// Distance up to which neighbours count as 1, and the unit of the decay beyond.
struct SmoothDistance {
  double rho = 0;
  double sigma = 0;
};

/// The unit for which Σ exp(−max(0, d − rho) / sigma) over the neighbours is log2(count + 1), the row itself counted as
/// in umap-learn; at least a thousandth of the mean distance. `distances` increase.
LAYERSCOPE_INLINE SmoothDistance smooth_distance(const double* distances, std::int64_t count,
                                                 double local_connectivity) {
  SmoothDistance found;
  if (count == 0) return found;
  const double* const end = distances + count;
  const double* const positive = std::find_if(distances, end, [](double d) { return d > 0; });
  const std::int64_t positives = end - positive;
  if (positives > 0) {
    const std::int64_t whole = static_cast<std::int64_t>((std::min)(local_connectivity, static_cast<double>(count)));
    const double part = local_connectivity - static_cast<double>(whole);
    if (static_cast<double>(positives) < local_connectivity) {
      found.rho = end[-1];
    } else if (whole == 0) {
      found.rho = part * positive[0];
    } else {
      found.rho = positive[whole - 1];
      if (part > 1e-5 && whole < positives) found.rho += part * (positive[whole] - positive[whole - 1]);
    }
  }
  double mean = 0;
  double beyond = 0;
  std::int64_t within = 0;
  for (const double* d = distances; d != end; ++d) {
    mean += *d / static_cast<double>(count);
    beyond += (std::max)(0.0, *d - found.rho);
    within += *d <= found.rho ? 1 : 0;
  }
  const double target = std::log2(static_cast<double>(count) + 1);
  // In 1 / sigma the sum is convex and falls from `count` to `within`: Newton's steps from 0 come nearer from below.
  if (static_cast<double>(within) < target && beyond > 0) {
    double inverse = (static_cast<double>(count) - target) / beyond;
    for (int step = 0; step < 64; ++step) {
      double sum = static_cast<double>(within);
      double slope = 0;
      for (const double* d = distances; d != end; ++d) {
        const double excess = *d - found.rho;
        if (excess <= 0) continue;
        const double value = std::exp(-excess * inverse);
        sum += value;
        slope += excess * value;
      }
      if (!(sum - target > 1e-6) || !(slope > 0)) break;
      inverse += (sum - target) / slope;
    }
    found.sigma = inverse > 0 ? 1 / inverse : (std::numeric_limits<double>::max)();
  }
  found.sigma = (std::max)(found.sigma, 1e-3 * mean);
  return found;
}

/// weights[n, k] of the edges to the neighbours; 0 where there is none.
LAYERSCOPE_INLINE std::vector<float> membership_strengths(const UmapNeighbors& neighbors, double local_connectivity,
                                                          int threads) {
  const std::int64_t k = neighbors.k;
  std::vector<float> weights(static_cast<std::size_t>(neighbors.n * k));
  constexpr std::int64_t rows_per_task = 512;
  parallel_for(ceil_divide(neighbors.n, rows_per_task), threads, [&](std::int64_t task) {
    std::vector<double> distances(static_cast<std::size_t>(k));
    for (std::int64_t r = task * rows_per_task; r < (std::min)(neighbors.n, (task + 1) * rows_per_task); ++r) {
      std::int64_t count = 0;
      for (std::int64_t j = r * k; j < (r + 1) * k; ++j) {
        if (neighbors.indices[j] >= 0) {
          distances[static_cast<std::size_t>(count++)] = static_cast<double>(neighbors.distances[j]);
        }
      }
      if (!std::is_sorted(distances.begin(), distances.begin() + count)) {
        std::sort(distances.begin(), distances.begin() + count);
      }
      const SmoothDistance smooth = smooth_distance(distances.data(), count, local_connectivity);
      for (std::int64_t j = r * k; j < (r + 1) * k; ++j) {
        if (neighbors.indices[j] < 0) continue;
        const double excess = static_cast<double>(neighbors.distances[j]) - smooth.rho;
        weights[static_cast<std::size_t>(j)] =
            excess <= 0 || smooth.sigma == 0 ? 1.0F : static_cast<float>(std::exp(-excess / smooth.sigma));
      }
    }
  });
  return weights;
}

/// The weight of an edge of which the two directions have these: from fuzzy union, mix 1, to intersection, mix 0.
constexpr float joined_weight(float there, float back, float mix) noexcept {
  const float both = there * back;
  return mix * (there + back - both) + (1 - mix) * both;
}

/// The graph with both directions of each edge, of one weight; edges of weight 0 are left out.
LAYERSCOPE_INLINE UmapGraph join_directions(const UmapNeighbors& neighbors, const std::vector<float>& weights,
                                            double set_op_mix_ratio, int threads) {
  const std::int64_t n = neighbors.n;
  const std::int64_t k = neighbors.k;
  const float mix = static_cast<float>(set_op_mix_ratio);
  const std::int32_t* const indices = neighbors.indices;
  // Edges that arrive at each vertex, as entries of the lists.
  std::vector<std::int64_t> first_in(static_cast<std::size_t>(n) + 1, 0);
  for (std::int64_t i = 0; i < n * k; ++i) {
    if (indices[i] >= 0) ++first_in[static_cast<std::size_t>(indices[i]) + 1];
  }
  for (std::size_t v = 1; v < first_in.size(); ++v) first_in[v] += first_in[v - 1];
  struct Arrival {
    std::int32_t from;
    float weight;
  };
  std::vector<Arrival> in(static_cast<std::size_t>(first_in.back()));
  {
    std::vector<std::int64_t> next(first_in.begin(), first_in.end() - 1);
    for (std::int64_t i = 0; i < n * k; ++i) {
      if (indices[i] < 0) continue;
      in[static_cast<std::size_t>(next[static_cast<std::size_t>(indices[i])]++)] = {
          static_cast<std::int32_t>(i / k), weights[static_cast<std::size_t>(i)]};
    }
  }
  UmapGraph graph;
  graph.first.assign(static_cast<std::size_t>(n) + 1, 0);
  constexpr std::int64_t vertices_per_task = 1024;
  const std::int64_t tasks = ceil_divide(n, vertices_per_task);
  // Arrivals are in increasing order of their vertex. What `take(to, weight)` gets: the neighbours in their order, then
  // those that have the vertex in their list and are not in its own.
  const auto for_each_edge = [&](std::int64_t v, std::vector<std::int32_t>& own, auto take) {
    const Arrival* const arrivals = in.data() + first_in[static_cast<std::size_t>(v)];
    const Arrival* const arrivals_end = in.data() + first_in[static_cast<std::size_t>(v + 1)];
    own.assign(indices + v * k, indices + (v + 1) * k);
    for (std::int64_t j = 0; j < k; ++j) {
      const std::int32_t to = own[static_cast<std::size_t>(j)];
      if (to < 0) continue;
      const Arrival* const back =
          std::lower_bound(arrivals, arrivals_end, to, [](const Arrival& a, std::int32_t b) { return a.from < b; });
      const bool mutual = back != arrivals_end && back->from == to;
      take(to, joined_weight(weights[static_cast<std::size_t>(v * k + j)], mutual ? back->weight : 0.0F, mix));
    }
    std::sort(own.begin(), own.end());
    for (const Arrival* a = arrivals; a != arrivals_end; ++a) {
      if (!std::binary_search(own.begin(), own.end(), a->from)) take(a->from, joined_weight(a->weight, 0.0F, mix));
    }
  };
  const auto for_each_vertex = [&](auto body) {
    parallel_for(tasks, threads, [&](std::int64_t task) {
      std::vector<std::int32_t> own;
      for (std::int64_t v = task * vertices_per_task; v < (std::min)(n, (task + 1) * vertices_per_task); ++v) {
        body(v, own);
      }
    });
  };
  for_each_vertex([&](std::int64_t v, std::vector<std::int32_t>& own) {
    std::int64_t count = 0;
    for_each_edge(v, own, [&](std::int32_t, float weight) { count += weight > 0 ? 1 : 0; });
    graph.first[static_cast<std::size_t>(v) + 1] = count;
  });
  for (std::size_t v = 1; v < graph.first.size(); ++v) graph.first[v] += graph.first[v - 1];
  graph.to.resize(static_cast<std::size_t>(graph.first.back()));
  graph.weight.resize(graph.to.size());
  for_each_vertex([&](std::int64_t v, std::vector<std::int32_t>& own) {
    std::size_t at = static_cast<std::size_t>(graph.begin(v));
    for_each_edge(v, own, [&](std::int32_t to, float weight) {
      if (!(weight > 0)) return;
      graph.to[at] = to;
      graph.weight[at++] = weight;
    });
  });
  return graph;
}

/// Divides the weights by the largest, and takes out edges that are less than `least` of it.
LAYERSCOPE_INLINE void normalize_and_prune(UmapGraph& graph, float least) {
  if (graph.weight.empty()) return;
  const float largest = *std::max_element(graph.weight.begin(), graph.weight.end());
  std::size_t kept = 0;
  std::int64_t from = 0;
  for (std::int64_t v = 0; v < graph.vertices(); ++v) {
    const std::int64_t end = graph.end(v);
    for (std::int64_t e = from; e < end; ++e) {
      const float weight = graph.weight[static_cast<std::size_t>(e)] / largest;
      if (weight < least) continue;
      graph.to[kept] = graph.to[static_cast<std::size_t>(e)];
      graph.weight[kept++] = weight;
    }
    graph.first[static_cast<std::size_t>(v) + 1] = static_cast<std::int64_t>(kept);
    from = end;
  }
  graph.to.resize(kept);
  graph.weight.resize(kept);
  graph.to.shrink_to_fit();
  graph.weight.shrink_to_fit();
}

/// Vertices by connected component, components by falling size, then by their first vertex.
struct UmapComponents {
  std::vector<std::int64_t> first{0};  ///< [components + 1]
  std::vector<std::int32_t> vertices;  ///< increasing within a component

  std::int64_t count() const noexcept { return static_cast<std::int64_t>(first.size()) - 1; }
};

LAYERSCOPE_INLINE UmapComponents components_of(const UmapGraph& graph) {
  const std::int64_t n = graph.vertices();
  std::vector<std::int32_t> label(static_cast<std::size_t>(n), -1);
  std::vector<std::int64_t> size;
  std::vector<std::int32_t> waiting;
  for (std::int64_t start = 0; start < n; ++start) {
    if (label[static_cast<std::size_t>(start)] >= 0) continue;
    const std::int32_t number = static_cast<std::int32_t>(size.size());
    size.push_back(0);
    label[static_cast<std::size_t>(start)] = number;
    waiting.push_back(static_cast<std::int32_t>(start));
    while (!waiting.empty()) {
      const std::int64_t v = waiting.back();
      waiting.pop_back();
      ++size.back();
      for (std::int64_t e = graph.begin(v); e < graph.end(v); ++e) {
        const std::int32_t to = graph.to[static_cast<std::size_t>(e)];
        if (label[static_cast<std::size_t>(to)] >= 0) continue;
        label[static_cast<std::size_t>(to)] = number;
        waiting.push_back(to);
      }
    }
  }
  std::vector<std::int32_t> order(size.size());
  for (std::size_t c = 0; c < order.size(); ++c) order[c] = static_cast<std::int32_t>(c);
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    return size[static_cast<std::size_t>(a)] > size[static_cast<std::size_t>(b)];
  });
  UmapComponents found;
  std::vector<std::int64_t> next(size.size());
  for (const std::int32_t c : order) {
    next[static_cast<std::size_t>(c)] = found.first.back();
    found.first.push_back(found.first.back() + size[static_cast<std::size_t>(c)]);
  }
  found.vertices.resize(static_cast<std::size_t>(n));
  for (std::int64_t v = 0; v < n; ++v) {
    std::int64_t& at = next[static_cast<std::size_t>(label[static_cast<std::size_t>(v)])];
    found.vertices[static_cast<std::size_t>(at++)] = static_cast<std::int32_t>(v);
  }
  return found;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
