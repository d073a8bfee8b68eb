// A complex matrix.
// expected: pass arma::real(x), arma::imag(x) or arma::abs(x) of complex ones
#include <layerscope/adapters/armadillo.hpp>

#ifdef WRONG
using Matrix = arma::cx_mat;
#else
using Matrix = arma::mat;
#endif

void f(const Matrix& x) {
  layerscope::view(x);
}
