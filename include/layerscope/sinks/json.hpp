// The numbers of every artifact as JSON, and a manifest: a DirectorySink without pictures.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/sinks/directory.hpp>

#include <string>

namespace layerscope::inline LAYERSCOPE_ABI {

/// One JSON file for each artifact, laid out as DirectorySink does; pictures are not even rendered.
class JsonSink final : public DirectorySink {
 public:
  /// `options.png` is ignored. Throws as DirectorySink.
  explicit JsonSink(const std::string& directory, DirectoryOptions options = {})
      : DirectorySink(directory, (options.png = Output::skip, options.json = Output::write, options)) {}
};

}  // namespace layerscope::inline LAYERSCOPE_ABI
