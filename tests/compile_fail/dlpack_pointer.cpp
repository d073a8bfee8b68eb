// A pointer, as exporters return it: nobody would call the deleter.
// expected: layerscope: a pointer to a DLPack tensor does not say who deletes it
// expected: layerscope::from_dlpack(pointer) takes a managed one over
#include <layerscope/adapters/dlpack.hpp>

#include <cstdint>

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

DLManagedTensor* make();

void f() {
#ifdef WRONG
  layerscope::view(make());
#else
  layerscope::from_dlpack(make());
#endif
}
