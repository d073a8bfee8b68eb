// xtensor: an array and a view of it are read in place, an expression is evaluated once.
#include <layerscope/adapters/xtensor.hpp>
#include <layerscope/layerscope.hpp>

#include <xtensor/xarray.hpp>
#include <xtensor/xbuilder.hpp>
#include <xtensor/xmath.hpp>
#include <xtensor/xview.hpp>

namespace ls = layerscope;

int main(int argc, char** argv) {
  const xt::xarray<float> x = xt::linspace<float>(-3, 3, 120);
  const auto column = xt::view(x, xt::all(), xt::newaxis());
  const auto bump = xt::exp(-x * x - column * column);  // nothing is computed yet
  ls::write_png(argc > 1 ? argv[1] : "bump.png", ls::heatmap(ls::view(bump)));

  const xt::xarray<float> map = bump;
  const auto left_half = xt::view(map, xt::all(), xt::range(0, 60));
  return ls::view(left_half).data() == map.data() ? 0 : 1;
}
