// Body of Snapshot::embedding.
#pragma once

#include <layerscope/algorithms/embedding_change.hpp>
#include <layerscope/algorithms/pca.hpp>
#include <layerscope/algorithms/scatter.hpp>
#include <layerscope/algorithms/sprite_sheet.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/layout.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/impl/matched_rows.hpp>
#include <layerscope/impl/snapshot/common.hpp>
#include <layerscope/impl/snapshot/embedding_pca.hpp>
#include <layerscope/impl/snapshot/embedding_report.hpp>
#include <layerscope/impl/snapshot/embedding_state.hpp>
#include <layerscope/impl/snapshot/embedding_tsne.hpp>
#include <layerscope/impl/snapshot/embedding_umap.hpp>
#include <layerscope/snapshot/snapshot.hpp>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// The rows of an input that have no NaN or infinity, as float64 where float32 would lose digits.
inline EmbeddingRows finite_rows(const Tensor& input, Artifact& artifact) {
  EmbeddingRows rows;
  const std::int64_t given = input.extent(0), columns = input.size() / given;
  const DType kept_as = input.dtype() == DType::f64 || input.dtype() == DType::i64 || input.dtype() == DType::u64 ||
                                input.dtype() == DType::i32 || input.dtype() == DType::u32
                            ? DType::f64
                            : DType::f32;
  const AnyView all = contiguous(*input.view().reshape({given, columns}), kept_as);
  const auto scan = [&](const auto* row) {
    for (std::int64_t i = 0; i < given; ++i, row += columns) {
      if (std::all_of(row, row + columns, [](auto value) { return is_finite(value); })) rows.kept.push_back(i);
    }
  };
  if (kept_as == DType::f64)
    scan(static_cast<const double*>(all.data()));
  else
    scan(static_cast<const float*>(all.data()));
  if (rows.kept.empty())
    throw Error(ErrorCode::non_finite, "embedding: every row has NaN or infinity; expected one without");
  const auto left_out = given - static_cast<std::int64_t>(rows.kept.size());
  if (left_out > 0) {
    artifact.warnings.push_back(to_text(left_out) + " of " + to_text(given) + " rows left out for NaN or infinity");
  }
  // A copy of its own in any case, as the queue takes the memory of its inputs back.
  rows.x = copy(picked_rows(all, rows.kept));
  return rows;
}

inline constexpr std::int64_t most_row_features = 256;  // beyond it, sinks get principal components instead
inline constexpr std::int64_t row_components = 50;

/// What the points were made of, for sinks that take it.
inline void add_inputs(Points& points, Artifact& artifact, const EmbeddingPlan& plan, const JobInputs& inputs,
                       const Tensor& x, const std::vector<std::int64_t>& kept) {
  points.rows = x;
  if (x.extent(1) > most_row_features) {
    PcaOptions options;
    options.threads = inputs.threads;
    options.stop = inputs.stop;
    options.components = (std::min)({row_components, x.extent(0), x.extent(1)});
    points.rows = pca(x.view(), options).transform(x.view(), inputs.threads);
    artifact.attributes.push_back({"rows kept as principal components", points.rows.extent(1)});
  }
  if (!plan.pictured) return;
  Tensor images = inputs.tensors.back();
  if (static_cast<std::int64_t>(kept.size()) < images.extent(0)) {
    Shape shape = images.shape();
    const std::size_t line = images.bytes() / static_cast<std::size_t>(shape[0]);
    shape[0] = static_cast<std::int64_t>(kept.size());
    Tensor fewer(images.dtype(), shape);
    std::byte* out = fewer.mutable_raw();
    for (const std::int64_t row : kept) {
      std::memcpy(out, static_cast<const std::byte*>(images.raw()) + static_cast<std::size_t>(row) * line, line);
      out += line;
    }
    images = fewer;
  }
  SpriteSheet sheet = sprite_sheet(images.view(), plan.images_layout);
  points.sprites = std::move(sheet.sprites);
  artifact.warnings.insert(artifact.warnings.end(), sheet.warnings.begin(), sheet.warnings.end());
}

/// Which sample each row is, and its class.
inline void name_rows(EmbeddingRows& rows, const EmbeddingPlan& plan, const JobInputs& inputs) {
  const auto chosen = [&](std::size_t tensor) {
    const Tensor numbers = convert(inputs.tensors[tensor].view(), DType::i64);
    std::vector<std::int64_t> values;
    values.reserve(rows.kept.size());
    for (const std::int64_t row : rows.kept) values.push_back(numbers.data<std::int64_t>()[row]);
    return values;
  };
  std::size_t next = 1;
  if (plan.labelled) rows.labels = chosen(next++);
  if (plan.identified) {
    rows.ids = chosen(next);
    return;
  }
  for (const std::int64_t row : rows.kept) {
    rows.ids.push_back(plan.drawn.empty() ? row : plan.drawn[static_cast<std::size_t>(row)]);
  }
}

inline EmbeddingLayout make_layout(const EmbeddingPlan& plan, const EmbeddingRows& rows, EmbeddingState& state,
                                   const JobInputs& inputs) {
  return std::visit(
      Overloaded{[&](const PcaProjection& method) { return pca_layout(method, plan, rows, state, inputs); },
                 [&](const UmapProjection& method) { return umap_layout(method, plan, rows, state, inputs); },
                 [&](const TsneProjection& method) { return tsne_layout(method, plan, rows, state, inputs); }},
      plan.method);
}

/// What the next step is compared with and starts from.
inline void remember(EmbeddingState& state, const EmbeddingPlan& plan, EmbeddingRows rows, Tensor coordinates) {
  const bool iterative = !std::holds_alternative<PcaProjection>(plan.method);
  if (plan.quality_rows > 0 && state.first_x.empty()) {
    state.first_step = plan.step;
    const auto n = rows.x.extent(0);
    const auto sample =
        Random(plan.seed, 0x66697273).sample(n, affordable_quality_rows(plan.quality_rows, n, rows.x.extent(1)));
    state.first_x = copy(picked_rows(rows.x.view(), sample));
    for (const std::int64_t row : sample) state.first_ids.push_back(rows.ids[static_cast<std::size_t>(row)]);
  }
  if (plan.quality_rows > 0 || iterative) {
    state.x = std::move(rows.x);
    state.coordinates = std::move(coordinates);
    state.ids = std::move(rows.ids);
  }
}

inline std::vector<Artifact> embedding_artifact(const EmbeddingPlan& plan, const JobInputs& inputs) {
  if (inputs.state == nullptr) inputs.state = std::make_shared<EmbeddingState>();
  EmbeddingState& state = *std::static_pointer_cast<EmbeddingState>(inputs.state);
  if (state.method != plan.method.index() || state.dimensions != plan.dimensions) {
    state = {};
    state.method = plan.method.index();
    state.dimensions = plan.dimensions;
  }
  Artifact artifact;
  describe_numbers(artifact, inputs.tensors[0], inputs.threads);
  EmbeddingRows rows = finite_rows(inputs.tensors[0], artifact);
  name_rows(rows, plan, inputs);
  EmbeddingLayout layout = make_layout(plan, rows, state, inputs);
  artifact.warnings.insert(artifact.warnings.end(), layout.warnings.begin(), layout.warnings.end());
  artifact.attributes = std::move(layout.attributes);
  add_cap(artifact, "rows", plan.rows);
  artifact.attributes.push_back({"features", rows.x.extent(1)});
  artifact.attributes.push_back({"aligned rows", layout.aligned});

  Points points;
  points.coordinates = position_tensor(layout.positions, plan.dimensions);
  points.labels = rows.labels;
  points.class_names = plan.class_names;
  points.ids = rows.ids;
  ScatterOptions look;
  look.title = plan.title;
  look.axes = std::holds_alternative<PcaProjection>(plan.method) ? Axes::ticks : Axes::hidden;
  look.captions.push_back(layout.caption);
  if (plan.rows.shown < plan.rows.total) {
    look.captions.back() += "; " + to_text(plan.rows.shown) + " of " + to_text(plan.rows.total) + " rows";
  }
  measure_or_warn(artifact, "quality", [&] { add_quality(artifact, look, plan, rows, points.coordinates, inputs); });
  std::vector<MovedSample> moved;
  measure_or_warn(artifact, "change",
                  [&] { moved = add_change(artifact, look, plan, rows, points.coordinates, state, inputs); });

  if (!layout.continues) state.past.clear();
  PastLayout now{plan.step, {}};
  for (std::size_t i = 0; i < rows.ids.size(); ++i) now.positions.emplace(rows.ids[i], layout.positions[i]);
  // A step recorded again takes the place of what it was.
  while (!state.past.empty() && state.past.back().step >= plan.step) state.past.pop_back();
  state.past.push_back(std::move(now));
  while (static_cast<std::int64_t>(state.past.size()) > plan.trajectories.steps) state.past.pop_front();
  add_trajectories(artifact, look, plan, rows, moved, state.past);

  look.captions.insert(look.captions.end(), artifact.warnings.begin(), artifact.warnings.end());
  const auto drawn = std::make_shared<const Points>(points);
  if (plan.takes_inputs) add_inputs(points, artifact, plan, inputs, rows.x, rows.kept);
  remember(state, plan, std::move(rows), points.coordinates);
  artifact.parts.insert(artifact.parts.begin(), {"points", std::move(points)});
  artifact.picture = Picture([drawn, look] { return scatter(*drawn, look); });
  return {std::move(artifact)};
}

inline void check_row_numbers(const TensorRef& x, std::int64_t rows, const char* what) {
  const Shape shape = x.shape();
  if (shape != Shape{rows}) {
    throw Error(ErrorCode::invalid_argument, "embedding: " + std::string(what) + " of shape " + to_text(shape) +
                                                 "; expected one a row, [" + to_text(rows) + "]");
  }
}

inline void check_embedding_options(const EmbeddingOptions& options) {
  const auto within = [](std::int64_t value, std::int64_t least, std::int64_t most, const char* what) {
    if (value >= least && value <= most) return;
    throw Error(ErrorCode::invalid_argument, std::string("embedding: ") + what + " " + to_text(value) + "; expected " +
                                                 to_text(least) + " to " + to_text(most));
  };
  const auto at_least = [](std::int64_t value, std::int64_t least, const char* what) {
    if (value >= least) return;
    throw Error(ErrorCode::invalid_argument,
                std::string("embedding: ") + what + " " + to_text(value) + "; expected at least " + to_text(least));
  };
  if (options.dimensions != 2 && options.dimensions != 3) {
    throw Error(ErrorCode::invalid_argument,
                "embedding: dimensions " + to_text(options.dimensions) + "; expected 2 or 3");
  }
  at_least(options.max_rows, 1, "max_rows");
  at_least(options.quality_rows, 0, "quality_rows");
  if (options.time_budget && !(*options.time_budget > 0 && is_finite(*options.time_budget))) {
    throw Error(ErrorCode::invalid_argument,
                "embedding: time_budget " + to_text(*options.time_budget) + "; expected a number of seconds above 0");
  }
  if (const auto* umap = std::get_if<UmapProjection>(&options.method)) {
    at_least(umap->n_neighbors, 2, "n_neighbors");
    at_least(umap->epochs.value_or(1), 1, "epochs");
    at_least(umap->warm_epochs.value_or(1), 1, "warm_epochs");
    if (!(umap->min_dist >= 0 && umap->min_dist <= 1)) {
      throw Error(ErrorCode::invalid_argument, "embedding: min_dist " + to_text(umap->min_dist) + "; expected 0 to 1");
    }
    if (!(umap->alignment >= 0 && is_finite(umap->alignment))) {
      throw Error(ErrorCode::invalid_argument,
                  "embedding: alignment " + to_text(umap->alignment) + "; expected 0 or more");
    }
  }
  if (const auto* tsne = std::get_if<TsneProjection>(&options.method)) {
    if (!(tsne->perplexity >= 1 && is_finite(tsne->perplexity))) {
      throw Error(ErrorCode::invalid_argument,
                  "embedding: perplexity " + to_text(tsne->perplexity) + "; expected at least 1");
    }
    at_least(tsne->iterations.value_or(1), 1, "iterations");
    at_least(tsne->warm_iterations, 1, "warm_iterations");
    if (!(tsne->alignment >= 0 && is_finite(tsne->alignment))) {
      throw Error(ErrorCode::invalid_argument,
                  "embedding: alignment " + to_text(tsne->alignment) + "; expected 0 or more");
    }
  }
  within(options.trajectories.most_moved, 0, 100, "trajectories.most_moved");
  within(options.trajectories.steps, 2, 100, "trajectories.steps");
}

}  // namespace detail

LAYERSCOPE_INLINE Status Snapshot::embedding(std::string_view name, const TensorRef& x,
                                             const EmbeddingOptions& options) noexcept {
  if (core_ == nullptr) return Outcome::skipped;
  return Recorder::guarded(*core_, "embedding", name, step_, [&] {
    const Shape shape = detail::shape_to_record(x, "embedding");
    detail::check_embedding_options(options);
    detail::EmbeddingPlan plan;
    plan.step = step_;
    plan.seed = options.seed;
    plan.time_budget = options.time_budget;
    plan.quality_rows = options.quality_rows;
    plan.trajectories = options.trajectories;
    plan.title = detail::picture_title(name, step_);
    plan.class_names = options.class_names;
    plan.method = options.method;
    plan.dimensions = static_cast<std::size_t>(options.dimensions);
    plan.rows = {(std::min)(shape[0], options.max_rows), shape[0]};
    if (plan.rows.shown < plan.rows.total) plan.drawn = Random(options.seed).sample(shape[0], plan.rows.shown);
    std::vector<detail::LateInput> inputs{{&x, shape, plan.drawn}};
    if (options.labels) {
      detail::check_row_numbers(*options.labels, shape[0], "labels");
      inputs.push_back({&*options.labels, Shape{shape[0]}, plan.drawn});
      plan.labelled = true;
    }
    if (options.ids) {
      detail::check_row_numbers(*options.ids, shape[0], "ids");
      inputs.push_back({&*options.ids, Shape{shape[0]}, plan.drawn});
      plan.identified = true;
    }
    plan.takes_inputs = Recorder::takes_inputs(*core_);
    if (options.images) {
      const Shape images = options.images->shape();
      const bool channels = images.rank() == 4;
      plan.images_layout = options.images_layout ? *options.images_layout : channels ? layouts::nchw : layouts::nhw;
      if ((images.rank() != 3 && !channels) || plan.images_layout->rank() != images.rank() ||
          plan.images_layout->find('N') != 0 || images[0] != shape[0]) {
        throw Error(ErrorCode::invalid_argument, "embedding: images of shape " + to_text(images) + " as " +
                                                     std::string(plan.images_layout->axes()) + "; expected one of " +
                                                     to_text(shape[0]) + " rows each, NHW or NCHW");
      }
      plan.pictured = plan.takes_inputs;
      if (plan.pictured) inputs.push_back({&*options.images, images, plan.drawn});
    }
    Job job;
    job.kind = "embedding";
    job.name = name;
    job.step = step_;
    job.lane = Lane::heavy;
    job.run = [plan = std::move(plan)](const JobInputs& copies) { return detail::embedding_artifact(plan, copies); };
    return Recorder::submit(*core_, job, inputs);
  });
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
