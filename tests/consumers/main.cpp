// What a user's program does, small: one snapshot of an activation tensor into a directory of PNG and JSON files, and
// two algorithms alone. Exercises Eigen, nlohmann/json, stb, the compressor and threads behind the library.
#include <layerscope/layerscope.hpp>

#include <cstdio>
#include <vector>

namespace ls = layerscope;

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::vector<float> numbers(2 * 3 * 8 * 8);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i * 37 % 101);
  const auto activations = ls::view(numbers.data(), {2, 3, 8, 8});

  ls::Recorder recorder{argv[1]};
  auto snapshot = recorder.snapshot(0);
  const bool recorded =
      snapshot.activations("conv1", activations).ok() && snapshot.histogram("conv1", activations).ok();
  const ls::Report report = recorder.close();

  const ls::Pca pca = ls::pca(ls::view(numbers.data(), {48, 8}), {.components = 2});
  // Rounding by the rules, which -ffast-math lifts: where the library is compiled, this program's flags do not matter.
  const bool exact = ls::nice_ticks(0, 0.3, 4) == std::vector<double>{0, 0.1, 0.2, 0.3};

  std::printf("%llu written, %llu failed, ticks %s\n", static_cast<unsigned long long>(report.counts.written),
              static_cast<unsigned long long>(report.counts.failed), exact ? "exact" : "off");
  return recorded && exact && report.counts.written == 2 && report.counts.failed == 0 && pca.components.extent(0) == 2
             ? 0
             : 1;
}
