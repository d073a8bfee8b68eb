// Body of core/parallel.hpp.
#pragma once

#include <layerscope/core/parallel.hpp>
#include <layerscope/impl/thread_inl.hpp>

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#ifdef __linux__
#include <sched.h>
#endif

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE int resolve_threads(int limit) noexcept {
  if (limit > 0) return limit;
#ifdef __linux__
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return (std::max)(1, CPU_COUNT(&allowed));
#endif
  return (std::max)(1, static_cast<int>(std::thread::hardware_concurrency()));
}

LAYERSCOPE_INLINE void parallel_for(std::int64_t blocks, int threads, FunctionRef<void(std::int64_t)> body) {
  if (blocks <= 0) return;
  const std::int64_t wanted = (std::min<std::int64_t>)(resolve_threads(threads), blocks);
  if (wanted == 1) {
    for (std::int64_t block = 0; block < blocks; ++block) body(block);
    return;
  }

  std::atomic<std::int64_t> next{0};
  std::mutex failure_mutex;
  std::exception_ptr failure;
  std::int64_t failed_block = (std::numeric_limits<std::int64_t>::max)();

  const auto work = [&]() noexcept {
    for (;;) {
      const std::int64_t block = next.fetch_add(1, std::memory_order_relaxed);
      if (block >= blocks) return;
      try {
        body(block);
      } catch (...) {
        next.store(blocks, std::memory_order_relaxed);
        const std::lock_guard lock(failure_mutex);
        if (block < failed_block) {
          failed_block = block;
          failure = std::current_exception();
        }
        return;
      }
    }
  };

  std::vector<std::thread> helpers;
  helpers.reserve(static_cast<std::size_t>(wanted - 1));
  {
    const detail::BlockedSignals blocked;
    for (std::int64_t i = 1; i < wanted; ++i) {
      try {
        helpers.emplace_back(work);
      } catch (const std::system_error&) {
        break;
      } catch (const std::bad_alloc&) {
        break;  // passing it on would destroy helpers that still run
      }
    }
  }
  work();
  for (std::thread& helper : helpers) helper.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
