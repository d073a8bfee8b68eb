// With mixed_library.cpp: passes a type of layerscope to another translation unit.
#include <layerscope/core/tensor.hpp>

std::int64_t elements(const layerscope::Tensor& x);

int main() {
  return static_cast<int>(elements(layerscope::Tensor(layerscope::DType::f32, {2, 3}))) - 6;
}
