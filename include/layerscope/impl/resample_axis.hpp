// How resample() weighs the numbers along one axis, and sums them along both.
#pragma once

#include <layerscope/algorithms/resample.hpp>
#include <layerscope/core/parallel.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// What each output of one axis is made of: the weights [begin[i], begin[i + 1]) of as many inputs from first[i] on.
/// Neither first nor the ends decrease.
struct AxisKernel {
  std::vector<std::int64_t> first, begin{0};
  std::vector<double> weights;
  double total = 1;  // what the weights of an output add up to
  enum class Effect : std::uint8_t { copy, mix } effect = Effect::mix;

  std::int64_t outputs() const noexcept { return static_cast<std::int64_t>(first.size()); }
  std::int64_t count(std::int64_t i) const noexcept {
    return begin[static_cast<std::size_t>(i) + 1] - begin[static_cast<std::size_t>(i)];
  }
  std::int64_t end(std::int64_t i) const noexcept { return first[static_cast<std::size_t>(i)] + count(i); }
  const double* weights_of(std::int64_t i) const noexcept {
    return weights.data() + begin[static_cast<std::size_t>(i)];
  }
  void add(std::int64_t from, const std::vector<double>& some) {
    first.push_back(from);
    weights.insert(weights.end(), some.begin(), some.end());
    begin.push_back(static_cast<std::int64_t>(weights.size()));
  }
};

/// Input at the centre of output `index`.
inline std::int64_t nearest_input(std::int64_t index, std::int64_t inputs, std::int64_t outputs) noexcept {
  return (2 * index + 1) * inputs / (2 * outputs);
}

/// Shares of the input cells that each output cell covers, in units of which an input cell has `outputs` and an output
/// cell `inputs`, so that every share is an exact integer.
inline void add_area(AxisKernel& kernel, std::int64_t inputs, std::int64_t outputs) {
  kernel.total = static_cast<double>(inputs);
  std::vector<double> shares;
  for (std::int64_t i = 0; i < outputs; ++i) {
    const std::int64_t low = i * inputs;
    const std::int64_t high = low + inputs;
    shares.clear();
    for (std::int64_t cell = low / outputs; cell <= (high - 1) / outputs; ++cell) {
      shares.push_back(static_cast<double>((std::min)(high, (cell + 1) * outputs) - (std::max)(low, cell * outputs)));
    }
    kernel.add(low / outputs, shares);
  }
}

inline double sinc(double x) noexcept {
  const double angle = std::numbers::pi * x;
  return x == 0 ? 1.0 : std::sin(angle) / angle;
}

/// Weights of a filter of `support` cells to either side, cut off at the borders and made to add up to 1.
inline void add_filter(AxisKernel& kernel, std::int64_t inputs, std::int64_t outputs, double support,
                       double (*filter)(double)) {
  const double scale = static_cast<double>(inputs) / static_cast<double>(outputs);
  const double widening = (std::max)(scale, 1.0);
  const double reach = support * widening;
  std::vector<double> weights;
  for (std::int64_t i = 0; i < outputs; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const auto low = static_cast<std::int64_t>((std::max)(centre - reach + 0.5, 0.0));
    const auto high = (std::min)(static_cast<std::int64_t>(centre + reach + 0.5), inputs);
    weights.clear();
    double sum = 0;
    for (std::int64_t cell = low; cell < high; ++cell) {
      weights.push_back(filter((static_cast<double>(cell) - centre + 0.5) / widening));
      sum += weights.back();
    }
    for (double& weight : weights) weight /= sum;
    kernel.add(low, weights);
  }
}

inline AxisKernel axis_kernel(ResampleFilter filter, std::int64_t inputs, std::int64_t outputs) {
  AxisKernel kernel;
  if (inputs == outputs) {
    kernel.effect = AxisKernel::Effect::copy;
    for (std::int64_t i = 0; i < outputs; ++i) kernel.add(i, {1.0});
  } else if (filter == ResampleFilter::lanczos) {
    add_filter(kernel, inputs, outputs, 3, [](double x) { return std::fabs(x) < 3 ? sinc(x) * sinc(x / 3) : 0.0; });
  } else if (filter == ResampleFilter::bilinear) {
    add_filter(kernel, inputs, outputs, 1, [](double x) { return (std::max)(1 - std::fabs(x), 0.0); });
  } else {
    add_area(kernel, inputs, outputs);
  }
  return kernel;
}

/// 1 wherever an input takes part in an output.
inline AxisKernel touching(AxisKernel kernel) {
  for (double& weight : kernel.weights) weight = std::fabs(weight) > 1e-9 * kernel.total ? 1.0 : 0.0;
  return kernel;
}

/// Weighted sums of `planes` matrices at once. read(y, to) gives row y of all, [planes, width]; write(y, sums) gets
/// their sums, [planes, columns.outputs()], not yet divided by the totals.
template <class Read, class Write>
void weighted_sums(const AxisKernel& rows, const AxisKernel& columns, std::int64_t width, std::int64_t planes,
                   int threads, const Read& read, const Write& write) {
  const std::int64_t line = planes * columns.outputs();
  const std::int64_t block = (std::clamp<std::int64_t>)((std::int64_t{1} << 18) / line, 1, 32);
  parallel_for((rows.outputs() - 1) / block + 1, threads, [&](std::int64_t part) {
    const std::int64_t begin = part * block;
    const std::int64_t end = (std::min)(begin + block, rows.outputs());
    std::vector<double> given(static_cast<std::size_t>(planes * width)), across(static_cast<std::size_t>(line));
    std::vector<double> sums(static_cast<std::size_t>((end - begin) * line));
    std::int64_t active = begin;  // the first output that still takes rows
    for (std::int64_t y = rows.first[static_cast<std::size_t>(begin)]; y < rows.end(end - 1); ++y) {
      read(y, given.data());
      const double* from = given.data();
      if (columns.effect == AxisKernel::Effect::mix) {
        for (std::int64_t plane = 0; plane < planes; ++plane) {
          double* const to = across.data() + plane * columns.outputs();
          for (std::int64_t x = 0; x < columns.outputs(); ++x) {
            const double* const in = given.data() + plane * width + columns.first[static_cast<std::size_t>(x)];
            const double* const weights = columns.weights_of(x);
            double sum = 0;
            for (std::int64_t i = 0; i < columns.count(x); ++i) sum += weights[i] * in[i];
            to[x] = sum;
          }
        }
        from = across.data();
      }
      while (active < end && rows.end(active) <= y) ++active;
      for (std::int64_t out = active; out < end && rows.first[static_cast<std::size_t>(out)] <= y; ++out) {
        const double weight = rows.weights_of(out)[y - rows.first[static_cast<std::size_t>(out)]];
        double* const to = sums.data() + (out - begin) * line;
        for (std::int64_t i = 0; i < line; ++i) to[i] += weight * from[i];
      }
    }
    for (std::int64_t y = begin; y < end; ++y) write(y, sums.data() + (y - begin) * line);
  });
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
