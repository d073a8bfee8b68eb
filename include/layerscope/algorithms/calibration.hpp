// Whether a classifier is right as often as it says: reliability diagram, calibration errors, proper scores.
//
// Reliability diagram, ECE and MCE: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks" (ICML
// 2017), after Naeini, Cooper and Hauskrecht (AAAI 2015). ACE: Nixon, Dusenberry, Zhang, Jerfel and Tran, "Measuring
// Calibration in Deep Learning" (CVPR workshops 2019, equation 3). Brier score: Brier, "Verification of forecasts
// expressed in terms of probability" (1950), over all classes.
#pragma once

#include <layerscope/algorithms/uncertainty.hpp>
#include <layerscope/config.hpp>
#include <layerscope/core/image.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

struct CalibrationOptions {
  /// How the predictions are to be read.
  PredictionOptions predictions{};
  /// Bins of equal width of the diagram, ECE and MCE, 1 to 1000. Default 15, as Guo et al.
  int bins = 15;
  /// Ranges of equally many rows of ACE, 1 to 1000. Default 15, as Nixon et al.
  int ranges = 15;
};

/// Rows whose confidence is in (low, high]; the first bin has 0 too.
struct CalibrationBin {
  double low = 0, high = 0;
  std::int64_t count = 0;
  double confidence = 0;  ///< mean; 0 where count is
  double accuracy = 0;    ///< share that is right; 0 where count is
};

/// Confidence is the largest probability of a row; the class of it is the prediction, of equal ones the lowest. Every
/// number is the same to the bit for any order of the rows.
struct Calibration {
  std::vector<CalibrationBin> bins;
  /// Expected calibration error Σ count/n · |accuracy − confidence|, and the largest of the bins that have rows; in
  /// [0, 1].
  double ece = 0;
  double mce = 0;
  /// Adaptive calibration error: of each class, the rows in the order of its probability are cut into ranges of equally
  /// many, and |share of the class − mean probability| is averaged over ranges and classes. Rows of equal probability
  /// are one group; where a group is cut, each part has the group's share of the class.
  double ace = 0;
  /// Mean of Σ (p − [class is true])² over the classes, in [0, 2].
  double brier = 0;
  /// Mean of −log p of the true class, in nats; p from 2^−52 on, and a warning counts the others.
  double nll = 0;
  double accuracy = 0;
  double confidence = 0;  ///< mean
  std::int64_t rows = 0;  ///< that entered
  std::int64_t classes = 0;
  /// Rows left out for a negative label, and for NaN or infinity.
  std::int64_t unlabelled_rows = 0;
  std::int64_t undefined_rows = 0;
  std::vector<std::string> warnings;
};

/// Of predictions [n, classes, …] and labels [n, …], integers from 0; a negative label is none. Throws as
/// UncertaintyAccumulator::add(); Error(invalid_argument) for labels of another shape, of a type that is no integer, or
/// not below the number of classes, and for options out of range; Error(empty) where no row is left.
Calibration calibration(const AnyView& predictions, const AnyView& labels, const CalibrationOptions& options = {});

struct ReliabilityDiagramOptions {
  /// First line. Default none.
  std::string title{};
  /// Width of the whole picture in pixels, 240 to 4096; it is half as high again. Default 440.
  std::int64_t width = 440;
};

/// Accuracy over confidence as bars, with the gap to the diagonal: vermilion where the classifier is surer than right,
/// sky blue where it is less; below, how many rows have which confidence; and the numbers in words. Throws Error(empty)
/// without bins, Error(invalid_argument) for a width out of range.
Image reliability_diagram(const Calibration& of, const ReliabilityDiagramOptions& options = {});

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/calibration_inl.hpp>
#include <layerscope/impl/reliability_diagram_inl.hpp>
#endif
