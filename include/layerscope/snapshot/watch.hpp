// Recorder::watch(module): the parameters of a live model at every snapshot, through one trait a library.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/named_parameters.hpp>
#include <layerscope/core/tensor_ref.hpp>
#include <layerscope/recorder.hpp>
#include <layerscope/snapshot/snapshot.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

template <class M>
inline constexpr bool is_shared_pointer = false;
template <class M>
inline constexpr bool is_shared_pointer<std::shared_ptr<M>> = true;

template <class M>
concept Watchable = requires(const M& module) {
  named_parameters<M>::for_each(module, [](std::string_view, const TensorRef&) {});
};

template <class M>
void record_parameters(const M& module, const std::string& prefix, const WatchOptions& options, Snapshot& snapshot) {
  const auto full = [&](std::string_view name) {
    return prefix.empty() ? std::string(name) : prefix + '/' + std::string(name);
  };
  named_parameters<M>::for_each(module, [&](std::string_view name, const TensorRef& parameter) {
    if (parameter.shape().rank() >= 2) snapshot.filters(full(name), parameter);
    snapshot.histogram(full(name), parameter, {.role = TensorRole::parameters});
  });
  const auto record_gradient = [&](std::string_view name, const TensorRef& gradient) {
    snapshot.gradients(full(name), gradient);
  };
  if constexpr (requires { named_parameters<M>::for_each_gradient(module, record_gradient); }) {
    if (options.gradients) named_parameters<M>::for_each_gradient(module, record_gradient);
  }
}

}  // namespace detail

template <class M>
Recorder& Recorder::watch(const M& module, std::string_view prefix, const WatchOptions& options) noexcept {
  const auto watch_it = [&]() -> Status {
    std::string owned_prefix(prefix);
    if constexpr (detail::is_shared_pointer<M>) {
      using Module = std::remove_const_t<typename M::element_type>;
      static_assert(detail::Watchable<Module>, "layerscope: specialise layerscope::named_parameters for this module");
      if (module == nullptr) return Outcome::skipped;
      observe([module, prefix = std::move(owned_prefix), options](Snapshot& snapshot) {
        detail::record_parameters<Module>(*module, prefix, options, snapshot);
      });
    } else {
      static_assert(detail::Watchable<M>,
                    "layerscope: no named_parameters for this type of module. Include the header of its library "
                    "(<layerscope/adapters/torch_module.hpp>), or specialise layerscope::named_parameters<M> as "
                    "<layerscope/core/named_parameters.hpp> shows.");
      if constexpr (requires { named_parameters<M>::share(module); }) {
        observe([shared = named_parameters<M>::share(module), prefix = std::move(owned_prefix),
                 options](Snapshot& snapshot) { detail::record_parameters<M>(shared, prefix, options, snapshot); });
      } else {
        observe([&module, prefix = std::move(owned_prefix), options](Snapshot& snapshot) {
          detail::record_parameters<M>(module, prefix, options, snapshot);
        });
      }
    }
    return Outcome::queued;
  };
  if (core_ != nullptr) guarded(*core_, "recorder", "watch", 0, watch_it);
  return *this;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
