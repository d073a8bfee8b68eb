// Body of impl/snapshot/overview.hpp, and how a snapshot that is over has the overview drawn.
#pragma once

#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/impl/recorder_core.hpp>
#include <layerscope/impl/snapshot/common.hpp>
#include <layerscope/impl/snapshot/overview.hpp>
#include <layerscope/impl/snapshot/overview_step.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// The last component of a name, separated by '/' or '.'.
inline std::string_view last_component(std::string_view name) {
  const std::size_t at = name.find_last_of("/.");
  return at == std::string_view::npos ? name : name.substr(at + 1);
}

inline std::string_view without_last(std::string_view name) {
  const std::size_t at = name.find_last_of("/.");
  return at == std::string_view::npos || at == 0 ? name : name.substr(0, at);
}

LAYERSCOPE_INLINE LayerTensor layer_tensor(std::string_view name, std::optional<TensorRole> role) {
  const auto named_gradient = [](std::string_view word) { return word == "grad" || word == "gradient"; };
  const auto named_parameter = [](std::string_view word) {
    return word.starts_with("weight") || word.starts_with("bias") || word == "kernel" || word == "gamma" ||
           word == "beta";
  };
  LayerTensor found;
  if (named_gradient(last_component(name)) && without_last(name) != name) {
    if (!role) role = TensorRole::gradients;
    if (*role == TensorRole::gradients) name = without_last(name);
  }
  found.role = role.value_or(named_parameter(last_component(name)) ? TensorRole::parameters : TensorRole::outputs);
  if (found.role == TensorRole::outputs) {
    found.layer = name;
  } else {
    found.layer = without_last(name);
    found.tensor = name;
  }
  return found;
}

/// NaN for what has NaN, infinity for what has that; else the number.
inline double or_not_finite(const Moments& moments, double value) {
  if (moments.nan_count() > 0) return std::numeric_limits<double>::quiet_NaN();
  if (moments.total() > moments.count()) return std::numeric_limits<double>::infinity();
  return value;
}

LAYERSCOPE_INLINE double finite_norm(const Moments& moments) {
  const double root_mean_square = std::hypot(moments.mean(), moments.standard_deviation());
  return std::sqrt(static_cast<double>(moments.count())) * root_mean_square;
}

inline double norm_of(const Moments& moments) {
  return or_not_finite(moments, moments.count() > 0 ? finite_norm(moments) : 0);
}

/// NaN and infinity stay what they are, also under -ffast-math.
inline double hypot_of(double a, double b) {
  if (is_nan(a) || is_nan(b)) return std::numeric_limits<double>::quiet_NaN();
  if (!is_finite(a) || !is_finite(b)) return std::numeric_limits<double>::infinity();
  return std::hypot(a, b);
}

/// Numbers of a tensor at positions that stay the same from step to step.
inline std::vector<double> sample_of(const AnyView& values, std::int64_t most) {
  const Tensor whole = values.contiguous() ? Tensor() : convert(values, values.dtype());
  const AnyView row = values.contiguous() ? values : whole.view();
  const auto* const bytes = static_cast<const std::byte*>(row.data());
  const std::size_t size = size_of(row.dtype());
  std::vector<double> sample;
  for (const std::int64_t at : Random(0).sample(values.size(), most)) {
    convert_into(AnyView(bytes + static_cast<std::size_t>(at) * size, row.dtype(), {1}), DType::f64,
                 &sample.emplace_back());
  }
  return sample;
}

LAYERSCOPE_INLINE DeadUnits dead_units(const ChannelStatistics& channels, std::int64_t samples_shown,
                                       std::int64_t samples_total) {
  DeadUnits found;
  found.units = channels.channels();
  found.dead = static_cast<std::int64_t>(channels.dead().size());
  if (found.units > 0) found.numbers = static_cast<std::int64_t>(channels[0].total());
  found.samples_shown = samples_shown;
  found.samples_total = samples_total;
  return found;
}

LAYERSCOPE_INLINE Moments moments_of(const ChannelStatistics& channels) {
  Moments all;
  for (std::int64_t channel = 0; channel < channels.channels(); ++channel) all.merge(channels[channel]);
  return all;
}

/// The layer's row; a new one comes after the one heard of before it, as layers are told in their order. Null when
/// there are too many.
LAYERSCOPE_INLINE OverviewState::OneLayer* OverviewState::layer(const std::string& name, TensorRole role,
                                                                std::int64_t step) {
  const auto find = [this](const std::string& wanted) {
    return std::find_if(layers_.begin(), layers_.end(), [&](const OneLayer& one) { return one.name == wanted; });
  };
  auto found = find(name);
  std::optional<Cursor>& cursor = cursors_[static_cast<std::size_t>(role)];
  if (found == layers_.end()) {
    if (layers_.size() >= most_layers) {
      ++layers_left_out_;
      return nullptr;
    }
    auto place = layers_.end();
    if (cursor && cursor->step == step) {
      place = find(cursor->layer);
      if (place != layers_.end()) ++place;
    }
    found = layers_.insert(place, OneLayer{name, std::vector<Cells>(steps_.size()), {}});
  }
  cursor = Cursor{step, name};
  return &*found;
}

LAYERSCOPE_INLINE OverviewState::OneTensor* OverviewState::tensor(OneLayer& layer, const std::string& name,
                                                                  TensorRole role) {
  for (OneTensor& one : layer.tensors) {
    if (one.role == role && one.name == name) return &one;
  }
  if (layer.tensors.size() >= most_tensors) return nullptr;
  OneTensor added;
  added.name = name;
  added.role = role;
  layer.tensors.push_back(std::move(added));
  return &layer.tensors.back();
}

/// Every second step goes, so that the columns stay evenly spaced; the latest stays.
LAYERSCOPE_INLINE void OverviewState::thin() {
  const std::size_t most = (std::min)(most_steps, (std::max<std::size_t>)(most_cells / (layers_.size() + 1), 16));
  while (steps_.size() > most) {
    keep_every_ *= 2;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      if (ordinals_[i] % keep_every_ != 0 && i + 1 < steps_.size()) continue;
      steps_[kept] = steps_[i];
      ordinals_[kept] = ordinals_[i];
      for (OneLayer& one : layers_) one.cells[kept] = one.cells[i];
      ++kept;
    }
    steps_.resize(kept);
    ordinals_.resize(kept);
    for (OneLayer& one : layers_) one.cells.resize(kept);
  }
}

LAYERSCOPE_INLINE std::size_t OverviewState::column(std::int64_t step) {
  auto at = std::lower_bound(steps_.begin(), steps_.end(), step);
  auto index = at - steps_.begin();
  if (at != steps_.end() && *at == step) return static_cast<std::size_t>(index);
  // Room first, as the table must stay one of equal rows when memory is short.
  const auto make_room = [](auto& vector) {
    if (vector.size() == vector.capacity()) vector.reserve(2 * vector.size() + 16);
  };
  make_room(steps_);
  make_room(ordinals_);
  for (OneLayer& one : layers_) make_room(one.cells);
  at = steps_.begin() + index;
  if (at == steps_.end() && !steps_.empty() && ordinals_.back() % keep_every_ != 0) {
    // The latest step was there for its being the latest.
    steps_.pop_back();
    ordinals_.pop_back();
    for (OneLayer& one : layers_) one.cells.pop_back();
    --index;
  }
  steps_.insert(steps_.begin() + index, step);
  ordinals_.insert(ordinals_.begin() + index, next_ordinal_++);
  for (OneLayer& one : layers_) one.cells.insert(one.cells.begin() + index, Cells{});
  thin();
  return static_cast<std::size_t>(std::lower_bound(steps_.begin(), steps_.end(), step) - steps_.begin());
}

LAYERSCOPE_INLINE OverviewState::Cells& OverviewState::cells(OneLayer& layer, std::int64_t step) {
  const std::size_t index = column(step);
  if (index < steps_.size() && steps_[index] == step) return layer.cells[index];
  return left_out_ = Cells{};  // a late step among those that were thinned out
}

LAYERSCOPE_INLINE void OverviewState::add_outputs(const LayerTensor& of, std::int64_t step, const Moments& moments,
                                                  const std::optional<DeadUnits>& dead, Coverage coverage) {
  const std::lock_guard lock(mutex_);
  OneLayer* const one = layer(of.layer, of.role, step);
  if (one == nullptr) return;
  Cells& now = cells(*one, step);
  const bool whole = coverage == Coverage::whole;
  if (whole || one->whole_outputs != step) {  // a part does not replace the whole
    at(now, LayerMeasure::output_mean) = or_not_finite(moments, moments.count() > 0 ? moments.mean() : 0);
    at(now, LayerMeasure::output_spread) =
        or_not_finite(moments, moments.count() > 0 ? moments.standard_deviation() : 0);
    if (whole) one->whole_outputs = step;
  }
  if (dead && (whole || one->whole_dead != step) && dead->units > 0) {
    if (whole) one->whole_dead = step;
    one->dead = dead;
    if (dead->numbers >= numbers_of_a_unit) {
      at(now, LayerMeasure::dead_share) = static_cast<double>(dead->dead) / static_cast<double>(dead->units);
    }
  }
}

LAYERSCOPE_INLINE void OverviewState::add_parameters(const LayerTensor& of, std::int64_t step, const Moments& moments,
                                                     const AnyView& values) {
  std::vector<double> sample = sample_of(values, sampled_numbers);
  const std::lock_guard lock(mutex_);
  OneLayer* const one = layer(of.layer, of.role, step);
  if (one == nullptr) return;
  OneTensor* const mine = tensor(*one, of.tensor, of.role);
  if (mine == nullptr) return;
  if (mine->sample.empty() || mine->step != step || mine->sample.size() != sample.size()) {
    mine->squared_change = std::nullopt;
    if (mine->sample.size() == sample.size() && mine->step < step) {
      double change = 0;
      for (std::size_t i = 0; i < sample.size(); ++i) change = hypot_of(change, sample[i] - mine->sample[i]);
      mine->squared_change = change;
    }
    mine->squared_sample = 0;
    for (const double value : sample) mine->squared_sample = hypot_of(mine->squared_sample, value);
    mine->sample = std::move(sample);
  }
  mine->step = step;
  mine->norm = norm_of(moments);
  double norm = 0, change = 0, size = 0;
  bool all_changed = true;
  for (const OneTensor& each : one->tensors) {
    if (each.role != of.role || each.step != step) continue;
    norm = hypot_of(norm, each.norm);
    all_changed = all_changed && each.squared_change;
    if (each.squared_change) change = hypot_of(change, *each.squared_change);
    size = hypot_of(size, each.squared_sample);
  }
  Cells& now = cells(*one, step);
  at(now, LayerMeasure::weight_norm) = norm;
  at(now, LayerMeasure::weight_change) = std::nullopt;
  if (!all_changed) return;
  if (!is_finite(change) || !is_finite(size)) {
    at(now, LayerMeasure::weight_change) = is_finite(change) ? size : change;
  } else if (size > 0) {
    at(now, LayerMeasure::weight_change) = change / size;
  }
}

LAYERSCOPE_INLINE void OverviewState::add_gradients(const LayerTensor& of, std::int64_t step, const Moments& moments) {
  const std::lock_guard lock(mutex_);
  OneLayer* const one = layer(of.layer, of.role, step);
  if (one == nullptr) return;
  OneTensor* const mine = tensor(*one, of.tensor, of.role);
  if (mine == nullptr) return;
  mine->step = step;
  mine->norm = norm_of(moments);
  double norm = 0;
  for (const OneTensor& each : one->tensors) {
    if (each.role == of.role && each.step == step) norm = hypot_of(norm, each.norm);
  }
  at(cells(*one, step), LayerMeasure::gradient_norm) = norm;
}

LAYERSCOPE_INLINE OverviewFeed::OverviewFeed(std::shared_ptr<OverviewState> state, LayerTensor of, std::int64_t step)
    : coming_(std::make_shared<Coming>(std::move(state))), of_(std::move(of)), step_(step) {}

LAYERSCOPE_INLINE void OverviewFeed::add(const Moments& moments, const AnyView& values,
                                         const std::optional<DeadUnits>& dead) const {
  if (coming_ == nullptr) return;
  switch (of_.role) {
    case TensorRole::outputs:
      return coming_->state->add_outputs(of_, step_, moments, dead, OverviewState::Coverage::whole);
    case TensorRole::parameters: return coming_->state->add_parameters(of_, step_, moments, values);
    case TensorRole::gradients: return coming_->state->add_gradients(of_, step_, moments);
  }
}

LAYERSCOPE_INLINE void OverviewFeed::add_part(const Moments& moments, const std::optional<DeadUnits>& dead) const {
  if (coming_ != nullptr) coming_->state->add_outputs(of_, step_, moments, dead, OverviewState::Coverage::part);
}

LAYERSCOPE_INLINE void OverviewFeed::finish(std::vector<Artifact>& artifacts) const {
  if (coming_ == nullptr) return;
  if (!std::exchange(coming_->over, true)) coming_->state->end();
  for (Artifact& artifact : coming_->state->follow_up()) artifacts.push_back(std::move(artifact));
}

}  // namespace detail

LAYERSCOPE_INLINE std::shared_ptr<Snapshot::Overview> Snapshot::Overview::make(std::shared_ptr<Recorder::Core> core,
                                                                               std::int64_t step) {
  const std::shared_ptr<void> kept =
      Recorder::keep(*core, "overview", "layers", [] { return std::shared_ptr<void>(new detail::OverviewState); });
  return std::make_shared<Overview>(std::move(core), step, std::static_pointer_cast<detail::OverviewState>(kept));
}

LAYERSCOPE_INLINE Snapshot::Overview::~Overview() {
  if (!fed) return;
  Recorder::guarded(*core, "overview", "layers", step, [&]() -> Status {
    {
      const Recorder::Core::Lock lock(core->mutex);
      if (core->closed) return Outcome::skipped;  // a snapshot that outlives its run
    }
    Job job;
    job.kind = "overview";
    job.name = "layers";
    job.step = step;
    job.waiting = Waiting::join;
    job.run = [drawn = state](const JobInputs&) { return drawn->draw(); };
    return Recorder::submit(*core, job, {});
  });
}

LAYERSCOPE_INLINE detail::OverviewFeed Snapshot::feed(std::string_view name, std::optional<TensorRole> role) {
  if (overview_ == nullptr) return {};
  overview_->fed = true;
  return {overview_->state, detail::layer_tensor(name, role), step_};
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
