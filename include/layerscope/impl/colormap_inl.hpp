// Body of algorithms/colormap.hpp.
#pragma once

#include <layerscope/algorithms/colormap.hpp>
