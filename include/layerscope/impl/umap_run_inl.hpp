// A UMAP layout under way: neighbours, graph and start, then epochs.
#pragma once

#include <layerscope/algorithms/umap.hpp>
#include <layerscope/core/kernels/isa.hpp>
#include <layerscope/impl/kernels/umap_inl.hpp>
#include <layerscope/impl/knn_inl.hpp>
#include <layerscope/impl/stopwatch.hpp>
#include <layerscope/impl/thread_team_inl.hpp>
#include <layerscope/impl/umap_curve_inl.hpp>
#include <layerscope/impl/umap_graph_inl.hpp>
#include <layerscope/impl/umap_initialization_inl.hpp>
#include <layerscope/impl/umap_options_inl.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Positions of rows and their momenta, moved by the kernels: what umap() and umap_transform() share.
class UmapOptimizer {
 public:
  UmapOptimizer(std::int64_t rows, std::int64_t dims, const std::vector<float>& start)
      : rows_(rows),
        dims_(dims),
        stride_(dims == 2 ? 2 : 4),
        now_(rows * stride_),
        next_(rows * stride_),
        mean_(static_cast<std::size_t>(rows * stride_)),
        square_(mean_.size()) {
    std::fill_n(now_.data(), rows * stride_, 0.0F);
    for (std::int64_t i = 0; i < rows; ++i) {
      std::copy_n(start.data() + i * dims, dims, now_.data() + i * stride_);
    }
  }

  std::int64_t stride() const noexcept { return stride_; }
  const float* positions() const noexcept { return flipped_ ? next_.data() : now_.data(); }

  /// One epoch: the forces of `job`, and of `more(row, position, gradient)`, as Adam takes them. Its constants are
  /// those of uwot's batch mode.
  template <class More>
  void step(const UmapForceJob& job, std::int64_t epoch, double rate, ThreadTeam& team, const More& more) {
    constexpr double mean_decay = 0.5;
    constexpr double square_decay = 0.9;
    const double count = static_cast<double>(epoch + 1);
    const double corrected = rate * std::sqrt(1 - std::pow(square_decay, count)) / (1 - std::pow(mean_decay, count));
    const float* const from = positions();
    float* const to = flipped_ ? now_.data() : next_.data();
    const UmapKernels& kernels = umap_kernels(isa_level());
    constexpr std::int64_t block = 128;
    team.run(ceil_divide(rows_, block), [&](std::int64_t task) {
      alignas(64) float gradient[block * 4];
      const std::int64_t first = task * block;
      const std::int64_t last = (std::min)(rows_, first + block);
      kernels.forces(job, first, last, gradient);
      for (std::int64_t row = first; row < last; ++row) {
        more(row, from + row * stride_, gradient + (row - first) * stride_);
      }
      const std::size_t at = static_cast<std::size_t>(first * stride_);
      kernels.step({gradient, from + at, to + at, mean_.data() + at, square_.data() + at, static_cast<float>(corrected),
                    static_cast<float>(mean_decay), static_cast<float>(square_decay), 1e-7F, (last - first) * stride_});
    });
    flipped_ = !flipped_;
  }

  Tensor layout() const {
    Tensor result(DType::f32, {rows_, dims_});
    float* const to = result.mutable_data<float>();
    for (std::int64_t i = 0; i < rows_; ++i) std::copy_n(positions() + i * stride_, dims_, to + i * dims_);
    return result;
  }

 private:
  std::int64_t rows_;
  std::int64_t dims_;
  std::int64_t stride_;
  AlignedBuffer<float> now_;
  AlignedBuffer<float> next_;
  bool flipped_ = false;
  std::vector<float> mean_;
  std::vector<float> square_;
};

/// Negative samples that each vertex is due in an epoch: an edge is met weight / largest weight times.
LAYERSCOPE_INLINE std::vector<float> pushes_due(const UmapGraph& graph, std::int64_t negative_sample_rate) {
  std::vector<float> due(static_cast<std::size_t>(graph.vertices()));
  for (std::int64_t v = 0; v < graph.vertices(); ++v) {
    double sum = 0;
    for (std::int64_t e = graph.begin(v); e < graph.end(v); ++e) {
      sum += static_cast<double>(graph.weight[static_cast<std::size_t>(e)]);
    }
    due[static_cast<std::size_t>(v)] = static_cast<float>(sum * static_cast<double>(negative_sample_rate));
  }
  return due;
}

class UmapRun {
 public:
  UmapRun(const AnyView* x, const Neighbors* neighbors, const UmapOptions& options) : options_(options) {
    check_umap_options(options);
    Stopwatch watch;
    if (x != nullptr) {
      check_knn_matrix(*x, "the matrix", "umap");
      result_.neighbors = search(*x);
      result_.warnings = result_.neighbors.warnings;
      given_rows_ = x->extent(0);
    } else {
      result_.neighbors = *neighbors;
      given_rows_ = neighbors->rows.empty() ? neighbors->indices.extent(0) : neighbors->rows.back() + 1;
    }
    result_.rows = result_.neighbors.rows;
    result_.dropped_rows = result_.neighbors.dropped_rows;
    result_.seconds.neighbors = watch.lap();
    make_graph();
    result_.seconds.graph = watch.lap();
    report(0.35, "initialization");
    place(x);
    result_.seconds.initialization = watch.lap();
    take_references();
    forget_inputs();
  }

  std::int64_t run(std::int64_t epochs) {
    if (epochs < 0) refuse_umap_option("the number of epochs to run", epochs, "0 or more");
    const std::int64_t todo = (std::min)(epochs, result_.planned_epochs - result_.epochs);
    if (todo == 0) return 0;
    Stopwatch watch;
    ThreadTeam team(threads());
    const Random random(options_.seed, 0x756d6170);
    for (std::int64_t i = 0; i < todo; ++i) {
      const double done = static_cast<double>(result_.epochs) / static_cast<double>(result_.planned_epochs);
      if (i % 16 == 0) report(0.4 + 0.6 * done, "optimization");
      const UmapForceJob job{optimizer_->positions(),
                             optimizer_->positions(),
                             optimizer_->stride(),
                             static_cast<std::uint32_t>(graph_.vertices()),
                             graph_.first.data(),
                             graph_.to.data(),
                             graph_.weight.data(),
                             pushes_.data(),
                             2,
                             static_cast<float>(result_.a),
                             static_cast<float>(result_.b),
                             static_cast<float>(options_.repulsion_strength),
                             random.bits(static_cast<std::uint64_t>(result_.epochs))};
      const double rate = options_.learning_rate.value_or(warm_ ? 0.5 : 1) * (1 - done);
      optimizer_->step(job, result_.epochs, rate, team, [this](std::int64_t row, const float* own, float* gradient) {
        for (const Anchors& anchors : anchors_) anchors.pull(row, own, gradient);
      });
      ++result_.epochs;
    }
    result_.seconds.optimization += watch.lap();
    if (result_.epochs == result_.planned_epochs && options_.progress) options_.progress(1, "optimization");
    return todo;
  }

  std::int64_t epoch() const noexcept { return result_.epochs; }
  std::int64_t planned_epochs() const noexcept { return result_.planned_epochs; }

  Umap result() const {
    Umap found = result_;
    found.embedding = optimizer_->layout();
    return found;
  }

 private:
  /// Where rows were in an earlier layout, and how hard they are held there in an epoch.
  struct Anchors {
    std::int64_t dims;
    Tensor layout;
    std::vector<float> strength;  ///< of one update; 0 for rows that were not there
    std::vector<float> updates;   ///< edges and negative samples in an epoch

    void pull(std::int64_t row, const float* own, float* gradient) const {
      const float factor = strength[static_cast<std::size_t>(row)];
      if (factor == 0) return;
      const float* const anchor = layout.data<float>() + row * dims;
      for (std::int64_t axis = 0; axis < dims; ++axis) {
        const float force = (std::clamp)(factor * (own[axis] - anchor[axis]), -4.0F, 4.0F);
        gradient[axis] -= updates[static_cast<std::size_t>(row)] * force;
      }
    }
  };

  void report(double fraction, const char* stage) const {
    throw_if_stopped(options_.stop, "umap");
    if (options_.progress) options_.progress(fraction, stage);
  }

  Neighbors search(const AnyView& x) const {
    KnnOptions options;
    options.k = options_.n_neighbors - 1;
    options.metric = options_.metric;
    options.method = options_.knn_method;
    options.initial = options_.initial_neighbors;
    options.non_finite = options_.non_finite;
    options.seed = options_.seed;
    options.threads = options_.threads;
    options.stop = options_.stop;
    if (options_.progress) {
      options.progress = [this](double fraction, std::string_view) { options_.progress(0.3 * fraction, "neighbors"); };
    }
    return knn(x, options);
  }

  /// One thread where starting more would cost more than they save.
  int threads() const noexcept { return graph_.vertices() < 512 ? 1 : options_.threads; }

  void make_graph() {
    report(0.3, "graph");
    const UmapNeighbors neighbors =
        checked_neighbors(result_.neighbors, result_.rows, given_rows_, SelfNeighbor::exclude, "umap");
    if (neighbors.n == 0) {
      throw Error(ErrorCode::empty, "umap: neighbours of 0 rows are given; at least one row is expected");
    }
    {
      const std::vector<float> weights = membership_strengths(neighbors, options_.local_connectivity, options_.threads);
      graph_ = join_directions(neighbors, weights, options_.set_op_mix_ratio, options_.threads);
    }
    warm_ = options_.initialization == UmapInitialization::given && !options_.references.empty();
    // Warm: a tenth and a fifth of a cold start's are enough where few rows have to move far.
    const bool small = neighbors.n <= 10000;
    const std::int64_t derived = warm_ ? (small ? 60 : 40) : (small ? 500 : 200);
    result_.planned_epochs = options_.epochs.value_or(derived);
    // As umap-learn, which leaves out what would not be met in all the epochs; few epochs leave out no more than 200.
    normalize_and_prune(graph_, 1.0F / static_cast<float>((std::max<std::int64_t>)(result_.planned_epochs, 200)));
    components_ = components_of(graph_);
    pushes_ = pushes_due(graph_, options_.negative_sample_rate);
    result_.components = components_.count();
    result_.edges = static_cast<std::int64_t>(graph_.to.size()) / 2;
    UmapCurve curve;
    if (!options_.a || !options_.b) curve = fit_umap_curve(options_.min_dist, options_.spread);
    result_.a = options_.a.value_or(curve.a);
    result_.b = options_.b.value_or(curve.b);
  }

  void place(const AnyView* x) {
    const std::int64_t n = graph_.vertices();
    const bool few = n <= 3 && options_.initialization != UmapInitialization::given;
    UmapStart start;
    if (few) {
      result_.planned_epochs = 0;
      start.positions = line();
      start.used = options_.initialization;
      start.reason = n == 1 ? "one row lies at the origin" : to_text(n) + " rows lie on a line";
    } else {
      ThreadTeam team(threads());
      start = UmapPlacement(graph_, components_, options_, x, team).place(result_.rows, given_rows_);
    }
    result_.initialization = start.used;
    result_.initialization_reason = start.reason;
    if (start.used != options_.initialization) {
      result_.warnings.push_back("initialisation " + std::string(name(start.used)) + " in place of " +
                                 name(options_.initialization) + ": " + start.reason);
    }
    if (components_.count() > 1 && !few) {
      result_.warnings.push_back("the graph has " + to_text(components_.count()) +
                                 " components; how they lie to each other means nothing");
    }
    optimizer_ = std::make_unique<UmapOptimizer>(n, options_.dimensions, start.positions);
  }

  /// Up to three rows, a unit apart, the one that is nearest to the others in the middle.
  std::vector<float> line() const {
    const std::int64_t n = graph_.vertices();
    std::vector<float> positions(static_cast<std::size_t>(n * options_.dimensions), 0.0F);
    const auto put = [&](std::int64_t row, double place) {
      positions[static_cast<std::size_t>(row * options_.dimensions)] = static_cast<float>(place * options_.spread);
    };
    if (n == 2) {
      put(0, -0.5);
      put(1, 0.5);
    }
    if (n == 3) {
      double sums[3] = {};
      const Tensor& distances = result_.neighbors.distances;
      const std::int64_t k = distances.extent(1);
      for (std::int64_t i = 0; i < 3 * k; ++i) sums[i / k] += static_cast<double>(distances.data<float>()[i]);
      const std::int64_t middle = std::min_element(sums, sums + 3) - sums;
      put((middle + 1) % 3, -1);
      put((middle + 2) % 3, 1);
    }
    return positions;
  }

  void take_references() {
    const std::int64_t n = graph_.vertices();
    for (const UmapReference& reference : options_.references) {
      if (reference.steps_ago < 1) refuse_umap_option("steps_ago of a reference", reference.steps_ago, "1 or more");
      const Tensor layout = checked_floats(reference.layout, "layout of a reference", given_rows_, options_.dimensions);
      Tensor weights;
      if (reference.weights) weights = checked_floats(*reference.weights, "weights of a reference", given_rows_, 1);
      Anchors anchors{options_.dimensions, Tensor(DType::f32, {n, options_.dimensions}), {}, {}};
      float* const to = anchors.layout.mutable_data<float>();
      const double decay = options_.alignment * std::exp(1 - static_cast<double>(reference.steps_ago));
      for (std::int64_t i = 0; i < n; ++i) {
        const std::int64_t row = result_.rows.empty() ? i : result_.rows[static_cast<std::size_t>(i)];
        const float* const from = layout.data<float>() + row * options_.dimensions;
        const bool known = std::all_of(from, from + options_.dimensions, [](float value) { return is_finite(value); });
        const float weight = known && reference.weights ? weights.data<float>()[row] : 1.0F;
        if (known && !(is_finite(weight) && weight >= 0 && weight <= 1)) {
          refuse_umap_option(("weight of row " + to_text(row) + " of a reference").c_str(), weight,
                             "a number from 0 to 1");
        }
        anchors.strength.push_back(known ? static_cast<float>(decay * static_cast<double>(weight)) : 0.0F);
        if (known) std::copy_n(from, options_.dimensions, to + i * options_.dimensions);
        // An edge that is met moves both ends, and draws its negative samples.
        const double edges = static_cast<double>(edge_sum(i));
        anchors.updates.push_back(static_cast<float>(edges * (2 + static_cast<double>(options_.negative_sample_rate))));
      }
      anchors_.push_back(std::move(anchors));
    }
  }

  float edge_sum(std::int64_t v) const {
    float sum = 0;
    for (std::int64_t e = graph_.begin(v); e < graph_.end(v); ++e) sum += graph_.weight[static_cast<std::size_t>(e)];
    return sum;
  }

  /// Views of the caller, who need not keep what they show.
  void forget_inputs() {
    options_.initial.reset();
    options_.initial_neighbors.reset();
    options_.references.clear();
    components_ = {};
  }

  UmapOptions options_;
  Umap result_;
  std::int64_t given_rows_ = 0;
  bool warm_ = false;
  UmapGraph graph_;
  UmapComponents components_;
  std::vector<float> pushes_;
  std::vector<Anchors> anchors_;
  std::unique_ptr<UmapOptimizer> optimizer_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
