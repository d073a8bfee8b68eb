// Body of algorithms/filters.hpp.
#pragma once

#include <layerscope/algorithms/filters.hpp>
