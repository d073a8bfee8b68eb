// probe("conv1", x): an identity that a forward() may call anywhere, free when nobody listens. It is how the tensor
// between two layers reaches a snapshot in libraries whose modules have no hooks.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/tensor_ref.hpp>

#include <string_view>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

/// Takes what probe() sees on this thread. The innermost listener alone is told.
class ProbeListener {
 public:
  ProbeListener(const ProbeListener&) = delete;
  ProbeListener& operator=(const ProbeListener&) = delete;

  /// Called by probe() with a tensor that is valid for the call. Must not throw. A probe() within is not heard.
  virtual void receive(std::string_view name, const TensorRef& x) noexcept = 0;

 protected:
  /// Starts listening on this thread.
  ProbeListener() noexcept;
  /// Stops; on the thread that started it, in any order among several.
  ~ProbeListener();

 private:
  ProbeListener* outer_;
};

/// Silences probe() on this thread for its lifetime: the library's own forward passes do not record.
class ProbeSilence final : ProbeListener {
  void receive(std::string_view, const TensorRef&) noexcept override {}
};

namespace detail {

inline constinit thread_local ProbeListener* probe_listener = nullptr;

/// Tells the innermost listener, deaf meanwhile: what it calls may run the model's forward() again.
inline void tell_probe_listener(std::string_view name, const TensorRef& x) noexcept {
  ProbeListener* const listener = std::exchange(probe_listener, nullptr);
  listener->receive(name, x);
  probe_listener = listener;
}

}  // namespace detail

/// Returns `x` unchanged, after showing it to the innermost listener of this thread, if there is one.
template <class X>
X probe(std::string_view name, X&& x) {
  if (detail::probe_listener != nullptr) detail::tell_probe_listener(name, TensorRef(x));
  return std::forward<X>(x);
}

inline ProbeListener::ProbeListener() noexcept : outer_(std::exchange(detail::probe_listener, this)) {}

inline ProbeListener::~ProbeListener() {
  ProbeListener** link = &detail::probe_listener;
  while (*link != nullptr && *link != this) link = &(*link)->outer_;
  if (*link == this) *link = outer_;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
