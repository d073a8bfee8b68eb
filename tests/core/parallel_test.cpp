#include <layerscope/core/parallel.hpp>

#include <signal.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"

namespace ls = layerscope;

TEST_CASE("every block runs exactly once, for any number of threads") {
  for (const std::int64_t blocks : {-1, 0, 1, 2, 7, 1000}) {
    for (const int threads : {-1, 0, 1, 2, 8, 33}) {
      std::vector<std::atomic<int>> runs(1000);
      ls::parallel_for(blocks, threads, [&](std::int64_t block) { ++runs[static_cast<std::size_t>(block)]; });
      for (std::int64_t block = 0; block < 1000; ++block) {
        if (runs[static_cast<std::size_t>(block)] != (block < blocks ? 1 : 0)) FAIL(block << " of " << blocks);
      }
    }
  }
}

TEST_CASE("sums over blocks have the same bits for any number of threads") {
  const auto sum = [](int threads) {
    std::vector<double> partial(257);
    ls::parallel_for(257, threads, [&](std::int64_t block) {
      double s = 0;
      for (int i = 0; i < 1000; ++i) s += std::sin(static_cast<double>(block * 1000 + i)) * 1e6;
      partial[static_cast<std::size_t>(block)] = s;
    });
    double total = 0;
    for (const double p : partial) total += p;
    return total;
  };
  const double expected = sum(1);
  for (const int threads : {2, 3, 8}) {
    for (int repeat = 0; repeat < 5; ++repeat) {
      const double found = sum(threads);
      CHECK(std::memcmp(&found, &expected, sizeof found) == 0);
    }
  }
}

TEST_CASE("no more threads than asked for, the caller among them") {
  for (const int threads : {1, 2, 3}) {
    std::mutex mutex;
    std::set<std::thread::id> ids;
    ls::parallel_for(64, threads, [&](std::int64_t) {
      std::this_thread::sleep_for(std::chrono::microseconds(200));
      const std::lock_guard lock(mutex);
      ids.insert(std::this_thread::get_id());
    });
    CHECK(ids.size() <= static_cast<std::size_t>(threads));
    if (threads == 1) CHECK(ids.count(std::this_thread::get_id()) == 1);
  }
  CHECK(ls::resolve_threads(3) == 3);
  CHECK(ls::resolve_threads(0) >= 1);
  CHECK(ls::resolve_threads(-5) == ls::resolve_threads(0));
}

TEST_CASE("the exception of the lowest block that threw arrives, after all threads have ended") {
  for (const int threads : {1, 2, 8}) {
    for (int repeat = 0; repeat < 20; ++repeat) {
      std::atomic<int> inside{0};
      std::mutex mutex;
      std::set<std::int64_t> threw;
      std::string message;
      try {
        ls::parallel_for(100, threads, [&](std::int64_t block) {
          ++inside;
          if (block % 7 == 6) {
            {
              const std::lock_guard lock(mutex);
              threw.insert(block);
            }
            --inside;
            throw std::runtime_error(std::to_string(block));
          }
          --inside;
        });
      } catch (const std::runtime_error& error) {
        message = error.what();
      }
      CHECK(inside == 0);
      REQUIRE_FALSE(threw.empty());
      CHECK(message == std::to_string(*threw.begin()));
      CHECK(*threw.begin() == 6);  // blocks are handed out in order, so the first to throw is among those begun
    }
  }
}

TEST_CASE("parallel_for may be nested") {
  std::atomic<int> runs{0};
  ls::parallel_for(4, 2, [&](std::int64_t) { ls::parallel_for(5, 2, [&](std::int64_t) { ++runs; }); });
  CHECK(runs == 20);
}

TEST_CASE("helpers block asynchronous signals, the caller does not") {
  std::mutex mutex;
  int helpers = 0;
  bool blocked = true;
  bool faults_open = true;
  bool caller_open = true;
  const auto caller = std::this_thread::get_id();
  ls::parallel_for(64, 4, [&](std::int64_t) {
    std::this_thread::sleep_for(std::chrono::microseconds(300));
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    const std::lock_guard lock(mutex);
    if (std::this_thread::get_id() == caller) {
      caller_open = caller_open && sigismember(&mask, SIGTERM) == 0;
      return;
    }
    ++helpers;
    for (const int signal : {SIGINT, SIGTERM, SIGALRM, SIGUSR1, SIGXFSZ, SIGPIPE}) {
      blocked = blocked && sigismember(&mask, signal) == 1;
    }
    for (const int signal : {SIGSEGV, SIGFPE, SIGBUS}) faults_open = faults_open && sigismember(&mask, signal) == 0;
  });
  CHECK(helpers > 0);
  CHECK(blocked);
  CHECK(faults_open);
  CHECK(caller_open);
}

TEST_CASE("FunctionRef borrows any callable") {
  int calls = 0;
  auto count = [&calls](int by) { return calls += by; };
  const ls::FunctionRef<int(int)> reference = count;
  CHECK(reference(2) == 2);
  CHECK(reference(3) == 5);
  const auto constant = [](int x) { return x * x; };
  CHECK(ls::FunctionRef<int(int)>(constant)(7) == 49);
}
