#include <layerscope/adapters/std.hpp>

#include <array>
#include <cstdint>
#include <deque>
#include <list>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "support/catch.hpp"

namespace ls = layerscope;

TEST_CASE("vectors are borrowed as lvalues and owned as rvalues") {
  std::vector<double> numbers{1, 2, 3};
  const auto borrowed = ls::view(numbers);
  STATIC_REQUIRE(std::is_same_v<decltype(borrowed), const ls::TensorView<double>>);
  CHECK(borrowed.data() == numbers.data());
  CHECK(borrowed.shape() == ls::Shape{3});
  CHECK(borrowed.any().owner() == nullptr);
  const std::vector<double>& constant = numbers;
  CHECK(ls::view(constant).data() == numbers.data());

  const double* const data = numbers.data();
  const ls::AnyView owned = ls::view(std::move(numbers));
  CHECK(owned.data() == data);
  CHECK(owned.owner() != nullptr);
  CHECK(owned.as<double>()(2) == 3);
  CHECK(ls::view(std::vector<float>()).empty());
}

TEST_CASE("arrays of the language and the library") {
  const std::array<std::uint8_t, 2> array{4, 5};
  CHECK(ls::view(array).data() == array.data());
  CHECK(ls::view(std::array<float, 2>{1, 2}).as<float>()(1) == 2);
  CHECK(ls::view(std::array<float, 0>()).empty());
  const float grid[2][3] = {{1, 2, 3}, {4, 5, 6}};
  const ls::TensorView<float> view = ls::view(grid);
  CHECK(view.shape() == ls::Shape{2, 3});
  CHECK(view(1, 0) == 4);
  int cube[2][1][2] = {{{1, 2}}, {{3, 4}}};
  CHECK(ls::view(cube).shape() == ls::Shape{2, 1, 2});
  CHECK(ls::view(cube)(1, 0, 1) == 4);
}

TEST_CASE("spans are borrowed, temporaries of them too") {
  std::vector<int> numbers{1, 2, 3};
  const auto view = ls::view(std::span<int>(numbers).subspan(1));
  STATIC_REQUIRE(std::is_same_v<decltype(view), const ls::TensorView<int>>);
  CHECK(view.data() == numbers.data() + 1);
  CHECK(ls::view(std::span<const int>(numbers)).size() == 3);
  CHECK(ls::view(std::span<int, 2>(numbers.data(), 2)).size() == 2);
}

TEST_CASE("a Tensor is viewed by sharing its storage") {
  ls::AnyView view;
  {
    ls::Tensor tensor(ls::DType::i32, {2});
    tensor.mutable_data<int>()[1] = 9;
    view = ls::view(tensor);
    CHECK(view.data() == tensor.raw());
    CHECK(ls::view(ls::Tensor(tensor)).data() == tensor.raw());
  }
  CHECK(view.as<int>()(1) == 9);
}

TEST_CASE("what has no elements in one piece has no adapter") {
  STATIC_REQUIRE(ls::Adaptable<std::vector<ls::Half>>);
  STATIC_REQUIRE_FALSE(ls::Adaptable<std::vector<bool>>);
  STATIC_REQUIRE_FALSE(ls::Adaptable<std::deque<float>>);
  STATIC_REQUIRE_FALSE(ls::Adaptable<std::list<float>>);
  STATIC_REQUIRE_FALSE(ls::Adaptable<std::vector<std::vector<float>>>);
  STATIC_REQUIRE_FALSE(ls::Adaptable<std::string>);
  STATIC_REQUIRE_FALSE(ls::Adaptable<std::vector<std::string>>);
}
