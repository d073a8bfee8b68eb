// Body of algorithms/tsne.hpp.
#pragma once

#include <layerscope/algorithms/pca.hpp>
#include <layerscope/algorithms/tsne.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/impl/affinities_inl.hpp>
#include <layerscope/impl/stopwatch.hpp>
#include <layerscope/impl/tsne_descent_inl.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

[[noreturn]] inline void refuse_tsne(const std::string& problem) {
  throw Error(ErrorCode::invalid_argument, "tsne: " + problem);
}

inline void check_tsne_options(const TsneOptions& options) {
  const auto number = [](const char* field, double value, double least) {
    if (!is_finite(value) || value < least) {
      refuse_tsne(std::string(field) + " " + to_text(value) + "; expected at least " + to_text(least));
    }
  };
  if (options.dimensions != 2 && options.dimensions != 3) {
    refuse_tsne("dimensions " + to_text(options.dimensions) + "; expected 2 or 3");
  }
  if (options.dimensions == 3 && options.repulsion == TsneRepulsion::interpolation) {
    refuse_tsne("interpolation in 3 dimensions; expected exact, tree or automatic");
  }
  number("perplexity", options.perplexity, 1);
  number("iterations", options.iterations.value_or(0), 0);
  number("early_iterations", options.early_iterations.value_or(0), 0);
  number("early_exaggeration", options.early_exaggeration, 1);
  number("exaggeration", options.exaggeration, 1);
  number("anchor_strength", options.anchor_strength, 0);
  if (options.learning_rate && !(is_finite(*options.learning_rate) && *options.learning_rate > 0)) {
    refuse_tsne("learning_rate " + to_text(*options.learning_rate) + "; expected more than 0");
  }
  if (!(is_finite(options.angle) && options.angle > 0 && options.angle <= 1)) {
    refuse_tsne("angle " + to_text(options.angle) + "; expected more than 0 and at most 1");
  }
}

enum class TsneGaps : std::uint8_t { refused, allowed };

/// A layout given by the user as float32; gaps are NaN or infinity.
inline Tensor tsne_layout(const Tensor& given, const char* what, std::int64_t n, int dimensions, TsneGaps gaps) {
  if (given.rank() != 2 || given.extent(0) != n || given.extent(1) != dimensions) {
    refuse_tsne(std::string(what) + " of shape " + to_text(given.shape()) + "; expected (" + to_text(n) + ", " +
                to_text(dimensions) + ")");
  }
  Tensor layout = convert(given, DType::f32);
  const float* const values = layout.data<float>();
  for (std::int64_t i = 0; i < layout.size(); ++i) {
    const bool finite = is_finite(values[i]);
    if ((!finite && gaps == TsneGaps::allowed) || (finite && std::abs(values[i]) <= 1e9F)) continue;
    refuse_tsne(std::string(what) + " has " + to_text(values[i]) + " in row " + to_text(i / dimensions) +
                "; expected numbers up to 1e9 in magnitude");
  }
  return layout;
}

}  // namespace detail

struct TsneState::State {
  explicit State(TsneOptions given)
      : options((detail::check_tsne_options(given), std::move(given))),
        descent(options.dimensions, options.repulsion, options.angle, options.threads) {}

  void set_affinities(Neighbors neighbors) {
    detail::Stopwatch clock;
    if (neighbors.indices.rank() != 2 || neighbors.indices.shape() != neighbors.distances.shape()) {
      detail::refuse_tsne("neighbours of shape " + to_text(neighbors.indices.shape()) + " with distances of shape " +
                          to_text(neighbors.distances.shape()) + "; expected (rows, k) both");
    }
    n = neighbors.indices.extent(0);
    const std::int64_t k = neighbors.indices.extent(1);
    if (n == 0) throw Error(ErrorCode::empty, "tsne: no rows; expected at least one");
    if (n * k >= std::int64_t{1} << 32) {
      throw Error(ErrorCode::too_large,
                  "tsne: " + to_text(n) + " rows of " + to_text(k) + " neighbours; expected fewer than 2^32 in all");
    }
    rows = std::move(neighbors.rows);
    dropped_rows = neighbors.dropped_rows;
    for (const std::string& warning : neighbors.warnings) {
      if (warning.find("clamped") == std::string::npos) warnings.push_back(warning);  // said below of the perplexity
    }
    perplexity = options.perplexity;
    const double most = (std::max)(1.0, static_cast<double>(k) / 3);
    if (perplexity > most && n > 1) {
      warnings.push_back("perplexity " + to_text(perplexity) + " needs " + to_text(std::ceil(3 * perplexity)) +
                         " neighbours; clamped to " + to_text(most) + " for the " + to_text(k) + " there are");
      perplexity = most;
    }
    descent.resize(n);
    if (n > 1 && k > 0) {
      std::vector<float> affinities =
          detail::conditional_affinities(neighbors.distances.data<float>(), n, k, perplexity, descent.team);
      neighbors.distances = Tensor();
      number_rows(neighbors.indices);
      descent.affinities = detail::joint_affinities(neighbors.indices.mutable_data<std::int32_t>(),
                                                    std::move(affinities), n, k, descent.team);
    } else {
      descent.affinities.offsets.assign(static_cast<std::size_t>(n) + 1, 0);
    }
    iterations = options.iterations.value_or(options.anchors ? 100 : n <= 10000 ? 750 : 500);
    early_iterations = options.early_iterations.value_or(options.anchors ? 0 : (std::min)(125, iterations / 4));
    seconds.affinities = clock.lap();
  }

  /// Neighbours by their numbers among the rows that entered.
  void number_rows(Tensor& indices) const {
    std::int32_t* const first = indices.mutable_data<std::int32_t>();
    for (std::int64_t e = 0; e < indices.size(); ++e) {
      const std::int64_t given = first[e];
      std::int64_t number = given;
      if (!rows.empty()) {
        const auto found = std::lower_bound(rows.begin(), rows.end(), given);
        number = found != rows.end() && *found == given ? found - rows.begin() : -1;
      }
      if (number < 0 || number >= n) {
        detail::refuse_tsne("neighbour " + to_text(given) + " of row " + to_text(e / indices.extent(1)) +
                            "; expected one of the " + to_text(n) + " rows that entered the search");
      }
      first[e] = static_cast<std::int32_t>(number);
    }
  }

  /// The layout given, or `scores` scaled, with noise that parts equal rows.
  void start(const Tensor* scores) {
    detail::Stopwatch clock;
    if (options.anchors) {
      const Tensor anchors =
          detail::tsne_layout(*options.anchors, "anchors", n, options.dimensions, detail::TsneGaps::allowed);
      descent.anchors.assign(anchors.data<float>(), anchors.data<float>() + anchors.size());
      if (options.anchor_weights) set_anchor_weights(*options.anchor_weights);
    }
    if (options.initial) {
      place(detail::tsne_layout(*options.initial, "initial layout", n, options.dimensions, detail::TsneGaps::refused)
                .data<float>());
    } else if (options.anchors) {
      place_by_anchors();
    } else if (n > 1) {
      place_by_scores(scores);
    }
    seconds.initialization += clock.lap();
  }

  void set_anchor_weights(const Tensor& given) {
    if (given.shape() != Shape{n}) {
      detail::refuse_tsne("anchor_weights of shape " + to_text(given.shape()) + "; expected [" + to_text(n) + "]");
    }
    const Tensor weights = convert(given, DType::f32);
    for (std::int64_t i = 0; i < n; ++i) {
      const float weight = weights.data<float>()[i];
      if (is_finite(weight) && weight >= 0 && weight <= 1e9F) continue;
      detail::refuse_tsne("anchor_weights has " + to_text(weight) + " in row " + to_text(i) +
                          "; expected numbers from 0 to 1e9");
    }
    descent.anchor_weights.assign(weights.data<float>(), weights.data<float>() + n);
  }

  void place(const float* from) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
      for (std::size_t c = 0; c < dimensions(); ++c) descent.position[c][i] = *from++;
    }
  }

  void place_by_scores(const Tensor* scores) {
    double squares = 0;  // of the first column, which is centred
    const std::int64_t columns = scores == nullptr ? 0 : scores->extent(1);
    for (std::int64_t i = 0; i < n && columns > 0; ++i) {
      const auto value = static_cast<double>(scores->data<float>()[i * columns]);
      squares += value * value;
    }
    const double spread = std::sqrt(squares / static_cast<double>(n));
    const bool usable = spread > 0 && is_finite(spread);
    for (std::size_t c = 0; c < dimensions(); ++c) {
      const Random random(options.seed, c);
      for (std::int64_t i = 0; i < n; ++i) {
        double value = random.normal(static_cast<std::uint64_t>(i)) * (usable ? 1e-6 : 1e-4);
        if (usable && static_cast<std::int64_t>(c) < columns) {
          value +=
              1e-4 / spread * static_cast<double>(scores->data<float>()[i * columns + static_cast<std::int64_t>(c)]);
        }
        descent.position[c][static_cast<std::size_t>(i)] = static_cast<float>(value);
      }
    }
  }

  /// Rows without an anchor begin at the mean of their neighbours that have a place, a step at a time; those that no
  /// step reaches, at the mean of all. Noise of a hundredth of a unit parts them.
  void place_by_anchors() {
    std::vector<float> layout = descent.anchors;
    const std::size_t width = dimensions(), un = static_cast<std::size_t>(n);
    std::array<double, 3> mean{};
    double placed = 0;
    for (std::size_t i = 0; i < un; ++i) {
      if (!has_place(layout, i)) continue;
      ++placed;
      for (std::size_t c = 0; c < width; ++c) mean[c] += static_cast<double>(layout[i * width + c]);
    }
    const auto noise = [&](std::size_t i, std::size_t c) { return 0.01 * Random(options.seed, c).normal(i); };
    for (int step = 0; step < 3; ++step) {
      const std::vector<float> before = layout;
      for (std::size_t i = 0; i < un; ++i) {
        if (has_place(before, i)) continue;
        double weight = 0;
        std::array<double, 3> sum{};
        for (auto e = static_cast<std::size_t>(descent.affinities.offsets[i]);
             e < static_cast<std::size_t>(descent.affinities.offsets[i + 1]); ++e) {
          const auto j = static_cast<std::size_t>(descent.affinities.neighbor[e]);
          if (!has_place(before, j)) continue;
          const auto p = static_cast<double>(descent.affinities.affinity[e]);
          weight += p;
          for (std::size_t c = 0; c < width; ++c) sum[c] += p * static_cast<double>(before[j * width + c]);
        }
        if (!(weight > 0)) continue;
        for (std::size_t c = 0; c < width; ++c) {
          layout[i * width + c] = static_cast<float>(sum[c] / weight + noise(i, c));
        }
      }
    }
    for (std::size_t i = 0; i < un; ++i) {
      if (has_place(layout, i)) continue;
      for (std::size_t c = 0; c < width; ++c) {
        layout[i * width + c] = static_cast<float>((placed > 0 ? mean[c] / placed : 0) + noise(i, c));
      }
    }
    place(layout.data());
  }

  bool has_place(const std::vector<float>& layout, std::size_t i) const {
    for (std::size_t c = 0; c < dimensions(); ++c) {
      if (!is_finite(layout[i * dimensions() + c])) return false;
    }
    return true;
  }

  std::size_t dimensions() const noexcept { return static_cast<std::size_t>(options.dimensions); }

  detail::TsneStep step() const {
    const bool early = iteration < early_iterations;
    const double slow = (std::max)(20.0, static_cast<double>(n) / 12);
    const auto points = static_cast<double>(n);
    return {early ? options.early_exaggeration : options.exaggeration,
            options.learning_rate.value_or(early ? slow : 4 * slow), early ? 0.8 : 0.9,
            options.anchor_strength / (4 * points)};  // the gradient of t-SNE without its factor of 4
  }

  TsneOptions options;
  detail::TsneDescent descent;
  std::int64_t n = 0;
  int iterations = 0;
  int early_iterations = 0;
  int iteration = 0;
  double perplexity = 0;
  std::vector<std::int64_t> rows;
  std::int64_t dropped_rows = 0;
  TsneSeconds seconds;
  std::vector<std::string> warnings;
};

LAYERSCOPE_INLINE const char* name(TsneRepulsion repulsion) noexcept {
  switch (repulsion) {
    case TsneRepulsion::exact: return "exact";
    case TsneRepulsion::tree: return "tree";
    case TsneRepulsion::interpolation: return "interpolation";
    default: return "automatic";
  }
}

LAYERSCOPE_INLINE TsneRepulsion tsne_repulsion_from_name(std::string_view name) {
  for (const TsneRepulsion repulsion :
       {TsneRepulsion::automatic, TsneRepulsion::exact, TsneRepulsion::tree, TsneRepulsion::interpolation}) {
    if (name == layerscope::name(repulsion)) return repulsion;
  }
  throw Error(ErrorCode::invalid_argument,
              "repulsion \"" + std::string(name) + "\"; expected automatic, exact, tree or interpolation");
}

LAYERSCOPE_INLINE TsneState::TsneState(const Neighbors& neighbors, TsneOptions options)
    : state_(std::make_unique<State>(std::move(options))) {
  state_->set_affinities(neighbors);
  state_->start(nullptr);
}

LAYERSCOPE_INLINE TsneState::TsneState(const AnyView& x, TsneOptions options)
    : state_(std::make_unique<State>(std::move(options))) {
  const TsneOptions& chosen = state_->options;
  if (x.rank() != 2) {
    detail::refuse_tsne("an input of shape " + to_text(x.shape()) + "; expected (rows, columns)");
  }
  if (x.empty()) {
    throw Error(ErrorCode::empty, "tsne: an input of shape " + to_text(x.shape()) + "; expected at least one row");
  }
  detail::Stopwatch clock;
  const double most = (std::max)(1.0, static_cast<double>(x.extent(0) - 1));
  KnnOptions search;
  search.k = static_cast<std::int64_t>((std::min)(most, std::ceil(3 * chosen.perplexity)));
  search.metric = chosen.metric;
  search.method = chosen.neighbors;
  search.non_finite = chosen.non_finite;
  search.seed = chosen.seed;
  search.threads = chosen.threads;
  search.stop = chosen.stop;
  Neighbors neighbors = knn(x, search);
  state_->seconds.neighbors = clock.lap();
  state_->set_affinities(std::move(neighbors));
  Tensor scores;
  if (!chosen.initial && !chosen.anchors && state_->n > 1) {
    clock.lap();
    PcaOptions projection;
    projection.components = (std::min)({std::int64_t{chosen.dimensions}, state_->n, x.extent(1)});
    projection.non_finite = chosen.non_finite;
    projection.seed = chosen.seed;
    projection.threads = chosen.threads;
    projection.stop = chosen.stop;
    scores = convert(pca(x, projection).transform(x, chosen.threads, chosen.non_finite), DType::f32);
    state_->seconds.initialization = clock.lap();
  }
  state_->start(scores.empty() ? nullptr : &scores);
}

LAYERSCOPE_INLINE TsneState::~TsneState() = default;
LAYERSCOPE_INLINE TsneState::TsneState(TsneState&&) noexcept = default;
LAYERSCOPE_INLINE TsneState& TsneState::operator=(TsneState&&) noexcept = default;

LAYERSCOPE_INLINE void TsneState::run(int iterations) {
  State& state = *state_;
  detail::Stopwatch clock;
  const int last = state.iteration + (std::min)(iterations, state.iterations - state.iteration);
  while (state.iteration < last) {
    throw_if_stopped(state.options.stop, "tsne");
    if (state.n > 1) state.descent.iterate(state.step());
    ++state.iteration;
    state.seconds.optimization += clock.lap();
    if (state.options.progress) {
      state.options.progress(static_cast<double>(state.iteration) / static_cast<double>(state.iterations), "layout");
      clock.lap();
    }
  }
}

LAYERSCOPE_INLINE int TsneState::iteration() const noexcept {
  return state_->iteration;
}
LAYERSCOPE_INLINE int TsneState::iterations() const noexcept {
  return state_->iterations;
}

LAYERSCOPE_INLINE Tsne TsneState::result() const {
  State& state = *state_;
  Tsne result;
  result.embedding = Tensor(DType::f32, {state.n, state.options.dimensions});
  float* out = result.embedding.mutable_data<float>();
  for (std::size_t i = 0; i < static_cast<std::size_t>(state.n); ++i) {
    for (std::size_t c = 0; c < state.dimensions(); ++c) *out++ = state.descent.position[c][i];
  }
  result.kl = state.descent.divergence();
  result.iterations = state.iteration;
  result.interpolated_iterations = state.descent.interpolated;
  result.tree_iterations = state.descent.by_tree;
  result.perplexity = state.perplexity;
  result.rows = state.rows;
  result.dropped_rows = state.dropped_rows;
  result.seconds = state.seconds;
  result.warnings = state.warnings;
  return result;
}

LAYERSCOPE_INLINE Tsne tsne(const AnyView& x, const TsneOptions& options) {
  TsneState state(x, options);
  state.run(state.iterations());
  return state.result();
}

LAYERSCOPE_INLINE Tsne tsne(const Neighbors& neighbors, const TsneOptions& options) {
  TsneState state(neighbors, options);
  state.run(state.iterations());
  return state.result();
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
