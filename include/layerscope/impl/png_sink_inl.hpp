// Body of sinks/png.hpp.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/impl/run_layout_inl.hpp>
#include <layerscope/sinks/png.hpp>

#include <cerrno>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// A file that only proves that a directory can be written; none is left, even when its last fsync fails.
struct Probe {
  Probe(std::string given_path, const FileOperations& given) : path(std::move(given_path)), operations(given) {}
  ~Probe() {
    if (!removed) operations.unlink(operations.context, path.c_str());
  }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  void remove() {
    removed = operations.unlink(operations.context, path.c_str()) == 0;
    if (!removed) throw Error(ErrorCode::io, "png sink: unlink \"" + path + "\": " + errno_text(errno));
  }

  const std::string path;
  const FileOperations& operations;
  bool removed = false;
};

}  // namespace detail

struct PngSink::State {
  std::string directory;
  PngOptions png;
  PublishOptions publish;
  detail::ComponentOwners owners;
  std::map<std::string, std::string> latest;  ///< the file of each artifact that its next step replaces
  std::set<std::string> swept;                ///< the folders that no killed process has left anything in
};

LAYERSCOPE_INLINE PngSink::PngSink(const std::string& directory, const PngOptions& png, const PublishOptions& publish)
    : state_(std::make_unique<State>(State{directory, png, publish, {}, {}, {}})) {
  const FileOperations& operations = publish.operations != nullptr ? *publish.operations : posix_file_operations();
  create_directories(directory, {}, &operations);
  sweep_orphans(directory, &operations);
  detail::Probe probe(detail::joined(directory, ".layerscope-probe"), operations);
  publish_file(probe.path, std::string_view(), publish);
  probe.remove();
}

LAYERSCOPE_INLINE PngSink::~PngSink() = default;

LAYERSCOPE_INLINE void PngSink::do_write(const Artifact& artifact) {
  if (!artifact.picture) return;
  const FileOperations* operations = state_->publish.operations;
  if (operations == nullptr) operations = &posix_file_operations();
  const detail::ArtifactPlace place(state_->owners, artifact.name, artifact.kind, artifact.step);
  const std::string folder = create_directories(state_->directory, place.folder, operations);
  if (!state_->swept.contains(folder)) {
    sweep_orphans(folder, operations);
    state_->swept.insert(folder);
  }
  std::string path = detail::joined(folder, place.stem + ".png");
  if (artifact.retention != Retention::latest) {
    write_png(path, artifact.picture.get(), state_->png, state_->publish);
    return;
  }
  // Found before anything is written, so that nothing can fail between the new picture and the old one's end.
  std::string& previous = state_->latest[detail::joined(folder, encode_component(artifact.kind))];
  write_png(path, artifact.picture.get(), state_->png, state_->publish);
  if (!previous.empty() && previous != path) operations->unlink(operations->context, previous.c_str());
  previous.swap(path);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
