// Body of algorithms/line_chart.hpp.
#pragma once

#include <layerscope/algorithms/line_chart.hpp>
