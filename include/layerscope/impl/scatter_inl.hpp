// Body of algorithms/scatter.hpp.
#pragma once

#include <layerscope/algorithms/scatter.hpp>
