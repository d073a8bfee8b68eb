// How sure several predictions of the same inputs are, and whether their doubt is the inputs' or the model's.
//
// Members are forward passes with dropout left on (Gal and Ghahramani, "Dropout as a Bayesian Approximation", ICML
// 2016) or the networks of an ensemble (Lakshminarayanan, Pritzel and Blundell, NeurIPS 2017). The entropy of their
// mean is split into the mean of their entropies and the mutual information of prediction and member: BALD, Houlsby,
// Huszár, Ghahramani and Lengyel, "Bayesian Active Learning for Classification and Preference Learning" (2011),
// equation 2. All entropies are in nats.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/image.hpp>
#include <layerscope/core/layout.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

/// What the numbers of a prediction are.
enum class PredictionKind : std::uint8_t {
  probabilities,  ///< at least 0, of sum 1 over the classes
  logits,         ///< any numbers below infinity: softmax makes probabilities of them; −infinity is probability 0
};

struct PredictionOptions {
  /// Default probabilities.
  PredictionKind kind = PredictionKind::probabilities;
  /// Which axis of one prediction has the classes; negative counts from the end. Default 1, as in [n, classes] and
  /// [n, classes, h, w].
  int class_axis = 1;
  /// By how much the sum of a row of probabilities may differ from 1, above 0; rows beyond it are divided by their
  /// sums, and a warning counts them. Default 1e-3.
  double tolerance = 1e-3;
  /// Threads at most; 0 means every core. The result does not depend on it.
  int threads = 0;
};

/// What K predictions of [n, …] rows say together; a prediction [n, classes, h, w] has a row for each pixel.
struct Uncertainty {
  Tensor mean;                ///< float64 [n, …, classes]: the mean probabilities
  Tensor variance;            ///< float64 [n, …, classes]: over the members, K in the denominator
  Tensor predictive_entropy;  ///< float64 [n, …]: of the mean, in [0, log classes]
  Tensor expected_entropy;    ///< float64 [n, …]: mean of the members' own; doubt that is in the inputs
  Tensor mutual_information;  ///< float64 [n, …]: the difference, in [0, log K]; doubt that the members have about
                              ///< each other, which more training data would take away
  Tensor predicted;           ///< int64 [n, …]: the class of the largest mean, of equal ones the lowest
  std::int64_t members = 0;
  std::int64_t classes = 0;
  /// Rows with NaN or infinity in any member: all their numbers are NaN, their class −1.
  std::int64_t undefined_rows = 0;
  /// What was found wrong on the way, one sentence each.
  std::vector<std::string> warnings;
};

/// Takes the members one by one, so that they need not be kept; memory 16 bytes for each probability of one member.
class UncertaintyAccumulator {
 public:
  explicit UncertaintyAccumulator(PredictionOptions options = {}) : options_(options) {}

  /// Takes one member's prediction: [n, classes, …] by default, of any element type and strides. One that throws
  /// changes nothing. Throws Error(empty) without elements; Error(invalid_argument) for a rank below 2, a class axis
  /// that is not there, fewer than 2 classes, another shape than before, a probability below 0 by more than rounding
  /// (1e-6), and options out of range.
  void add(const AnyView& member);

  /// Throws Error(empty) before the first member.
  Uncertainty result() const;

  std::int64_t members() const noexcept { return members_; }

 private:
  PredictionOptions options_;
  std::int64_t members_ = 0;
  Shape member_shape_;
  Shape rows_shape_;  // without the classes
  std::int64_t classes_ = 0;
  std::vector<double> mean_, squares_;   // [rows, classes]
  std::vector<double> entropy_;          // [rows]
  std::vector<std::uint8_t> undefined_;  // [rows]
  std::int64_t unnormalised_ = 0;        // rows of members
  std::string first_unnormalised_;
};

/// The same of members[K, n, classes, …] that are all there; PredictionOptions::class_axis counts without the first
/// axis. Throws as UncertaintyAccumulator::add(), and Error(invalid_argument) for a rank below 3.
Uncertainty uncertainty(const AnyView& members, const PredictionOptions& options = {});

/// What K predictions of numbers say together.
struct RegressionUncertainty {
  Tensor mean;                ///< float64, of the shape of a member
  Tensor epistemic_variance;  ///< of the means over the members, K in the denominator: the model's doubt
  Tensor aleatoric_variance;  ///< mean of the variances that the members predict, the inputs' doubt; empty without them
  Tensor total_variance;      ///< the sum: that of a mixture of Gaussians (Lakshminarayanan et al., section 2.4)
  std::int64_t members = 0;
  std::int64_t undefined = 0;  ///< numbers that are NaN, as they are not finite in some member
  std::vector<std::string> warnings;
};

/// Takes the members of a regression one by one.
class RegressionAccumulator {
 public:
  /// Takes one member's prediction of any shape, and the variances it predicts: of the same shape for all members, or
  /// for none. Throws Error(empty), and Error(invalid_argument) for shapes that differ and for a variance below 0.
  void add(const AnyView& mean, const std::optional<AnyView>& variance = std::nullopt);

  /// Throws Error(empty) before the first member.
  RegressionUncertainty result() const;

 private:
  std::int64_t members_ = 0;
  Shape shape_;
  bool with_variances_ = false;
  std::vector<double> mean_, squares_, aleatoric_;
  std::vector<std::uint8_t> undefined_;
};

/// By what samples are ranked.
enum class UncertaintyScore : std::uint8_t {
  predictive_entropy,
  expected_entropy,
  mutual_information,
  doubt,  ///< 1 − the largest mean probability
};

/// "predictive entropy", "expected entropy", "mutual information", "1 - confidence".
const char* name(UncertaintyScore score) noexcept;

/// One number a sample [n]: the mean over its rows that are defined; NaN where none is.
std::vector<double> sample_scores(const Uncertainty& of, UncertaintyScore score);

/// The samples by falling score, undefined ones first, equal ones by their number; `count` of them at most.
std::vector<std::int64_t> most_uncertain(const Uncertainty& of, std::int64_t count,
                                         UncertaintyScore score = UncertaintyScore::predictive_entropy);

struct UncertainSamplesOptions {
  /// First line. Default none.
  std::string title{};
  /// Most samples shown, 1 to 64. Default 12.
  std::int64_t count = 12;
  UncertaintyScore ranked_by = UncertaintyScore::predictive_entropy;
  /// True class of each sample, [n] or empty; negative is unknown.
  std::vector<std::int64_t> labels{};
  /// A name for each class from 0. Default: their numbers.
  std::vector<std::string> class_names{};
  /// A picture of each sample: [n, h, w] or [n, c, h, w] with 1 or 3 channels. Default none.
  std::optional<AnyView> images{};
  /// What each axis of the images means, N first. Default by rank: NHW, NCHW.
  std::optional<Layout> images_layout{};
  /// Small lines below. Default: members, samples, and the warnings.
  std::optional<std::vector<std::string>> captions{};
};

/// A line for each of the most uncertain samples of a classification [n, classes]: its picture, its number, true and
/// predicted class, the entropies, and the mean probability of each class with the members' standard deviation. Wrong
/// predictions are vermilion. Throws Error(invalid_argument) for dense predictions, and where labels or images are not
/// as many as samples.
Image uncertain_samples_chart(const Uncertainty& of, const UncertainSamplesOptions& options = {});

struct UncertaintyMapsOptions {
  /// First line. Default none.
  std::string title{};
  /// Most samples shown, from the most uncertain on, 1 to 64. Default 4.
  std::int64_t count = 4;
  /// Small lines below. Default: members, samples, and the warnings.
  std::optional<std::vector<std::string>> captions{};
};

/// Predictive entropy, expected entropy and mutual information of dense predictions [n, classes, h, w] or
/// [n, classes, l] as heatmaps side by side, in one scale from 0 to log(classes). Throws Error(invalid_argument) for
/// other ranks and a count out of range.
Image uncertainty_maps(const Uncertainty& of, const UncertaintyMapsOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/uncertainty_chart_inl.hpp>
#include <layerscope/impl/uncertainty_inl.hpp>
#endif
