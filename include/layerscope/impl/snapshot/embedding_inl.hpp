// Body of Snapshot::embedding.
#pragma once

#include <layerscope/algorithms/pca.hpp>
#include <layerscope/algorithms/scatter.hpp>
#include <layerscope/algorithms/sprite_sheet.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/layout.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/impl/snapshot/common.hpp>
#include <layerscope/impl/snapshot/procrustes.hpp>
#include <layerscope/snapshot/snapshot.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// What a name keeps from step to step.
struct EmbeddingState {
  std::optional<Pca> basis;
  std::map<std::int64_t, std::array<double, 3>> layout;  // by sample
};

/// How an embedding is to be made, with everything but the numbers.
struct EmbeddingPlan {
  std::string title;
  std::vector<std::string> class_names;
  EmbeddingMethod method;
  std::size_t dimensions = 2;
  Cap rows;
  std::vector<std::int64_t> drawn;  // empty: every row
  bool labelled = false;
  bool identified = false;
  bool takes_inputs = false;  // a sink does
  bool pictured = false;
  std::optional<Layout> images_layout;
};

/// The rows that have no NaN or infinity.
inline std::vector<std::int64_t> finite_rows(const Tensor& values) {
  const std::int64_t columns = values.extent(1);
  const double* row = values.data<double>();
  std::vector<std::int64_t> kept;
  for (std::int64_t i = 0; i < values.extent(0); ++i, row += columns) {
    bool finite = true;
    for (std::int64_t j = 0; finite && j < columns; ++j) finite = is_finite(row[j]);
    if (finite) kept.push_back(i);
  }
  return kept;
}

inline Tensor rows_of(const Tensor& values, const std::vector<std::int64_t>& rows) {
  const auto columns = static_cast<std::size_t>(values.extent(1));
  Tensor result(DType::f64, {static_cast<std::int64_t>(rows.size()), values.extent(1)});
  double* out = result.mutable_data<double>();
  for (const std::int64_t row : rows) {
    std::memcpy(out, values.data<double>() + row * values.extent(1), columns * sizeof(double));
    out += columns;
  }
  return result;
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

/// The rotation from the layout `now` to the one before, over the samples of both.
inline std::optional<SmallMatrix> rotation_onto(const EmbeddingState& before, const std::vector<std::int64_t>& ids,
                                                const std::vector<std::array<double, 3>>& now, std::size_t dimensions,
                                                std::int64_t& common) {
  SmallMatrix sum{};
  common = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto old = before.layout.find(ids[i]);
    if (old == before.layout.end()) continue;
    ++common;
    for (std::size_t a = 0; a < dimensions; ++a) {
      for (std::size_t b = 0; b < dimensions; ++b) sum[b][a] += now[i][a] * old->second[b];
    }
  }
  if (common == 0) return std::nullopt;
  return nearest_orthogonal(sum, dimensions);
}

inline void turn(std::vector<std::array<double, 3>>& points, const SmallMatrix& rotation) {
  for (std::array<double, 3>& point : points) {
    point = {dot(point, rotation[0]), dot(point, rotation[1]), dot(point, rotation[2])};
  }
}

inline std::vector<Artifact> embedding_artifact(const EmbeddingPlan& plan, const JobInputs& inputs) {
  if (inputs.state == nullptr) inputs.state = std::make_shared<EmbeddingState>();
  EmbeddingState& state = *std::static_pointer_cast<EmbeddingState>(inputs.state);
  Artifact artifact;
  describe_numbers(artifact, inputs.tensors[0], inputs.threads);
  const std::int64_t given = inputs.tensors[0].extent(0);
  const Shape matrix{given, inputs.tensors[0].size() / given};
  const Tensor all = convert(*inputs.tensors[0].view().reshape(matrix), DType::f64);
  const std::vector<std::int64_t> kept = finite_rows(all);
  if (kept.empty())
    throw Error(ErrorCode::non_finite, "embedding: every row has NaN or infinity; expected one without");
  if (static_cast<std::int64_t>(kept.size()) < given) {
    artifact.warnings.push_back(to_text(given - static_cast<std::int64_t>(kept.size())) + " of " + to_text(given) +
                                " rows left out for NaN or infinity");
  }
  const Tensor x = static_cast<std::int64_t>(kept.size()) == given ? all : rows_of(all, kept);

  // Which sample each point is, and its class.
  Points points;
  const auto chosen = [&](std::size_t tensor) {
    const Tensor numbers = convert(inputs.tensors[tensor].view(), DType::i64);
    std::vector<std::int64_t> values;
    values.reserve(kept.size());
    for (const std::int64_t row : kept) values.push_back(numbers.data<std::int64_t>()[row]);
    return values;
  };
  std::size_t next = 1;
  if (plan.labelled) points.labels = chosen(next++);
  if (plan.identified) {
    points.ids = chosen(next);
  } else {
    for (const std::int64_t row : kept) {
      points.ids.push_back(plan.drawn.empty() ? row : plan.drawn[static_cast<std::size_t>(row)]);
    }
  }
  points.class_names = plan.class_names;

  const bool frozen = std::get<PcaProjection>(plan.method).basis == PcaProjection::Basis::frozen;
  if (!frozen || !state.basis || state.basis->mean.size() != x.extent(1)) {
    PcaOptions options;
    options.threads = inputs.threads;
    options.stop = inputs.stop;
    // A projection of fewer columns than dimensions lies in a plane or on a line, which is no news.
    options.components = (std::min)({static_cast<std::int64_t>(plan.dimensions), x.extent(0), x.extent(1)});
    Pca fitted = pca(x.view(), options);
    artifact.warnings.insert(artifact.warnings.end(), fitted.warnings.begin(), fitted.warnings.end());
    state.basis = std::move(fitted);
    if (frozen) state.layout.clear();
  }
  const Pca& basis = *state.basis;
  const Tensor scores = convert(basis.transform(x.view(), inputs.threads).view(), DType::f64);
  std::vector<std::array<double, 3>> layout(kept.size());
  for (std::size_t i = 0; i < layout.size(); ++i) {
    for (std::int64_t c = 0; c < scores.extent(1); ++c) {
      layout[i][static_cast<std::size_t>(c)] =
          scores.data<double>()[static_cast<std::int64_t>(i) * scores.extent(1) + c];
    }
  }
  std::int64_t common = 0;
  if (!frozen && !state.layout.empty()) {
    if (const auto rotation = rotation_onto(state, points.ids, layout, plan.dimensions, common)) {
      turn(layout, *rotation);
    } else {
      artifact.warnings.push_back("no sample in common with the step before: the layout is not aligned to it");
    }
  }
  if (!frozen) {
    state.layout.clear();
    for (std::size_t i = 0; i < layout.size(); ++i) state.layout[points.ids[i]] = layout[i];
  }

  points.coordinates =
      Tensor(DType::f32, {static_cast<std::int64_t>(layout.size()), static_cast<std::int64_t>(plan.dimensions)});
  float* out = points.coordinates.mutable_data<float>();
  for (const std::array<double, 3>& point : layout) {
    for (std::size_t c = 0; c < plan.dimensions; ++c) *out++ = static_cast<float>(point[c]);
  }

  artifact.attributes.push_back({"method", std::string("PCA")});
  artifact.attributes.push_back({"basis", std::string(frozen ? "frozen" : "aligned")});
  add_cap(artifact, "rows", plan.rows);
  artifact.attributes.push_back({"features", x.extent(1)});
  artifact.attributes.push_back({"aligned rows", common});
  double explained = 0;
  for (std::size_t c = 0; c < basis.explained_variance_ratio.size(); ++c) {
    explained += basis.explained_variance_ratio[c];
    artifact.attributes.push_back({"explained variance " + to_text(c + 1), basis.explained_variance_ratio[c]});
  }
  ScatterOptions look;
  look.title = plan.title;
  look.axes = Axes::ticks;
  look.captions.push_back("PCA; " + to_short_text(100 * explained, 3) + " % of the variance" +
                          (frozen ? " at the first step" : ""));
  if (plan.rows.shown < plan.rows.total) {
    look.captions.push_back(to_text(plan.rows.shown) + " of " + to_text(plan.rows.total) + " rows");
  }
  look.captions.insert(look.captions.end(), artifact.warnings.begin(), artifact.warnings.end());
  const auto drawn = std::make_shared<const Points>(points);
  if (plan.takes_inputs) add_inputs(points, artifact, plan, inputs, x, kept);
  artifact.parts.push_back({"points", std::move(points)});
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

}  // namespace detail

LAYERSCOPE_INLINE Status Snapshot::embedding(std::string_view name, const TensorRef& x,
                                             const EmbeddingOptions& options) noexcept {
  if (core_ == nullptr) return Outcome::skipped;
  return Recorder::guarded(*core_, "embedding", name, step_, [&] {
    const Shape shape = detail::shape_to_record(x, "embedding");
    if (options.dimensions != 2 && options.dimensions != 3) {
      throw Error(ErrorCode::invalid_argument,
                  "embedding: dimensions " + to_text(options.dimensions) + "; expected 2 or 3");
    }
    if (options.max_rows < 1) {
      throw Error(ErrorCode::invalid_argument,
                  "embedding: max_rows " + to_text(options.max_rows) + "; expected at least 1");
    }
    detail::EmbeddingPlan plan;
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
