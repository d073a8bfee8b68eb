// Threads that outlive one parallel loop: for iterations too short to start threads in each.
#pragma once

#include <layerscope/core/parallel.hpp>
#include <layerscope/impl/thread_inl.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <limits>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// parallel_for() again and again by the same threads, which wait in between, first awake and then asleep. The caller
/// is one of them, and waits for none that has not begun: on a busy machine it does the work alone. run() is called by
/// one thread at a time, and not by its own bodies.
class ThreadTeam {
 public:
  /// `threads` <= 0 means every core. A thread that cannot be started is done without.
  explicit ThreadTeam(int threads) {
    const int wanted = resolve_threads(threads);
    if (wanted == 1) return;
    helpers_.reserve(static_cast<std::size_t>(wanted - 1));
    const BlockedSignals blocked;
    for (int i = 1; i < wanted; ++i) {
      try {
        helpers_.emplace_back([this] { help(); });
      } catch (const std::system_error&) {
        break;
      } catch (const std::bad_alloc&) {
        break;
      }
    }
  }
  ~ThreadTeam() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
      gate_.fetch_add(one_round, std::memory_order_release);
    }
    wake_.notify_all();
    for (std::thread& helper : helpers_) helper.join();
  }
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  int threads() const noexcept { return static_cast<int>(helpers_.size()) + 1; }

  /// As parallel_for(blocks, threads(), body).
  void run(std::int64_t blocks, FunctionRef<void(std::int64_t)> body) {
    if (blocks <= 0) return;
    if (helpers_.empty() || blocks == 1) {
      for (std::int64_t block = 0; block < blocks; ++block) body(block);
      return;
    }
    body_ = &body;
    blocks_ = blocks;
    next_.store(0, std::memory_order_relaxed);
    failed_block_ = (std::numeric_limits<std::int64_t>::max)();
    failure_ = nullptr;
    bool asleep = false;
    {
      const std::lock_guard lock(mutex_);  // a helper about to sleep sees the round or hears the call
      gate_.fetch_add(one_round + open, std::memory_order_release);
      asleep = sleeping_ > 0;
    }
    if (asleep) wake_.notify_all();
    work();
    gate_.fetch_sub(open, std::memory_order_acq_rel);
    for (int look = 0; inside() != 0; ++look) {
      if (look < patience) continue;
      std::unique_lock lock(mutex_);
      done_.wait(lock, [&] { return inside() == 0; });
      break;
    }
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  // The gate: how many helpers are inside, whether more may enter, and the number of the round.
  static constexpr std::uint64_t open = std::uint64_t{1} << 16;
  static constexpr std::uint64_t one_round = open << 1;
  static constexpr int patience = 20000;  // looks before sleeping: some ten microseconds

  std::uint64_t inside() const noexcept { return gate_.load(std::memory_order_acquire) % open; }
  std::uint64_t round() const noexcept { return gate_.load(std::memory_order_acquire) / one_round; }

  void work() noexcept {
    for (;;) {
      const std::int64_t block = next_.fetch_add(1, std::memory_order_relaxed);
      if (block >= blocks_) return;
      try {
        (*body_)(block);
      } catch (...) {
        next_.store(blocks_, std::memory_order_relaxed);
        const std::lock_guard lock(failure_mutex_);
        if (block < failed_block_) {
          failed_block_ = block;
          failure_ = std::current_exception();
        }
        return;
      }
    }
  }

  void help() noexcept {
    for (std::uint64_t seen = 0;; ++seen) {
      for (int look = 0; look < patience && round() == seen; ++look) {
      }
      if (round() == seen) {
        std::unique_lock lock(mutex_);
        ++sleeping_;
        wake_.wait(lock, [&] { return round() != seen; });
        --sleeping_;
      }
      std::uint64_t gate = gate_.load(std::memory_order_acquire);
      seen = gate / one_round - 1;
      if (ending_.load(std::memory_order_relaxed)) return;
      while ((gate & open) != 0 && !gate_.compare_exchange_weak(gate, gate + 1, std::memory_order_acq_rel)) {
      }
      if ((gate & open) == 0) continue;
      seen = gate / one_round - 1;
      work();
      if (gate_.fetch_sub(1, std::memory_order_acq_rel) % one_round == 1) {  // the last one out, the gate closed
        const std::lock_guard lock(mutex_);
        done_.notify_one();
      }
    }
  }

  std::vector<std::thread> helpers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  int sleeping_ = 0;  // under mutex_
  std::atomic<std::uint64_t> gate_{0};
  std::atomic<bool> ending_{false};

  const FunctionRef<void(std::int64_t)>* body_ = nullptr;
  std::int64_t blocks_ = 0;
  std::atomic<std::int64_t> next_{0};
  std::mutex failure_mutex_;
  std::int64_t failed_block_ = 0;
  std::exception_ptr failure_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
