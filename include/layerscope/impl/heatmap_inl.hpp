// Body of algorithms/heatmap.hpp.
#pragma once

#include <layerscope/algorithms/heatmap.hpp>
