// Body of recorder.hpp: a recorder that writes a run directory.
#pragma once

#include <layerscope/impl/recorder_core.hpp>
#include <layerscope/sinks/directory.hpp>

#include <memory>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE Recorder::Recorder(const std::string& directory, RecorderOptions options) noexcept
    : Recorder(std::move(options)) {
  if (core_ == nullptr) return;
  core_->attempt("recorder", directory, 0, [&] {
    DirectoryOptions files;
    files.byte_limit = core_->options.byte_limit;
    files.keep_every = core_->options.keep_every;
    add(std::make_shared<DirectorySink>(directory, files));
  });
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
