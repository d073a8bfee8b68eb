// Adapters for DLPack tensors, of whatever version of dlpack.h the user includes: its structures are recognised by
// their members, and no copy of that header comes with layerscope.
//
//   layerscope::view(tensor)               DLTensor, which never owns: borrowed
//   layerscope::view(*managed)             DLManagedTensor or DLManagedTensorVersioned: borrowed
//   layerscope::from_dlpack(managed)       takes it over: its deleter is called once, when the last view is gone
//   layerscope::view(std::move(pointer))   std::unique_ptr with a deleter of the user's, who calls managed->deleter
//
// Tensors in memory that the host can read are read in place: CPU, pinned (CUDA, ROCm) and CUDA managed memory, the
// last after the caller has synchronised. Read-only tensors are welcome, as every view is one. Source: dlpack.h 0.6
// to 1.1, https://dmlc.github.io/dlpack/latest/c_api.html
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/adapter.hpp>
#include <layerscope/core/detail/dims_of.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

/// The major version of DLManagedTensorVersioned that is understood; its minor versions only add.
inline constexpr std::uint32_t dlpack_major = 1;

namespace detail {

template <class X>
concept DlpackTensor = requires(const X& x) {
  { x.data } -> std::convertible_to<const void*>;
  x.device.device_type;
  x.device.device_id;
  { x.ndim } -> std::convertible_to<std::int64_t>;
  x.dtype.code;
  x.dtype.bits;
  x.dtype.lanes;
  { x.shape } -> std::convertible_to<const std::int64_t*>;
  { x.strides } -> std::convertible_to<const std::int64_t*>;
  { x.byte_offset } -> std::convertible_to<std::uint64_t>;
};

/// Of either kind: the versioned one begins with its version.
template <class X>
concept DlpackManaged = DlpackTensor<decltype(X::dl_tensor)> && requires(X& x) {
  { x.manager_ctx } -> std::convertible_to<void*>;
  { x.deleter } -> std::convertible_to<void (*)(X*)>;
};

template <class X>
concept DlpackVersioned = DlpackManaged<X> && requires(const X& x) {
  x.version.major;
  x.version.minor;
  x.flags;
};

/// The number in an enumeration of the user's dlpack.h, also where the exporter knows enumerators that it does not.
template <class Enum>
std::int64_t dlpack_number(const Enum& value) noexcept {
  if constexpr (std::is_enum_v<Enum>) {
    std::underlying_type_t<Enum> number;
    std::memcpy(&number, &value, sizeof number);
    return static_cast<std::int64_t>(number);
  } else {
    return static_cast<std::int64_t>(value);
  }
}

inline std::string dlpack_type_name(std::uint32_t code, std::uint32_t bits) {
  static constexpr const char* names[] = {"int", "uint", "float", "opaque handles of ", "bfloat", "complex", "bool"};
  if (code < std::size(names)) return names[code] + to_text(bits);
  return "of the type code " + to_text(code) + " (8 bits and less, since DLPack 1.1) with " + to_text(bits) + " bits";
}

inline std::string dlpack_device_name(std::int64_t type, std::int64_t id) {
  static constexpr const char* names[] = {nullptr,   "cpu",          "cuda",   "cuda_host", "opencl",  nullptr,
                                          nullptr,   "vulkan",       "metal",  "vpi",       "rocm",    "rocm_host",
                                          "ext_dev", "cuda_managed", "oneapi", "webgpu",    "hexagon", "maia"};
  const bool known = type >= 0 && type < std::ssize(names) && names[type] != nullptr;
  return (known ? std::string(names[type]) : "the device type " + to_text(type)) + ":" + to_text(id);
}

inline std::optional<DType> dlpack_dtype(std::uint32_t code, std::uint32_t bits) noexcept {
  switch (code << 8 | bits) {
    case 0x008: return DType::i8;
    case 0x010: return DType::i16;
    case 0x020: return DType::i32;
    case 0x040: return DType::i64;
    case 0x108: return DType::u8;
    case 0x110: return DType::u16;
    case 0x120: return DType::u32;
    case 0x140: return DType::u64;
    case 0x210: return DType::f16;
    case 0x220: return DType::f32;
    case 0x240: return DType::f64;
    case 0x410: return DType::bf16;
    case 0x608: return DType::boolean;
    default: return std::nullopt;
  }
}

/// Throws Error unless the elements lie in host memory, one number each.
inline DType check_dlpack(std::int64_t device, std::int64_t id, std::uint32_t code, std::uint32_t bits,
                          std::uint32_t lanes) {
  if (device != 1 && device != 3 && device != 11 && device != 13) {
    throw Error(ErrorCode::unsupported, "dlpack: the tensor is on " + dlpack_device_name(device, id) +
                                            "; expected memory that the host reads: cpu, cuda_host, rocm_host or "
                                            "cuda_managed; copy it to the host first");
  }
  if (lanes != 1) {
    throw Error(ErrorCode::unsupported, "dlpack: elements are vectors of " + to_text(lanes) +
                                            " lanes; expected 1: export the lanes as an axis");
  }
  const std::optional<DType> dtype = dlpack_dtype(code, bits);
  if (!dtype) {
    throw Error(ErrorCode::unsupported,
                "dlpack: elements are " + dlpack_type_name(code, bits) +
                    "; expected int or uint of 8 to 64 bits, float16, float32, float64, bfloat16 or bool of 8 bits" +
                    (code == 5 ? ": export the real and imaginary parts, or the magnitude" : ""));
  }
  return *dtype;
}

}  // namespace detail

/// A DLTensor: shape, strides (null for row-major without gaps) and byte_offset as it says. Borrowed always.
/// Throws Error(unsupported) for a device that the host cannot read, complex, sub-byte and vector elements, and
/// Error(invalid_argument) for more than eight dimensions, a null shape, or an address that does not fit the type.
template <detail::DlpackTensor X>
struct adapter<X> {
  static constexpr bool borrows = true;

  static AnyView view(const X& x) {
    const DType dtype =
        detail::check_dlpack(detail::dlpack_number(x.device.device_type), static_cast<std::int64_t>(x.device.device_id),
                             x.dtype.code, x.dtype.bits, x.dtype.lanes);
    const std::int64_t rank = x.ndim;
    if (rank > 0 && x.shape == nullptr) {
      throw Error(ErrorCode::invalid_argument,
                  "dlpack: the shape is null, with " + to_text(rank) + " dimensions; expected their extents");
    }
    const Shape shape = detail::dims_of("dlpack", rank, [&](std::int64_t axis) { return x.shape[axis]; });
    if (element_count(shape) == 0) return {nullptr, dtype, shape};
    const std::byte* const data = static_cast<const std::byte*>(x.data);
    if (data == nullptr) {
      throw Error(ErrorCode::invalid_argument, "dlpack: the data is null, with the shape " + to_text(shape));
    }
    const std::byte* const first = data + x.byte_offset;
    if (reinterpret_cast<std::uintptr_t>(first) % size_of(dtype) != 0) {
      throw Error(ErrorCode::invalid_argument, "dlpack: byte_offset " + to_text(x.byte_offset) +
                                                   " leads to an address that is no multiple of the " +
                                                   to_text(size_of(dtype)) + " bytes of " + name(dtype));
    }
    if (x.strides == nullptr) return {first, dtype, shape};
    return {first, dtype, shape, detail::dims_of("dlpack", rank, [&](std::int64_t axis) { return x.strides[axis]; })};
  }
};

/// A managed tensor as an lvalue: borrowed, its deleter is not called. Throws as above, and Error(unsupported) for
/// another major version, of which nothing but the version is read.
template <detail::DlpackManaged X>
struct adapter<X> {
  static AnyView view(const X& x) {
    if constexpr (detail::DlpackVersioned<X>) {
      if (x.version.major != dlpack_major) {
        throw Error(ErrorCode::unsupported, "dlpack: the tensor has the layout of DLPack " + to_text(x.version.major) +
                                                "." + to_text(x.version.minor) + "; expected " + to_text(dlpack_major) +
                                                ".x");
      }
    }
    return adapter<std::remove_cvref_t<decltype(x.dl_tensor)>>::view(x.dl_tensor);
  }

  static AnyView take(X&&) {
    static_assert(detail::never<X>,
                  "layerscope: a managed DLPack tensor cannot be moved, as its deleter knows it by its address: "
                  "layerscope::from_dlpack(pointer) takes it over");
    return {};
  }
};

/// A handle whose deleter runs the tensor's own: borrowed as an lvalue, owned by the view as an rvalue.
template <detail::DlpackManaged X, class Deleter>
struct adapter<std::unique_ptr<X, Deleter>> {
  static AnyView view(const std::unique_ptr<X, Deleter>& x) {
    static_assert(!std::is_same_v<Deleter, std::default_delete<X>>,
                  "layerscope: this unique_ptr would delete the managed DLPack tensor instead of calling its deleter: "
                  "layerscope::from_dlpack(pointer) takes it over");
    if (!x) throw Error(ErrorCode::invalid_argument, "dlpack: the managed tensor is null");
    return adapter<X>::view(*x);
  }
};

/// A pointer does not say who calls the deleter.
template <class X>
requires(detail::DlpackManaged<std::remove_const_t<X>> ||
         detail::DlpackTensor<std::remove_const_t<X>>) struct adapter<X*> {
  static AnyView view(X* const&) {
    static_assert(detail::never<X>,
                  "layerscope: a pointer to a DLPack tensor does not say who deletes it: view(*pointer) borrows it, "
                  "layerscope::from_dlpack(pointer) takes a managed one over");
    return {};
  }
};

/// A view that owns `managed`, a DLManagedTensor or DLManagedTensorVersioned: its deleter is called exactly once, by
/// whoever drops the last view, or before this throws. A null deleter is not called. Throws as view(*managed) and
/// Error(invalid_argument) for a null pointer.
template <detail::DlpackManaged X>
AnyView from_dlpack(X* managed) {
  if (managed == nullptr) throw Error(ErrorCode::invalid_argument, "dlpack: the managed tensor is null");
  std::shared_ptr<X> owner(managed, [](X* x) {
    if (x->deleter != nullptr) x->deleter(x);
  });
  return adapter<X>::view(*owner).with_owner(std::move(owner));
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
