// An array of complex numbers.
// expected: pass xt::real(x), xt::imag(x) or xt::abs(x) of complex ones
#include <layerscope/adapters/xtensor.hpp>

#include <complex>

#ifdef WRONG
using T = std::complex<float>;
#else
using T = float;
#endif

void f(const xt::xarray<T>& x) {
  layerscope::view(x);
}
