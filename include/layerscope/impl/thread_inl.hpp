// What every thread of the library shares: the signals it must never take from the host program.
#pragma once

#include <layerscope/config.hpp>

#if __has_include(<pthread.h>) && __has_include(<signal.h>)
#include <pthread.h>
#include <signal.h>
#define LAYERSCOPE_HAS_SIGNALS_
#endif

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Blocks asynchronous signals, SIGXFSZ and SIGPIPE on this thread for its lifetime; a thread started meanwhile
/// inherits the mask and keeps it. Synchronous faults (SIGSEGV, SIGFPE, SIGBUS, SIGILL, SIGABRT, SIGTRAP) stay
/// deliverable.
class BlockedSignals {
 public:
#ifdef LAYERSCOPE_HAS_SIGNALS_
  BlockedSignals() noexcept {
    sigset_t blocked;
    sigfillset(&blocked);
    for (const int fault : {SIGSEGV, SIGFPE, SIGBUS, SIGILL, SIGABRT, SIGTRAP}) sigdelset(&blocked, fault);
    active_ = pthread_sigmask(SIG_BLOCK, &blocked, &previous_) == 0;
  }
  ~BlockedSignals() {
    if (active_) pthread_sigmask(SIG_SETMASK, &previous_, nullptr);
  }
#else
  BlockedSignals() noexcept {}
#endif
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

#ifdef LAYERSCOPE_HAS_SIGNALS_
 private:
  sigset_t previous_{};
  bool active_ = false;
#endif
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
