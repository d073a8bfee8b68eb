// Body of ProjectorSink: the epochs of each embedding, kept as a timeline.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/impl/projector_inl.hpp>
#include <layerscope/sinks/projector.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// The first part of an artifact that is points with coordinates, or null.
inline const Points* points_of(const Artifact& artifact) noexcept {
  for (const Part& part : artifact.parts) {
    const auto* points = std::get_if<Points>(&part.value);
    if (points != nullptr && points->coordinates.rank() == 2 && !points->coordinates.empty()) return points;
  }
  return nullptr;
}

/// The epochs of one embedding.
class ProjectorTimeline {
 public:
  /// Takes an epoch in, and returns all of them as the page wants them. Rows are those of `points`; a sample that an
  /// older epoch had not is left out of that one's bookmark.
  ProjectorEmbedding add(const std::string& name, std::int64_t step, const Points& points, std::int64_t max_epochs) {
    epochs_[step] = Layout{points.coordinates, points.ids};
    if (static_cast<std::int64_t>(epochs_.size()) > max_epochs) thin(step);
    ProjectorEmbedding embedding;
    embedding.name = name;
    embedding.rows = points.rows.empty() ? points.coordinates : points.rows;
    embedding.metadata = projector_metadata(points);
    embedding.sprites = points.sprites;
    std::optional<std::unordered_map<std::int64_t, std::int64_t>> row_of;
    for (const auto& [its_step, layout] : epochs_) {
      ProjectorEpoch epoch;
      epoch.label = "step " + to_text(its_step);
      if (layout.ids == points.ids && layout.coordinates.extent(0) == points.coordinates.extent(0)) {
        epoch.coordinates = layout.coordinates;
      } else {
        if (points.ids.empty() || layout.ids.empty()) continue;  // nobody knows which sample is which
        if (!row_of) row_of = rows_by_id(points.ids);
        epoch = common_part(layout, *row_of, std::move(epoch.label));
        if (epoch.rows.empty()) continue;
      }
      embedding.epochs.push_back(std::move(epoch));
    }
    return embedding;
  }

  /// Whether thumbnails of these samples have to be written; those of the samples before need not.
  SpriteFile sprites_of(const Points& points) {
    if (!points.sprites.sheet) return SpriteFile::keep;
    if (drawn_ && *drawn_ == points.ids && !points.ids.empty()) return SpriteFile::keep;
    return SpriteFile::write;
  }
  void sprites_written(const Points& points) { drawn_ = points.ids; }

 private:
  struct Layout {
    Tensor coordinates;
    std::vector<std::int64_t> ids;
  };

  static std::unordered_map<std::int64_t, std::int64_t> rows_by_id(const std::vector<std::int64_t>& ids) {
    std::unordered_map<std::int64_t, std::int64_t> rows;
    for (std::size_t i = 0; i < ids.size(); ++i) rows.try_emplace(ids[i], static_cast<std::int64_t>(i));
    return rows;
  }

  static ProjectorEpoch common_part(const Layout& layout, const std::unordered_map<std::int64_t, std::int64_t>& row_of,
                                    std::string label) {
    std::map<std::int64_t, std::int64_t> places;  // row of the tensor, row of the layout
    for (std::size_t i = 0; i < layout.ids.size(); ++i) {
      const auto row = row_of.find(layout.ids[i]);
      if (row != row_of.end()) places.try_emplace(row->second, static_cast<std::int64_t>(i));
    }
    ProjectorEpoch epoch;
    epoch.label = std::move(label);
    if (places.empty()) return epoch;
    const std::size_t line =
        static_cast<std::size_t>(layout.coordinates.extent(1)) * size_of(layout.coordinates.dtype());
    epoch.coordinates =
        Tensor(layout.coordinates.dtype(), {static_cast<std::int64_t>(places.size()), layout.coordinates.extent(1)});
    std::byte* out = epoch.coordinates.mutable_raw();
    const auto* in = static_cast<const std::byte*>(layout.coordinates.raw());
    for (const auto& [row, place] : places) {
      epoch.rows.push_back(row);
      std::memcpy(out, in + static_cast<std::size_t>(place) * line, line);
      out += line;
    }
    return epoch;
  }

  /// Takes every second epoch away, but neither the first nor the last nor `latest`.
  void thin(std::int64_t latest) {
    bool odd = false;
    for (auto epoch = epochs_.begin(); epoch != epochs_.end(); odd = !odd) {
      const bool goes = odd && epoch->first != latest && std::next(epoch) != epochs_.end();
      epoch = goes ? epochs_.erase(epoch) : std::next(epoch);
    }
  }

  std::map<std::int64_t, Layout> epochs_;
  std::optional<std::vector<std::int64_t>> drawn_;
};

}  // namespace detail

struct ProjectorSink::State {
  struct Embedding {
    std::string listed_as;
    detail::ProjectorTimeline timeline;
    std::optional<detail::ProjectorEntry> entry;
  };

  std::string directory;
  ProjectorSinkOptions options;
  detail::ProjectorNames names;
  std::map<std::string, Embedding> embeddings;
};

LAYERSCOPE_INLINE ProjectorSink::ProjectorSink(const std::string& directory, const ProjectorSinkOptions& options)
    : state_(std::make_unique<State>(State{directory, options, {}, {}})) {
  detail::check_options(options.projector);
  if (options.max_epochs < 2) {
    throw Error(ErrorCode::invalid_argument,
                "projector: max_epochs " + to_text(options.max_epochs) + "; expected at least 2");
  }
  create_directories(directory, {}, options.projector.publish.operations);
}

LAYERSCOPE_INLINE ProjectorSink::~ProjectorSink() = default;

LAYERSCOPE_INLINE void ProjectorSink::do_write(const Artifact& artifact) {
  const Points* points = detail::points_of(artifact);
  if (points == nullptr) return;
  State::Embedding& mine = state_->embeddings[artifact.name];
  if (mine.listed_as.empty()) mine.listed_as = state_->names.claim(artifact.name);
  const ProjectorEmbedding embedding =
      mine.timeline.add(artifact.name, artifact.step, *points, state_->options.max_epochs);
  const detail::SpriteFile sprites = mine.timeline.sprites_of(*points);
  std::vector<std::string> warnings;
  detail::ProjectorEntry entry = detail::write_embedding(state_->directory, embedding, mine.listed_as,
                                                         state_->options.projector, sprites, warnings);
  if (sprites == detail::SpriteFile::write) mine.timeline.sprites_written(*points);
  mine.entry = std::move(entry);
  std::vector<detail::ProjectorEntry> entries;
  for (const auto& [name, each] : state_->embeddings) {
    if (each.entry) entries.push_back(*each.entry);
  }
  detail::write_config(state_->directory, entries, state_->options.projector);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
