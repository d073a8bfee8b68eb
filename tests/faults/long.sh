#!/usr/bin/env bash
# The long form of the fault tests: 3,000 kills by SIGKILL for each sink. The short form, 300, is an ordinary test.
#
#   bash tests/faults/long.sh
#   LAYERSCOPE_KILLS=1000 bash tests/faults/long.sh
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
build=build/faults
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_FLAGS=-O1 -DCMAKE_CXX_COMPILER=g++ \
  -DLAYERSCOPE_WITH_TORCH=OFF -DLAYERSCOPE_TEST_PROJECT=OFF -DLAYERSCOPE_BUILD_EXAMPLES=OFF \
  -DLAYERSCOPE_BUILD_TOOLS=OFF -DLAYERSCOPE_BUILD_BENCHMARKS=OFF >/dev/null
cmake --build "$build" --target kill >/dev/null
"$build/bin/kill" "${LAYERSCOPE_KILLS:-3000}"
