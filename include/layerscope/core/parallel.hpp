// Fork-join over fixed blocks: the way layerscope computes on several threads (impl/thread_team_inl.hpp does the same
// again and again).
//
// Work is cut into blocks whose size does not depend on the number of threads, and partial results are combined in
// block order by the caller. Hence the same bits for any number of threads. No OpenMP: its runtime would differ by the
// user's flags, hangs after fork(), and hides races from the detector.
#pragma once

#include <layerscope/config.hpp>

#include <cstdint>
#include <type_traits>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

/// A borrowed callable, two pointers wide; it must outlive the call that it is passed to.
template <class Signature>
class FunctionRef;

template <class Result, class... Args>
class FunctionRef<Result(Args...)> {
 public:
  /// Borrows `callable`. Implicit, as it is a parameter type like std::string_view.
  template <class F, class = std::enable_if_t<!std::is_same_v<std::remove_cvref_t<F>, FunctionRef> &&
                                              std::is_invocable_r_v<Result, F&, Args...>>>
  FunctionRef(F&& callable) noexcept  // NOLINT(google-explicit-constructor)
      : object_(const_cast<void*>(static_cast<const void*>(&callable))), call_(&invoke<std::remove_reference_t<F>>) {}

  Result operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

 private:
  template <class F>
  static Result invoke(void* object, Args... args) {
    return (*static_cast<F*>(object))(std::forward<Args>(args)...);
  }

  void* object_;
  Result (*call_)(void*, Args...);
};

/// The number of threads that `limit` stands for: itself when positive, else the cores this process may use.
int resolve_threads(int limit) noexcept;

/// Calls `body(block)` once for every block in [0, blocks), on at most `threads` threads, the caller among them.
/// Blocks are handed out in increasing order. If bodies throw, the exception of the lowest block that threw is rethrown
/// after all threads have ended; blocks not yet begun are skipped. Threads are started and joined inside the call, with
/// asynchronous signals blocked. `threads` <= 0 means every core. When a thread cannot be started the rest do its work.
void parallel_for(std::int64_t blocks, int threads, FunctionRef<void(std::int64_t)> body);

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/parallel_inl.hpp>
#endif
