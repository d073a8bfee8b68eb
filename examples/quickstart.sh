#!/usr/bin/env bash
# Builds examples/quickstart.cpp and runs it: the shortest way from a clone to pictures. Debian 12, Ubuntu 24.04.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

packages=(g++ cmake make libeigen3-dev nlohmann-json3-dev libstb-dev zlib1g-dev libdeflate-dev)
if command -v apt-get >/dev/null; then
  missing=()
  for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    echo "installing ${missing[*]}"
    root=()
    if [ "$(id -u)" -ne 0 ]; then root=(sudo); fi
    "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  fi
fi

build=build/quickstart
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DLAYERSCOPE_BUILD_TESTS=OFF -DLAYERSCOPE_BUILD_BENCHMARKS=OFF \
  -DLAYERSCOPE_BUILD_TOOLS=OFF -DLAYERSCOPE_WITH_TORCH=OFF >/dev/null
cmake --build "$build" --target quickstart -j "$(nproc)"
"$build/bin/quickstart" "$build/run"
echo "The pictures are in $build/run"
