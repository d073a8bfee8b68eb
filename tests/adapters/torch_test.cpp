#include <layerscope/adapters/torch.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/core/tensor_ref.hpp>

#include "support/catch.hpp"

#include <ATen/ATen.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace ls = layerscope;
using Catch::Matchers::ContainsSubstring;

namespace {

bool same_bytes(const ls::Tensor& ours, const at::Tensor& theirs) {
  return ours.bytes() == theirs.nbytes() && std::memcmp(ours.raw(), theirs.data_ptr(), ours.bytes()) == 0;
}

/// The view's elements equal those of libtorch's own row-major copy, in their own type and as floats.
void check_equal(const ls::AnyView& view, const at::Tensor& x) {
  REQUIRE(view.rank() == x.dim());
  for (int axis = 0; axis < view.rank(); ++axis) CHECK(view.extent(axis) == x.size(axis));
  const at::Tensor plain = x.detach().contiguous();
  CHECK(same_bytes(ls::copy(view), plain));
  CHECK(same_bytes(ls::convert(view, ls::DType::f32), plain.to(at::kFloat)));
}

/// As above, and the view reads the tensor's own memory.
void check_in_place(const at::Tensor& x) {
  const ls::AnyView view = ls::view(x);
  CHECK(view.data() == x.data_ptr());
  CHECK(view.owner() == nullptr);
  check_equal(view, x);
}

at::Tensor numbers(at::IntArrayRef shape, at::ScalarType type) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  const at::Tensor ramp = (at::arange(count, at::kDouble) * 1.37).remainder(101) - (type == at::kByte ? 0 : 50);
  return ramp.view(shape).to(type);
}

std::string message_of(const at::Tensor& x, ls::ErrorCode code) {
  try {
    ls::view(x);
  } catch (const ls::Error& error) {
    CHECK(error.code() == code);
    return error.what();
  }
  return "nothing was thrown";
}

const std::vector<std::pair<at::ScalarType, ls::DType>> types = {
    {at::kBool, ls::DType::boolean}, {at::kByte, ls::DType::u8},   {at::kChar, ls::DType::i8},
    {at::kShort, ls::DType::i16},    {at::kInt, ls::DType::i32},   {at::kLong, ls::DType::i64},
    {at::kHalf, ls::DType::f16},     {at::kFloat, ls::DType::f32}, {at::kBFloat16, ls::DType::bf16},
    {at::kDouble, ls::DType::f64}};

}  // namespace

TEST_CASE("torch: every element type in every strided form is read in place") {
  for (const auto& [type, expected] : types) {
    INFO(c10::toString(type));
    const at::Tensor x = numbers({3, 4, 5, 6}, type);
    CHECK(ls::view(x).dtype() == expected);
    check_in_place(x);
    check_in_place(x.contiguous(at::MemoryFormat::ChannelsLast));
    check_in_place(x.permute({3, 1, 0, 2}));
    check_in_place(x.transpose(1, 3).select(0, 1));
    check_in_place(x.slice(1, 1, 4, 2).slice(3, 0, 6, 3));
    check_in_place(x.narrow(2, 1, 3).narrow(0, 2, 1));
    check_in_place(x.select(1, 2).unsqueeze(1).expand({3, 7, 5, 6}));
    check_in_place(x.diagonal(0, 2, 3));
    check_in_place(x.as_strided({3, 3, 2}, {1, 1, 7}, 5));  // overlapping windows
    check_in_place(x.view(-1).unfold(0, 8, 3));
    check_in_place(numbers({2, 3, 2, 3, 2}, type).contiguous(at::MemoryFormat::ChannelsLast3d));
    check_in_place(numbers({1}, type).view({}));
    check_in_place(numbers({1}, type).view({1, 1, 1, 1, 1, 1, 1, 1}));
  }
}

TEST_CASE("torch: a scalar has rank 0 and one element") {
  const at::Tensor x = at::scalar_tensor(2.5, at::kDouble);
  const ls::AnyView view = ls::view(x);
  CHECK(view.rank() == 0);
  CHECK(view.size() == 1);
  CHECK(*view.as<double>().data() == 2.5);
}

TEST_CASE("torch: zero extents are views of nothing") {
  for (const at::Tensor& x : {at::empty({0}), at::empty({4, 0, 3}), at::ones({5, 2}).narrow(0, 5, 0)}) {
    const ls::AnyView view = ls::view(x);
    CHECK(view.empty());
    CHECK(view.rank() == x.dim());
    CHECK(ls::copy(view).empty());
  }
}

TEST_CASE("torch: all 65,536 patterns of half and bfloat16 mean what libtorch says") {
  const at::Tensor bits = at::arange(-32768, 32768, at::kInt).to(at::kShort);
  for (const at::ScalarType type : {at::kHalf, at::kBFloat16}) {
    const at::Tensor x = bits.view(type);
    const ls::AnyView view = ls::view(x);
    CHECK(view.data() == bits.data_ptr());
    const ls::Tensor ours = ls::convert(view, ls::DType::f32);
    const at::Tensor theirs = x.to(at::kFloat);
    const float* a = ours.data<float>();
    const float* b = theirs.data_ptr<float>();
    std::int64_t different = 0;
    for (std::int64_t i = 0; i < ours.size(); ++i) {
      const bool both_nan = ls::is_nan(a[i]) && ls::is_nan(b[i]);
      different += !both_nan && std::bit_cast<std::uint32_t>(a[i]) != std::bit_cast<std::uint32_t>(b[i]);
    }
    CHECK(different == 0);
  }
}

TEST_CASE("torch: a tensor in an autograd graph is read without notice") {
  at::Tensor weight = numbers({4, 3}, at::kFloat).requires_grad_();
  at::Tensor hidden = (weight * weight).tanh();
  const auto version = weight._version();
  const auto hidden_version = hidden._version();
  const auto storages = weight.storage().use_count();

  check_in_place(weight);
  check_in_place(hidden);
  check_equal(ls::TensorRef(hidden).read({2, 2}), hidden.narrow(0, 0, 2).narrow(1, 0, 2));

  CHECK(weight._version() == version);
  CHECK(hidden._version() == hidden_version);
  CHECK(weight.storage().use_count() == storages);
  CHECK(hidden.requires_grad());
  CHECK_FALSE(weight.grad().defined());
  hidden.sum().backward();
  CHECK(weight.grad().defined());
}

TEST_CASE("torch: the view of a temporary keeps the storage and lets the graph go") {
  at::Tensor weight = at::ones({2, 3}).requires_grad_();
  at::Tensor product = weight * 3;
  const c10::weak_intrusive_ptr<c10::TensorImpl> graph_end(product.getIntrusivePtr());
  const void* data = product.data_ptr();

  const ls::AnyView view = ls::view(std::move(product));
  CHECK(graph_end.expired());
  CHECK(view.data() == data);
  CHECK(view.owner() != nullptr);
  CHECK(view.as<float>()(1, 2) == 3.0f);
  check_equal(ls::view(at::arange(6, at::kInt).view({2, 3}).t()), at::arange(6, at::kInt).view({2, 3}).t());
}

TEST_CASE("torch: quantised elements are dequantised into a copy that the view owns") {
  const at::Tensor x = numbers({6, 4}, at::kFloat);
  const at::Tensor scales = at::tensor({0.5, 0.25, 1.0, 2.0}, at::kDouble);
  const at::Tensor zeros = at::tensor({0, 3, -2, 1}, at::kLong);
  for (const at::Tensor& q :
       {at::quantize_per_tensor(x, 0.5, 10, at::kQUInt8), at::quantize_per_tensor(x, 0.25, 0, at::kQInt8),
        at::quantize_per_tensor(x, 0.125, 0, at::kQInt32), at::quantize_per_channel(x, scales, zeros, 1, at::kQInt8)}) {
    const at::Tensor plain = q.dequantize();
    const ls::AnyView view = ls::view(q);
    CHECK(view.dtype() == ls::DType::f32);
    CHECK(view.owner() != nullptr);
    check_equal(view, plain);
    check_equal(ls::view(at::Tensor(q)), plain);
    check_equal(ls::TensorRef(q).read({2, 3}), plain.narrow(0, 0, 2).narrow(1, 0, 3));
    CHECK(ls::TensorRef(q).shape() == ls::Shape{6, 4});
  }
}

TEST_CASE("torch: lazy negation is resolved, lazy conjugation refused with its elements") {
  const at::Tensor complex = at::complex(numbers({3, 4}, at::kFloat), numbers({3, 4}, at::kFloat) + 1);
  const at::Tensor negated = at::imag(complex.conj());
  REQUIRE(negated.is_neg());
  check_equal(ls::view(negated), negated.resolve_neg());
  check_equal(ls::TensorRef(negated).read({3, 2}), negated.narrow(1, 0, 2).resolve_neg());
  CHECK(negated.is_neg());
  check_in_place(at::imag(complex));
  check_in_place(at::view_as_real(complex));
  CHECK_THAT(message_of(complex.conj(), ls::ErrorCode::unsupported),
             ContainsSubstring("at::view_as_real(x.resolve_conj())"));
  check_in_place(at::view_as_real(complex.conj().resolve_conj()).contiguous());
}

TEST_CASE("torch: what cannot be read is refused with the way out") {
  const at::Tensor x = numbers({4, 4}, at::kFloat);
  CHECK_THAT(message_of(at::Tensor(), ls::ErrorCode::empty), ContainsSubstring("undefined"));
  CHECK_THAT(message_of(x.to_sparse(), ls::ErrorCode::unsupported),
             ContainsSubstring("sparse") && ContainsSubstring(".to_dense()"));
  CHECK_THAT(message_of(x.to_sparse_csr(), ls::ErrorCode::unsupported),
             ContainsSubstring("sparse_csr") && ContainsSubstring(".to_dense()"));
  CHECK_THAT(message_of(at::complex(x, x), ls::ErrorCode::unsupported), ContainsSubstring("ComplexFloat"));
  CHECK_THAT(message_of(at::empty({1, 1, 1, 1, 1, 1, 1, 1, 1}), ls::ErrorCode::invalid_argument),
             ContainsSubstring("8"));
  for (const at::Tensor& bad : {at::Tensor(), x.to_sparse(), at::complex(x, x)}) {
    CHECK_THROWS_AS(ls::TensorRef(bad).shape(), ls::Error);
    CHECK_THROWS_AS(ls::TensorRef(bad).read({1, 1}), ls::Error);
  }
  at::Tensor freed = x.clone();
  freed.storage().unsafeGetStorageImpl()->set_nbytes(0);
  CHECK_THAT(message_of(freed, ls::ErrorCode::invalid_argument), ContainsSubstring("64"));
}

TEST_CASE("torch: read() narrows what it is asked for") {
  const at::Tensor x = numbers({5, 6, 7}, at::kFloat).transpose(0, 2);
  const ls::TensorRef ref(x);
  CHECK(ref.shape() == ls::Shape{7, 6, 5});
  CHECK(ref.read().data() == x.data_ptr());
  check_equal(ref.read({2, 6, 3}), x.narrow(0, 0, 2).narrow(2, 0, 3));
  check_equal(ref.read({100, 1, 5}), x.narrow(1, 0, 1));
  CHECK_THROWS_AS(ref.read({2, 6}), ls::Error);
}

TEST_CASE("torch: the copy path gives on the host what the view gives") {
  for (const auto& [type, expected] : types) {
    const at::Tensor x = numbers({4, 5, 6}, type).permute({2, 0, 1});
    const ls::AnyView part = ls::detail::torch_fetch(x, {3, 4, 2});
    CHECK(part.dtype() == expected);
    CHECK(part.owner() != nullptr);
    check_equal(part, x.narrow(0, 0, 3).narrow(2, 0, 2));
  }
}

TEST_CASE("torch: a tensor without data on its device is refused in libtorch's words") {
  const at::Tensor x = at::empty({3, 4}, at::TensorOptions().device(at::kMeta));
  CHECK_THAT(message_of(x, ls::ErrorCode::unsupported),
             ContainsSubstring("meta") && ContainsSubstring("x.to(at::kCPU)"));
  CHECK(ls::TensorRef(x).shape() == ls::Shape{3, 4});
  CHECK_THROWS_AS(ls::TensorRef(x).read({1, 1}), ls::Error);
  CHECK_THROWS_WITH(ls::TensorRef(x).read({1, 1}), ContainsSubstring("copying from meta failed"));
}
