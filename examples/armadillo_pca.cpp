// PCA of an Armadillo matrix. Its columns are samples, those of layerscope rows: permute() turns it without a copy.
#include <layerscope/adapters/armadillo.hpp>
#include <layerscope/layerscope.hpp>

#include <armadillo>

#include <cstdio>

namespace ls = layerscope;

int main() {
  arma::arma_rng::set_seed(1);
  arma::mat samples(5, 300, arma::fill::randn);  // 300 samples of 5 features
  samples.row(2) *= 10;

  const ls::AnyView rows = ls::view(samples).any().permute({1, 0});  // [300, 5]
  const ls::Pca pca = ls::pca(rows, {.components = 2});
  const double* const first = pca.components.data<double>();
  std::printf("component 1 explains %.0f %% and lies along feature 2: %.3f\n", 100 * pca.explained_variance_ratio[0],
              first[2]);
  return pca.rows == 300 && first[2] > 0.99 ? 0 : 1;
}
