// What a training loop calls: one function per thing to see. Each is a typed front over Recorder::submit.
#pragma once

#include <layerscope/algorithms/attention.hpp>
#include <layerscope/algorithms/calibration.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/tensor_ref.hpp>
#include <layerscope/probe.hpp>
#include <layerscope/recorder.hpp>
#include <layerscope/snapshot/options.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {
class OverviewFeed;
}

/// The front to record with at one step; made by Recorder::snapshot(). Calls return at once where the step is not due.
/// None throws; tensors are copied before the call returns, after the caps of RecorderOptions are applied.
/// A `name` says whose data it is ("encoder/conv1"); one name may have several kinds.
/// A tensor without elements is refused with ErrorCode::empty. NaN and infinities are shown and counted as warnings.
///
/// What activations(), statistics(), histogram(), filters() and gradients() are given also feeds one picture of all
/// layers over the run (kind "overview", name "layers"; see algorithms/layer_overview.hpp), which is drawn when the
/// snapshot ends, unless RecorderOptions::overview says no. TensorRole says which layer a name belongs to.
class Snapshot {
 public:
  /// Whether this step is recorded: `if (snap) …` saves making a tensor that nobody will look at.
  explicit operator bool() const noexcept { return core_ != nullptr; }
  std::int64_t step() const noexcept { return step_; }

  /// What a layer puts out, as pictures and numbers. Layout by rank when not given: [c] is one sample, [n, c] is NC,
  /// [n, c, h, w] is NCHW, [n, c, d, h, w] is NCDHW; rank 3 must be said to be NTD, NCL or CHW.
  Status activations(std::string_view name, const TensorRef& x, const ActivationsOptions& options = {}) noexcept;

  /// A layer's weights as pictures: OI, OIL, OIHW and OIDHW by rank when no layout is given.
  Status filters(std::string_view name, const TensorRef& weights, const FilterSnapshotOptions& options = {}) noexcept;

  /// The distribution of all elements, none left out: histogram and statistics; and of all steps so far, in bins that
  /// stay, as one artifact of kind "histogram_timeline" that each step brings up to date. The worker counts and draws;
  /// a timeline takes at most a twentieth of the time, keeps 128 steps evenly spaced, and starts anew when a run is
  /// continued, as scalar() does.
  Status histogram(std::string_view name, const TensorRef& x, const HistogramSnapshotOptions& options = {}) noexcept;

  /// Count, mean, spread, range, zeros, non-finite numbers and dead units of all elements, without a picture.
  Status statistics(std::string_view name, const TensorRef& x, const StatisticsSnapshotOptions& options = {}) noexcept;

  /// The gradient of a parameter, named as the parameter is: its norm, statistics and histogram, nothing left out; of
  /// parameters [outputs, …] also the norm of each output unit's, and how many have none.
  Status gradients(std::string_view name, const TensorRef& x, const GradientsOptions& options = {}) noexcept;

  /// A matrix [h, w] (or a vector) as a heatmap.
  Status heatmap(std::string_view name, const TensorRef& x, const HeatmapSnapshotOptions& options = {}) noexcept;

  /// Rows [n, …] projected to two or three dimensions; later dimensions are flattened.
  Status embedding(std::string_view name, const TensorRef& x, const EmbeddingOptions& options = {}) noexcept;

  /// The weights of one layer's heads, [heads, queries, keys], [queries, keys] or [samples, heads, queries, keys], as
  /// pictures and with each head's entropy and mean distance. Rows that are no distribution and NaN are shown and
  /// warned of by name. All steps so far are one artifact of kind "attention_timeline" that each step brings up to
  /// date: of a single query a step, as a decoder has it, its row; else small pictures and lines.
  Status attention(std::string_view name, const TensorRef& weights,
                   const AttentionSnapshotOptions& options = {}) noexcept;

  /// The same from queries [heads, n, d] and keys [key heads, m, d], for kernels that return no weights: see
  /// algorithms/attention_scores.hpp. The weights are computed a tile at a time and never held.
  Status attention(std::string_view name, const TensorRef& queries, const TensorRef& keys,
                   const AttentionSnapshotOptions& options = {}) noexcept;

  /// What the members of an ensemble, or passes with dropout left on, say together: members [K, n, classes, …], or what
  /// an UncertaintyAccumulator made of them. The most uncertain samples as a table with their pictures; for dense
  /// predictions the maps of the most uncertain ones.
  Status uncertainty(std::string_view name, const TensorRef& members,
                     const UncertaintySnapshotOptions& options = {}) noexcept;
  Status uncertainty(std::string_view name, Uncertainty result,
                     const UncertaintySnapshotOptions& options = {}) noexcept;

  /// Whether predictions [n, classes, …] are right as often as they say, by labels [n, …]: the reliability diagram and
  /// its numbers.
  Status calibration(std::string_view name, const TensorRef& predictions, const TensorRef& labels,
                     const CalibrationOptions& options = {}) noexcept;

  /// How alike layers see the same samples, as a heatmap of every layer against every layer.
  Status similarity(std::string_view name, const std::vector<NamedTensor>& layers,
                    const SimilaritySnapshotOptions& options = {}) noexcept;

  /// One number a step; the artifact is the whole series so far, drawn as a line chart. A step given again replaces its
  /// value. No value is lost, whatever the queue drops; in a quick loop several are written together.
  Status scalar(std::string_view name, double value) noexcept;

  /// A picture of your own.
  Status image(std::string_view name, Image image) noexcept;

  /// Words, in Markdown.
  Status text(std::string_view name, std::string_view markdown) noexcept;

  /// Anything else: an artifact you made. Its step is set to this snapshot's.
  Status artifact(Artifact artifact) noexcept;

  /// Sends what probe() sees on this thread to activations(), until the listener returned goes out of scope:
  ///   { auto listener = snap.listen(); model->forward(batch); }
  class Listener;
  Listener listen(const ActivationsOptions& options = {}) const noexcept;

 private:
  friend class Recorder;
  struct Overview;

  Snapshot() noexcept = default;
  Snapshot(std::shared_ptr<Recorder::Core> core, std::int64_t step) noexcept : core_(std::move(core)), step_(step) {}

  /// Has `summary` made of all elements, by the worker if it can be; `then`, if given, by the worker in any case.
  Status summarize(std::string_view kind, std::string_view name, const TensorRef& x, const Shape& shape,
                   std::function<Artifact(const AnyView&, int threads)> summary, detail::OverviewFeed feed,
                   std::function<void(std::vector<Artifact>&)> then = nullptr);
  /// What both forms of attention() do: `summarize` gets the tensors, of one sample where they have several.
  Status attend(std::string_view name, std::span<const TensorRef> inputs, std::int64_t sample,
                std::function<AttentionSummary(std::span<const AnyView>, int threads)> summarize);
  /// What a job adds to the overview of layers about the tensor of this name; nothing when there is no overview.
  detail::OverviewFeed feed(std::string_view name, std::optional<TensorRole> role = std::nullopt);

  std::shared_ptr<Recorder::Core> core_;  // null when the step is not due
  std::int64_t step_ = 0;
  std::shared_ptr<Overview> overview_;  // shared by copies; null without an overview
};

/// Listens while it lives, on the thread that made it; does nothing for a snapshot that is off.
class Snapshot::Listener {
 public:
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

 private:
  friend class Snapshot;

  class Ear final : public ProbeListener {
   public:
    Ear(const Snapshot& snapshot, const ActivationsOptions& options) noexcept
        : snapshot_(snapshot), options_(options) {}
    void receive(std::string_view name, const TensorRef& x) noexcept override {
      snapshot_.activations(name, x, options_);
    }

   private:
    Snapshot snapshot_;
    ActivationsOptions options_;
  };

  Listener(const Snapshot& snapshot, const ActivationsOptions& options) noexcept {
    if (snapshot) ear_.emplace(snapshot, options);
  }

  std::optional<Ear> ear_;
};

inline Snapshot::Listener Snapshot::listen(const ActivationsOptions& options) const noexcept {
  return {*this, options};
}

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/snapshot/activations_inl.hpp>
#include <layerscope/impl/snapshot/attention_inl.hpp>
#include <layerscope/impl/snapshot/attention_timeline.hpp>
#include <layerscope/impl/snapshot/calibration_inl.hpp>
#include <layerscope/impl/snapshot/common.hpp>
#include <layerscope/impl/snapshot/embedding_inl.hpp>
#include <layerscope/impl/snapshot/embedding_iterations.hpp>
#include <layerscope/impl/snapshot/embedding_pca.hpp>
#include <layerscope/impl/snapshot/embedding_report.hpp>
#include <layerscope/impl/snapshot/embedding_state.hpp>
#include <layerscope/impl/snapshot/embedding_tsne.hpp>
#include <layerscope/impl/snapshot/embedding_umap.hpp>
#include <layerscope/impl/snapshot/filters_inl.hpp>
#include <layerscope/impl/snapshot/gradients_inl.hpp>
#include <layerscope/impl/snapshot/heatmap_inl.hpp>
#include <layerscope/impl/snapshot/numbers_inl.hpp>
#include <layerscope/impl/snapshot/overview.hpp>
#include <layerscope/impl/snapshot/overview_artifact_inl.hpp>
#include <layerscope/impl/snapshot/overview_inl.hpp>
#include <layerscope/impl/snapshot/overview_step.hpp>
#include <layerscope/impl/snapshot/procrustes.hpp>
#include <layerscope/impl/snapshot/scalar_inl.hpp>
#include <layerscope/impl/snapshot/similarity_inl.hpp>
#include <layerscope/impl/snapshot/snapshot_inl.hpp>
#include <layerscope/impl/snapshot/timeline.hpp>
#include <layerscope/impl/snapshot/uncertainty_inl.hpp>
#endif
