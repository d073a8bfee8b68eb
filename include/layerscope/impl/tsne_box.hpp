// The box around a layout.
#pragma once

#include <layerscope/config.hpp>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Smallest box around all points.
struct TsneBox {
  float low[3];
  float high[3];
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
