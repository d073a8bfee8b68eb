// Recorder and snapshots from several threads: to be run under the thread sanitizer too.
#include <layerscope/recorder.hpp>

#include <layerscope/sinks/memory.hpp>

#include <array>
#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/recorder.hpp"

namespace ls = layerscope;
using layerscope_test::balanced;
using layerscope_test::Gate;
using layerscope_test::job_of;
using layerscope_test::sink_of;

namespace {

void quiet(const ls::Failure&) {}

void on_threads(int count, const std::function<void(int)>& body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(body, i);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

TEST_CASE("recorder threads: a thousand snapshots from eight threads all arrive") {
  for (const ls::Mode mode : {ls::Mode::asynchronous, ls::Mode::synchronous}) {
    const auto sink = std::make_shared<ls::MemorySink>();
    ls::Recorder recorder({.mode = mode, .overflow = ls::Overflow::block, .block_seconds = 600});
    recorder.add(sink);
    on_threads(8, [&](int thread) {
      for (int i = 0; i < 125; ++i) {
        const std::vector<float> x(16, static_cast<float>(1000 * thread + i));
        recorder.submit(job_of("k", "t" + std::to_string(thread), i, {ls::view(x)}));
      }
    });
    CHECK(recorder.close().counts == ls::RunCounts{1000, 1000, 0, 0, 0});
    std::map<std::string, std::int64_t> next;
    bool in_order = true, right = true;
    for (const ls::Artifact& artifact : sink->artifacts()) {
      in_order = in_order && artifact.step == next[artifact.name]++;
      const int thread = std::stoi(artifact.name.substr(1));
      const float* const x = artifact.find<ls::Tensor>("0")->data<float>();
      for (int i = 0; i < 16; ++i) right = right && x[i] == static_cast<float>(1000 * thread + artifact.step);
    }
    CHECK(in_order);
    CHECK(right);
  }
}

TEST_CASE("recorder threads: the counts balance at every instant, under each policy, whatever the sinks do") {
  for (const ls::Overflow overflow : {ls::Overflow::drop_newest, ls::Overflow::drop_oldest, ls::Overflow::block}) {
    for (const char* behaviour : {"fine", "throws", "slow", "blocks"}) {
      INFO(behaviour);
      const auto gate = std::make_shared<Gate>(std::string(behaviour) != "blocks");
      const std::string how = behaviour;
      ls::Recorder recorder(
          {.queue_jobs = 8, .queue_bytes = 20000, .overflow = overflow, .block_seconds = 0.002, .on_error = quiet});
      recorder.add(sink_of([gate, how](const ls::Artifact& artifact) {
        gate->pass();
        if (how == "slow") std::this_thread::sleep_for(std::chrono::microseconds(200));
        if (how == "throws" && artifact.step % 3 == 0) throw static_cast<int>(artifact.step);
      }));
      std::atomic<bool> over{false};
      bool always = true;
      std::thread auditor([&] {
        while (!over) always = always && balanced(recorder.report().counts);
      });
      std::atomic<std::uint64_t> accepted{0};
      on_threads(4, [&](int thread) {
        const std::vector<double> x(100 + static_cast<std::size_t>(thread) * 50);
        for (int i = 0; i < 60; ++i) {
          ls::Job job = job_of("k", "n" + std::to_string(i % 3), i, {ls::view(x)});
          job.lane = i % 2 == 0 ? ls::Lane::light : ls::Lane::heavy;
          if (i % 4 == 0) job.waiting = ls::Waiting::join;
          if (recorder.submit(std::move(job)).ok()) ++accepted;
          if (i % 20 == 19) recorder.flush(0.001);
        }
      });
      const ls::Report report = recorder.close(how == "blocks" ? 0.05 : 600);
      over = true;
      auditor.join();
      gate->open();
      CHECK(always);
      CHECK(balanced(report.counts));
      CHECK(report.counts.submitted == 240);
      CHECK(report.counts.in_flight == 0);
      CHECK(report.complete == (how != "blocks"));
      CHECK(report.counts.written + report.counts.failed <= accepted);
      CHECK(report.peak_queue_bytes <= 20000);
    }
  }
}

TEST_CASE("recorder threads: closing while others submit loses no count") {
  for (const ls::Mode mode : {ls::Mode::asynchronous, ls::Mode::synchronous}) {
    for (int round = 0; round < 10; ++round) {
      const auto sink = std::make_shared<ls::MemorySink>();
      ls::Recorder recorder({.mode = mode, .on_error = quiet});
      recorder.add(sink);
      std::atomic<std::uint64_t> ok{0};
      std::array<ls::Report, 2> reports;
      on_threads(6, [&](int thread) {
        if (thread < 2) {
          std::this_thread::sleep_for(std::chrono::microseconds(300 * round));
          reports[static_cast<std::size_t>(thread)] = recorder.close();
          return;
        }
        for (int i = 0; i < 50; ++i) {
          if (recorder.submit(job_of("k", "n", i)).ok()) ++ok;
        }
      });
      const ls::Report report = recorder.close();
      CHECK(report.complete);
      CHECK(balanced(report.counts));
      CHECK(report.counts.submitted == 200);
      CHECK(report.counts.written == ok);
      CHECK(sink->size() == ok);
    }
  }
}

TEST_CASE("recorder threads: failures are told one at a time, and none is kept waiting by one that takes long") {
  const auto gate = std::make_shared<Gate>();
  std::atomic<int> inside{0}, most{0}, told{0};
  ls::Recorder recorder({.on_error = [&, gate](const ls::Failure&) {
    most = (std::max)(most.load(), ++inside);
    gate->pass();
    ++told;
    --inside;
  }});
  recorder.add(sink_of([](const ls::Artifact&) { throw 1; }));
  recorder.submit(job_of("k", "n", 0));
  gate->await(1);              // the worker sits in on_error
  std::atomic<int> failed{0};  // CHECK itself is for one thread at a time
  on_threads(4, [&](int) {
    ls::Job job;
    job.kind = "no function";
    if (recorder.submit(std::move(job)).outcome() == ls::Outcome::failed) ++failed;
  });
  CHECK(failed == 4);
  gate->open();
  CHECK(recorder.close().counts.failed == 5);
  CHECK(told == 5);
  CHECK(most == 1);
}

TEST_CASE("recorder threads: sinks and observers may be added while others record") {
  ls::Recorder recorder;
  std::atomic<int> observed{0};
  on_threads(4, [&](int thread) {
    for (int i = 0; i < 20; ++i) {
      if (thread == 0) recorder.add(std::make_shared<ls::MemorySink>());
      if (thread == 1) recorder.observe([&](ls::Snapshot&) { ++observed; });
      recorder.snapshot(i).scalar("loss", i);
    }
  });
  CHECK(recorder.close().counts.written == 80);
  CHECK(observed > 0);
}

TEST_CASE("recorder threads: scalars of several threads all end in the series") {
  const auto sink = std::make_shared<ls::MemorySink>();
  ls::Recorder recorder({.queue_jobs = 1, .on_error = quiet});
  recorder.add(sink);
  on_threads(8, [&](int thread) {
    for (int i = 0; i < 250; ++i) {
      const int step = 8 * i + thread;
      recorder.snapshot(step).scalar("loss", 0.5 * step);
    }
  });
  CHECK(recorder.close().counts == ls::RunCounts{2000, 2000, 0, 0, 0});
  const std::vector<ls::Artifact> artifacts = sink->artifacts();
  REQUIRE(artifacts.size() == 1);
  const auto* series = artifacts[0].find<ls::Series>("series");
  REQUIRE(series != nullptr);
  REQUIRE(series->x.size() == 2000);
  bool right = true;
  for (std::size_t i = 0; i < 2000; ++i) {
    right = right && series->x[i] == static_cast<double>(i) && series->y[i] == 0.5 * static_cast<double>(i);
  }
  CHECK(right);
}
