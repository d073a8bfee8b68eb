// The picture of every artifact as PNG, and nothing else.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/io.hpp>
#include <layerscope/core/png.hpp>
#include <layerscope/sinks/sink.hpp>

#include <memory>
#include <string>

namespace layerscope::inline LAYERSCOPE_ABI {

/// One PNG for each artifact that has a picture, laid out as DirectorySink does; artifacts without one are ignored. It
/// keeps no manifest, so that it may share its directory with a JsonSink.
class PngSink final : public Sink {
 public:
  /// Makes the directory and tries a file in it. `publish.operations` must outlive the sink. Throws Error(io) naming
  /// the path and the cause.
  explicit PngSink(const std::string& directory, const PngOptions& png = {}, const PublishOptions& publish = {});
  ~PngSink() override;

 private:
  void do_write(const Artifact& artifact) override;

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/png_sink_inl.hpp>
#endif
