#!/usr/bin/env bash
# The long form of the fuzz tests: builds the targets with clang, libFuzzer and the address and undefined-behaviour
# sanitizers, runs one after the other for 10 million executions, and prints a line of figures for each. What it finds
# that is new stays in build/fuzz/found/<target>; an input that fails is left in build/fuzz.
#
#   bash tests/fuzz/long.sh                  every target
#   bash tests/fuzz/long.sh npy idx          only these
#   LAYERSCOPE_FUZZ_RUNS=100000 …            another number of executions
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
runs=${LAYERSCOPE_FUZZ_RUNS:-10000000}
build=$PWD/build/fuzz
clang=$(command -v clang++-14 || command -v clang++)

targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for file in tests/fuzz/*_fuzz.cpp; do targets+=("$(basename "$file" _fuzz.cpp)"); done
fi
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_COMPILER="$clang" -DLAYERSCOPE_TEST_MODE=compiled \
  "-DCMAKE_CXX_FLAGS=-O2 -g1 -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all" \
  -DLAYERSCOPE_WITH_TORCH=OFF -DLAYERSCOPE_TEST_PROJECT=OFF -DLAYERSCOPE_BUILD_EXAMPLES=OFF \
  -DLAYERSCOPE_BUILD_TOOLS=OFF -DLAYERSCOPE_BUILD_BENCHMARKS=OFF -DLAYERSCOPE_TEST_FILTER=none >/dev/null
cmake --build "$build" --target "${targets[@]/%/_fuzz}" >/dev/null

failed=0
for target in "${targets[@]}"; do
  dictionary=()
  if [ -f "tests/fuzz/$target.dict" ]; then dictionary=("-dict=$PWD/tests/fuzz/$target.dict"); fi
  mkdir -p "$build/found/$target"
  begin=$SECONDS
  status=0
  (cd "$build" && ASAN_OPTIONS=quarantine_size_mb=8 "bin/${target}_fuzz" -runs="$runs" -max_len=512 -entropic=0 -timeout=10 \
    -malloc_limit_mb=2 "${dictionary[@]}" -print_final_stats=1 "found/$target" \
    "$OLDPWD/tests/fuzz/corpus/$target") >"$build/$target.log" 2>&1 || status=$?
  executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$target.log")
  coverage=$(grep -o 'cov: [0-9]* ft: [0-9]* corp: [^ ]*' "$build/$target.log" | tail -n 1)
  printf '%-12s %10s executions %5d s   %s   exit status %d\n' \
    "$target" "$executed" $((SECONDS - begin)) "$coverage" "$status"
  if [ "$status" -ne 0 ]; then
    failed=1
    tail -n 40 "$build/$target.log"
  fi
done
exit "$failed"
