// Element types of tensors: an enumerator per type, and 16-bit floats that C++20 has no names for.
#pragma once

#include <layerscope/config.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace layerscope::inline LAYERSCOPE_ABI {

enum class DType : std::uint8_t { boolean, u8, i8, u16, i16, u32, i32, u64, i64, f16, bf16, f32, f64 };

/// IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits.
struct Half {
  std::uint16_t bits = 0;

  constexpr explicit operator float() const noexcept {
    const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
    const std::uint32_t magnitude = bits & 0x7FFFu;
    if (magnitude >= 0x7C00u) return std::bit_cast<float>(sign | 0x7F800000u | ((magnitude & 0x3FFu) << 13));
    if (magnitude >= 0x0400u) return std::bit_cast<float>(sign | ((magnitude << 13) + 0x38000000u));
    const float subnormal = static_cast<float>(magnitude) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(subnormal));
  }
  friend constexpr bool operator==(Half, Half) = default;
};

/// bfloat16: the upper half of a float.
struct BFloat16 {
  std::uint16_t bits = 0;

  constexpr explicit operator float() const noexcept {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }
  friend constexpr bool operator==(BFloat16, BFloat16) = default;
};

/// Bytes per element.
constexpr std::size_t size_of(DType type) noexcept {
  switch (type) {
    case DType::boolean:
    case DType::u8:
    case DType::i8: return 1;
    case DType::u16:
    case DType::i16:
    case DType::f16:
    case DType::bf16: return 2;
    case DType::u32:
    case DType::i32:
    case DType::f32: return 4;
    case DType::u64:
    case DType::i64:
    case DType::f64: return 8;
  }
  return 0;
}

/// The name used in messages and files: "float32", "bfloat16", "uint8", "bool" …
constexpr const char* name(DType type) noexcept {
  switch (type) {
    case DType::boolean: return "bool";
    case DType::u8: return "uint8";
    case DType::i8: return "int8";
    case DType::u16: return "uint16";
    case DType::i16: return "int16";
    case DType::u32: return "uint32";
    case DType::i32: return "int32";
    case DType::u64: return "uint64";
    case DType::i64: return "int64";
    case DType::f16: return "float16";
    case DType::bf16: return "bfloat16";
    case DType::f32: return "float32";
    case DType::f64: return "float64";
  }
  return "unknown";
}

namespace detail {

template <class T>
constexpr bool has_dtype() noexcept {
  return std::is_arithmetic_v<T> ? (sizeof(T) <= 8) : (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>);
}

template <class T>
constexpr DType dtype_for() noexcept {
  if constexpr (std::is_same_v<T, bool>)
    return DType::boolean;
  else if constexpr (std::is_same_v<T, Half>)
    return DType::f16;
  else if constexpr (std::is_same_v<T, BFloat16>)
    return DType::bf16;
  else if constexpr (std::is_floating_point_v<T>)
    return sizeof(T) == 4 ? DType::f32 : DType::f64;
  else if constexpr (sizeof(T) == 1)
    return std::is_signed_v<T> ? DType::i8 : DType::u8;
  else if constexpr (sizeof(T) == 2)
    return std::is_signed_v<T> ? DType::i16 : DType::u16;
  else if constexpr (sizeof(T) == 4)
    return std::is_signed_v<T> ? DType::i32 : DType::u32;
  else
    return std::is_signed_v<T> ? DType::i64 : DType::u64;
}

/// Types of which float32 holds every number exactly.
constexpr bool fits_float(DType type) noexcept {
  return size_of(type) <= 2 || type == DType::f32;
}

}  // namespace detail

/// Types that a tensor may hold: arithmetic types of at most 8 bytes, Half and BFloat16.
template <class T>
concept Element = detail::has_dtype<std::remove_const_t<T>>();

template <Element T>
inline constexpr DType dtype_of = detail::dtype_for<std::remove_const_t<T>>();

/// Calls `f(T{})` with the C++ type of `type`: the one switch from run-time to compile-time element types.
template <class F>
decltype(auto) visit_dtype(DType type, F&& f) {
  switch (type) {
    case DType::boolean: return f(bool{});
    case DType::u8: return f(std::uint8_t{});
    case DType::i8: return f(std::int8_t{});
    case DType::u16: return f(std::uint16_t{});
    case DType::i16: return f(std::int16_t{});
    case DType::u32: return f(std::uint32_t{});
    case DType::i32: return f(std::int32_t{});
    case DType::u64: return f(std::uint64_t{});
    case DType::i64: return f(std::int64_t{});
    case DType::f16: return f(Half{});
    case DType::bf16: return f(BFloat16{});
    case DType::f32: return f(float{});
    case DType::f64: break;
  }
  return f(double{});
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
