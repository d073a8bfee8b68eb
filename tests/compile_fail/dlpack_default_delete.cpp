// A unique_ptr that deletes the structure and leaks what it manages.
// expected: layerscope: this unique_ptr would delete the managed DLPack tensor instead of calling its deleter
#include <layerscope/adapters/dlpack.hpp>

#include <cstdint>
#include <memory>

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

struct CallDeleter {
  void operator()(DLManagedTensor* x) const { x->deleter(x); }
};

#ifdef WRONG
using Pointer = std::unique_ptr<DLManagedTensor>;
#else
using Pointer = std::unique_ptr<DLManagedTensor, CallDeleter>;
#endif

void f(Pointer x) {
  layerscope::view(std::move(x));
}
