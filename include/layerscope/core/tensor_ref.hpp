// A function parameter that takes any tensor there is an adapter for, so that the function itself is no template.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/adapter.hpp>

#include <type_traits>

namespace layerscope::inline LAYERSCOPE_ABI {

/// A borrowed tensor of any adapted type, read on demand; valid for the call that it is passed to. Converting to it
/// does no work, so that a call which turns out to be off costs nothing.
class TensorRef {
 public:
  template <class X, class = std::enable_if_t<!std::is_same_v<std::remove_cvref_t<X>, TensorRef>>>
  TensorRef(const X& x) noexcept  // NOLINT(google-explicit-constructor)
      : object_(&x), shape_(&shape_of<X>), read_(&read_from<X>) {
    detail::require_adapter<X>();
  }

  /// The extents. Throws what the adapter throws, for example for a sparse tensor.
  Shape shape() const { return shape_(object_); }

  /// The whole tensor in host memory; a borrowed view where it lies there already.
  AnyView read() const { return read_(object_, shape()); }

  /// The leading `extents` of each axis in host memory. Only these are copied when the tensor lives on a device.
  AnyView read(const Shape& extents) const { return read_(object_, extents); }

 private:
  template <class X>
  static Shape shape_of(const void* object) {
    const X& x = *static_cast<const X*>(object);
    if constexpr (requires { adapter<X>::shape(x); }) {
      return adapter<X>::shape(x);
    } else if constexpr (Adaptable<X>) {
      const AnyView all = adapter<X>::view(x);  // a copy: a reference would point into a temporary TensorView
      return all.shape();
    } else {
      return {};
    }
  }

  template <class X>
  static AnyView read_from(const void* object, const Shape& extents) {
    const X& x = *static_cast<const X*>(object);
    if constexpr (requires { adapter<X>::read(x, extents); }) {
      return adapter<X>::read(x, extents);
    } else if constexpr (Adaptable<X>) {
      AnyView part = adapter<X>::view(x);
      for (int axis = 0; axis < part.rank(); ++axis) {
        if (extents[axis] < part.extent(axis)) part = part.narrow(axis, 0, extents[axis]);
      }
      return part;
    } else {
      return {};
    }
  }

  const void* object_;
  Shape (*shape_)(const void*);
  AnyView (*read_)(const void*, const Shape&);
};

}  // namespace layerscope::inline LAYERSCOPE_ABI
