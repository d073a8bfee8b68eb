// Adapter for at::Tensor (torch::Tensor) of libtorch: any real element type, any strides, read in place on the host.
// Modules are in adapters/torch_module.hpp, which takes longer to compile.
//
// Neither the tensor nor its autograd graph is touched: no operator runs on a host tensor, no version counter moves.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/adapter.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

inline std::optional<DType> torch_dtype(at::ScalarType type) noexcept {
  switch (type) {
    case at::kBool: return DType::boolean;
    case at::kByte: return DType::u8;
    case at::kChar: return DType::i8;
    case at::kShort: return DType::i16;
    case at::kInt: return DType::i32;
    case at::kLong: return DType::i64;
    case at::kHalf: return DType::f16;
    case at::kBFloat16: return DType::bf16;
    case at::kFloat: return DType::f32;
    case at::kDouble: return DType::f64;
    default: return std::nullopt;
  }
}

inline const char* torch_layout_name(at::Layout layout) noexcept {
  switch (layout) {
    case at::kStrided: return "strided";
    case at::kSparse: return "sparse";
    case at::kSparseCsr: return "sparse_csr";
    case at::kSparseCsc: return "sparse_csc";
    case at::kSparseBsr: return "sparse_bsr";
    case at::kSparseBsc: return "sparse_bsc";
    case at::kMkldnn: return "mkldnn";
    default: return "unknown";
  }
}

/// Throws Error unless `x` is a dense tensor of real numbers, quantised ones included, on whatever device.
inline void check_torch(const at::Tensor& x) {
  if (!x.defined()) {
    throw Error(ErrorCode::empty,
                "torch: the tensor is undefined, as a gradient is before the first backward(); expected a defined one");
  }
  if (x.is_nested()) {
    throw Error(ErrorCode::unsupported,
                "torch: the tensor is nested; expected one shape: pass x.to_padded_tensor(0), or its parts");
  }
  if (x.layout() != at::kStrided) {
    throw Error(ErrorCode::unsupported, std::string("torch: the layout is ") + torch_layout_name(x.layout()) +
                                            "; expected strided: pass x.to_dense()");
  }
  if (x.is_complex()) {
    throw Error(ErrorCode::unsupported,
                std::string("torch: elements are ") + c10::toString(x.scalar_type()) +
                    "; expected real ones: pass at::view_as_real(x.resolve_conj()), or x.abs()");
  }
  if (!x.is_quantized() && !torch_dtype(x.scalar_type())) {
    throw Error(ErrorCode::unsupported, std::string("torch: elements are ") + c10::toString(x.scalar_type()) +
                                            "; expected bool, integer, half, bfloat16, float or double: pass "
                                            "x.to(at::kFloat)");
  }
  if (!x.has_storage()) {
    throw Error(ErrorCode::unsupported,
                "torch: the tensor has no storage of its own, as inside vmap; expected one that has: look at it "
                "outside of the transform");
  }
}

inline Shape torch_shape(const at::Tensor& x) {
  return Shape(std::span(x.sizes().data(), x.sizes().size()));
}

/// Whether the elements lie in host memory as the numbers they stand for.
inline bool torch_in_place(const at::Tensor& x) {
  return x.device().is_cpu() && !x.is_quantized() && !x.is_neg();
}

/// The elements of a checked tensor that is torch_in_place().
inline AnyView torch_borrow(const at::Tensor& x) {
  const Shape shape = torch_shape(x);
  const Strides strides(std::span(x.strides().data(), x.strides().size()));
  const DType dtype = *torch_dtype(x.scalar_type());
  if (x.numel() > 0) {
    std::int64_t last = x.storage_offset();
    for (int axis = 0; axis < shape.rank(); ++axis) last += (shape[axis] - 1) * strides[axis];
    const std::size_t found = x.storage().nbytes();
    const std::size_t expected = static_cast<std::size_t>(last + 1) * size_of(dtype);
    if (found < expected) {
      throw Error(ErrorCode::invalid_argument, "torch: the storage has " + to_text(found) +
                                                   " bytes, as after it was freed by resize_(0); expected " +
                                                   to_text(expected));
    }
  }
  return {x.data_ptr(), dtype, shape, strides};
}

/// The same view, which also keeps the storage alive: the storage alone, so that no autograd graph is held.
inline AnyView torch_own(const at::Tensor& x) {
  return torch_borrow(x).with_owner(std::make_shared<const c10::Storage>(x.storage()));
}

inline bool torch_per_tensor(at::QScheme scheme) noexcept {
  return scheme == at::kPerTensorAffine || scheme == at::kPerTensorSymmetric;
}

/// The leading `extents` of each axis of a checked tensor as plain numbers in host memory. Narrowing comes first, on
/// the device of `x`, so that only this part is converted and copied.
inline AnyView torch_fetch(const at::Tensor& x, const Shape& extents) {
  try {
    const at::NoGradGuard no_grad;
    at::Tensor part = x.detach();
    if (part.is_quantized() && !torch_per_tensor(part.qscheme())) part = part.dequantize();  // it cannot be narrowed
    for (int axis = 0; axis < extents.rank(); ++axis) {
      if (extents[axis] < part.size(axis)) part = part.narrow(axis, 0, extents[axis]);
    }
    if (part.is_quantized()) part = part.dequantize();
    return torch_own(part.resolve_neg().to(at::kCPU));
  } catch (const c10::Error& error) {
    throw Error(ErrorCode::unsupported,
                "torch: copying from " + x.device().str() + " failed: " + error.what_without_backtrace());
  }
}

}  // namespace detail

/// Host tensors are read in place, whatever their strides; autograd does not notice. Quantised elements are dequantised
/// to float and lazily negated ones (at::imag of a conjugate) resolved: the view then owns the copy.
/// Throws Error(empty) for an undefined tensor and Error(unsupported), saying what to pass instead, for sparse, nested
/// and complex ones.
template <>
struct adapter<at::Tensor> {
  /// Throws also Error(unsupported) for a tensor on another device: read() copies from there, as every Snapshot does.
  static AnyView view(const at::Tensor& x) {
    detail::check_torch(x);
    if (!x.device().is_cpu()) {
      throw Error(ErrorCode::unsupported, "torch: the tensor is on " + x.device().str() +
                                              "; a view reads host memory: pass x.to(at::kCPU), or give x to a "
                                              "Snapshot, which copies only what it shows");
    }
    return detail::torch_in_place(x) ? detail::torch_borrow(x) : detail::torch_fetch(x, detail::torch_shape(x));
  }

  /// The view of a temporary: it keeps the storage, and nothing of the autograd graph.
  static AnyView take(at::Tensor&& x) {
    const at::Tensor dying = std::move(x);
    const AnyView borrowed = view(dying);
    return borrowed.owner() ? borrowed : detail::torch_own(dying);
  }

  static Shape shape(const at::Tensor& x) {
    detail::check_torch(x);
    return detail::torch_shape(x);
  }

  /// At most the leading `extents` of each axis, copied to host memory from a device. Throws Error(invalid_argument)
  /// unless there is one extent per axis, Error(unsupported) with libtorch's words when the copy fails.
  static AnyView read(const at::Tensor& x, const Shape& extents) {
    const Shape whole = shape(x);
    if (extents.rank() != whole.rank()) {
      throw Error(ErrorCode::invalid_argument, "torch: extents " + to_text(extents) + " given for the shape " +
                                                   to_text(whole) + "; expected one each");
    }
    if (!detail::torch_in_place(x)) return detail::torch_fetch(x, extents);
    AnyView part = detail::torch_borrow(x);
    for (int axis = 0; axis < whole.rank(); ++axis) {
      if (extents[axis] < whole[axis]) part = part.narrow(axis, 0, extents[axis]);
    }
    return part;
  }
};

}  // namespace layerscope::inline LAYERSCOPE_ABI
