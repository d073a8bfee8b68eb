// Body of impl/snapshot/overview.hpp: the artifact.
#pragma once

#include <layerscope/algorithms/text.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/impl/snapshot/overview.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

LAYERSCOPE_INLINE std::vector<Artifact> OverviewState::draw() {
  std::unique_lock lock(mutex_);
  drawn_early_ = coming_ > 0;
  return artifact(lock);
}

LAYERSCOPE_INLINE std::vector<Artifact> OverviewState::follow_up() {
  std::unique_lock lock(mutex_);
  if (coming_ > 0 || !std::exchange(drawn_early_, false)) return {};
  return artifact(lock);
}

LAYERSCOPE_INLINE LayerTable OverviewState::table() const {
  LayerTable table;
  table.steps = steps_;
  for (const OneLayer& one : layers_) table.layers.push_back(one.name);
  for (const LayerMeasure measure : all_layer_measures) {
    LayerTable::Cells cells;
    bool any = false;
    for (const OneLayer& one : layers_) {
      for (const Cells& all : one.cells) {
        cells.push_back(all[static_cast<std::size_t>(measure)]);
        any = any || cells.back();
      }
    }
    if (any) table[measure] = std::move(cells);
  }
  return table;
}

/// What was measured on.
LAYERSCOPE_INLINE std::vector<std::string> OverviewState::captions(const LayerTable& table) const {
  std::vector<std::string> captions;
  std::vector<std::pair<std::string, std::string>> parts;  // "8 of 2000 samples": layers
  std::string few;
  for (const OneLayer& one : layers_) {
    if (!one.dead) continue;
    if (one.dead->numbers < numbers_of_a_unit) {
      few += (few.empty() ? "" : ", ") + one.name;
    } else if (one.whole_dead != steps_.back()) {
      const std::string part =
          to_text(one.dead->samples_shown) + " of " + to_text(one.dead->samples_total) + " samples";
      const auto same = std::find_if(parts.begin(), parts.end(), [&](const auto& each) { return each.first == part; });
      if (same == parts.end()) {
        parts.emplace_back(part, one.name);
      } else {
        same->second += ", " + one.name;
      }
    }
  }
  if (!table[LayerMeasure::dead_share].empty()) {
    std::string line = "Dead units put out nothing but 0 for all samples given";
    for (const auto& [part, names] : parts) line += "; in " + elide(names, 240) + " for " + part;
    captions.push_back(line + (parts.empty() ? "." : " (statistics() takes all)."));
  }
  if (!few.empty()) {
    captions.push_back("Dead units are not told of " + elide(few, 240) + ": fewer than " + to_text(numbers_of_a_unit) +
                       " numbers a unit; statistics() takes all samples.");
  }
  if (!table[LayerMeasure::weight_change].empty()) {
    captions.push_back("Weight change: |w - w before| / |w| from step to step, on up to " + to_text(sampled_numbers) +
                       " numbers of each tensor.");
  }
  if (const LayerTable::Cells& gradients = table[LayerMeasure::gradient_norm]; !gradients.empty()) {
    bool any = false, all_zero = true;
    for (std::size_t i = steps_.size() - 1; i < gradients.size(); i += steps_.size()) {
      any = any || gradients[i];
      all_zero = all_zero && (!gradients[i] || *gradients[i] == 0);
    }
    if (any && all_zero) {
      captions.emplace_back("All gradients are 0: were they set to zero before the snapshot?");
    }
  }
  if (keep_every_ > 1) captions.push_back("Every " + to_text(keep_every_) + "th step, and the latest.");
  if (layers_left_out_ > 0) captions.push_back("Further layers after the first " + to_text(most_layers) + " left out.");
  return captions;
}

/// Rows of text and numbers about each layer, at the latest step that tells.
inline Table layer_rows(const LayerTable& table, const std::vector<LayerMark>& marks) {
  Table rows;
  std::vector<std::string> names = table.layers;
  rows.columns.push_back({"layer", std::move(names)});
  for (const LayerMeasure measure : all_layer_measures) {
    const LayerTable::Cells& cells = table[measure];
    if (cells.empty()) continue;
    std::vector<double> latest;
    for (std::size_t layer = 0; layer < table.layers.size(); ++layer) {
      std::optional<double> value;
      for (std::size_t step = table.steps.size(); !value && step-- > 0;)
        value = cells[layer * table.steps.size() + step];
      latest.push_back(value.value_or(std::numeric_limits<double>::quiet_NaN()));
    }
    rows.columns.push_back({name(measure), std::move(latest)});
  }
  std::vector<std::string> words(table.layers.size());
  for (const LayerMark& mark : marks) words[mark.layer] += (words[mark.layer].empty() ? "" : "; ") + mark.text;
  rows.columns.push_back({"marks", std::move(words)});
  return rows;
}

/// Copies under the lock, and gives it up for the rest.
LAYERSCOPE_INLINE std::vector<Artifact> OverviewState::artifact(std::unique_lock<std::mutex>& lock) const {
  if (layers_.empty() || steps_.empty()) return {};
  const auto shared = std::make_shared<const LayerTable>(table());
  const LayerTable& all = *shared;
  LayerOverviewOptions look;
  look.title = "All layers, step " + to_text(steps_.back());
  look.captions = captions(all);
  lock.unlock();
  const std::vector<LayerMark> marks = layer_marks(all);

  Artifact artifact;
  artifact.kind = "overview";
  artifact.name = "layers";
  artifact.retention = Retention::latest;
  artifact.parts.push_back({"layers", layer_rows(all, marks)});
  const auto layers = static_cast<std::int64_t>(all.layers.size());
  const auto columns = static_cast<std::int64_t>(all.steps.size());
  Tensor steps(DType::i64, {columns});
  std::memcpy(steps.mutable_raw(), all.steps.data(), all.steps.size() * sizeof(std::int64_t));
  artifact.parts.push_back({"steps", std::move(steps)});
  for (const LayerMeasure measure : all_layer_measures) {
    if (all[measure].empty()) continue;
    Tensor numbers(DType::f64, {layers, columns});
    Tensor recorded(DType::boolean, {layers, columns});
    double* number = numbers.mutable_data<double>();
    bool* there = recorded.mutable_data<bool>();
    for (const auto& cell : all[measure]) {
      *number++ = cell.value_or(0);
      *there++ = cell.has_value();
    }
    artifact.parts.push_back({name(measure), std::move(numbers)});
    artifact.parts.push_back({std::string(name(measure)) + " recorded", std::move(recorded)});
  }
  artifact.attributes.push_back({"layers", layers});
  artifact.attributes.push_back({"steps", columns});
  artifact.attributes.push_back({"marks", static_cast<std::int64_t>(marks.size())});
  if (const LayerMark* const first = first_mark(marks)) {
    artifact.attributes.push_back({"first mark", all.layers[first->layer] + ": " + first->text});
  }
  artifact.picture = Picture([shared, look] { return layer_overview(*shared, look); });
  std::vector<Artifact> one;
  one.push_back(std::move(artifact));
  return one;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
