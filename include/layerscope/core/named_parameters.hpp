// The trait that Recorder::watch() asks for the parameters of a live model.
#pragma once

#include <layerscope/config.hpp>

namespace layerscope::inline LAYERSCOPE_ABI {

/// Specialised per outside type of module:
///   template <class F>
///   static void for_each(const M& module, F f);   // calls f(std::string_view name, const TensorRef& parameter)
/// and, where parameters have gradients,
///   template <class F>
///   static void for_each_gradient(const M& module, F f);   // the same, for those whose gradient is there
/// and, where a copy of M shares its parameters with the original (a handle), so that the recorder can keep one:
///   static M share(const M& module);
template <class M>
struct named_parameters;

}  // namespace layerscope::inline LAYERSCOPE_ABI
