#include <layerscope/core/tensor.hpp>

std::int64_t elements(const layerscope::Tensor& x) {
  return x.size();
}
