// Body of algorithms/feature_maps.hpp.
#pragma once

#include <layerscope/algorithms/feature_maps.hpp>
