// Body of sinks/png.hpp.
#pragma once

#include <layerscope/impl/run_layout_inl.hpp>
#include <layerscope/sinks/png.hpp>

#include <map>
#include <string>

namespace layerscope::inline LAYERSCOPE_ABI {

struct PngSink::State {
  std::string directory;
  PngOptions png;
  PublishOptions publish;
  detail::ComponentOwners owners;
  std::map<std::string, std::string> latest;  ///< the file of each artifact that its next step replaces
};

LAYERSCOPE_INLINE PngSink::PngSink(const std::string& directory, const PngOptions& png, const PublishOptions& publish)
    : state_(std::make_unique<State>(State{directory, png, publish, {}, {}})) {
  const FileOperations& operations = publish.operations != nullptr ? *publish.operations : posix_file_operations();
  create_directories(directory, {}, &operations);
  const std::string probe = detail::joined(directory, ".layerscope-probe");
  publish_file(probe, std::string_view(), publish);
  operations.unlink(operations.context, probe.c_str());
}

LAYERSCOPE_INLINE PngSink::~PngSink() = default;

LAYERSCOPE_INLINE void PngSink::do_write(const Artifact& artifact) {
  if (!artifact.picture) return;
  const detail::ArtifactPlace place(state_->owners, artifact.name, artifact.kind, artifact.step);
  const std::string folder = create_directories(state_->directory, place.folder, state_->publish.operations);
  const std::string path = detail::joined(folder, place.stem + ".png");
  write_png(path, artifact.picture.get(), state_->png, state_->publish);
  if (artifact.retention != Retention::latest) return;
  std::string& previous = state_->latest[detail::joined(folder, encode_component(artifact.kind))];
  if (!previous.empty() && previous != path) {
    const FileOperations* operations = state_->publish.operations;
    if (operations == nullptr) operations = &posix_file_operations();
    operations->unlink(operations->context, previous.c_str());
  }
  previous = path;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
