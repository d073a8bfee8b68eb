// The version of layerscope, the one place that states it; CMakeLists.txt reads it from here.
#pragma once

#define LAYERSCOPE_VERSION_MAJOR 0
#define LAYERSCOPE_VERSION_MINOR 1
#define LAYERSCOPE_VERSION_PATCH 0
