// What one run's snapshots know about its layers, for the picture of all of them. The callers name what comes; the
// worker, which has the numbers anyway, measures them; once a snapshot is over, one job draws.
#pragma once

#include <layerscope/algorithms/layer_overview.hpp>
#include <layerscope/algorithms/statistics.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/tensor_view.hpp>
#include <layerscope/snapshot/options.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Whose numbers they are: "conv1/weight/grad" is of layer "conv1", its tensor "weight", the gradients of it.
struct LayerTensor {
  std::string layer;
  std::string tensor;  ///< empty for what a layer puts out
  TensorRole role = TensorRole::outputs;
};

/// Reads a name as TensorRole says.
LayerTensor layer_tensor(std::string_view name, std::optional<TensorRole> role);

/// Units that put out nothing but 0, and how much of the layer's output was looked at.
struct DeadUnits {
  std::int64_t units = 0, dead = 0;
  std::int64_t numbers = 0;  ///< of each unit
  std::int64_t samples_shown = 1, samples_total = 1;
};

/// All that is kept: at most `most_layers` layers and `most_cells` cells, by keeping every second step, every fourth …
/// and the latest; of each tensor of parameters a sample of 1,024 numbers.
class OverviewState {
 public:
  static constexpr std::size_t most_layers = 1024, most_steps = 1024, most_cells = 131072;
  static constexpr std::size_t most_tensors = 16;  ///< of one layer
  static constexpr std::int64_t sampled_numbers = 1024;
  /// Of a unit, from which on its silence says something: one that fires for 10 % of the inputs is silent for all of 32
  /// with a probability of 3 %.
  static constexpr std::int64_t numbers_of_a_unit = 32;

  enum class Coverage : std::uint8_t { part, whole };

  void add_outputs(const LayerTensor& of, std::int64_t step, const Moments& moments,
                   const std::optional<DeadUnits>& dead, Coverage coverage);
  void add_parameters(const LayerTensor& of, std::int64_t step, const Moments& moments, const AnyView& values);
  void add_gradients(const LayerTensor& of, std::int64_t step, const Moments& moments);

  /// Jobs that will still add something. Counted without the lock, as callers must not wait for a worker that draws.
  void begin() noexcept { ++coming_; }
  void end() noexcept { --coming_; }

  /// The artifact as far as it is known; nothing while it knows nothing. What is still to come is drawn by
  /// follow_up().
  std::vector<Artifact> draw();
  /// The artifact again, when it was drawn before everything had come and now everything has.
  std::vector<Artifact> follow_up();

 private:
  using Cells = std::array<std::optional<double>, all_layer_measures.size()>;
  struct OneTensor {
    std::string name;
    TensorRole role = TensorRole::parameters;
    std::int64_t step = 0;
    double norm = 0;
    std::vector<double> sample{};
    std::optional<double> squared_change{};  // of the sample
    double squared_sample = 0;
  };
  struct OneLayer {
    std::string name;
    std::vector<Cells> cells;  // by column
    std::vector<OneTensor> tensors;
    std::optional<std::int64_t> whole_outputs{};  // the latest step with all of them
    std::optional<std::int64_t> whole_dead{};
    std::optional<DeadUnits> dead{};
  };

  OneLayer* layer(const std::string& name, TensorRole role, std::int64_t step);
  OneTensor* tensor(OneLayer& layer, const std::string& name, TensorRole role);
  Cells& cells(OneLayer& layer, std::int64_t step);
  std::size_t column(std::int64_t step);
  void thin();
  static std::optional<double>& at(Cells& cells, LayerMeasure measure) {
    return cells[static_cast<std::size_t>(measure)];
  }
  std::vector<Artifact> artifact(std::unique_lock<std::mutex>& lock) const;
  LayerTable table() const;
  std::vector<std::string> captions(const LayerTable& table) const;

  mutable std::mutex mutex_;
  std::vector<OneLayer> layers_;
  std::vector<std::int64_t> steps_;
  std::vector<std::uint64_t> ordinals_;  // of the steps, among all there were
  std::uint64_t next_ordinal_ = 0;
  std::uint64_t keep_every_ = 1;
  struct Cursor {
    std::int64_t step = 0;
    std::string layer;
  };
  std::array<std::optional<Cursor>, 3> cursors_;  // by role: the last layer heard of, for the order of new ones
  Cells left_out_{};
  std::size_t layers_left_out_ = 0;
  std::atomic<int> coming_{0};
  bool drawn_early_ = false;
};

/// What a job adds to the overview. Copies are one; when the last goes, whatever became of the job, nobody waits for
/// it.
class OverviewFeed {
 public:
  /// Adds nothing.
  OverviewFeed() = default;
  OverviewFeed(std::shared_ptr<OverviewState> state, LayerTensor of, std::int64_t step);

  explicit operator bool() const noexcept { return coming_ != nullptr; }
  TensorRole role() const noexcept { return of_.role; }

  /// All numbers of the tensor.
  void add(const Moments& moments, const AnyView& values, const std::optional<DeadUnits>& dead = std::nullopt) const;
  /// A part of what a layer puts out.
  void add_part(const Moments& moments, const std::optional<DeadUnits>& dead) const;
  /// Once the job is done: appends the overview if it waited for this.
  void finish(std::vector<Artifact>& artifacts) const;

 private:
  struct Coming {
    std::shared_ptr<OverviewState> state;
    bool over = false;
    explicit Coming(std::shared_ptr<OverviewState> given) : state(std::move(given)) { state->begin(); }
    ~Coming() {
      if (!over) state->end();
    }
    Coming(const Coming&) = delete;
    Coming& operator=(const Coming&) = delete;
  };
  std::shared_ptr<Coming> coming_;
  LayerTensor of_;
  std::int64_t step_ = 0;
};

/// Dead units of what a layer puts out, and the moments of all of them.
DeadUnits dead_units(const ChannelStatistics& channels, std::int64_t samples_shown, std::int64_t samples_total);
Moments moments_of(const ChannelStatistics& channels);

/// Euclidean norm of the finite numbers taken, of which there must be one.
double finite_norm(const Moments& moments);

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
