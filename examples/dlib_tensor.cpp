// A dlib tensor, as a layer's get_output() returns it, as feature maps: samples, k, rows and columns are "NCHW".
#include <layerscope/adapters/dlib.hpp>
#include <layerscope/layerscope.hpp>

namespace ls = layerscope;

int main(int argc, char** argv) {
  dlib::resizable_tensor output(2, 4, 24, 24);
  const ls::Random random(1, 0);
  for (std::size_t i = 0; i < output.size(); ++i) output.host()[i] = static_cast<float>(random.normal(i));

  ls::Recorder recorder{argc > 1 ? argv[1] : "runs/dlib"};
  auto snapshot = recorder.snapshot(0);
  const ls::Status drawn = snapshot.activations("conv1", output);
  snapshot.histogram("conv1/first sample", dlib::alias_tensor(1, 4, 24, 24)(output, 0));
  return drawn.ok() ? 0 : 1;
}
