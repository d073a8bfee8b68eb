// What every thread of the library shares: the signals it must never take from the host program, its priority, which
// process it belongs to, and how it speaks.
#pragma once

#include <layerscope/config.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

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

/// One line to stderr, with write(2): no streams, no locks, no memory, as its want may be what there is to say. Control
/// characters become '?'.
inline void say(std::string_view line) noexcept {
#if __has_include(<unistd.h>)
  for (bool ended = false; !ended;) {
    std::array<char, 2048> piece;
    std::size_t size = (std::min)(line.size(), piece.size() - 1);
    for (std::size_t i = 0; i < size; ++i) {
      const char c = line[i];
      piece[i] = static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
    }
    line.remove_prefix(size);
    ended = line.empty();
    if (ended) piece[size++] = '\n';
    for (std::size_t done = 0; done < size;) {
      const ssize_t written = ::write(STDERR_FILENO, piece.data() + done, size - done);
      if (written <= 0) return;
      done += static_cast<std::size_t>(written);
    }
  }
#else
  static_cast<void>(line);
#endif
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
