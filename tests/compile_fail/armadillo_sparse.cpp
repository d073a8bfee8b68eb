// A sparse matrix, whose elements lie in no order of rows and columns.
// expected: layerscope: a sparse Armadillo matrix has no strides; pass arma::Mat<T>(x)
#include <layerscope/adapters/armadillo.hpp>

#ifdef WRONG
using Matrix = arma::sp_mat;
#else
using Matrix = arma::mat;
#endif

void f(const Matrix& x) {
  layerscope::view(x);
}
