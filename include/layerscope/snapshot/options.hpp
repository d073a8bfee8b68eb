// The options of the snapshot shorthands.
#pragma once

#include <layerscope/algorithms/attention.hpp>
#include <layerscope/algorithms/knn.hpp>
#include <layerscope/algorithms/similarity.hpp>
#include <layerscope/algorithms/uncertainty.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/layout.hpp>
#include <layerscope/core/tensor_ref.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

/// Whose numbers a tensor holds, for the overview of layers. By default its name says so: "grad" or "gradient" at the
/// end, after a '/' or '.', is of gradients; weight…, bias…, kernel, gamma and beta are of parameters; all other
/// numbers are what a layer puts out. Parameters and gradients belong to the layer before the last '/' or '.':
/// "conv1/weight/grad" and "conv1/weight" to "conv1", as do the activations "conv1".
enum class TensorRole : std::uint8_t { outputs, parameters, gradients };

struct ActivationsOptions {
  /// What each axis means. Default by rank: [c] one sample, NC, NCHW, NCDHW; rank 3 must be said to be NTD, NCL or CHW.
  std::optional<Layout> layout = std::nullopt;
  /// Most samples copied and shown, at least 1. Default: RecorderOptions::max_samples.
  std::optional<std::int64_t> max_samples = std::nullopt;
  /// Most channels or features copied and shown, at least 1. Default: RecorderOptions::max_channels.
  std::optional<std::int64_t> max_channels = std::nullopt;
  /// Whether statistics() of everything are recorded too, nothing left out, so that dead units are told from all
  /// samples. Default: no, as that copies all of `x`.
  bool statistics = false;
};

struct FilterSnapshotOptions {
  /// What each axis means. Default by rank: OI, OIL, OIHW, OIDHW.
  std::optional<Layout> layout = std::nullopt;
  /// Most output channels copied and shown, at least 1. Default: RecorderOptions::max_channels, or 1024 for a matrix
  /// (OI), which is shown as one heatmap.
  std::optional<std::int64_t> max_outputs = std::nullopt;
  /// Most input channels copied and shown, at least 1. Default: 16, or 1024 for a matrix, or all with input_shape.
  std::optional<std::int64_t> max_inputs = std::nullopt;
  /// For a matrix: the shape [h, w] or [3, h, w] that the inputs of each unit had before they were flattened, so that
  /// each row is shown as an image. Default: none.
  Shape input_shape = {};
};

struct HistogramSnapshotOptions {
  /// Number of bins, 1 to 65,536. Default 30 (HistogramOptions::bins).
  std::optional<int> bins = std::nullopt;
  /// Whose numbers they are. Default: see TensorRole.
  std::optional<TensorRole> role = std::nullopt;
  /// Where the bins of the timeline begin and end, finite, min < max; read at the first step of a name. Default: chosen
  /// then, see HistogramTimelineOptions::range.
  std::optional<Range> timeline_range = std::nullopt;
};

struct GradientsOptions {
  /// Number of bins, 1 to 65,536. Default 30 (HistogramOptions::bins).
  std::optional<int> bins = std::nullopt;
};

struct StatisticsSnapshotOptions {
  /// What each axis means, for dead units. Default by rank as for activations; without one, of rank 3, no units are
  /// told.
  std::optional<Layout> layout = std::nullopt;
  /// Whose numbers they are. Default: see TensorRole.
  std::optional<TensorRole> role = std::nullopt;
};

struct HeatmapSnapshotOptions {
  /// Most rows, and most columns, copied and shown, at least 1. Default 1024.
  std::int64_t max_side = 1024;
};

struct AttentionSnapshotOptions {
  /// Which tokens look at which. Default: self of weights, causal of queries and keys.
  std::optional<AttentionKind> kind = std::nullopt;
  /// The tokens as the tokenizer writes them, UTF-8; empty, or one a query. Default none: positions are shown.
  std::vector<std::string> query_tokens = {};
  /// Empty, or one a key. Default: query_tokens, where there are as many keys as queries and the kind is not cross.
  std::vector<std::string> key_tokens = {};
  /// Of several samples, the one shown, from 0. Default 0.
  std::int64_t sample = 0;
  /// Of queries and keys: the factor of their products, finite. Default 1 / √d.
  std::optional<double> scale = std::nullopt;
  /// Most queries, and most keys, recorded a head, at least 1: longer sequences are pooled, the largest weight of each
  /// block staying. Default 512.
  std::int64_t max_side = 512;
};

/// Principal components, fitted at every step anew and turned onto the layout of the step before (orthogonal
/// Procrustes over the samples that both have), or kept as they were at the first step.
struct PcaProjection {
  enum class Basis : std::uint8_t {
    aligned,  ///< fitted at each step, then aligned: shows each step's own variance
    frozen,   ///< fitted at the first step: movement is movement of the data alone
  };
  /// Default: aligned. When the number of features changes, a frozen basis is fitted anew.
  Basis basis = Basis::aligned;
};

/// How the layout of a step of UMAP or t-SNE follows that of the step before.
enum class EmbeddingTimeline : std::uint8_t {
  /// The first step is laid out from scratch. Later ones start where the same samples lay, with the neighbours of the
  /// step before as the start of an approximate search, are held to where they were, and take a fraction of the
  /// iterations. A sample is held the more firmly the less it moved among the features, so that the layout moves where
  /// the data do. New samples start among their neighbours. Where neighbours overlap by less than 0.4 with those of the
  /// step before (Jaccard, above chance), the step is laid out from scratch and says so.
  aligned,
  separate,  ///< each step from scratch, with the same seed, as if there had been none before
};

/// UMAP; algorithms/umap.hpp says more of each option.
struct UmapProjection {
  /// Rows in a neighbourhood, the row itself counted, 2 …. Default 15.
  std::int64_t n_neighbors = 15;
  /// Distance below which points need not come closer, 0 … 1. Default 0.1.
  double min_dist = 0.1;
  /// Distance of the rows. Default: Euclidean.
  Metric metric = Metric::euclidean;
  /// Epochs of a layout from scratch, 1 …. Default: 500 for up to 10,000 rows, else 200.
  std::optional<std::int64_t> epochs = std::nullopt;
  /// Epochs of a layout that starts where the step before ended, 1 …. Default: 60, or
  /// 40 above 10,000 rows.
  std::optional<std::int64_t> warm_epochs = std::nullopt;
  /// Default: aligned.
  EmbeddingTimeline timeline = EmbeddingTimeline::aligned;
  /// How strongly the sample that moved least is held to where it was (UmapOptions::alignment), 0 …; it falls evenly by
  /// rank to a 1e-4th for the one that moved most. Default 1.
  double alignment = 1;
};

/// t-SNE; algorithms/tsne.hpp says more of each option.
struct TsneProjection {
  /// Effective number of neighbours of each point, at least 1. Default 30.
  double perplexity = 30;
  /// Distance of the rows. Default: Euclidean.
  Metric metric = Metric::euclidean;
  /// Iterations of a layout from scratch, 1 …. Default: 750 for up to 10,000 rows, else 500.
  std::optional<int> iterations = std::nullopt;
  /// Iterations of a layout that starts where the step before ended, 1 …. Default 100.
  int warm_iterations = 100;
  /// Default: aligned.
  EmbeddingTimeline timeline = EmbeddingTimeline::aligned;
  /// λ of the pull λ / (2n) ‖y − y before‖² that holds the sample that moved least to where it was, 0 …; it falls
  /// evenly by rank to a 1e-6th for the one that moved most. Default 3.
  double alignment = 3;
};

/// How rows become points of the plane or of space.
using EmbeddingMethod = std::variant<PcaProjection, UmapProjection, TsneProjection>;

/// Where chosen points have been over the last steps.
struct EmbeddingTrajectories {
  /// Samples whose way is shown, as `EmbeddingOptions::ids` number them. Default: those that moved most.
  std::vector<std::int64_t> ids = {};
  /// Without ids: how many, 0 … 100, those whose features moved most since the step before. Default 5.
  std::int64_t most_moved = 5;
  /// Steps shown, this one counted, 2 … 100. Default 5.
  std::int64_t steps = 5;
};

struct EmbeddingOptions {
  /// Integer class of each row, [n]; negative is unlabelled. Default: none.
  std::optional<TensorRef> labels = std::nullopt;
  /// A name for each class from 0. Default: none.
  std::vector<std::string> class_names = {};
  /// Default: principal components.
  EmbeddingMethod method = PcaProjection{};
  /// Dimensions of the layout, 2 or 3. Default 2.
  int dimensions = 2;
  /// Most rows copied and projected, drawn at random but the same ones at every step, at least 1. Default 5000.
  std::int64_t max_rows = 5000;
  /// Of the draw, and of methods that take one. Default 0.
  std::uint64_t seed = 0;
  /// Seconds that a step may take for neighbours and layout, above 0; PCA takes no notice. Iterations left out are made
  /// up for at the next step. The attributes say how many were done: what fits into a time differs from run to run.
  /// Default: no limit.
  std::optional<double> time_budget = std::nullopt;
  /// Rows whose neighbours are compared to tell how good the layout is and what changed since the step before, 0 (tell
  /// nothing) …; fewer where rows times features are many, 100 at least. The attributes say how many. Default 1000.
  std::int64_t quality_rows = 1000;
  /// Points whose way is drawn into the picture and kept with the artifact.
  EmbeddingTrajectories trajectories = {};
  /// Which sample each row is, [n], where rows are not the same samples in the same order at every step. Default: the
  /// row's number.
  std::optional<TensorRef> ids = std::nullopt;
  /// A picture of each row, [n, h, w] or [n, c, h, w] with 1 or 3 channels, shown at its point by sinks for the
  /// Embedding Projector; the others cost nothing. Default: none.
  std::optional<TensorRef> images = std::nullopt;
  /// What each axis of the images means, N first. Default by rank: NHW, NCHW.
  std::optional<Layout> images_layout = std::nullopt;
};

struct UncertaintySnapshotOptions {
  /// How the predictions of the members are to be read.
  PredictionOptions predictions{};
  /// Integer class of each sample, [n]; negative is unlabelled. Default: none.
  std::optional<TensorRef> labels = std::nullopt;
  /// A name for each class from 0. Default: their numbers.
  std::vector<std::string> class_names = {};
  /// A picture of each sample, [n, h, w] or [n, c, h, w] with 1 or 3 channels. Default: none.
  std::optional<TensorRef> images = std::nullopt;
  /// What each axis of the images means, N first. Default by rank: NHW, NCHW.
  std::optional<Layout> images_layout = std::nullopt;
  /// By what samples are ranked, and how many are shown, 1 to 64. Defaults: predictive entropy, 12.
  UncertaintyScore ranked_by = UncertaintyScore::predictive_entropy;
  std::int64_t count = 12;
};

/// A layer by name.
struct NamedTensor {
  std::string name;
  TensorRef tensor;  ///< [n, …]
};

struct SimilaritySnapshotOptions {
  /// Default linear CKA.
  SimilarityMeasure measure = SimilarityMeasure::linear_cka;
  /// What the layers are compared with: each other, or what they were.
  enum class Against : std::uint8_t {
    each_other,   ///< at this step
    first_step,   ///< that this name was recorded at; kept in memory
    step_before,  ///< the same of the latest one
  };
  /// Default each other. The first step has nothing but itself.
  Against against = Against::each_other;
  /// Most samples copied, drawn at random but the same ones at every step, at least 4. Default 512.
  std::int64_t max_samples = 512;
  /// Of the draw. Default 0.
  std::uint64_t seed = 0;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI
