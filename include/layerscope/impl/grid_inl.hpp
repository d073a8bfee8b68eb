// Body of algorithms/grid.hpp.
#pragma once

#include <layerscope/algorithms/grid.hpp>
