// Against a minimal mdspan of the tests, std::mdspan where the compiler has one, and cuda::std::mdspan where installed.
#include <layerscope/adapters/mdspan.hpp>
#include <layerscope/core/tensor.hpp>

#include "support/adapter.hpp"
#include "support/catch.hpp"
#include "support/error.hpp"
#include "support/mini_mdspan.hpp"

#include <array>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>
#include <version>

#ifdef __cpp_lib_mdspan
#include <mdspan>
#endif
#if __has_include(<cuda/std/mdspan>)
#include <cuda/std/array>
#include <cuda/std/mdspan>
#endif

namespace ls = layerscope;
using Catch::Matchers::ContainsSubstring;
using layerscope_test::check_borrowed;
using layerscope_test::check_copy;
using layerscope_test::error_of;
using layerscope_test::pattern;

namespace {

#define API(name, space)                                 \
  struct name {                                          \
    template <class T, class E, class... Rest>           \
    using mdspan = space::mdspan<T, E, Rest...>;         \
    template <class Index, std::size_t n>                \
    using dextents = space::dextents<Index, n>;          \
    using left = space::layout_left;                     \
    using right = space::layout_right;                   \
    using stride = space::layout_stride;                 \
    template <class T>                                   \
    using default_accessor = space::default_accessor<T>; \
    template <class T, std::size_t n>                    \
    using array = space::array<T, n>;                    \
  }
API(Mini, mini);
#define APIS Mini
#ifdef __cpp_lib_mdspan
API(Standard, std);
#define STANDARD_API , Standard
#else
#define STANDARD_API
#endif
#if __has_include(<cuda/std/mdspan>)
API(Cuda, cuda::std);
#define CUDA_API , Cuda
#else
#define CUDA_API
#endif

template <class T>
std::vector<T> memory(std::size_t count) {
  std::vector<T> result(count);
  for (std::size_t i = 0; i < count; ++i) result[i] = pattern<T>(i);
  return result;
}

/// The element by mdspan's own definition.
template <class X, std::size_t... axis>
auto at(const X& x, const ls::Dims& index, std::index_sequence<axis...>) {
  using Index = typename X::index_type;
  return x.accessor().access(
      x.data_handle(), static_cast<std::size_t>(x.mapping()(static_cast<Index>(index[static_cast<int>(axis)])...)));
}

template <class X>
void check(const X& x, const ls::Shape& shape) {
  using T = std::remove_const_t<typename X::element_type>;
  const auto view = ls::view(x);
  static_assert(std::is_same_v<decltype(view), const ls::TensorView<T>>);
  CHECK(view.any().owner() == nullptr);
  check_copy<T>(view, shape, [&](const ls::Dims& i) { return at(x, i, std::make_index_sequence<X::rank()>()); });
}

template <class Api, class T>
void check_layouts() {
  using E = typename Api::template dextents<int, 3>;
  std::vector<T> m = memory<T>(200);
  const E extents(3, 4, 5);
  check(typename Api::template mdspan<T, E>(m.data(), extents), {3, 4, 5});
  check(typename Api::template mdspan<const T, E, typename Api::left>(m.data(), extents), {3, 4, 5});
  using Padded = typename Api::template mdspan<T, E, mini::layout_left_padded<8>>;
  check(Padded(m.data(), extents), {3, 4, 5});
  CHECK(ls::view(Padded(m.data(), extents)).strides() == ls::Strides{1, 8, 32});
  using Strided = typename Api::template mdspan<T, E, typename Api::stride>;
  using Map = typename Strided::mapping_type;
  check(Strided(m.data() + 1, Map(extents, typename Api::template array<int, 3>{50, 2, 9})), {3, 4, 5});
}

/// All rows are the first one.
struct Zero {
  template <class E>
  struct mapping {
    using extents_type = E;
    using index_type = typename E::index_type;
    using rank_type = typename E::rank_type;
    using layout_type = Zero;
    mapping(const E& e) : e_(e) {}  // NOLINT(*-explicit-*)
    const E& extents() const noexcept { return e_; }
    index_type required_span_size() const noexcept { return e_.extent(1); }
    index_type operator()(index_type, index_type j) const noexcept { return j; }
    static constexpr bool is_always_unique() noexcept { return false; }
    static constexpr bool is_always_exhaustive() noexcept { return true; }
    static constexpr bool is_always_strided() noexcept { return true; }
    static constexpr bool is_unique() noexcept { return false; }
    static constexpr bool is_exhaustive() noexcept { return true; }
    static constexpr bool is_strided() noexcept { return true; }
    index_type stride(rank_type r) const noexcept { return r == 0 ? 0 : 1; }
    bool operator==(const mapping&) const noexcept { return true; }

   private:
    E e_;
  };
};

/// Backwards: the first element has the largest offset, and the stride is negative.
struct Reversed {
  template <class E>
  struct mapping {
    using extents_type = E;
    using index_type = typename E::index_type;
    using rank_type = typename E::rank_type;
    using size_type = std::make_unsigned_t<index_type>;
    using layout_type = Reversed;
    mapping(const E& e) : e_(e) {}  // NOLINT(*-explicit-*)
    const E& extents() const noexcept { return e_; }
    index_type required_span_size() const noexcept { return e_.extent(0); }
    index_type operator()(index_type i) const noexcept { return e_.extent(0) - 1 - i; }
    static constexpr bool is_always_unique() noexcept { return true; }
    static constexpr bool is_always_exhaustive() noexcept { return true; }
    static constexpr bool is_always_strided() noexcept { return true; }
    static constexpr bool is_unique() noexcept { return true; }
    static constexpr bool is_exhaustive() noexcept { return true; }
    static constexpr bool is_strided() noexcept { return true; }
    index_type stride(rank_type) const noexcept { return -1; }
    bool operator==(const mapping&) const noexcept { return true; }

   private:
    E e_;
  };
};

/// Strided for small extents only, as a space-filling or blocked layout is.
struct Blocked {
  template <class E>
  struct mapping : Reversed::mapping<E> {
    using layout_type = Blocked;
    using Reversed::mapping<E>::mapping;
    typename E::index_type operator()(typename E::index_type i) const noexcept { return i ^ 1; }
    static constexpr bool is_always_strided() noexcept { return false; }
    bool is_strided() const noexcept { return this->extents().extent(0) <= 1; }
  };
};

/// References and pointers as default_accessor has them, but elsewhere.
template <class T>
struct EverySecond {
  using offset_policy = EverySecond;
  using element_type = T;
  using reference = T&;
  using data_handle_type = T*;
  constexpr T& access(T* p, std::size_t i) const noexcept { return p[2 * i]; }
  constexpr T* offset(T* p, std::size_t i) const noexcept { return p + 2 * i; }
};

/// As default_accessor, by another name.
template <class T>
struct Aligned : EverySecond<T> {
  using offset_policy = Aligned;
  constexpr T& access(T* p, std::size_t i) const noexcept { return p[i]; }
  constexpr T* offset(T* p, std::size_t i) const noexcept { return p + i; }
};

}  // namespace

TEMPLATE_TEST_CASE("mdspan: every element type in every layout is read in place", "", APIS STANDARD_API CUDA_API) {
  check_layouts<TestType, std::uint8_t>();
  check_layouts<TestType, std::int8_t>();
  check_layouts<TestType, std::uint16_t>();
  check_layouts<TestType, std::int16_t>();
  check_layouts<TestType, std::uint32_t>();
  check_layouts<TestType, std::int32_t>();
  check_layouts<TestType, std::uint64_t>();
  check_layouts<TestType, std::int64_t>();
  check_layouts<TestType, float>();
  check_layouts<TestType, double>();
  check_layouts<TestType, ls::Half>();
  const bool flags[] = {true, false, false, true, true, false};
  using E = typename TestType::template dextents<std::size_t, 2>;
  const typename TestType::template mdspan<const bool, E, typename TestType::left> x(flags, E(2, 3));
  check(x, {2, 3});
  check_borrowed(ls::view(x), flags);
}

TEMPLATE_TEST_CASE("mdspan: ranks 0 and 8, small and unsigned index types", "", APIS STANDARD_API CUDA_API) {
  std::vector<float> m = memory<float>(256);
  using E0 = typename TestType::template dextents<int, 0>;
  check(typename TestType::template mdspan<float, E0>(m.data() + 3, E0()), {});
  using E8 = typename TestType::template dextents<std::uint8_t, 8>;
  check(typename TestType::template mdspan<float, E8, typename TestType::left>(m.data(), E8(2, 1, 3, 1, 2, 1, 2, 5)),
        {2, 1, 3, 1, 2, 1, 2, 5});
}

TEMPLATE_TEST_CASE("mdspan: zero strides expand, zero extents are views of nothing", "", APIS STANDARD_API CUDA_API) {
  std::vector<float> m = memory<float>(8);
  using E = typename TestType::template dextents<int, 2>;
  check(typename TestType::template mdspan<float, E, Zero>(m.data(), E(4, 8)), {4, 8});
  const typename TestType::template mdspan<float, E> none(nullptr, E(4, 0));
  CHECK(ls::view(none).shape() == ls::Shape{4, 0});
  CHECK(ls::copy(ls::view(none)).empty());
}

TEMPLATE_TEST_CASE("mdspan: a layout whose first element is not at offset 0", "", APIS STANDARD_API CUDA_API) {
  std::vector<float> m = memory<float>(9);
  using E = typename TestType::template dextents<int, 1>;
  const typename TestType::template mdspan<float, E, Reversed> x(m.data(), E(9));
  check(x, {9});
  CHECK(ls::view(x).strides() == ls::Strides{-1});
}

TEMPLATE_TEST_CASE("mdspan: layouts without strides and other accessors are told", "", APIS STANDARD_API CUDA_API) {
  std::vector<float> m = memory<float>(16);
  using E = typename TestType::template dextents<int, 1>;
  const ls::Error blocked =
      error_of([&] { ls::view(typename TestType::template mdspan<float, E, Blocked>(m.data(), E(4))); });
  CHECK(blocked.code() == ls::ErrorCode::unsupported);
  CHECK_THAT(blocked.what(), ContainsSubstring("expected is_strided() to be true"));
  using Second = typename TestType::template mdspan<float, E, typename TestType::right, EverySecond<float>>;
  CHECK_THAT(error_of([&] { ls::view(Second(m.data(), E(4))); }).what(),
             ContainsSubstring("the accessor finds the offset 3 elsewhere"));
  check(typename TestType::template mdspan<float, E, typename TestType::right, Aligned<float>>(m.data(), E(4)), {4});
}

TEMPLATE_TEST_CASE("mdspan: a temporary is as good as a named one", "", APIS STANDARD_API CUDA_API) {
  std::vector<double> m = memory<double>(6);
  using E = typename TestType::template dextents<long, 2>;
  const auto view = ls::view(typename TestType::template mdspan<double, E>(m.data(), E(2, 3)));
  static_assert(std::is_same_v<decltype(view), const ls::TensorView<double>>);
  check_borrowed(view, m.data());
}

TEST_CASE("mdspan: what only looks a little like one is left alone") {
  STATIC_REQUIRE_FALSE(ls::Adaptable<mini::dextents<int, 2>>);
  STATIC_REQUIRE_FALSE(ls::Adaptable<std::complex<float>>);
}
