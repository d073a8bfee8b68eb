// All layers of a network at a glance: what they put out, learn and weigh, layer by layer and step by step, with a mark
// on every layer that goes wrong.
//
// Signals that fade or grow from layer to layer, forwards and backwards, are what Glorot and Bengio, "Understanding the
// difficulty of training deep feedforward neural networks" (AISTATS 2010), compare across layers, and what Pascanu,
// Mikolov and Bengio, "On the difficulty of training recurrent neural networks" (ICML 2013), call vanishing and
// exploding gradients. Units that never fire: Lu, Shin, Su and Karniadakis, "Dying ReLU and initialization" (2019).
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/image.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

/// What is told of a layer at a step.
enum class LayerMeasure : std::uint8_t {
  output_mean,    ///< mean of what it puts out
  output_spread,  ///< standard deviation of that
  dead_share,     ///< share of its units that put out nothing but 0, in [0, 1]
  gradient_norm,  ///< Euclidean norm of the gradients of its parameters
  weight_norm,    ///< Euclidean norm of its parameters
  weight_change,  ///< ‖w − w before‖ / ‖w‖ of its parameters, from one step to the next
};

inline constexpr std::array<LayerMeasure, 6> all_layer_measures{LayerMeasure::output_mean, LayerMeasure::output_spread,
                                                                LayerMeasure::dead_share,  LayerMeasure::gradient_norm,
                                                                LayerMeasure::weight_norm, LayerMeasure::weight_change};

/// "output mean", "gradient norm" …
const char* name(LayerMeasure measure) noexcept;

/// Measures of layers at steps. An absent number was not recorded; NaN and infinity are results.
struct LayerTable {
  using Cells = std::vector<std::optional<double>>;

  std::vector<std::string> layers;  ///< from the input of the network to its output
  std::vector<std::int64_t> steps;  ///< increasing
  std::array<Cells, 6> measures{};  ///< by LayerMeasure: empty, or [layers, steps] row-major

  const Cells& operator[](LayerMeasure measure) const noexcept { return measures[static_cast<std::size_t>(measure)]; }
  Cells& operator[](LayerMeasure measure) noexcept { return measures[static_cast<std::size_t>(measure)]; }
};

/// From where on a layer is marked.
struct LayerThresholds {
  /// Share of dead units. Default 0.5.
  double dead = 0.5;
  /// Gradient norm over that of the last layer with gradients, and output spread over that of the first layer with
  /// outputs, at the same step: below `vanishing` and above `exploding`. Defaults 1e-3 and 1e3.
  double vanishing = 1e-3;
  double exploding = 1e3;
  /// Gradient norm or output spread over the layer's own at its first step. Default 100.
  double growth = 100;
  /// Weight norm over the layer's own at its first step. Default 10.
  double weight_growth = 10;
};

/// In order of gravity.
enum class LayerProblem : std::uint8_t {
  not_finite,          ///< a measure is NaN or infinite
  dead,                ///< LayerThresholds::dead is reached
  no_gradient,         ///< the gradient is exactly 0
  constant_outputs,    ///< the spread of the outputs is exactly 0
  exploding_gradient,  ///< beside the last layer, or grown
  vanishing_gradient,  ///< beside the last layer
  exploding_outputs,   ///< beside the first layer, or grown
  vanishing_outputs,   ///< beside the first layer
  exploding_weights,   ///< grown
};

/// A layer that is beyond a threshold at the latest step that tells.
struct LayerMark {
  std::size_t layer = 0;  ///< row of the table
  LayerProblem problem = LayerProblem::not_finite;
  LayerMeasure measure = LayerMeasure::output_mean;  ///< where it shows
  std::int64_t since = 0;                            ///< first step from which on it has been so
  double value = 0;                                  ///< what was compared with the threshold
  std::string text;                                  ///< "dead 97 % since 3", "gradient vanishing 2e-7 since 0"
};

/// The marks of all layers, by layer, then by gravity. One that follows from a graver one of the same layer is left out
/// (whatever is beside NaN, constant outputs of dead units). Throws Error(empty) without layers or steps,
/// Error(invalid_argument) when cells are not as many as layers × steps, when steps do not increase, and for thresholds
/// that are not positive and finite.
std::vector<LayerMark> layer_marks(const LayerTable& table, const LayerThresholds& thresholds = {});

/// The mark to look at first: the oldest; of several the gravest; of these the one nearest to the input, or to the
/// output for gradients, from where they come. Null without marks.
const LayerMark* first_mark(const std::vector<LayerMark>& marks) noexcept;

struct LayerOverviewOptions {
  /// First line. Default none.
  std::string title{};
  LayerThresholds thresholds{};
  /// Small lines below, such as what was measured on. Default none.
  std::vector<std::string> captions{};
};

/// One panel per measure that was recorded: a row per layer, a column per step, with a colour scale of its own, which
/// is logarithmic where the numbers span more than a factor of 20, and the latest number beside each row. Dead shares
/// go from 0 to 100 %. NaN, infinity, what was not recorded, and norms, spreads and changes of exactly 0 have colours
/// of their own. The words of layer_marks() stand at the right, and a frame shows where each was found; a line at the
/// top names the first. Columns too many for the width of a panel share pixels, which show the largest of them (NaN
/// before infinity before numbers). Rows lower than a line of text are labelled where there is room, marked ones first.
/// Throws as layer_marks(), and Error(empty) when no number was recorded.
Image layer_overview(const LayerTable& table, const LayerOverviewOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/layer_marks_inl.hpp>
#include <layerscope/impl/layer_overview_inl.hpp>
#endif
