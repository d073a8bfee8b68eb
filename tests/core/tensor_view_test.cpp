#include <layerscope/core/error.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/core/tensor_view.hpp>

#include <cstdint>
#include <memory>
#include <numeric>
#include <vector>

#include "support/catch.hpp"
#include "support/error.hpp"

namespace ls = layerscope;
using layerscope_test::error_of;

namespace {

/// The elements in row-major order, read one by one through the strides.
std::vector<int> elements(const ls::AnyView& view) {
  std::vector<int> out;
  if (view.empty()) return out;
  std::vector<std::int64_t> index(static_cast<std::size_t>(view.rank()));
  for (;;) {
    std::int64_t offset = 0;
    for (int axis = 0; axis < view.rank(); ++axis)
      offset += index[static_cast<std::size_t>(axis)] * view.strides()[axis];
    out.push_back(static_cast<const int*>(view.data())[offset]);
    int axis = view.rank() - 1;
    while (axis >= 0 && ++index[static_cast<std::size_t>(axis)] == view.extent(axis)) {
      index[static_cast<std::size_t>(axis--)] = 0;
    }
    if (axis < 0) return out;
  }
}

const std::vector<int>& memory() {
  static const std::vector<int> numbers = [] {
    std::vector<int> n(10000);
    std::iota(n.begin(), n.end(), 0);
    return n;
  }();
  return numbers;
}

ls::AnyView cube() {
  return ls::TensorView<int>(memory().data(), {2, 3, 4});
}

}  // namespace

TEST_CASE("a default view is empty") {
  const ls::AnyView any;
  const ls::TensorView<float> typed;
  CHECK(any.empty());
  CHECK(any.shape() == ls::Shape{0});
  CHECK(any.contiguous());
  CHECK(typed.empty());
  CHECK(typed.any().dtype() == ls::DType::f32);
  CHECK(ls::TensorView<std::uint8_t>().any().dtype() == ls::DType::u8);
}

TEST_CASE("views index by strides") {
  const ls::TensorView<int> rows(memory().data(), {3, 4});
  CHECK(rows(2, 1) == 9);
  CHECK(rows.strides() == ls::Strides{4, 1});
  const ls::TensorView<int> flipped(memory().data() + 11, {3, 4}, {-4, -1});
  CHECK(flipped(0, 0) == 11);
  CHECK(flipped(2, 3) == 0);
  CHECK_FALSE(flipped.contiguous());
  const ls::TensorView<int> expanded(memory().data() + 5, {2, 3}, ls::Strides{0, 0});
  CHECK(elements(expanded) == std::vector<int>(6, 5));
  const ls::TensorView<int> scalar(memory().data() + 7, ls::Shape());
  CHECK(scalar() == 7);
  CHECK(scalar.size() == 1);
}

TEST_CASE("views check what they are given") {
  const int one = 1;
  const std::int64_t large = std::int64_t{1} << 62;
  using ls::ErrorCode;
  const auto code = [&](const void* data, const ls::Shape& shape, const ls::Strides& strides) {
    return error_of([&] { ls::AnyView(data, ls::DType::i32, shape, strides); }).code();
  };
  CHECK(code(&one, {1}, {1, 1}) == ErrorCode::invalid_argument);
  CHECK(code(&one, {-1}, {1}) == ErrorCode::invalid_argument);
  CHECK(code(nullptr, {1}, {1}) == ErrorCode::invalid_argument);
  CHECK(code(&one, {large, 4}, {0, 0}) == ErrorCode::too_large);
  CHECK(code(&one, {3}, {large}) == ErrorCode::too_large);
  CHECK(code(&one, {2}, {large}) == ErrorCode::too_large);             // bytes, not elements
  CHECK(code(&one, {2, 2}, {large, -large}) == ErrorCode::too_large);  // both ends together
  CHECK(code(&one, {2}, {INT64_MIN}) == ErrorCode::too_large);
  CHECK_NOTHROW(ls::AnyView(nullptr, ls::DType::i32, {0, 5}, {9, 9}));
  CHECK_NOTHROW(ls::AnyView(&one, ls::DType::i32, {1, 1}, {INT64_MIN, INT64_MAX}));  // strides that are never used
  CHECK(error_of([&] { cube().as<float>(); }).code() == ErrorCode::invalid_argument);
  CHECK(cube().as<int>().data() == memory().data());
}

TEST_CASE("contiguous looks at used strides only") {
  const auto view = [](const ls::Shape& shape, const ls::Strides& strides) {
    return ls::AnyView(memory().data() + 5000, ls::DType::i32, shape, strides).contiguous();
  };
  CHECK(view({2, 3}, {3, 1}));
  CHECK(view({2, 1, 3}, {3, 77, 1}));
  CHECK(view({1}, {-5}));
  CHECK(view({}, {}));
  CHECK(view({0, 3}, {7, 7}));
  CHECK_FALSE(view({2, 3}, {1, 2}));
  CHECK_FALSE(view({2, 3}, {4, 1}));
  CHECK_FALSE(view({2}, {-1}));
  CHECK_FALSE(view({2}, {0}));
}

TEST_CASE("narrow, select and permute") {
  const ls::AnyView view = cube();
  CHECK(elements(view.narrow(2, 1, 2)) == std::vector<int>{1, 2, 5, 6, 9, 10, 13, 14, 17, 18, 21, 22});
  CHECK(elements(view.narrow(2, 3, 2, -3).select(0, 0)) == std::vector<int>{3, 0, 7, 4, 11, 8});
  CHECK(elements(view.narrow(1, 2, 4, 0).select(0, 0).select(1, 0)) == std::vector<int>{8, 8, 8, 8});
  CHECK(view.narrow(1, 3, 0).shape() == ls::Shape{2, 0, 4});
  CHECK(elements(view.select(1, 2)) == std::vector<int>{8, 9, 10, 11, 20, 21, 22, 23});
  CHECK(elements(view.select(0, 1).select(0, 0).select(0, 3)) == std::vector<int>{15});
  CHECK(elements(view.permute({2, 0, 1}).select(0, 3)) == std::vector<int>{3, 7, 11, 15, 19, 23});
  using ls::ErrorCode;
  for (const auto& [axis, start, count, step] : std::vector<std::tuple<int, std::int64_t, std::int64_t, std::int64_t>>{
           {3, 0, 1, 1},
           {-1, 0, 1, 1},
           {2, -1, 1, 1},
           {2, 5, 0, 1},
           {2, 4, 1, 1},
           {2, 0, 5, 1},
           {2, 0, -1, 1},
           {2, 0, 2, 4},
           {2, 1, 3, -1},
           {2, 1, 3, INT64_MAX},
           {2, 1, 3, INT64_MIN},
           {2, 1, INT64_MAX, 1},
       }) {
    CAPTURE(axis, start, count, step);
    const int a = axis;
    const std::int64_t s = start;
    const std::int64_t c = count;
    const std::int64_t by = step;
    CHECK(error_of([&] { view.narrow(a, s, c, by); }).code() == ErrorCode::invalid_argument);
  }
  CHECK(error_of([&] { view.select(1, 3); }).code() == ErrorCode::invalid_argument);
  CHECK(error_of([&] { view.permute({0, 1}); }).code() == ErrorCode::invalid_argument);
  CHECK(error_of([&] { view.permute({0, 1, 1}); }).code() == ErrorCode::invalid_argument);
  CHECK(error_of([&] { view.permute({0, 1, 3}); }).code() == ErrorCode::invalid_argument);
  CHECK(error_of([&] { view.permute({0, 1, 2, 2}); }).code() == ErrorCode::invalid_argument);
}

TEST_CASE("reshape keeps the elements, or says that it cannot") {
  CHECK(elements(*cube().reshape({4, 6})) == elements(cube()));
  CHECK(elements(*cube().reshape({1, 24, 1})) == elements(cube()));
  CHECK(cube().select(0, 0).select(0, 0).select(0, 0).reshape({1, 1})->shape() == ls::Shape{1, 1});
  CHECK_FALSE(cube().permute({2, 1, 0}).reshape({24}));
  CHECK(elements(*cube().narrow(2, 0, 2, 2).reshape({6, 2})) == elements(cube().narrow(2, 0, 2, 2)));
  CHECK(cube().narrow(0, 0, 0).reshape({0, 99})->empty());
  CHECK(error_of([] { cube().reshape({5, 5}); }).code() == ls::ErrorCode::invalid_argument);
}

TEST_CASE("reshape does not overflow where strides reach far") {
  const std::uint8_t byte = 0;  // never read
  const ls::AnyView view(&byte, ls::DType::u8, {2, 2}, {1, std::int64_t{1} << 62});
  CHECK_FALSE(view.reshape({4}));
}

TEST_CASE("reshape of random views agrees with their elements, and refuses only what strides cannot say") {
  int reshaped = 0;
  int refused = 0;
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    const ls::Random random(seed, 77);
    std::uint64_t i = 0;
    const std::vector<std::vector<std::int64_t>> shapes{{2, 3, 4}, {4, 6},    {24},       {6, 4},
                                                        {3, 8},    {2, 2, 6}, {1, 12, 2}, {2, 1, 2, 3, 1, 2}};
    ls::AnyView view = ls::TensorView<int>(memory().data(), ls::Shape(shapes[random.below(i++, shapes.size())])).any();
    for (int axis = 0; axis < view.rank(); ++axis) {
      if (random.below(i++, 3) == 0) view = view.narrow(axis, view.extent(axis) - 1, view.extent(axis), -1);
      if (random.below(i++, 6) == 0 && view.extent(axis) > 1) view = view.narrow(axis, 0, view.extent(axis), 0);
    }
    if (view.rank() == 3 && random.below(i++, 2) == 0) view = view.permute({1, 0, 2});
    const ls::Shape target(shapes[random.below(i++, shapes.size())]);
    const auto result = view.reshape(target);
    if (result) {
      ++reshaped;
      if (elements(*result) != elements(view)) FAIL("seed " << seed);
      continue;
    }
    ++refused;
    // Strides that would do are fixed by the element that one step along each axis reaches; they must then be wrong.
    const std::vector<int> expected = elements(view);
    ls::Strides strides = ls::row_major_strides(target);
    for (int axis = 0; axis < target.rank(); ++axis) {
      if (target[axis] > 1) strides[axis] = expected[static_cast<std::size_t>(strides[axis])] - expected[0];
    }
    const ls::AnyView candidate(view.data(), ls::DType::i32, target, strides);
    bool inside = true;
    std::int64_t low = expected[0];
    std::int64_t high = expected[0];
    for (int axis = 0; axis < target.rank(); ++axis) {
      (strides[axis] < 0 ? low : high) += strides[axis] * (target[axis] - 1);
    }
    inside = low >= 0 && high < static_cast<std::int64_t>(memory().size());
    if (inside && elements(candidate) == expected) FAIL("needlessly refused, seed " << seed);
  }
  CHECK(reshaped > 300);
  CHECK(refused > 300);
}

TEST_CASE("a view may own its storage") {
  auto storage = std::make_shared<std::vector<int>>(std::vector<int>{1, 2, 3});
  const std::weak_ptr<std::vector<int>> watch = storage;
  {
    const ls::AnyView view = ls::AnyView(storage->data(), ls::DType::i32, {3}).with_owner(storage);
    storage.reset();
    const ls::AnyView part = view.narrow(0, 1, 2);
    CHECK(part.owner() == view.owner());
    CHECK(elements(*part.reshape({2, 1})) == std::vector<int>{2, 3});
  }
  CHECK(watch.expired());
}
