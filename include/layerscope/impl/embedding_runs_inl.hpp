// The embeddings of a TensorBoard run, each a run of its own below it.
#pragma once

#include <layerscope/core/format.hpp>
#include <layerscope/core/io.hpp>
#include <layerscope/impl/event_log.hpp>
#include <layerscope/impl/event_record.hpp>
#include <layerscope/impl/projector_sink_inl.hpp>

#include <unistd.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// TensorBoard reads the configs of the projector only when a run appears, and the page does not encode names of runs.
class EmbeddingRuns {
 public:
  EmbeddingRuns(std::string directory, const FileOperations* operations)
      : directory_(std::move(directory)), operations_(operations) {}

  /// Writes the files of an artifact that has points; does nothing for others.
  void write(const Artifact& artifact) {
    const Points* points = points_of(artifact);
    if (points == nullptr) return;
    Embedding& mine = embeddings_[artifact.name];
    if (mine.directory.empty()) mine.directory = joined(directory_, claim(artifact.name));
    create_directories(mine.directory, {}, operations_);
    ProjectorOptions options;
    options.publish.operations = operations_;
    const ProjectorEmbedding embedding = mine.timeline.add(artifact.name, artifact.step, *points, max_epochs);
    const SpriteFile sprites = mine.timeline.sprites_of(*points);
    std::vector<std::string> warnings;
    const ProjectorEntry entry =
        write_embedding(mine.directory, embedding, projector_name(artifact.name), options, sprites, warnings);
    if (sprites == SpriteFile::write) mine.timeline.sprites_written(*points);
    write_config(mine.directory, {&entry, 1}, options);
    if (!mine.announced) announce(mine.directory, options.publish);
    mine.announced = true;
  }

 private:
  static constexpr std::int64_t max_epochs = 64;

  struct Embedding {
    std::string directory;
    ProjectorTimeline timeline;
    bool announced = false;
  };

  /// An event file without values is what makes a directory a run.
  static void announce(const std::string& directory, const PublishOptions& publish) {
    const double now = wall_time_now();
    std::string record;
    append_version(record, now);
    const std::string name = "events.out.tfevents." + to_text(static_cast<std::int64_t>(now)) + ".layerscope." +
                             to_text(static_cast<std::int64_t>(getpid())) + ".0";
    publish_file(joined(directory, name), std::string_view(record), publish);
  }

  std::string claim(std::string_view name) {
    std::string plain;
    for (const char c : name.substr(0, 100)) {
      const bool safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                        (c == '.' && !plain.empty());
      plain += safe ? c : '-';
    }
    if (plain.empty()) plain = "-";
    for (int number = 1;; ++number) {
      std::string candidate = number == 1 ? plain : plain + "-" + to_text(number);
      std::string folded;
      for (const char c : candidate) folded += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      if (taken_.insert(folded).second) return candidate;
    }
  }

  std::string directory_;
  const FileOperations* operations_;
  std::map<std::string, Embedding> embeddings_;
  std::set<std::string> taken_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
