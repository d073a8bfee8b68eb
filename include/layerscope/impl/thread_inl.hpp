// What every thread of the library shares: the signals it must never take from the host program, its priority, which
// process it belongs to, and how it speaks.
#pragma once

#include <layerscope/config.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

#if __has_include(<pthread.h>) && __has_include(<signal.h>)
#include <pthread.h>
#include <signal.h>
#define LAYERSCOPE_HAS_SIGNALS_
#endif
#if __has_include(<unistd.h>)
#include <unistd.h>
#endif
#ifdef __linux__
#include <sys/resource.h>
#include <sys/syscall.h>
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

/// The weakest claim on the processor that still gets some, so that training keeps it. SCHED_IDLE would starve the
/// worker behind a training loop that uses every core, and whoever waits for a lock that it holds.
inline void take_lowest_priority() noexcept {
#ifdef __linux__
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), 19);
#endif
}

/// Tells a fork from the process that made the recorder; 0 where there are no forks.
inline std::int64_t process_id() noexcept {
#if __has_include(<unistd.h>)
  return static_cast<std::int64_t>(getpid());
#else
  return 0;
#endif
}

/// One line to stderr, with write(2): no streams, no locks, no allocation that matters. Control characters become '?'.
inline void say(std::string line) noexcept {
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
#if __has_include(<unistd.h>)
  try {
    line += '\n';
  } catch (...) {
    // Then without the end of the line.
  }
  const char* rest = line.data();
  std::size_t left = line.size();
  while (left > 0) {
    const ssize_t written = ::write(STDERR_FILENO, rest, left);
    if (written <= 0) return;
    rest += written;
    left -= static_cast<std::size_t>(written);
  }
#endif
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
