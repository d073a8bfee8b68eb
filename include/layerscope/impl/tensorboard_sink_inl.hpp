// Body of sinks/tensorboard_sink.hpp.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/impl/embedding_runs_inl.hpp>
#include <layerscope/impl/event_data.hpp>
#include <layerscope/impl/event_log.hpp>
#include <layerscope/sinks/tensorboard_sink.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <variant>

namespace layerscope::inline LAYERSCOPE_ABI {

struct TensorBoardSink::State {
  State(const std::string& directory, TensorBoardOptions options)
      : embeddings(detail::joined(directory, "embeddings"), options.operations),
        log(std::make_shared<detail::EventLog>(std::move(options))) {
    try {
      log->open(directory);
    } catch (const Error& error) {
      throw Error(error.code(), std::string("tensorboard: ") + error.what());
    }
    takes_over = log->resumed() && !log->purges();
  }

  /// Up to where a series is written.
  struct Written {
    double x = 0;
    double y = 0;
  };

  /// Writes one artifact, part by part; what fails does not keep the rest from being written.
  struct Writer {
    State& state;
    const Artifact& artifact;
    std::set<std::string> used{};
    std::size_t lost = 0;
    std::size_t shown = 0;

    std::string tag(const std::string& part) {
      std::string whole = artifact.kind.empty() ? artifact.name : artifact.kind + "/" + artifact.name;
      if (used.insert(whole).second) return whole;
      std::string longer = whole + "/" + part;
      for (int n = 2; !used.insert(longer).second; ++n) longer = whole + "/" + part + " " + to_text(n);
      return longer;
    }

    void add(detail::EventSort sort, const std::string& tag, const detail::EventLog::Make& make) {
      ++shown;
      if (!state.log->add(sort, tag, artifact.step, make)) ++lost;
    }

    void images(const std::string& part, std::span<const Image> pictures) {
      const auto files = std::make_shared<std::vector<std::vector<std::uint8_t>>>();
      std::int64_t bytes = 0;
      for (const Image& picture : pictures) {
        files->push_back(encode_png(picture, state.log->png()));
        bytes += static_cast<std::int64_t>(files->back().size()) + 256;
      }
      ++shown;
      const bool taken =
          state.log->defer(detail::EventSort::image, tag(part), artifact.step, bytes,
                           [files, width = pictures.front().width, height = pictures.front().height](
                               detail::EventBytes& out, const detail::EventStamp& stamp, std::string_view shown_tag) {
                             detail::append_images(out, stamp, shown_tag, width, height, *files);
                           });
      if (!taken) ++lost;
    }

    void text(const std::string& part, const std::string& words) {
      add(detail::EventSort::text, tag(part),
          [&](std::string& out, const detail::EventStamp& stamp, std::string_view shown_tag) {
            detail::append_text(out, stamp, shown_tag, words);
          });
    }

    void histogram(const std::string& part, const Histogram& counted) {
      const detail::EventHistogram rows = detail::event_histogram(counted);
      add(detail::EventSort::histogram, tag(part),
          [&](std::string& out, const detail::EventStamp& stamp, std::string_view shown_tag) {
            detail::append_histogram(out, stamp, shown_tag, rows);
          });
    }

    void graph(const Graph& graph) {
      std::string record;
      detail::append_graph(record, detail::wall_time_now(), graph);
      add(detail::EventSort::other, "_graph_",
          [&](std::string& out, const detail::EventStamp&, std::string_view) { out += record; });
    }

    void scalar(const std::string& tag, double value, std::int64_t step) {
      if (!state.log->scalar(tag, value, step)) ++lost;
    }

    void series(const Series& line) {
      shown += 1;
      const std::size_t size = (std::min)(line.x.size(), line.y.size());
      std::optional<Written>& last = state.series[artifact.name];
      std::size_t i = 0;
      if (last) i = static_cast<std::size_t>(std::lower_bound(line.x.begin(), line.x.end(), last->x) - line.x.begin());
      for (; i < size; ++i) {
        const bool same = last && line.x[i] == last->x &&
                          std::bit_cast<std::uint64_t>(line.y[i]) == std::bit_cast<std::uint64_t>(last->y);
        if (same) continue;
        scalar(artifact.name, line.y[i], static_cast<std::int64_t>(line.x[i]));
        last = Written{line.x[i], line.y[i]};
      }
    }

    void attributes() {
      for (const Attribute& attribute : artifact.attributes) {
        const std::string name = artifact.kind + "/" + artifact.name + "/" + attribute.name;
        if (const auto* const whole = std::get_if<std::int64_t>(&attribute.value)) {
          scalar(name, static_cast<double>(*whole), artifact.step);
        } else if (const auto* const number = std::get_if<double>(&attribute.value)) {
          scalar(name, *number, artifact.step);
        }
      }
    }

    void all() {
      if (artifact.kind == "histogram_timeline") return;  // TensorBoard draws its own of the histograms
      if (artifact.kind == "scalar") {
        for (const Part& part : artifact.parts) {
          if (const auto* const line = std::get_if<Series>(&part.value)) series(*line);
        }
        if (shown > 0) return;  // its picture shows the same
      }
      const bool counted = std::any_of(artifact.parts.begin(), artifact.parts.end(),
                                       [](const Part& part) { return std::holds_alternative<Histogram>(part.value); });
      const bool pictured = !counted && artifact.picture;
      if (pictured) images("picture", {&artifact.picture.get(), 1});  // first: its tag is the same at every step
      for (const Part& part : artifact.parts) {
        visit_part(
            part, [](const Part&) {}, [&](const Histogram& bins) { histogram(part.name, bins); },
            [&](const Text& words) { text(part.name, words.text); },
            [&](const Table& table) { text(part.name, detail::markdown_table(table)); },
            [&](const Graph& nodes) { graph(nodes); });
      }
      if (!pictured && !counted) {
        for (const Part& part : artifact.parts) {
          visit_part(
              part, [](const Part&) {},
              [&](const Image& image) {
                images(part.name, {&image, 1});
              },
              [&](const Grid& grid) {
                if (!grid.tiles.empty()) images(part.name, grid.tiles);
              });
        }
      }
      const bool tabular = std::all_of(artifact.parts.begin(), artifact.parts.end(),
                                       [](const Part& part) { return std::holds_alternative<Table>(part.value); });
      if (tabular && !artifact.picture) attributes();
    }
  };

  void write(const Artifact& artifact) {
    if (takes_over) {
      std::int64_t step = artifact.step;
      for (const Part& part : artifact.parts) {
        const auto* const line = std::get_if<Series>(&part.value);
        if (artifact.kind == "scalar" && line != nullptr && !line->x.empty()) {
          step = (std::min)(step, static_cast<std::int64_t>(line->x.front()));
        }
      }
      log->purge(step);
      takes_over = false;
    }
    Writer writer{*this, artifact};
    writer.all();
    embeddings.write(artifact);
    if (writer.lost == 0) return;
    const std::string why = log->disk_error();
    throw Error(ErrorCode::io, "tensorboard: " + to_text(writer.lost) + " values of " + artifact.kind + " \"" +
                                   artifact.name + "\" at step " + to_text(artifact.step) + " were not taken" +
                                   (why.empty() ? "; a step before one that is written, or no room" : ": " + why));
  }

  detail::EmbeddingRuns embeddings;
  std::shared_ptr<detail::EventLog> log;  // shared with its thread
  bool takes_over = false;
  std::map<std::string, std::optional<Written>> series;
};

LAYERSCOPE_INLINE TensorBoardSink::TensorBoardSink(const std::string& directory, TensorBoardOptions options)
    : state_(std::make_unique<State>(directory, std::move(options))) {}

LAYERSCOPE_INLINE TensorBoardSink::~TensorBoardSink() {
  if (state_->log->forked()) {
    // Its thread is gone, its locks may be held, its file is the parent's.
    static_cast<void>(state_.release());
    return;
  }
  try {
    state_->log->close(state_->log->close_seconds());
  } catch (...) {
    // A destructor must not throw; flush() is for who wants to know.
  }
}

LAYERSCOPE_INLINE const std::string& TensorBoardSink::path() const noexcept {
  return state_->log->path();
}

LAYERSCOPE_INLINE RunCounts TensorBoardSink::counts() const {
  return state_->log->forked() ? RunCounts() : state_->log->counts();
}

LAYERSCOPE_INLINE void TensorBoardSink::do_write(const Artifact& artifact) {
  if (!state_->log->forked()) state_->write(artifact);
}

LAYERSCOPE_INLINE void TensorBoardSink::do_flush() {
  if (state_->log->forked() || state_->log->flush(state_->log->close_seconds())) return;
  const std::string why = state_->log->disk_error();
  throw Error(ErrorCode::io, "tensorboard: " + (why.empty() ? "not flushed in time" : why));
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
