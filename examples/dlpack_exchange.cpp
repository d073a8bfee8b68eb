// A tensor that another library exports through DLPack: the view takes it over and frees it through its own deleter.
#include <layerscope/adapters/dlpack.hpp>
#include <layerscope/layerscope.hpp>

#include <dlpack/dlpack.h>

#include <cstdint>

namespace ls = layerscope;

/// Stands for at::toDLPack(tensor) and its like.
DLManagedTensor* exported() {
  struct Context {
    DLManagedTensor managed{};
    std::int64_t shape[2] = {64, 64};
    float data[64 * 64] = {};
  };
  auto* const context = new Context;
  for (int i = 0; i < 64 * 64; ++i) context->data[i] = static_cast<float>((i / 64) ^ (i % 64));
  context->managed.dl_tensor = {context->data, {kDLCPU, 0}, 2, {kDLFloat, 32, 1}, context->shape, nullptr, 0};
  context->managed.manager_ctx = context;
  context->managed.deleter = [](DLManagedTensor* self) { delete static_cast<Context*>(self->manager_ctx); };
  return &context->managed;
}

int main(int argc, char** argv) {
  ls::write_png(argc > 1 ? argv[1] : "xor.png", ls::heatmap(ls::from_dlpack(exported())));
}
