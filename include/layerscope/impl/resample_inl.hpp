// Body of algorithms/resample.hpp.
#pragma once

#include <layerscope/algorithms/resample.hpp>
