// Body of algorithms/histogram_chart.hpp.
#pragma once

#include <layerscope/algorithms/histogram_chart.hpp>
