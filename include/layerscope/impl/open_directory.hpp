// A directory being listed, closed whatever happens: the names read from it take memory, which may run out.
#pragma once

#include <layerscope/config.hpp>

#include <dirent.h>

#include <memory>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

struct CloseDirectory {
  void operator()(DIR* stream) const noexcept { closedir(stream); }
};

/// What opendir() returned; null when that failed.
using OpenDirectory = std::unique_ptr<DIR, CloseDirectory>;

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
