#!/usr/bin/env bash
# The whole test suite, from a clean clone on Debian 12 or Ubuntu 24.04: installs what is missing, then configures,
# builds and tests in several ways, and closes with one line of counts.
#
#   bash tests/run.sh                    everything
#   bash tests/run.sh gcc tsan           only these stages: gcc clang asan tsan fuzz fast arm
#   LAYERSCOPE_TORCH=0 bash tests/run.sh without libtorch (600 MB installed)
#   LAYERSCOPE_INSTALL_PACKAGES=0 …      with the packages that are there
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

torch=${LAYERSCOPE_TORCH:-1}
stages=("$@")
if [ ${#stages[@]} -eq 0 ]; then stages=(gcc clang asan tsan fuzz fast arm); fi
build=build/test
jobs=$(nproc)
started=$SECONDS

say() { printf '\n== %s\n' "$*"; }

# --- packages -------------------------------------------------------------------------------------------------------
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }
installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'; }
available() { apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'; }

install_packages() {
  local wanted=(g++ cmake ninja-build pkg-config git python3 libeigen3-dev nlohmann-json3-dev libstb-dev catch2
    zlib1g-dev libdeflate-dev libcli11-dev libbenchmark-dev clang-format-14 clang-tidy-14 python3-venv
    libopencv-core-dev libxtensor-dev libarmadillo-dev libdlib-dev libdlpack-dev g++-aarch64-linux-gnu qemu-user)
  if [ "$torch" != 0 ]; then wanted+=(libtorch-dev); fi
  local missing=() package
  for package in "${wanted[@]}"; do installed "$package" || missing+=("$package"); done
  if ! command -v clang++-14 clang++ >/dev/null; then missing+=(clang-14); fi
  if ! command -v node >/dev/null; then missing+=(nodejs); fi
  if ! command -v npm >/dev/null; then missing+=(npm); fi
  if ! command -v chromium chromium-browser google-chrome >/dev/null; then missing+=(chromium); fi
  if [ ${#missing[@]} -eq 0 ]; then return; fi

  as_root apt-get update -qq
  local known=()
  for package in "${missing[@]}"; do
    if available "$package"; then
      known+=("$package")
    elif [ "$package" = clang-14 ]; then
      known+=(clang)
    else
      echo "package $package is not to be had here"
    fi
  done
  if [ ${#known[@]} -eq 0 ]; then return; fi
  say "installing ${known[*]}"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${known[@]}" >/dev/null
}

# The runtime of clang's sanitizers and of libFuzzer is a package of its own, named by the version.
install_clang_runtime() {
  local clang folder
  clang=$(command -v clang++-14 || command -v clang++) || return 0
  folder=$("$clang" -print-resource-dir)
  if compgen -G "$folder/lib/*/libclang_rt.tsan*" >/dev/null; then return; fi
  say "installing the runtime of clang's sanitizers"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    "libclang-rt-$("$clang" -dumpversion | cut -d. -f1)-dev" >/dev/null
}

if [ "${LAYERSCOPE_INSTALL_PACKAGES:-1}" != 0 ]; then
  if command -v apt-get >/dev/null; then
    install_packages
    install_clang_runtime
  else
    echo "no apt-get here: see the package list in tests/run.sh"
  fi
fi

clang=$(command -v clang++-14 || command -v clang++ || true)
for tool in clang-format-14 clang-tidy-14 aarch64-linux-gnu-g++ qemu-aarch64; do
  if [ "${CI:-}" = true ] && ! command -v "$tool" >/dev/null; then
    echo "$tool is missing, and this is the machine that has to check the project with it" >&2
    exit 1
  fi
done
generator=()
if command -v ninja >/dev/null; then generator=(-G Ninja); fi
launcher=()
if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi

# --- stages ---------------------------------------------------------------------------------------------------------
passed=0
failed=0
skipped=0
summary=()

count() {  # count <junit file>: adds a stage's tests to the totals
  local suite
  suite=$(grep -m1 -A8 '<testsuite ' "$1" | tr '\n\t' '  ')
  local total wrong left_out
  total=$(sed -E 's/.* tests="([0-9]+)".*/\1/' <<<"$suite")
  wrong=$(sed -E 's/.* failures="([0-9]+)".*/\1/' <<<"$suite")
  left_out=$(sed -E 's/.* skipped="([0-9]+)".*/\1/' <<<"$suite")
  passed=$((passed + total - wrong - left_out))
  failed=$((failed + wrong))
  skipped=$((skipped + left_out))
  result="$((total - wrong - left_out)) of $total passed"
}

stage() {  # stage <name> <what it is> <cmake arguments…>
  local name=$1 what=$2 begin=$SECONDS built tested
  shift 2
  if ! printf '%s\n' "${stages[@]}" | grep -qx "$name"; then return; fi
  say "$name: $what"
  local result=""
  if cmake -S . -B "$build/$name" "${generator[@]}" "${launcher[@]}" -DCMAKE_BUILD_TYPE=None -DLAYERSCOPE_WERROR=ON "$@" \
    >"$build/$name.configure.log" 2>&1 &&
    cmake --build "$build/$name" -j "$jobs" -- "${keep_going[@]}" >"$build/$name.build.log" 2>&1; then
    built=$SECONDS
    ctest --test-dir "$build/$name" -j "$jobs" --output-on-failure --no-tests=error \
      --output-junit "$PWD/$build/$name.junit.xml" || true
    tested=$SECONDS
    if [ -f "$build/$name.junit.xml" ]; then
      count "$build/$name.junit.xml"
    else
      failed=$((failed + 1))
      result="no test ran"
    fi
  else
    built=$SECONDS
    tested=$SECONDS
    failed=$((failed + 1))
    result="does not build"
    grep -E 'error|Error|FAILED|undefined reference' "$build/$name.configure.log" "$build/$name.build.log" | head -60 || true
    tail -n 40 "$build/$name.build.log" 2>/dev/null || tail -n 40 "$build/$name.configure.log"
  fi
  summary+=("$(printf '%-6s %4d s build %4d s test   %s' "$name" $((built - begin)) $((tested - built)) "$result")")
}

mkdir -p "$build"
rm -f "$build"/*.junit.xml
keep_going=()
if [ ${#generator[@]} -gt 0 ]; then keep_going=(-k 0); fi
with_torch=AUTO
if [ "$torch" = 0 ]; then with_torch=OFF; fi
adapters=OFF
if [ "${CI:-}" = true ]; then adapters=ON; fi

stage gcc "g++, header-only, with libtorch, and the checks of the project as a whole" \
  -DCMAKE_CXX_FLAGS=-O1 -DLAYERSCOPE_TEST_MODE=header_only -DLAYERSCOPE_WITH_TORCH=$with_torch \
  -DLAYERSCOPE_TEST_HEADERS=ON -DLAYERSCOPE_REQUIRE_ADAPTERS=$adapters -DLAYERSCOPE_BUILD_BENCHMARKS=OFF

for_clang=(-DCMAKE_CXX_COMPILER="$clang" -DLAYERSCOPE_TEST_MODE=compiled -DLAYERSCOPE_WITH_TORCH=OFF)
alone=(-DLAYERSCOPE_TEST_PROJECT=OFF -DLAYERSCOPE_BUILD_EXAMPLES=OFF -DLAYERSCOPE_BUILD_TOOLS=OFF)
if [ -n "$clang" ]; then
  stage clang "$(basename "$clang"), compiled mode, without libtorch; benchmarks are compiled" \
    "${for_clang[@]}" -DCMAKE_CXX_FLAGS=-O1 -DLAYERSCOPE_TEST_PROJECT=OFF
fi

stage asan "g++, address and undefined-behaviour sanitizers" \
  "-DCMAKE_CXX_FLAGS=-O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all" \
  -DLAYERSCOPE_TEST_MODE=compiled -DLAYERSCOPE_WITH_TORCH=OFF "${alone[@]}" -DLAYERSCOPE_BUILD_BENCHMARKS=OFF

if [ -n "$clang" ]; then
  stage tsan "$(basename "$clang"), thread sanitizer, for whatever runs threads" \
    "${for_clang[@]}" "-DCMAKE_CXX_FLAGS=-O1 -g1 -fsanitize=thread" "${alone[@]}" -DLAYERSCOPE_BUILD_BENCHMARKS=OFF \
    "-DLAYERSCOPE_TEST_FILTER=parallel|knn_threads|thread_team|recorder|queue|probe|snapshot/|sinks/"

  stage fuzz "$(basename "$clang"), readers and views under libFuzzer with address and undefined-behaviour sanitizers" \
    "${for_clang[@]}" "-DCMAKE_CXX_FLAGS=-O1 -g1 -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all" \
    "${alone[@]}" -DLAYERSCOPE_BUILD_BENCHMARKS=OFF -DLAYERSCOPE_TEST_FILTER=none \
    -DLAYERSCOPE_FUZZ_SECONDS="${LAYERSCOPE_FUZZ_SECONDS:-30}"
else
  echo "no clang here: the stages clang, tsan and fuzz are left out"
fi

# GCC 12 sees overlapping copies in any std::string that grows by operator+ (its bug 105651), from -O2 on.
stage fast "g++ -Ofast, the library too, the numeric tests: NaN and infinity must still be found" \
  "-DCMAKE_CXX_FLAGS=-Ofast -Wno-restrict" -DLAYERSCOPE_FAST_MATH=ON -DLAYERSCOPE_TEST_MODE=compiled \
  -DLAYERSCOPE_WITH_TORCH=OFF "${alone[@]}" -DLAYERSCOPE_BUILD_BENCHMARKS=OFF "-DLAYERSCOPE_TEST_FILTER=algorithms/|core/"

# Packages of libraries for ARM are not to be had without a second architecture, so the optional ones stay out.
if command -v aarch64-linux-gnu-g++ >/dev/null && command -v qemu-aarch64 >/dev/null; then
  stage arm "g++ for 64-bit ARM, core and its kernels, run by qemu" \
    --toolchain cmake/toolchains/aarch64-linux-gnu.cmake -DCMAKE_CXX_FLAGS=-O1 -DLAYERSCOPE_TEST_MODE=compiled \
    -DLAYERSCOPE_WITH_TORCH=OFF -DLAYERSCOPE_WITH_ZLIB=OFF -DLAYERSCOPE_WITH_LIBDEFLATE=OFF "${alone[@]}" \
    -DLAYERSCOPE_BUILD_BENCHMARKS=OFF -DLAYERSCOPE_TEST_FILTER=core/
else
  echo "no cross compiler or no qemu here: the stage arm is left out"
fi

# --- result ---------------------------------------------------------------------------------------------------------
say "stages"
printf '%s\n' "${summary[@]}"
echo "$((SECONDS - started)) s in all; logs in $build"
if [ $((passed + failed)) -eq 0 ]; then
  echo "no test ran" >&2
  failed=1
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
