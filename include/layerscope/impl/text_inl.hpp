// Body of algorithms/text.hpp.
#pragma once

#include <layerscope/algorithms/text.hpp>
