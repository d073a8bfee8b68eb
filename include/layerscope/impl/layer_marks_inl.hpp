// Body of algorithms/layer_overview.hpp: which layers go wrong, since when, and in what words.
#pragma once

#include <layerscope/algorithms/detail/canvas.hpp>
#include <layerscope/algorithms/layer_overview.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

inline void check_layer_table(const LayerTable& table, const char* what) {
  const std::size_t cells = table.layers.size() * table.steps.size();
  if (cells == 0) {
    throw Error(ErrorCode::empty, std::string(what) + ": " + to_text(table.layers.size()) + " layers at " +
                                      to_text(table.steps.size()) + " steps; expected at least one of each");
  }
  for (std::size_t i = 1; i < table.steps.size(); ++i) {
    if (table.steps[i - 1] < table.steps[i]) continue;
    throw Error(ErrorCode::invalid_argument, std::string(what) + ": step " + to_text(table.steps[i]) + " after " +
                                                 to_text(table.steps[i - 1]) + "; expected increasing steps");
  }
  for (const LayerMeasure measure : all_layer_measures) {
    if (table[measure].empty() || table[measure].size() == cells) continue;
    throw Error(ErrorCode::invalid_argument, std::string(what) + ": " + name(measure) + " has " +
                                                 to_text(table[measure].size()) + " cells; expected " + to_text(cells));
  }
}

inline void check_thresholds(const LayerThresholds& thresholds, const char* what) {
  for (const auto& [label, value] : {std::pair{"dead", thresholds.dead},
                                     {"vanishing", thresholds.vanishing},
                                     {"exploding", thresholds.exploding},
                                     {"growth", thresholds.growth},
                                     {"weight_growth", thresholds.weight_growth}}) {
    if (is_finite(value) && value > 0) continue;
    throw Error(ErrorCode::invalid_argument, std::string(what) + ": threshold " + label + " " + to_text(value) +
                                                 "; expected a positive finite number");
  }
}

/// A cell of one row as a threshold is asked about it: nothing where the table does not tell.
struct LayerFinding {
  bool crossed = false;
  double value = 0;
};

class LayerJudge {
 public:
  LayerJudge(const LayerTable& table, const LayerThresholds& thresholds) : table_(table), thresholds_(thresholds) {}

  /// The marks of one layer.
  std::vector<LayerMark> marks(std::size_t layer) const {
    std::vector<LayerMark> found;
    for (const LayerMeasure measure : all_layer_measures) {
      add(found, layer, LayerProblem::not_finite, measure, [&](std::size_t step) -> std::optional<LayerFinding> {
        const auto value = cell(measure, layer, step);
        if (!value) return std::nullopt;
        return LayerFinding{!is_finite(*value), *value};
      });
    }
    if (!found.empty()) {
      const auto oldest =
          std::min_element(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.since < b.since; });
      return {*oldest};
    }
    const auto on_value = [&](LayerMeasure measure, auto crossed) {
      return [this, measure, layer, crossed](std::size_t step) -> std::optional<LayerFinding> {
        const auto value = finite_cell(measure, layer, step);
        if (!value) return std::nullopt;
        return LayerFinding{crossed(*value), *value};
      };
    };
    using M = LayerMeasure;
    using P = LayerProblem;
    const LayerThresholds& limit = thresholds_;
    add(found, layer, P::dead, M::dead_share, on_value(M::dead_share, [&](double x) { return x >= limit.dead; }));
    add(found, layer, P::no_gradient, M::gradient_norm, on_value(M::gradient_norm, [](double x) { return x == 0; }));
    if (found.empty() || found[0].problem != P::dead) {
      add(found, layer, P::constant_outputs, M::output_spread,
          on_value(M::output_spread, [](double x) { return x == 0; }));
    }
    const auto beside = [&](M measure, bool above) {
      return [this, measure, layer, above](std::size_t step) -> std::optional<LayerFinding> {
        const auto value = finite_cell(measure, layer, step);
        const auto other = reference(measure, step);
        if (!value || *value == 0 || !other) return std::nullopt;
        const double ratio = *value / *other;
        return LayerFinding{above ? ratio > thresholds_.exploding : ratio < thresholds_.vanishing, ratio};
      };
    };
    const auto grown = [&](M measure, double most) {
      return [this, measure, layer, most](std::size_t step) -> std::optional<LayerFinding> {
        const auto value = finite_cell(measure, layer, step);
        const auto first = first_positive(measure, layer);
        if (!value || !first) return std::nullopt;
        return LayerFinding{*value / *first > most, *value / *first};
      };
    };
    const std::size_t before = found.size();
    add(found, layer, P::exploding_gradient, M::gradient_norm, beside(M::gradient_norm, true));
    if (found.size() == before)
      add(found, layer, P::exploding_gradient, M::gradient_norm, grown(M::gradient_norm, limit.growth));
    add(found, layer, P::vanishing_gradient, M::gradient_norm, beside(M::gradient_norm, false));
    const std::size_t outputs = found.size();
    add(found, layer, P::exploding_outputs, M::output_spread, beside(M::output_spread, true));
    if (found.size() == outputs)
      add(found, layer, P::exploding_outputs, M::output_spread, grown(M::output_spread, limit.growth));
    add(found, layer, P::vanishing_outputs, M::output_spread, beside(M::output_spread, false));
    add(found, layer, P::exploding_weights, M::weight_norm, grown(M::weight_norm, limit.weight_growth));
    return found;
  }

 private:
  std::optional<double> cell(LayerMeasure measure, std::size_t layer, std::size_t step) const {
    const LayerTable::Cells& cells = table_[measure];
    return cells.empty() ? std::nullopt : cells[layer * table_.steps.size() + step];
  }
  std::optional<double> finite_cell(LayerMeasure measure, std::size_t layer, std::size_t step) const {
    const auto value = cell(measure, layer, step);
    return value && is_finite(*value) ? value : std::nullopt;
  }

  /// What the layer is compared with at a step: gradients come from the last layer, outputs from the first.
  std::optional<double> reference(LayerMeasure measure, std::size_t step) const {
    const bool from_the_end = measure == LayerMeasure::gradient_norm;
    for (std::size_t i = 0; i < table_.layers.size(); ++i) {
      const auto value = cell(measure, from_the_end ? table_.layers.size() - 1 - i : i, step);
      if (value) return is_finite(*value) && *value > 0 ? value : std::nullopt;
    }
    return std::nullopt;
  }

  std::optional<double> first_positive(LayerMeasure measure, std::size_t layer) const {
    for (std::size_t step = 0; step < table_.steps.size(); ++step) {
      const auto value = finite_cell(measure, layer, step);
      if (value && *value > 0) return value;
    }
    return std::nullopt;
  }

  /// Adds a mark when the latest step that tells is beyond the threshold.
  template <class Find>
  void add(std::vector<LayerMark>& found, std::size_t layer, LayerProblem problem, LayerMeasure measure,
           const Find& find) const {
    std::optional<LayerMark> mark;
    for (std::size_t i = table_.steps.size(); i-- > 0;) {
      const std::optional<LayerFinding> finding = find(i);
      if (!finding) continue;
      if (!finding->crossed) break;
      if (!mark) mark = LayerMark{layer, problem, measure, 0, finding->value, {}};
      mark->since = table_.steps[i];
    }
    if (!mark) return;
    mark->text = words(*mark) + " since " + to_text(mark->since);
    found.push_back(std::move(*mark));
  }

  static std::string words(const LayerMark& mark) {
    switch (mark.problem) {
      case LayerProblem::not_finite: {
        const std::string what = is_nan(mark.value) ? "NaN" : "infinite";
        switch (mark.measure) {
          case LayerMeasure::gradient_norm: return what + " in gradients";
          case LayerMeasure::weight_norm:
          case LayerMeasure::weight_change: return what + " in weights";
          default: return what + " in outputs";
        }
      }
      case LayerProblem::dead: return "dead " + to_short_text(100 * mark.value, 3) + " %";
      case LayerProblem::no_gradient: return "gradient 0";
      case LayerProblem::constant_outputs: return "outputs constant";
      case LayerProblem::exploding_gradient: return "gradient exploding ×" + number_text(mark.value, 2);
      case LayerProblem::vanishing_gradient: return "gradient vanishing ×" + number_text(mark.value, 2);
      case LayerProblem::exploding_outputs: return "outputs exploding ×" + number_text(mark.value, 2);
      case LayerProblem::vanishing_outputs: return "outputs vanishing ×" + number_text(mark.value, 2);
      case LayerProblem::exploding_weights: return "weights exploding ×" + number_text(mark.value, 2);
    }
    return {};
  }

  const LayerTable& table_;
  const LayerThresholds& thresholds_;
};

}  // namespace detail

LAYERSCOPE_INLINE const char* name(LayerMeasure measure) noexcept {
  switch (measure) {
    case LayerMeasure::output_mean: return "output mean";
    case LayerMeasure::output_spread: return "output spread";
    case LayerMeasure::dead_share: return "dead units";
    case LayerMeasure::gradient_norm: return "gradient norm";
    case LayerMeasure::weight_norm: return "weight norm";
    case LayerMeasure::weight_change: return "weight change";
  }
  return "";
}

LAYERSCOPE_INLINE std::vector<LayerMark> layer_marks(const LayerTable& table, const LayerThresholds& thresholds) {
  detail::check_layer_table(table, "layer_marks");
  detail::check_thresholds(thresholds, "layer_marks");
  const detail::LayerJudge judge(table, thresholds);
  std::vector<LayerMark> marks;
  for (std::size_t layer = 0; layer < table.layers.size(); ++layer) {
    std::vector<LayerMark> found = judge.marks(layer);
    std::stable_sort(found.begin(), found.end(),
                     [](const LayerMark& a, const LayerMark& b) { return a.problem < b.problem; });
    std::move(found.begin(), found.end(), std::back_inserter(marks));
  }
  return marks;
}

LAYERSCOPE_INLINE const LayerMark* first_mark(const std::vector<LayerMark>& marks) noexcept {
  const auto before = [](const LayerMark& a, const LayerMark& b) {
    if (a.since != b.since) return a.since < b.since;
    if (a.problem != b.problem) return a.problem < b.problem;
    return a.measure == LayerMeasure::gradient_norm ? a.layer > b.layer : a.layer < b.layer;
  };
  const auto first = std::min_element(marks.begin(), marks.end(), before);
  return first == marks.end() ? nullptr : &*first;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
