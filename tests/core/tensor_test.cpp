#include <layerscope/core/error.hpp>
#include <layerscope/core/tensor.hpp>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "support/catch.hpp"
#include "support/error.hpp"

namespace ls = layerscope;
using layerscope_test::error_of;

namespace {

template <class T>
std::vector<T> values(const ls::Tensor& tensor) {
  return {tensor.data<T>(), tensor.data<T>() + tensor.size()};
}

}  // namespace

TEST_CASE("a tensor begins as zeros, aligned to 64 bytes") {
  const ls::Tensor tensor(ls::DType::f64, {3, 5});
  CHECK(tensor.bytes() == 120);
  CHECK(values<double>(tensor) == std::vector<double>(15, 0.0));
  CHECK(reinterpret_cast<std::uintptr_t>(tensor.raw()) % 64 == 0);
  const ls::Tensor none;
  CHECK(none.empty());
  CHECK(none.view().empty());
  CHECK(ls::Tensor(ls::DType::u8, {0, 7}).empty());
  CHECK(ls::Tensor(ls::DType::u8, {}).size() == 1);
  CHECK(error_of([&] { tensor.data<float>(); }).code() == ls::ErrorCode::invalid_argument);
}

TEST_CASE("sizes beyond 2^63 bytes are refused") {
  CHECK(ls::byte_count(ls::DType::f32, {2, 3}) == 24);
  CHECK(error_of([] { ls::byte_count(ls::DType::u16, {std::int64_t{1} << 62}); }).code() == ls::ErrorCode::too_large);
  CHECK(error_of([] { ls::Tensor(ls::DType::f64, {std::int64_t{1} << 60}); }).code() == ls::ErrorCode::too_large);
}

TEST_CASE("copies share storage until one is written") {
  ls::Tensor a(ls::DType::i32, {2});
  a.mutable_data<int>()[0] = 1;
  ls::Tensor b = a;
  const ls::AnyView view = a.view();
  CHECK(b.raw() == a.raw());
  b.mutable_data<int>()[0] = 2;
  CHECK(a.data<int>()[0] == 1);
  CHECK(b.data<int>()[0] == 2);
  a.mutable_data<int>()[0] = 3;  // the view still holds the old storage
  CHECK(static_cast<const int*>(view.data())[0] == 1);
  const void* const alone = b.raw();
  b.mutable_data<int>();
  CHECK(b.raw() == alone);
}

TEST_CASE("a view outlives its tensor") {
  ls::AnyView view;
  {
    ls::Tensor tensor(ls::DType::i32, {1000});
    tensor.mutable_data<int>()[999] = 5;
    view = tensor;
  }
  CHECK(view.as<int>()(999) == 5);
}

TEST_CASE("copies of strided views are row-major") {
  const std::vector<int> numbers{0, 1, 2, 3, 4, 5};
  const ls::AnyView view = ls::TensorView<int>(numbers.data(), {2, 3});
  CHECK(values<int>(ls::copy(view)) == numbers);
  CHECK(values<int>(ls::copy(view.permute({1, 0}))) == std::vector<int>{0, 3, 1, 4, 2, 5});
  CHECK(values<int>(ls::copy(view.narrow(1, 2, 3, -1))) == std::vector<int>{2, 1, 0, 5, 4, 3});
  CHECK(values<int>(ls::copy(view.narrow(0, 1, 2, 0))) == std::vector<int>{3, 4, 5, 3, 4, 5});
  CHECK(values<int>(ls::copy(view.select(1, 1))) == std::vector<int>{1, 4});
  CHECK(ls::copy(view.narrow(0, 2, 0)).shape() == ls::Shape{0, 3});
  CHECK(ls::copy(view.select(0, 0).select(0, 2)).data<int>()[0] == 2);
  const ls::Tensor deep = ls::copy(ls::AnyView(numbers.data(), ls::DType::i32, {1, 2, 1, 3, 1, 1, 1, 1}));
  CHECK(values<int>(deep) == numbers);
}

TEST_CASE("every element type converts to float32, float64 and int64") {
  for (std::uint8_t code = 0; code <= static_cast<std::uint8_t>(ls::DType::f64); ++code) {
    const auto dtype = static_cast<ls::DType>(code);
    CAPTURE(ls::name(dtype));
    ls::Tensor source(dtype, {4});
    ls::visit_dtype(dtype, [&](auto element) {
      using T = decltype(element);
      T* const out = source.mutable_data<T>();
      for (int i = 0; i < 4; ++i) {
        if constexpr (std::is_same_v<T, ls::Half>) {
          out[i].bits = i % 2 == 0 ? 0 : 0x3C00;
        } else if constexpr (std::is_same_v<T, ls::BFloat16>) {
          out[i].bits = i % 2 == 0 ? 0 : 0x3F80;
        } else {
          out[i] = static_cast<T>(i % 2);
        }
      }
    });
    for (const bool strided : {false, true}) {
      const ls::AnyView view = strided ? source.view().narrow(0, 3, 4, -1) : source.view();
      const std::int64_t first = strided ? 1 : 0;
      CHECK(values<float>(ls::convert(view, ls::DType::f32))[0] == static_cast<float>(first));
      CHECK(values<double>(ls::convert(view, ls::DType::f64))[0] == static_cast<double>(first));
      CHECK(values<std::int64_t>(ls::convert(view, ls::DType::i64)) ==
            std::vector<std::int64_t>{first, 1 - first, first, 1 - first});
      CHECK(ls::convert(view, dtype).dtype() == dtype);
    }
  }
  const float one = 1;
  CHECK(error_of([&] { ls::convert(ls::TensorView<float>(&one, {1}), ls::DType::u8); }).code() ==
        ls::ErrorCode::unsupported);
}

TEST_CASE("conversion to int64 truncates, saturates, and makes 0 of NaN") {
  using Limits = std::numeric_limits<std::int64_t>;
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<double> wild{1.9, -1.9, 0x1p63, -0x1p63, infinity, -infinity, std::nan(""), 1e300};
  CHECK(values<std::int64_t>(ls::convert(ls::TensorView<double>(wild.data(), {8}), ls::DType::i64)) ==
        std::vector<std::int64_t>{1, -1, Limits::max(), Limits::min(), Limits::max(), Limits::min(), 0, Limits::max()});
  const std::vector<std::uint64_t> large{~std::uint64_t{0}, 7};
  CHECK(values<std::int64_t>(ls::convert(ls::TensorView<std::uint64_t>(large.data(), {2}), ls::DType::i64)) ==
        std::vector<std::int64_t>{Limits::max(), 7});
  const std::vector<ls::Half> halves{{0x7C00}, {0xFC00}, {0x7E00}, {0xC100}};
  CHECK(values<std::int64_t>(ls::convert(ls::TensorView<ls::Half>(halves.data(), {4}), ls::DType::i64)) ==
        std::vector<std::int64_t>{Limits::max(), Limits::min(), 0, -2});
}

TEST_CASE("contiguous copies only what needs it") {
  const std::vector<float> numbers{0, 1, 2, 3};
  const ls::AnyView view = ls::TensorView<float>(numbers.data(), {2, 2});
  CHECK(ls::contiguous(view, ls::DType::f32).data() == numbers.data());
  const ls::AnyView turned = ls::contiguous(view.permute({1, 0}), ls::DType::f32);
  CHECK(turned.owner() != nullptr);
  CHECK(turned.as<float>()(0, 1) == 2);
  CHECK(ls::contiguous(view, ls::DType::f64).as<double>()(1, 1) == 3);
  std::vector<double> out(4, -1);
  ls::convert_into(view.permute({1, 0}), ls::DType::f64, out.data());
  CHECK(out == std::vector<double>{0, 2, 1, 3});
}
