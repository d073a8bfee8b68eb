// The structures of DLPack 0.6, 0.8 and 1.x, written here from their published binary interface, and Debian's header
// where it is installed.
#include <layerscope/adapters/dlpack.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/core/tensor_ref.hpp>

#include "support/adapter.hpp"
#include "support/catch.hpp"
#include "support/error.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#ifdef LAYERSCOPE_TEST_REAL_DLPACK
#include <dlpack/dlpack.h>
#endif

namespace ls = layerscope;
using Catch::Matchers::ContainsSubstring;
using layerscope_test::check_borrowed;
using layerscope_test::check_copy;
using layerscope_test::error_of;
using layerscope_test::pattern;

namespace dlpack_06 {
enum DLDeviceType { cpu = 1, cuda = 2 };
struct DLDevice {
  DLDeviceType device_type;
  int device_id;
};
struct DLDataType {
  std::uint8_t code, bits;
  std::uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  int ndim;
  DLDataType dtype;
  std::int64_t* shape;
  std::int64_t* strides;
  std::uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor dl_tensor;
  void* manager_ctx;
  void (*deleter)(DLManagedTensor* self);
};
}  // namespace dlpack_06

namespace dlpack_08 {  // the widths are fixed
enum DLDeviceType : std::int32_t { cpu = 1, cuda = 2 };
struct DLDevice {
  DLDeviceType device_type;
  std::int32_t device_id;
};
using dlpack_06::DLDataType;
struct DLTensor {
  void* data;
  DLDevice device;
  std::int32_t ndim;
  DLDataType dtype;
  std::int64_t* shape;
  std::int64_t* strides;
  std::uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor dl_tensor;
  void* manager_ctx;
  void (*deleter)(DLManagedTensor* self);
};
}  // namespace dlpack_08

namespace dlpack_1 {
using dlpack_08::DLManagedTensor;
using dlpack_08::DLTensor;
struct DLPackVersion {
  std::uint32_t major, minor;
};
struct DLManagedTensorVersioned {
  DLPackVersion version;
  void* manager_ctx;
  void (*deleter)(DLManagedTensorVersioned* self);
  std::uint64_t flags;
  DLTensor dl_tensor;
};
static_assert(sizeof(DLTensor) == 48 && sizeof(DLManagedTensor) == 64 && sizeof(DLManagedTensorVersioned) == 80);
}  // namespace dlpack_1

namespace {

struct Abi06 {
  using Tensor = dlpack_06::DLTensor;
  using Managed = dlpack_06::DLManagedTensor;
};
struct Abi08 {
  using Tensor = dlpack_08::DLTensor;
  using Managed = dlpack_08::DLManagedTensor;
};
struct Abi1 {
  using Tensor = dlpack_1::DLTensor;
  using Managed = dlpack_1::DLManagedTensorVersioned;
};
#ifdef LAYERSCOPE_TEST_REAL_DLPACK
struct AbiDebian {
  using Tensor = DLTensor;
  using Managed = DLManagedTensor;
};
#define ABIS Abi06, Abi08, Abi1, AbiDebian
#else
#define ABIS Abi06, Abi08, Abi1
#endif

enum Code : std::uint8_t { code_int, code_uint, code_float, code_handle, code_bfloat, code_complex, code_bool };

template <class T>
constexpr Code code_of = std::is_same_v<T, bool>           ? code_bool
                         : std::is_same_v<T, ls::BFloat16> ? code_bfloat
                         : std::is_same_v<T, ls::Half>     ? code_float
                         : std::is_floating_point_v<T>     ? code_float
                         : std::is_signed_v<T>             ? code_int
                                                           : code_uint;

/// A tensor of the ABI over memory, shape and strides of its own.
template <class Tensor>
struct Exported {
  Exported(std::size_t bytes, std::vector<std::int64_t> extents, std::vector<std::int64_t> steps = {})
      : memory(new std::byte[bytes + 1]), shape(std::move(extents)), strides(std::move(steps)) {
    tensor.data = memory.get();
    tensor.device.device_type = decltype(tensor.device.device_type)(1);
    tensor.device.device_id = 0;
    tensor.ndim = static_cast<int>(shape.size());
    tensor.dtype = {code_float, 32, 1};
    tensor.shape = shape.empty() ? nullptr : shape.data();
    tensor.strides = strides.empty() ? nullptr : strides.data();
    tensor.byte_offset = 0;
  }
  template <class T>
  static Exported of(std::size_t count, std::vector<std::int64_t> extents, std::vector<std::int64_t> steps = {},
                     std::size_t offset = 0) {
    Exported result(count * sizeof(T), std::move(extents), std::move(steps));
    T* elements = reinterpret_cast<T*>(result.memory.get());
    for (std::size_t i = 0; i < count; ++i) new (elements + i) T(pattern<T>(i));
    result.tensor.dtype = {code_of<T>, sizeof(T) * 8, 1};
    result.tensor.byte_offset = offset * sizeof(T);
    return result;
  }
  /// The element by DLPack's own rule for the address.
  template <class T>
  T at(const ls::Dims& index) const {
    std::int64_t offset = 0, step = 1;
    for (int axis = static_cast<int>(shape.size()) - 1; axis >= 0; --axis) {
      const auto a = static_cast<std::size_t>(axis);
      offset += index[axis] * (strides.empty() ? step : strides[a]);
      step *= shape[a];
    }
    T value;
    std::memcpy(&value, memory.get() + tensor.byte_offset + offset * std::int64_t{sizeof(T)}, sizeof value);
    return value;
  }
  std::unique_ptr<std::byte[]> memory;
  std::vector<std::int64_t> shape, strides;
  Tensor tensor{};
};

template <class Tensor, class T>
void check_forms() {
  using E = Exported<Tensor>;
  const auto check = [](const E& x, const ls::Shape& shape) {
    check_borrowed(ls::view(x.tensor), x.memory.get() + x.tensor.byte_offset);
    check_copy<T>(ls::view(x.tensor), shape, [&](const ls::Dims& index) { return x.template at<T>(index); });
  };
  check(E::template of<T>(24, {2, 3, 4}), {2, 3, 4});                 // strides null: row-major
  check(E::template of<T>(24, {2, 3, 4}, {1, 2, 6}), {2, 3, 4});      // column-major
  check(E::template of<T>(30, {3, 4}, {10, 2}, 1), {3, 4});           // gaps, from an offset
  check(E::template of<T>(12, {3, 4}, {-4, -1}, 11), {3, 4});         // backwards
  check(E::template of<T>(4, {5, 4}, {0, 1}), {5, 4});                // expanded
  check(E::template of<T>(4, {1, 4, 1}, {999, 1, -999}), {1, 4, 1});  // strides that never count
  check(E::template of<T>(4, {}, {}, 3), {});                         // rank 0
  check(E::template of<T>(2, {1, 1, 1, 1, 1, 1, 1, 2}), {1, 1, 1, 1, 1, 1, 1, 2});
}

/// As an exporter does that knows more devices than the enumeration here.
template <class Tensor>
void put_device(Tensor& tensor, std::int32_t type) {
  static_assert(sizeof type == sizeof tensor.device.device_type);
  std::memcpy(&tensor.device.device_type, &type, sizeof type);
}

int deleted = 0;

/// A managed tensor on the heap, with its deleter counted.
template <class Managed>
Managed* make_managed(std::size_t count = 6, std::vector<std::int64_t> extents = {2, 3}) {
  using E = Exported<std::remove_reference_t<decltype(std::declval<Managed&>().dl_tensor)>>;
  auto exported = std::make_unique<E>(E::template of<float>(count, std::move(extents)));
  auto managed = std::make_unique<Managed>();
  managed->dl_tensor = exported->tensor;
  managed->manager_ctx = exported.release();
  managed->deleter = [](Managed* self) {
    ++deleted;
    delete static_cast<E*>(self->manager_ctx);
    delete self;
  };
  if constexpr (ls::detail::DlpackVersioned<Managed>) managed->version = {1, 0};
  deleted = 0;
  return managed.release();
}

template <class Managed>
struct CallDeleter {
  void operator()(Managed* x) const { x->deleter(x); }
};

}  // namespace

TEMPLATE_TEST_CASE("DLTensor: every element type in every form is read in place", "", ABIS) {
  using Tensor = typename TestType::Tensor;
  check_forms<Tensor, bool>();
  check_forms<Tensor, std::uint8_t>();
  check_forms<Tensor, std::int8_t>();
  check_forms<Tensor, std::uint16_t>();
  check_forms<Tensor, std::int16_t>();
  check_forms<Tensor, std::uint32_t>();
  check_forms<Tensor, std::int32_t>();
  check_forms<Tensor, std::uint64_t>();
  check_forms<Tensor, std::int64_t>();
  check_forms<Tensor, ls::Half>();
  check_forms<Tensor, ls::BFloat16>();
  check_forms<Tensor, float>();
  check_forms<Tensor, double>();
}

TEMPLATE_TEST_CASE("DLTensor: zero extents are views of nothing, whatever the pointers say", "", ABIS) {
  using E = Exported<typename TestType::Tensor>;
  E x = E::template of<float>(1, {3, 0, 2}, {7, 7, 7});
  x.tensor.data = nullptr;
  x.tensor.byte_offset = 5;
  const ls::AnyView view = ls::view(x.tensor);
  CHECK(view.shape() == ls::Shape{3, 0, 2});
  CHECK(ls::copy(view).empty());
}

TEMPLATE_TEST_CASE("DLTensor: memory that the host reads, and devices by name", "", ABIS) {
  using E = Exported<typename TestType::Tensor>;
  E x = E::template of<float>(6, {2, 3});
  const auto put_on = [&](int type, int id) {
    put_device(x.tensor, type);
    x.tensor.device.device_id = id;
  };
  for (const int type : {1, 3, 11, 13}) {  // pinned and managed memory too
    put_on(type, 0);
    check_copy<float>(ls::view(x.tensor), {2, 3}, [&](const ls::Dims& i) { return x.template at<float>(i); });
  }
  const std::pair<int, const char*> others[] = {{2, "cuda:1"},  {4, "opencl:1"},   {7, "vulkan:1"}, {8, "metal:1"},
                                                {10, "rocm:1"}, {12, "ext_dev:1"}, {14, "oneapi:1"}};
  for (const auto& [type, name] : others) {
    put_on(type, 1);
    const ls::Error error = error_of([&] { ls::view(x.tensor); });
    CHECK(error.code() == ls::ErrorCode::unsupported);
    CHECK_THAT(error.what(), ContainsSubstring(std::string("the tensor is on ") + name));
  }
}

TEST_CASE("DLTensor: a device newer than the list is named by its number") {
  Exported<dlpack_1::DLTensor> x = Exported<dlpack_1::DLTensor>::of<float>(1, {1});
  put_device(x.tensor, 77);
  CHECK_THAT(error_of([&] { ls::view(x.tensor); }).what(), ContainsSubstring("the device type 77:0"));
}

TEMPLATE_TEST_CASE("DLTensor: elements that are no single numbers are refused by name", "", ABIS) {
  using E = Exported<typename TestType::Tensor>;
  struct Case {
    std::uint8_t code, bits;
    std::uint16_t lanes;
    const char* text;
  };
  const Case cases[] = {{code_complex, 64, 1, "complex64"},
                        {code_complex, 128, 1, "complex128"},
                        {code_int, 4, 1, "int4"},
                        {code_uint, 1, 1, "uint1"},
                        {code_float, 8, 1, "float8"},
                        {code_bool, 1, 1, "bool1"},
                        {code_handle, 64, 1, "opaque handle"},
                        {10, 8, 1, "type code 10"},
                        {17, 4, 1, "type code 17"},
                        {code_bfloat, 32, 1, "bfloat32"},
                        {code_float, 32, 4, "4 lanes"},
                        {code_float, 32, 0, "0 lanes"}};
  for (const Case& wrong : cases) {
    E x = E::template of<float>(64, {2, 3});
    x.tensor.dtype = {wrong.code, wrong.bits, wrong.lanes};
    const ls::Error error = error_of([&] { ls::view(x.tensor); });
    CHECK(error.code() == ls::ErrorCode::unsupported);
    CHECK_THAT(error.what(), ContainsSubstring(wrong.text));
  }
}

TEMPLATE_TEST_CASE("DLTensor: broken descriptions are refused", "", ABIS) {
  using E = Exported<typename TestType::Tensor>;
  const auto message = [](auto change, std::vector<std::int64_t> shape = {2, 3}) {
    E x = E::template of<float>(6, std::move(shape));
    change(x.tensor);
    return std::string(error_of([&] { ls::view(x.tensor); }).what());
  };
  CHECK_THAT(message([](auto& t) { t.data = nullptr; }), ContainsSubstring("the data is null, with the shape [2, 3]"));
  CHECK_THAT(message([](auto& t) { t.shape = nullptr; }), ContainsSubstring("the shape is null, with 2 dimensions"));
  CHECK_THAT(message([](auto& t) { t.ndim = -1; }), ContainsSubstring("-1 dimensions; expected 0 to 8"));
  CHECK_THAT(message([](auto&) {}, {1, 1, 1, 1, 1, 1, 1, 1, 1}), ContainsSubstring("9 dimensions; expected 0 to 8"));
  CHECK_THAT(message([](auto& t) { t.byte_offset = 2; }), ContainsSubstring("byte_offset 2"));
  CHECK_THAT(message([](auto&) {}, {2, -3}), ContainsSubstring("extent -3"));
  CHECK_THAT(message([](auto&) {}, {std::int64_t{1} << 62, 4}), ContainsSubstring("exceeds 2^63 - 1"));
}

TEMPLATE_TEST_CASE("managed DLPack tensors: an lvalue is borrowed and not deleted", "", ABIS) {
  using Managed = typename TestType::Managed;
  Managed* const managed = make_managed<Managed>();
  {
    const ls::AnyView view = ls::view(*managed);
    CHECK(view.owner() == nullptr);
    CHECK(view.data() == managed->dl_tensor.data);
    CHECK(ls::TensorRef(*managed).shape() == ls::Shape{2, 3});
  }
  CHECK(deleted == 0);
  managed->deleter(managed);
}

TEMPLATE_TEST_CASE("managed DLPack tensors: from_dlpack() takes over and deletes once", "", ABIS) {
  using Managed = typename TestType::Managed;
  Managed* const managed = make_managed<Managed>();
  {
    ls::AnyView last;
    {
      const ls::AnyView view = ls::from_dlpack(managed);
      CHECK(view.owner() != nullptr);
      last = view.select(0, 1);
    }
    CHECK(deleted == 0);
    check_copy<float>(last, {3}, [&](const ls::Dims& i) { return pattern<float>(static_cast<std::size_t>(3 + i[0])); });
  }
  CHECK(deleted == 1);

  Managed* const wrong = make_managed<Managed>();
  wrong->dl_tensor.dtype.lanes = 2;
  error_of([&] { ls::from_dlpack(wrong); });
  CHECK(deleted == 1);

  Managed* const empty = make_managed<Managed>(1, {0, 3});
  ls::from_dlpack(empty);
  CHECK(deleted == 1);

  Managed* const unowned = make_managed<Managed>();
  const auto deleter = std::exchange(unowned->deleter, nullptr);
  ls::from_dlpack(unowned);
  CHECK(deleted == 0);
  deleter(unowned);

  CHECK_THAT(error_of([] { ls::from_dlpack(static_cast<Managed*>(nullptr)); }).what(), ContainsSubstring("is null"));
}

TEMPLATE_TEST_CASE("managed DLPack tensors: a unique_ptr is borrowed or moved into the view", "", ABIS) {
  using Managed = typename TestType::Managed;
  using Pointer = std::unique_ptr<Managed, CallDeleter<Managed>>;
  {
    Pointer pointer(make_managed<Managed>());
    CHECK(ls::view(pointer).owner() == nullptr);
    const ls::AnyView view = ls::view(std::move(pointer));
    CHECK(pointer == nullptr);
    CHECK(view.owner() != nullptr);
    CHECK(deleted == 0);
    check_copy<float>(view, {2, 3},
                      [](const ls::Dims& i) { return pattern<float>(static_cast<std::size_t>(3 * i[0] + i[1])); });
  }
  CHECK(deleted == 1);
  Pointer wrong(make_managed<Managed>());
  wrong->dl_tensor.dtype.bits = 4;
  error_of([&] { ls::view(std::move(wrong)); });
  CHECK(deleted == 1);
  error_of([] { ls::view(Pointer()); });
}

TEST_CASE("DLManagedTensorVersioned: flags and minor versions do not matter") {
  using Managed = dlpack_1::DLManagedTensorVersioned;
  for (const std::uint64_t flags : {0u, 1u, 2u, 3u, 4u, 8u}) {  // read-only, copied, sub-byte padded, later ones
    Managed* const managed = make_managed<Managed>();
    managed->flags = flags;
    managed->version = {1, 99};
    check_copy<float>(ls::from_dlpack(managed), {2, 3},
                      [](const ls::Dims& i) { return pattern<float>(static_cast<std::size_t>(3 * i[0] + i[1])); });
    CHECK(deleted == 1);
  }
}

TEST_CASE("DLManagedTensorVersioned: of another major version only the deleter is touched") {
  using Managed = dlpack_1::DLManagedTensorVersioned;
  // What follows the deleter lies in a page that cannot be read: looking at it ends the program.
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* const pages = mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(pages != MAP_FAILED);
  REQUIRE(mprotect(static_cast<std::byte*>(pages) + page, page, PROT_NONE) == 0);
  auto* const managed = reinterpret_cast<Managed*>(static_cast<std::byte*>(pages) + page - offsetof(Managed, flags));
  for (const std::uint32_t major : {0u, 2u}) {
    deleted = 0;
    managed->version = {major, 3};
    managed->manager_ctx = nullptr;
    managed->deleter = [](Managed*) { ++deleted; };
    const ls::Error error = error_of([&] { ls::from_dlpack(managed); });
    CHECK(error.code() == ls::ErrorCode::unsupported);
    CHECK_THAT(error.what(), ContainsSubstring("DLPack " + std::to_string(major) + ".3; expected 1.x"));
    CHECK(deleted == 1);
    error_of([&] { ls::view(*managed); });
    CHECK(deleted == 1);
  }
  munmap(pages, 2 * page);
}
