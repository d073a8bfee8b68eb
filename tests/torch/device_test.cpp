// A tensor on an accelerator, without one: libtorch's slot for outside backends (PrivateUse1) gets a device whose
// memory is the host's, and which counts what is copied from it.
#include <layerscope/adapters/torch.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/core/tensor_ref.hpp>

#include "support/catch.hpp"

#include <ATen/ATen.h>
#include <ATen/EmptyTensor.h>
#include <ATen/native/Resize.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/core/impl/alloc_cpu.h>
#include <torch/library.h>

#include <cstring>

namespace ls = layerscope;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr at::DeviceType accelerator = at::DeviceType::PrivateUse1;
std::size_t bytes_to_host = 0;

struct Memory final : at::Allocator {
  at::DataPtr allocate(std::size_t bytes) const override {
    void* data = c10::alloc_cpu(bytes);
    return {data, data, &c10::free_cpu, at::Device(accelerator, 0)};
  }
  at::DeleterFnPtr raw_deleter() const override { return &c10::free_cpu; }
} memory;

at::Tensor empty(at::IntArrayRef size, c10::optional<at::ScalarType> type, c10::optional<at::Layout>,
                 c10::optional<at::Device>, c10::optional<bool>, c10::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(size, &memory, c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                   c10::dtype_or_default(type), format);
}

at::Tensor empty_strided(at::IntArrayRef size, at::IntArrayRef stride, c10::optional<at::ScalarType> type,
                         c10::optional<at::Layout>, c10::optional<at::Device>, c10::optional<bool>) {
  return at::detail::empty_strided_generic(size, stride, &memory, c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                           c10::dtype_or_default(type));
}

at::Tensor as_strided(const at::Tensor& x, at::IntArrayRef size, at::IntArrayRef stride,
                      c10::optional<std::int64_t> offset) {
  at::Tensor part = at::detail::make_tensor<c10::TensorImpl>(c10::TensorImpl::VIEW, c10::Storage(x.storage()),
                                                             x.key_set(), x.dtype());
  at::native::setStrided(part, size, stride, offset.value_or(x.storage_offset()));
  return part;
}

/// The same elements as a host tensor.
at::Tensor on_host(const at::Tensor& x) {
  return at::from_blob(x.data_ptr(), x.sizes(), x.strides(), at::TensorOptions().dtype(x.dtype()));
}

at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool) {
  if (to.device().is_cpu()) bytes_to_host += from.nbytes();
  on_host(to).copy_(on_host(from));
  return to;
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("empty.memory_format", &empty);
  library.impl("empty_strided", &empty_strided);
  library.impl("as_strided", &as_strided);
  library.impl("_copy_from", &copy_from);
}

C10_REGISTER_GUARD_IMPL(PrivateUse1, c10::impl::NoOpDeviceGuardImpl<accelerator>);

}  // namespace

TEST_CASE("torch: of a tensor on a device only the part asked for is copied") {
  const at::Tensor host = at::arange(16 * 8 * 10 * 10, at::kFloat).view({16, 8, 10, 10});
  const at::Tensor x = host.to(at::Device(accelerator, 0)).requires_grad_();
  REQUIRE(x.device().type() == accelerator);
  const auto version = x._version();

  bytes_to_host = 0;
  CHECK(ls::TensorRef(x).shape() == ls::Shape{16, 8, 10, 10});
  CHECK(bytes_to_host == 0);

  const ls::AnyView part = ls::TensorRef(x).read({2, 3, 10, 10});
  CHECK(bytes_to_host == 2 * 3 * 10 * 10 * sizeof(float));
  CHECK(part.owner() != nullptr);
  const at::Tensor expected = host.narrow(0, 0, 2).narrow(1, 0, 3).contiguous();
  const ls::Tensor found = ls::copy(part);
  REQUIRE(found.bytes() == expected.nbytes());
  CHECK(std::memcmp(found.raw(), expected.data_ptr(), found.bytes()) == 0);

  bytes_to_host = 0;
  CHECK(ls::copy(ls::TensorRef(x).read()).bytes() == host.nbytes());
  CHECK(bytes_to_host == host.nbytes());
  CHECK(x._version() == version);
}

TEST_CASE("torch: strided parts of a device tensor arrive as they are") {
  for (const at::ScalarType type : {at::kHalf, at::kBFloat16, at::kLong, at::kBool}) {
    const at::Tensor host = at::arange(4 * 6 * 5, at::kInt).view({4, 6, 5}).to(type);
    const at::Tensor x = host.to(at::Device(accelerator, 0)).permute({2, 0, 1});
    bytes_to_host = 0;
    const ls::Tensor found = ls::copy(ls::TensorRef(x).read({5, 2, 6}));
    const at::Tensor expected = host.permute({2, 0, 1}).narrow(1, 0, 2).contiguous();
    CHECK(bytes_to_host == expected.nbytes());
    REQUIRE(found.bytes() == expected.nbytes());
    CHECK(std::memcmp(found.raw(), expected.data_ptr(), found.bytes()) == 0);
  }
}

TEST_CASE("torch: a bare view of a device tensor says where it is and what to do") {
  const at::Tensor x = at::ones({2, 2}).to(at::Device(accelerator, 0));
  CHECK_THROWS_WITH(ls::view(x), ContainsSubstring("privateuseone:0") && ContainsSubstring("x.to(at::kCPU)"));
}
