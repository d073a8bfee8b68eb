// A managed tensor taken out of its place: the deleter gets its address.
// expected: layerscope: a managed DLPack tensor cannot be moved, as its deleter knows it by its address
#include <layerscope/adapters/dlpack.hpp>

#include <cstdint>
#include <utility>

struct DLDevice {
  int device_type, device_id;
};
struct DLDataType {
  unsigned char code, bits;
  unsigned short lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  int ndim;
  DLDataType dtype;
  std::int64_t *shape, *strides;
  std::uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor dl_tensor;
  void* manager_ctx;
  void (*deleter)(DLManagedTensor*);
};

void f(DLManagedTensor& x) {
#ifdef WRONG
  layerscope::view(std::move(x));
#else
  layerscope::view(x);
#endif
}
