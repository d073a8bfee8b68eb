// The curve 1 / (1 + a·d^(2b)) that comes nearest to what min_dist and spread ask for.
#pragma once

#include <layerscope/config.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

struct UmapCurve {
  double a = 1;
  double b = 1;
};

/// Least squares over 300 distances in [0, 3·spread], the target 1 up to min_dist and e^(−(d − min_dist) / spread)
/// beyond, by Levenberg's and Marquardt's method from a = b = 1: the fit of umap-learn's find_ab_params().
LAYERSCOPE_INLINE UmapCurve fit_umap_curve(double min_dist, double spread) {
  // In units of the spread, where both parameters are of order 1: a scales with spread^(−2b).
  constexpr int points = 300;
  const double knee = min_dist / spread;
  std::vector<double> logs(points);
  std::vector<double> target(points);
  for (int i = 0; i < points; ++i) {
    const double d = 3.0 * i / (points - 1);
    logs[static_cast<std::size_t>(i)] = i == 0 ? 0 : std::log(d);
    target[static_cast<std::size_t>(i)] = d < knee ? 1 : std::exp(knee - d);
  }
  // log a and log b, so that both stay positive.
  const auto residuals = [&](double log_a, double log_b, double* normal, double* slope) {
    const double a = std::exp(log_a);
    const double b = std::exp(log_b);
    double sum = 0;
    for (int i = 0; i < points; ++i) {
      const std::size_t at = static_cast<std::size_t>(i);
      const double power = i == 0 ? 0 : a * std::exp(2 * b * logs[at]);
      const double value = 1 / (1 + power);
      const double error = value - target[at];
      sum += error * error;
      if (normal == nullptr) continue;
      const double by_a = -value * value * power;
      const double by_b = by_a * 2 * b * logs[at];
      normal[0] += by_a * by_a;
      normal[1] += by_a * by_b;
      normal[2] += by_b * by_b;
      slope[0] += by_a * error;
      slope[1] += by_b * error;
    }
    return sum;
  };
  double log_a = 0;
  double log_b = 0;
  double damping = 1e-3;
  for (int iteration = 0; iteration < 200 && damping < 1e12; ++iteration) {
    double normal[3] = {};
    double slope[2] = {};
    const double before = residuals(log_a, log_b, normal, slope);
    const double p = normal[0] * (1 + damping) + 1e-300;
    const double q = normal[2] * (1 + damping) + 1e-300;
    const double determinant = p * q - normal[1] * normal[1];
    const double step_a = -(q * slope[0] - normal[1] * slope[1]) / determinant;
    const double step_b = -(p * slope[1] - normal[1] * slope[0]) / determinant;
    // A step beyond e² either way leaves what the derivatives know.
    const double length = (std::max)(1.0, (std::max)(std::abs(step_a), std::abs(step_b)) / 2);
    const double next_a = log_a + step_a / length;
    const double next_b = log_b + step_b / length;
    if (residuals(next_a, next_b, nullptr, nullptr) > before) {
      damping *= 4;
      continue;
    }
    log_a = next_a;
    log_b = next_b;
    damping = (std::max)(damping / 8, 1e-12);
    if (std::abs(step_a) + std::abs(step_b) < 1e-11) break;
  }
  const double b = std::exp(log_b);
  return {std::exp(log_a) * std::pow(spread, -2 * b), b};
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
