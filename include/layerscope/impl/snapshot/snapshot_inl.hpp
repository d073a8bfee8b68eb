// Body of snapshot/snapshot.hpp: making a snapshot, and the artifacts that the user made.
#pragma once

#include <layerscope/core/image.hpp>
#include <layerscope/impl/recorder_core.hpp>
#include <layerscope/impl/snapshot/common.hpp>
#include <layerscope/impl/snapshot/overview_step.hpp>
#include <layerscope/snapshot/snapshot.hpp>

#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {
inline constinit thread_local int observer_depth = 0;
}

LAYERSCOPE_INLINE Snapshot Recorder::snapshot(std::int64_t step) noexcept {
  if (core_ == nullptr) return {};
  Core& core = *core_;
  bool due = false;
  core.attempt("recorder", "schedule", step, [&] { due = core.options.schedule.due(step); });
  if (!due || core.forked()) return {};
  Snapshot snapshot(core_, step);
  if (core.options.overview) {
    core.attempt("overview", "layers", step, [&] { snapshot.overview_ = Snapshot::Overview::make(core_, step); });
  }
  std::shared_ptr<const std::vector<std::shared_ptr<const std::function<void(Snapshot&)>>>> observers;
  {
    const Core::Lock lock(core.mutex);
    if (!core.observers->empty()) observers = core.observers;
  }
  if (observers == nullptr || detail::observer_depth > 0) return snapshot;  // an observer may ask for a snapshot too
  const detail::CallerTime timed(core.caller_nanoseconds);
  ++detail::observer_depth;
  for (const auto& observer : *observers) core.attempt("recorder", "observer", step, [&] { (*observer)(snapshot); });
  --detail::observer_depth;
  return snapshot;
}

namespace detail {

/// About how much memory a part holds; what its picture holds is not known.
inline std::int64_t bytes_of(const Part& part) {
  return visit_part(
      part, [](const Part&) { return std::int64_t{0}; },
      [](const Tensor& tensor) { return static_cast<std::int64_t>(tensor.bytes()); },
      [](const Image& image) { return static_cast<std::int64_t>(image.pixels.size()); },
      [](const Grid& grid) {
        std::int64_t sum = 0;
        for (const Image& tile : grid.tiles) sum += static_cast<std::int64_t>(tile.pixels.size());
        return sum;
      },
      [](const Series& series) { return static_cast<std::int64_t>((series.x.size() + series.y.size()) * 8); },
      [](const Points& points) {
        return static_cast<std::int64_t>(points.coordinates.bytes() + (points.labels.size() + points.ids.size()) * 8);
      },
      [](const Text& text) { return static_cast<std::int64_t>(text.text.size()); });
}

}  // namespace detail

LAYERSCOPE_INLINE Status Snapshot::artifact(Artifact artifact) noexcept {
  if (core_ == nullptr) return Outcome::skipped;
  return Recorder::guarded(*core_, artifact.kind, artifact.name, step_, [&] {
    if (artifact.kind.empty()) {
      throw Error(ErrorCode::invalid_argument, "artifact: no kind; expected what it is, such as \"roc_curve\"");
    }
    Job job;
    job.kind = artifact.kind;
    job.name = artifact.name;
    job.step = step_;
    for (const Part& part : artifact.parts) job.bytes += detail::bytes_of(part);
    // Shared, as std::function wants what it holds to be copyable, and copies of this could be large. Kind and name
    // stay behind, where the report of a failure looks for them; the recorder fills them in.
    const auto held = std::make_shared<Artifact>();
    held->parts = std::move(artifact.parts);
    held->range = artifact.range;
    held->attributes = std::move(artifact.attributes);
    held->warnings = std::move(artifact.warnings);
    held->picture = std::move(artifact.picture);
    held->retention = artifact.retention;
    job.run = [held](const JobInputs&) { return std::vector<Artifact>{std::move(*held)}; };
    return Recorder::submit(*core_, job, {});
  });
}

LAYERSCOPE_INLINE Status Snapshot::image(std::string_view name, Image image) noexcept {
  if (core_ == nullptr) return Outcome::skipped;
  return Recorder::guarded(*core_, "image", name, step_, [&] {
    if (image.empty()) throw Error(ErrorCode::empty, "image: no pixels; expected at least one");
    check_image(image, "image");
    Job job;
    job.kind = "image";
    job.name = name;
    job.step = step_;
    job.bytes = static_cast<std::int64_t>(image.pixels.size());
    job.run = [held = std::make_shared<Image>(std::move(image))](const JobInputs&) {
      Artifact artifact;
      artifact.attributes = {{"width", held->width}, {"height", held->height}};
      artifact.parts.push_back({"image", *held});
      artifact.picture = Picture(std::move(*held));
      return std::vector<Artifact>{std::move(artifact)};
    };
    return Recorder::submit(*core_, job, {});
  });
}

LAYERSCOPE_INLINE Status Snapshot::text(std::string_view name, std::string_view markdown) noexcept {
  if (core_ == nullptr) return Outcome::skipped;
  return Recorder::guarded(*core_, "text", name, step_, [&] {
    Job job;
    job.kind = "text";
    job.name = name;
    job.step = step_;
    job.bytes = static_cast<std::int64_t>(markdown.size());
    job.run = [words = std::string(markdown)](const JobInputs&) {
      Artifact artifact;
      artifact.parts.push_back({"text", Text{words}});
      return std::vector<Artifact>{std::move(artifact)};
    };
    return Recorder::submit(*core_, job, {});
  });
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
