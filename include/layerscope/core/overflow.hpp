// What a bounded queue does with what comes when it is full.
#pragma once

#include <layerscope/config.hpp>

#include <cstdint>

namespace layerscope::inline LAYERSCOPE_ABI {

/// What submit does when the queue is full.
enum class Overflow : std::uint8_t {
  drop_newest,  ///< refuse the new job
  drop_oldest,  ///< make room by dropping jobs that wait longest
  block,        ///< wait up to block_seconds, then refuse
};

}  // namespace layerscope::inline LAYERSCOPE_ABI
