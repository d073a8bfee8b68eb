// libFuzzer target of core/tensor_view.hpp and core/tensor.hpp, and of the adapters of pointers, std::vector and Eigen:
// views of random shapes and strides, also zero and negative ones, are cut, turned, reshaped, copied and converted, and
// every step is compared with a list of places made by naive loops. Memory holds not a byte more than the view reaches.
#include <layerscope/adapters/eigen.hpp>
#include <layerscope/adapters/std.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/core/tensor_ref.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "strided_model.hpp"

namespace ls = layerscope;
using namespace layerscope_fuzz;

namespace {

constexpr std::int64_t most_elements = 64;

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::abort();
}

ls::Dims dims(const Numbers& numbers) {
  return ls::Dims(std::span<const std::int64_t>(numbers));
}

/// Runs `body`, which must throw a layerscope::Error of that code.
template <class Body>
void require_error(ls::ErrorCode code, const char* what, Body body) {
  try {
    body();
  } catch (const ls::Error& error) {
    require(error.code() == code, what);
    return;
  }
  require(false, what);
}

/// Memory of exactly `count` elements: small numbers and arbitrary bits, so that floats are also NaN and infinite.
struct Memory {
  Memory(ls::DType type, std::int64_t count, unsigned seed)
      : dtype(type), size(ls::size_of(type)), bytes(ls::allocate_bytes(static_cast<std::size_t>(count) * size)) {
    std::uint64_t state = seed + 1;
    for (std::int64_t i = 0; i < count; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      const std::uint64_t bits = state >> 8 ^ state << 40;
      std::byte* const to = at(i);
      ls::visit_dtype(type, [&](auto zero) {
        using T = decltype(zero);
        T value{};
        if constexpr (std::is_same_v<T, bool>) {
          value = (bits & 1u) != 0;
        } else if constexpr (std::is_floating_point_v<T>) {
          std::memcpy(&value, &bits, sizeof value);
          if ((state >> 60) < 8) value = static_cast<T>(static_cast<std::int8_t>(bits)) * T{0.75};
        } else {
          std::memcpy(static_cast<void*>(&value), &bits, sizeof value);
        }
        std::memcpy(to, &value, sizeof value);
      });
    }
  }

  std::byte* at(std::int64_t place) const { return bytes.get() + place * static_cast<std::int64_t>(size); }

  Exact exact(std::int64_t place) const {
    std::uint64_t bits = 0;
    std::memcpy(&bits, at(place), size);  // little endian, as all machines with libFuzzer
    switch (dtype) {
      case ls::DType::f16: return exact_of_float_bits(bits, 5, 10);
      case ls::DType::bf16: return exact_of_float_bits(bits, 8, 7);
      case ls::DType::f32: return exact_of_float_bits(bits, 8, 23);
      case ls::DType::f64: return exact_of_float_bits(bits, 11, 52);
      case ls::DType::i8:
      case ls::DType::i16:
      case ls::DType::i32:
      case ls::DType::i64: {
        const int shift = 64 - 8 * static_cast<int>(size);
        return {static_cast<long double>(static_cast<std::int64_t>(bits << shift) >> shift), false};
      }
      case ls::DType::boolean:
      case ls::DType::u8:
      case ls::DType::u16:
      case ls::DType::u32:
      case ls::DType::u64: break;
    }
    return {static_cast<long double>(bits), false};
  }

  ls::DType dtype;
  std::size_t size;
  std::shared_ptr<std::byte> bytes;
};

/// A view and what it must be.
struct Subject {
  Memory memory;
  ls::AnyView view;
  StridedModel model;
};

Numbers numbers_of(const ls::Dims& from) {
  return {from.begin(), from.end()};
}

void check(const ls::AnyView& view, const Memory& memory, const StridedModel& model) {
  require(numbers_of(view.shape()) == model.extents, "the extents");
  require(view.size() == static_cast<std::int64_t>(model.places.size()), "the number of elements");
  require(view.empty() == model.places.empty() && view.rank() == static_cast<int>(model.extents.size()), "the rank");
  require(view.contiguous() == model.gapless(), "whether there are gaps");
  std::size_t element = 0;
  StridedModel::each_index(model.extents, [&](const Index& index) {
    const std::byte* at = static_cast<const std::byte*>(view.data());
    for (std::size_t axis = 0; axis < model.extents.size(); ++axis) {
      at += index[axis] * view.strides()[static_cast<int>(axis)] * static_cast<std::int64_t>(memory.size);
    }
    require(at == memory.at(model.places[element++]), "the place of an element");
  });
}

void check_copies(const Subject& subject) {
  const Memory& memory = subject.memory;
  const ls::AnyView& view = subject.view;
  const StridedModel& model = subject.model;
  const ls::Tensor copied = ls::copy(view);
  require(copied.dtype() == view.dtype() && copied.shape() == view.shape(), "the form of a copy");
  const ls::AnyView gapless = ls::contiguous(view, view.dtype());
  require(gapless.contiguous() && gapless.shape() == view.shape(), "the form of contiguous()");
  if (model.gapless()) require(gapless.data() == view.data(), "contiguous() does not copy without need");
  const ls::Tensor floats = ls::convert(view, ls::DType::f32);
  const ls::Tensor doubles = ls::convert(view, ls::DType::f64);
  const ls::Tensor integers = ls::convert(view, ls::DType::i64);
  const ls::Tensor referred = ls::copy(ls::TensorRef(view).read());
  for (std::size_t i = 0; i < model.places.size(); ++i) {
    const std::byte* const expected = memory.at(model.places[i]);
    const auto same = [&](const void* data) {
      return std::memcmp(static_cast<const std::byte*>(data) + i * memory.size, expected, memory.size) == 0;
    };
    require(same(copied.raw()) && same(gapless.data()) && same(referred.raw()), "an element of a copy");
    const Exact exact = memory.exact(model.places[i]);
    const float single = floats.data<float>()[i];
    const double twice = doubles.data<double>()[i];
    if (exact.nan) {
      require(std::isnan(single) && std::isnan(twice), "NaN stays NaN");
    } else {
      require(single == static_cast<float>(exact.value), "an element as float32");
      require(twice == static_cast<double>(exact.value), "an element as float64");
    }
    require(integers.data<std::int64_t>()[i] == truncated(exact), "an element as int64");
  }
  if (view.dtype() != ls::DType::u16) {
    require_error(ls::ErrorCode::unsupported, "no conversion to uint16", [&] { ls::convert(view, ls::DType::u16); });
    require_error(ls::ErrorCode::invalid_argument, "the type is checked", [&] { view.as<std::uint16_t>(); });
  }
}

/// A strided map of Eigen, its transpose and its evaluated expressions.
template <class T>
void check_eigen(const Subject& subject) {
  const Memory& memory = subject.memory;
  const ls::AnyView& view = subject.view;
  const StridedModel& model = subject.model;
  if (view.rank() != 2 || view.empty() || view.strides()[0] < 0 || view.strides()[1] < 0) return;
  using Rows = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using Steps = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
  const Eigen::Map<const Rows, Eigen::Unaligned, Steps> map(
      static_cast<const T*>(view.data()), view.extent(0), view.extent(1), Steps(view.strides()[0], view.strides()[1]));
  check(ls::view(map), memory, model);
  check(ls::view(map.transpose()), memory, StridedModel(model).permute({1, 0}));
  check(ls::view(map.bottomRightCorner(1, 1)), memory,
        StridedModel(model).narrow(0, view.extent(0) - 1, 1, 1).narrow(1, view.extent(1) - 1, 1, 1));
  const ls::AnyView reversed = ls::view(map.reverse());
  for (std::size_t i = 0; i < model.places.size(); ++i) {
    const void* const found = static_cast<const T*>(reversed.data()) + i;
    require(std::memcmp(found, memory.at(model.places[model.places.size() - 1 - i]), sizeof(T)) == 0, "Eigen reversed");
  }
}

/// The elements in a vector, borrowed and then owned by the view.
template <class T>
void check_vector(const Subject& subject) {
  const ls::Tensor copied = ls::copy(subject.view);
  const T* const first = copied.data<T>();
  std::vector<T> values(first, first + copied.size());
  const ls::AnyView borrowed = ls::view(values);
  require(borrowed.data() == values.data() && borrowed.owner() == nullptr, "a named vector is borrowed");
  const ls::AnyView owned = ls::view(std::move(values));
  require(owned.owner() != nullptr && owned.shape() == ls::Shape{copied.size()}, "a vector is one axis");
  require(copied.empty() || std::memcmp(owned.data(), copied.raw(), copied.bytes()) == 0, "a moved vector's elements");
}

void check_typed(const Subject& subject) {
  ls::visit_dtype(subject.view.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const ls::TensorView<T> typed = subject.view.as<T>();
    if (typed.rank() == 3 && !typed.empty()) {
      std::size_t element = 0;
      for (std::int64_t i = 0; i < typed.extent(0); ++i) {
        for (std::int64_t j = 0; j < typed.extent(1); ++j) {
          for (std::int64_t k = 0; k < typed.extent(2); ++k) {
            const void* const expected = subject.memory.at(subject.model.places[element++]);
            require(static_cast<const void*>(&typed(i, j, k)) == expected, "an element by its index");
          }
        }
      }
    }
  });
}

// --- what a view is made of -----------------------------------------------------------------------------------------

Numbers small_extents(Input& input) {
  Numbers extents;
  const unsigned rank = input.below(9);
  std::int64_t count = 1;
  for (unsigned axis = 0; axis < rank; ++axis) {
    std::int64_t extent = input.below(6);
    if (count * extent > most_elements) extent = 1;
    count *= std::max<std::int64_t>(extent, 1);
    extents.push_back(extent);
  }
  return extents;
}

Numbers small_strides(Input& input, const Numbers& extents) {
  Numbers strides(extents.size());
  const unsigned form = input.below(4);
  std::int64_t dense = 1;
  for (std::size_t i = extents.size(); i-- > 0;) {
    // The axis that runs next fastest: the last one left, or in Fortran order the first.
    const std::size_t axis = form == 1 ? extents.size() - 1 - i : i;
    if (form == 3) {
      strides[axis] = static_cast<std::int64_t>(input.below(17)) - 8;
      continue;
    }
    strides[axis] = dense;
    const unsigned how = form == 2 ? input.byte() : 0;
    dense *= std::max<std::int64_t>(extents[axis], 1) + (how & 1u);
    if ((how & 2u) != 0) strides[axis] = -strides[axis];
    if (how % 16 == 12) strides[axis] = 0;
    if (dense > 1024) dense = 1;
  }
  return strides;
}

Subject make_subject(Input& input) {
  const auto dtype = static_cast<ls::DType>(input.below(13));
  const Numbers extents = small_extents(input);
  const Numbers strides = small_strides(input, extents);
  std::int64_t low = 0, high = 0;
  for (std::size_t axis = 0; axis < extents.size(); ++axis) {
    const std::int64_t reach = (extents[axis] - 1) * strides[axis];
    if (product(extents) > 0) (reach < 0 ? low : high) += reach;
  }
  const bool none = product(extents) == 0;
  Memory memory(dtype, none ? 0 : high - low + 1, input.byte());
  const StridedModel model(extents, strides, -low);
  const void* const data = none ? nullptr : memory.at(-low);
  if (input.below(2) == 0) {
    const ls::AnyView view(data, dtype, dims(extents), dims(strides), memory.bytes);
    require(view.owner() == memory.bytes, "the owner is held");
    return {memory, view, model};
  }
  return ls::visit_dtype(dtype, [&](auto zero) -> Subject {
    using T = decltype(zero);
    return {memory, ls::view(static_cast<const T*>(data), dims(extents), dims(strides)), model};
  });
}

// --- what is done to it ---------------------------------------------------------------------------------------------

void narrow(Subject& subject, Input& input) {
  const std::int64_t axis = static_cast<std::int64_t>(input.below(10)) - 1;
  const std::int64_t start = input.number(), count = input.number(), step = input.number();
  const auto call = [&] { return subject.view.narrow(static_cast<int>(axis), start, count, step); };
  bool valid = axis >= 0 && axis < subject.view.rank() && start >= 0 && count >= 0;
  if (valid) {
    const __int128 extent = subject.view.extent(static_cast<int>(axis));
    const __int128 last = static_cast<__int128>(start) + (static_cast<__int128>(count) - 1) * step;
    valid = count == 0 ? start <= extent : start < extent && last >= 0 && last < extent;
  }
  if (!valid) return require_error(ls::ErrorCode::invalid_argument, "narrow() refuses what leaves the axis", call);
  if (count > 8 || subject.view.size() * count > most_elements) {  // step 0, one entry many times over
    try {
      call();
    } catch (const ls::Error& error) {
      require(error.code() == ls::ErrorCode::too_large, "narrow() refuses only too many elements");
    }
    return;
  }
  subject.view = call();
  subject.model.narrow(static_cast<std::size_t>(axis), start, count, step);
}

void select(Subject& subject, Input& input) {
  const std::int64_t axis = static_cast<std::int64_t>(input.below(10)) - 1;
  const std::int64_t index = input.number();
  const auto call = [&] { return subject.view.select(static_cast<int>(axis), index); };
  const bool valid =
      axis >= 0 && axis < subject.view.rank() && index >= 0 && index < subject.view.extent(static_cast<int>(axis));
  if (!valid) return require_error(ls::ErrorCode::invalid_argument, "select() refuses what leaves the axis", call);
  subject.view = call();
  subject.model.select(static_cast<std::size_t>(axis), index);
}

void permute(Subject& subject, Input& input) {
  const int rank = subject.view.rank();
  std::vector<int> axes;
  for (int axis = 0; axis < rank; ++axis) {
    axes.insert(axes.begin() + static_cast<std::ptrdiff_t>(input.below(static_cast<unsigned>(axis) + 1)), axis);
  }
  bool valid = true;
  if (input.below(8) == 7) {
    const int wrong = static_cast<int>(input.below(12)) - 2;
    if (rank == 0 || input.below(4) == 0) {
      axes.push_back(wrong);
      valid = false;
    } else {
      int& one = axes[input.below(static_cast<unsigned>(rank))];
      valid = wrong == one;
      one = wrong;
    }
  }
  const auto call = [&] { return subject.view.permute(std::span<const int>(axes)); };
  if (!valid) return require_error(ls::ErrorCode::invalid_argument, "permute() refuses what is no order", call);
  subject.view = call();
  subject.model.permute(axes);
}

void reshape(Subject& subject, Input& input) {
  Numbers extents;
  std::int64_t rest = subject.view.size();
  for (unsigned left = input.below(8); left > 0; --left) {
    const auto extent = static_cast<std::int64_t>(input.below(7));
    if (rest == 0 ? extent > 0 : extent == 0 || rest % extent != 0) continue;
    extents.push_back(extent);
    if (extent > 0) rest /= extent;
  }
  if (rest != 1 || input.below(2) == 0) extents.push_back(rest);
  if (input.below(16) == 15 && !extents.empty()) {
    extents.back() = input.number();
    __int128 count = 1;
    bool negative = false;
    for (const std::int64_t extent : extents) {
      count *= extent;
      negative = negative || extent < 0;
    }
    if (negative || count != subject.view.size()) {
      try {
        subject.view.reshape(dims(extents));
      } catch (const ls::Error&) {
        return;
      }
      require(false, "reshape() refuses another number of elements");
    }
  }
  const std::optional<ls::AnyView> reshaped = subject.view.reshape(dims(extents));
  StridedModel model = subject.model;
  model.extents = extents;
  require(reshaped.has_value() == model.strided(), "reshape() finds strides exactly where there are some");
  if (!reshaped) return;
  subject.view = *reshaped;
  subject.model = std::move(model);
}

void replace_by_copy(Subject& subject) {
  const ls::Tensor copied = ls::copy(subject.view);
  Memory memory = subject.memory;
  memory.bytes = {copied.view().owner(), const_cast<std::byte*>(static_cast<const std::byte*>(copied.raw()))};
  for (std::size_t i = 0; i < subject.model.places.size(); ++i) {
    require(std::memcmp(memory.at(static_cast<std::int64_t>(i)), subject.memory.at(subject.model.places[i]),
                        memory.size) == 0,
            "an element of a copy");
    subject.model.places[i] = static_cast<std::int64_t>(i);
  }
  subject.memory = memory;
  subject.view = copied.view();  // which keeps the storage alive
}

// --- shapes and strides of any size, over memory that nobody reads --------------------------------------------------

void check_huge(Input& input) {
  const auto dtype = static_cast<ls::DType>(input.below(13));
  Numbers extents, strides;
  for (unsigned left = input.below(5); left > 0; --left) {
    extents.push_back(input.number());
    strides.push_back(input.number());
  }
  if (input.below(16) == 15) strides.push_back(1);
  // In the middle of the address space no reach of 2^63 bytes wraps around.
  const auto* const data = reinterpret_cast<const std::byte*>(std::uintptr_t{1} << 63);
  std::optional<ls::AnyView> view;
  std::optional<ls::ErrorCode> refused;
  try {
    view.emplace(data, dtype, dims(extents), dims(strides));
  } catch (const ls::Error& error) {
    refused = error.code();
  }

  bool negative = false, zero = false;
  for (const std::int64_t extent : extents) {
    negative = negative || extent < 0;
    zero = zero || extent == 0;
  }
  constexpr __int128 largest = std::numeric_limits<std::int64_t>::max();
  __int128 count = 1, low = 0, high = 0;
  bool large = false;
  for (std::size_t axis = 0; axis < extents.size() && !zero && !negative; ++axis) {
    large = large || count * extents[axis] > largest;
    if (!large) count *= extents[axis];
    const __int128 reach = static_cast<__int128>(extents[axis] - 1) * strides[axis];
    (reach < 0 ? low : high) += reach;
  }
  large =
      large || low < -largest - 1 || high > largest || (high - low) * static_cast<int>(ls::size_of(dtype)) > largest;
  if (negative || extents.size() != strides.size()) {
    require(refused.has_value(), "negative extents and unequal ranks are refused");
    return;
  }
  if (zero || !large) {
    require(view.has_value(), "a view within 63 bits is had");
    require(view->size() == (zero ? 0 : static_cast<std::int64_t>(count)), "its number of elements");
  } else {
    require(refused == ls::ErrorCode::too_large, "a view beyond 63 bits is refused");
    return;
  }
  for (int step = 0; step < 4 && !input.done(); ++step) {
    try {
      const int axis = static_cast<int>(input.below(5));
      switch (input.below(4)) {
        case 0: view = view->narrow(axis, input.number(), input.number(), input.number()); break;
        case 1: view = view->select(axis, input.number()); break;
        case 2: {
          const std::optional<ls::AnyView> flat = view->reshape({view->size()});
          if (flat) view = flat;
          break;
        }
        default: {
          const std::optional<ls::AnyView> other = view->reshape({input.number(), input.number(), input.number()});
          if (other) view = other;
        }
      }
    } catch (const ls::Error&) {  // what does not fit; that nothing overflows is for the sanitizer to see
    }
    // The corners stay within the memory of the first view.
    if (view->empty()) continue;
    __int128 first = static_cast<const std::byte*>(view->data()) - data, last = first;
    const auto size = static_cast<__int128>(ls::size_of(dtype));
    for (int axis = 0; axis < view->rank(); ++axis) {
      const __int128 reach = static_cast<__int128>(view->extent(axis) - 1) * view->strides()[axis] * size;
      (reach < 0 ? first : last) += reach;
    }
    require(first >= low * size && last <= high * size, "a part stays within the whole");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  if (input.below(8) == 7) {
    check_huge(input);
    return 0;
  }
  Subject subject = make_subject(input);
  check(subject.view, subject.memory, subject.model);
  for (int step = 0; step < 6 && !input.done(); ++step) {
    switch (input.below(9)) {
      case 0:
      case 1: narrow(subject, input); break;
      case 2: select(subject, input); break;
      case 3:
      case 4: permute(subject, input); break;
      case 5:
      case 6:
      case 7: reshape(subject, input); break;
      default: replace_by_copy(subject);
    }
    check(subject.view, subject.memory, subject.model);
  }
  check_copies(subject);
  check_typed(subject);
  if (subject.view.dtype() == ls::DType::f32) {
    check_eigen<float>(subject);
    check_vector<float>(subject);
  } else if (subject.view.dtype() == ls::DType::i16) {
    check_eigen<std::int16_t>(subject);
    check_vector<std::int16_t>(subject);
  }
  return 0;
}
