#include <layerscope/impl/thread_team_inl.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"

using layerscope::detail::ThreadTeam;

TEST_CASE("a team runs every block of every loop exactly once, for any number of threads") {
  for (const int threads : {-1, 1, 2, 3, 8}) {
    ThreadTeam team(threads);
    CHECK(team.threads() >= 1);
    for (int loop = 0; loop < 300; ++loop) {
      const std::int64_t blocks = loop % 17 - 1;
      std::vector<std::atomic<int>> runs(16);
      team.run(blocks, [&](std::int64_t block) { ++runs[static_cast<std::size_t>(block)]; });
      for (std::int64_t block = 0; block < 16; ++block) {
        if (runs[static_cast<std::size_t>(block)] != (block < blocks ? 1 : 0)) {
          FAIL(block << " of " << blocks << " by " << threads);
        }
      }
    }
  }
}

TEST_CASE("what one loop writes, the next one reads") {
  ThreadTeam team(4);
  std::vector<std::int64_t> values(64, 0);  // plain integers: the race detector looks on
  for (std::int64_t loop = 0; loop < 200; ++loop) {
    team.run(64, [&](std::int64_t block) {
      std::int64_t& value = values[static_cast<std::size_t>((block + loop) % 64)];
      value += 1;
    });
  }
  for (const std::int64_t value : values) CHECK(value == 200);
}

TEST_CASE("a team that slept between two loops wakes up") {
  ThreadTeam team(3);
  for (int loop = 0; loop < 4; ++loop) {
    std::atomic<int> runs{0};
    team.run(40, [&](std::int64_t) {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
      ++runs;
    });
    CHECK(runs == 40);
    std::this_thread::sleep_for(std::chrono::milliseconds(15));
  }
}

TEST_CASE("the exception of the lowest block that threw leaves the loop, and the team goes on") {
  for (const int threads : {1, 2, 8}) {
    ThreadTeam team(threads);
    for (int repeat = 0; repeat < 50; ++repeat) {
      std::string message;
      try {
        team.run(100, [](std::int64_t block) {
          if (block % 7 == 6) throw std::runtime_error(std::to_string(block));
        });
      } catch (const std::runtime_error& error) {
        message = error.what();
      }
      CHECK(message == "6");  // blocks are handed out in order, so the first to throw is among those begun
      std::atomic<int> runs{0};
      team.run(10, [&](std::int64_t) { ++runs; });
      CHECK(runs == 10);
    }
  }
}

TEST_CASE("a team may be made and ended without a loop") {
  for (int repeat = 0; repeat < 100; ++repeat) const ThreadTeam team(4);
}
