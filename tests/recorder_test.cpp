#include <layerscope/recorder.hpp>

#include <layerscope/core/artifact.hpp>
#include <layerscope/sinks/memory.hpp>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#ifdef __linux__
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#include "support/catch.hpp"
#include "support/recorder.hpp"
#include "support/temporary_directory.hpp"

namespace ls = layerscope;
using layerscope_test::balanced;
using layerscope_test::Gate;
using layerscope_test::job_of;
using layerscope_test::seconds_of;
using layerscope_test::sink_of;
using layerscope_test::TemporaryDirectory;

namespace {

void quiet(const ls::Failure&) {}

/// What a run's sink saw, in order: "kind/name@step".
std::vector<std::string> labels(const ls::MemorySink& sink) {
  std::vector<std::string> labels;
  for (const ls::Artifact& artifact : sink.artifacts()) {
    labels.push_back(artifact.kind + "/" + artifact.name + "@" + std::to_string(artifact.step));
  }
  return labels;
}

/// Keeps the light worker busy until the gate opens.
ls::Job stop_at(const std::shared_ptr<Gate>& gate, ls::Lane lane = ls::Lane::light) {
  ls::Job job = job_of("gate", "gate", 0);
  job.lane = lane;
  job.run = [gate](const ls::JobInputs&) {
    gate->pass();
    return std::vector<ls::Artifact>();
  };
  return job;
}

}  // namespace

TEST_CASE("recorder: a job works on copies, of the type and values that were given") {
  const auto sink = std::make_shared<ls::MemorySink>();
  const auto gate = std::make_shared<Gate>();
  ls::Recorder recorder;
  recorder.add(sink);
  REQUIRE(recorder.submit(stop_at(gate)).ok());
  std::vector<float> x(1000);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  const std::vector<ls::Half> half(3, ls::Half{0x3C00});
  const ls::AnyView columns = ls::AnyView(ls::view(x)).reshape({10, 100})->permute({1, 0});
  CHECK(recorder.submit(job_of("copy", "x", 7, {ls::view(x), columns, ls::view(half)})).outcome() ==
        ls::Outcome::queued);
  const std::vector<float> before = x;
  std::fill(x.begin(), x.end(), -1.0f);
  gate->open();
  REQUIRE(recorder.flush());
  const std::vector<ls::Artifact> artifacts = sink->artifacts();
  REQUIRE(artifacts.size() == 1);
  CHECK(artifacts[0].kind == "copy");
  CHECK(artifacts[0].name == "x");
  CHECK(artifacts[0].step == 7);
  const auto* values = artifacts[0].find<ls::Tensor>("0");
  REQUIRE(values != nullptr);
  CHECK(std::equal(before.begin(), before.end(), values->data<float>()));
  const auto* transposed = artifacts[0].find<ls::Tensor>("1");
  REQUIRE(transposed != nullptr);
  REQUIRE(transposed->shape() == ls::Shape{100, 10});
  CHECK(transposed->data<float>()[1] == before[100]);
  CHECK(transposed->data<float>()[10] == before[1]);
  REQUIRE(artifacts[0].find<ls::Tensor>("2") != nullptr);
  CHECK(artifacts[0].find<ls::Tensor>("2")->dtype() == ls::DType::f16);
}

TEST_CASE("recorder: what an artifact keeps is not written over by later copies") {
  const auto sink = std::make_shared<ls::MemorySink>();
  ls::Recorder recorder;
  recorder.add(sink);
  std::vector<float> x(4096);
  for (int step = 0; step < 50; ++step) {
    std::fill(x.begin(), x.end(), static_cast<float>(step));
    REQUIRE(recorder.submit(job_of("copy", "x", step, {ls::view(x)})).ok());
    if (step % 5 == 0) REQUIRE(recorder.flush());
  }
  CHECK(recorder.close().counts.written == 50);
  for (const ls::Artifact& artifact : sink->artifacts()) {
    const float* const values = artifact.find<ls::Tensor>("0")->data<float>();
    const auto expected = static_cast<float>(artifact.step);
    CHECK(std::all_of(values, values + x.size(), [&](float value) { return value == expected; }));
  }
}

TEST_CASE("recorder: drop_newest refuses what finds no room, and counts it") {
  const auto sink = std::make_shared<ls::MemorySink>();
  const auto gate = std::make_shared<Gate>();
  ls::Recorder recorder({.queue_jobs = 4, .on_error = quiet});
  recorder.add(sink);
  recorder.submit(stop_at(gate));
  gate->await(1);
  for (int step = 0; step < 10; ++step) {
    const ls::Status status = recorder.submit(job_of("k", "n", step));
    CHECK(status.outcome() == (step < 4 ? ls::Outcome::queued : ls::Outcome::dropped));
    CHECK(balanced(recorder.report().counts));
  }
  CHECK(recorder.report().counts == ls::RunCounts{11, 0, 6, 0, 5});
  gate->open();
  CHECK(recorder.close().counts == ls::RunCounts{11, 5, 6, 0, 0});
  CHECK(labels(*sink) == std::vector<std::string>{"k/n@0", "k/n@1", "k/n@2", "k/n@3"});
}

TEST_CASE("recorder: drop_oldest keeps the newest") {
  const auto sink = std::make_shared<ls::MemorySink>();
  const auto gate = std::make_shared<Gate>();
  ls::Recorder recorder({.queue_jobs = 3, .overflow = ls::Overflow::drop_oldest, .on_error = quiet});
  recorder.add(sink);
  recorder.submit(stop_at(gate));
  gate->await(1);
  for (int step = 0; step < 10; ++step) {
    CHECK(recorder.submit(job_of("k", "n", step)).outcome() == ls::Outcome::queued);
    CHECK(balanced(recorder.report().counts));
  }
  gate->open();
  CHECK(recorder.close().counts == ls::RunCounts{11, 4, 7, 0, 0});
  CHECK(labels(*sink) == std::vector<std::string>{"k/n@7", "k/n@8", "k/n@9"});
}

TEST_CASE("recorder: drop_oldest gives nothing up for a job that would not fit anyway") {
  const auto gate = std::make_shared<Gate>();
  ls::Recorder recorder({.queue_bytes = 8000, .overflow = ls::Overflow::drop_oldest, .on_error = quiet});
  const std::vector<float> x(1000);
  ls::Job running = stop_at(gate);
  running.inputs = {ls::view(x)};
  recorder.submit(std::move(running));
  gate->await(1);
  CHECK(recorder.submit(job_of("k", "small", 1, {ls::AnyView(ls::view(x)).narrow(0, 0, 10)})).ok());
  const std::vector<float> large(1500);  // 6000 of 8000 bytes; 4000 are being worked on
  CHECK(recorder.submit(job_of("k", "large", 1, {ls::view(large)})).outcome() == ls::Outcome::dropped);
  gate->open();
  CHECK(recorder.close().counts == ls::RunCounts{3, 2, 1, 0, 0});
}

TEST_CASE("recorder: block waits for room, and refuses when none came in time") {
  const auto gate = std::make_shared<Gate>();
  ls::Recorder recorder({.queue_jobs = 1, .overflow = ls::Overflow::block, .block_seconds = 0.05, .on_error = quiet});
  recorder.submit(stop_at(gate));
  gate->await(1);
  CHECK(recorder.submit(job_of("k", "n", 0)).ok());
  ls::Status status = ls::Outcome::skipped;
  CHECK(seconds_of([&] { status = recorder.submit(job_of("k", "n", 1)); }) >= 0.05);
  CHECK(status.outcome() == ls::Outcome::dropped);
  gate->open();
  CHECK(recorder.flush());
  CHECK(recorder.submit(job_of("k", "n", 2)).ok());
  CHECK(recorder.close().counts == ls::RunCounts{4, 3, 1, 0, 0});

  const auto later = std::make_shared<Gate>();
  ls::Recorder patient({.queue_jobs = 1, .overflow = ls::Overflow::block, .block_seconds = 60});
  patient.submit(stop_at(later));
  later->await(1);
  CHECK(patient.submit(job_of("k", "n", 0)).ok());
  std::thread opener([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    later->open();
  });
  CHECK(patient.submit(job_of("k", "n", 1)).outcome() == ls::Outcome::queued);
  opener.join();
  CHECK(patient.close().counts == ls::RunCounts{3, 3, 0, 0, 0});
}

TEST_CASE("recorder: queue_bytes bounds the copies") {
  const auto gate = std::make_shared<Gate>();
  const std::int64_t limit = 10 * 4000;
  ls::Recorder recorder({.queue_bytes = limit, .on_error = quiet});
  const std::vector<float> x(1000);
  const std::vector<float> huge(10001);
  recorder.submit(stop_at(gate));
  const ls::Status refused = recorder.submit(job_of("k", "huge", 0, {ls::view(huge)}));
  CHECK(refused.outcome() == ls::Outcome::dropped);
  CHECK(refused.code() == ls::ErrorCode::too_large);
  int taken = 0;
  for (int step = 0; step < 30; ++step) taken += recorder.submit(job_of("k", "n", step, {ls::view(x)})).ok() ? 1 : 0;
  CHECK(taken == 10);
  gate->open();
  CHECK(recorder.flush());
  for (int step = 0; step < 30; ++step) {
    const std::vector<float> y(static_cast<std::size_t>(100 + 37 * step));
    CHECK(recorder.submit(job_of("k", "n", step, {ls::view(y)})).ok());
    CHECK(recorder.flush());
  }
  const ls::Report report = recorder.close();
  CHECK(report.peak_queue_bytes <= limit);
  CHECK(report.peak_queue_bytes >= 10 * 4000);
  CHECK(report.counts.dropped == 21);
}

TEST_CASE("recorder: Job::bytes counts what a job owns itself") {
  const auto gate = std::make_shared<Gate>();
  ls::Recorder recorder({.queue_bytes = 1000, .on_error = quiet});
  recorder.submit(stop_at(gate));
  ls::Job job = job_of("k", "n", 0);
  job.bytes = 600;
  CHECK(recorder.submit(job).ok());
  CHECK(recorder.submit(job).outcome() == ls::Outcome::dropped);
  gate->open();
  CHECK(recorder.flush());
  CHECK(recorder.submit(job).ok());
  CHECK(recorder.close().counts == ls::RunCounts{4, 3, 1, 0, 0});
}

TEST_CASE("recorder: a waiting heavy job is replaced by a newer one of its name, in its place in line") {
  const auto sink = std::make_shared<ls::MemorySink>();
  const auto gate = std::make_shared<Gate>();
  ls::Recorder recorder({.on_error = quiet});
  recorder.add(sink);
  recorder.submit(stop_at(gate, ls::Lane::heavy));
  gate->await(1);
  for (int step = 0; step < 5; ++step) {
    for (const char* name : {"a", "b", "c"}) {
      ls::Job job = job_of("heavy", name, step);
      job.lane = ls::Lane::heavy;
      CHECK(recorder.submit(std::move(job)).ok());
      CHECK(balanced(recorder.report().counts));
    }
  }
  ls::Job again = job_of("heavy", "a", 5);  // newest, and yet the first in line
  again.lane = ls::Lane::heavy;
  recorder.submit(std::move(again));
  ls::Job other_kind = job_of("other", "a", 0);
  other_kind.lane = ls::Lane::heavy;
  recorder.submit(std::move(other_kind));
  gate->open();
  CHECK(recorder.close().counts == ls::RunCounts{18, 5, 13, 0, 0});
  CHECK(labels(*sink) == std::vector<std::string>{"heavy/a@5", "heavy/b@4", "heavy/c@4", "other/a@0"});
}

TEST_CASE("recorder: light jobs do not wait behind heavy ones") {
  const auto gate = std::make_shared<Gate>();
  const auto sink = std::make_shared<ls::MemorySink>();
  ls::Recorder recorder;
  recorder.add(sink);
  recorder.submit(stop_at(gate, ls::Lane::heavy));
  gate->await(1);
  recorder.submit(job_of("light", "n", 0));
  while (sink->size() == 0) std::this_thread::yield();
  CHECK(recorder.report().counts.in_flight == 1);
  gate->open();
  CHECK(recorder.close().complete);
}

TEST_CASE("recorder: state is kept for each kind and name, over missing steps and failures") {
  for (const ls::Lane lane : {ls::Lane::light, ls::Lane::heavy}) {
    std::map<std::string, std::vector<int>> seen;  // written by one worker, read after close()
    ls::Recorder recorder({.on_error = quiet});
    for (const int step : {0, 1, 5, 9}) {
      for (const char* name : {"a", "b"}) {
        ls::Job job = job_of("k", name, step);
        job.lane = lane;
        job.run = [&seen, step, name = std::string(name)](const ls::JobInputs& inputs) {
          if (inputs.state == nullptr) inputs.state = std::make_shared<int>(0);
          seen[name].push_back(++*std::static_pointer_cast<int>(inputs.state));
          if (step == 1) throw std::runtime_error("once");
          return std::vector<ls::Artifact>();
        };
        recorder.submit(std::move(job));
        recorder.flush();
      }
    }
    CHECK(recorder.close().counts == ls::RunCounts{8, 6, 0, 2, 0});
    CHECK(seen["a"] == std::vector<int>{1, 2, 3, 4});
    CHECK(seen["b"] == std::vector<int>{1, 2, 3, 4});
  }
}

TEST_CASE("recorder: jobs that join are counted for all, and held back by what they cost") {
  std::atomic<int> runs{0};
  std::atomic<std::int64_t> last_step{-1};
  ls::Recorder recorder({.queue_jobs = 1});
  constexpr int calls = 200;
  const auto submit = [&](int step) {
    ls::Job job = job_of("series", "loss", step);
    job.waiting = ls::Waiting::join;
    job.run = [&, step](const ls::JobInputs&) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      ++runs;
      last_step = step;
      return std::vector<ls::Artifact>();
    };
    CHECK(recorder.submit(std::move(job)).ok());
  };
  for (int step = 0; step < calls; ++step) submit(step);
  CHECK(balanced(recorder.report().counts));
  CHECK(recorder.report().counts.dropped == 0);
  CHECK(recorder.flush());
  CHECK(last_step == calls - 1);
  CHECK(recorder.report().counts == ls::RunCounts{calls, calls, 0, 0, 0});
  CHECK(runs >= 1);
  CHECK(runs <= 4);  // the first, perhaps one more if the loop took 0.4 s, and the flush
  submit(calls);
  CHECK(recorder.close().counts.written == calls + 1);
  CHECK(last_step == calls);
}

TEST_CASE("recorder: a job that joins is held back 20 times as long as the one before took, unless somebody waits") {
  for (const ls::Mode mode : {ls::Mode::asynchronous, ls::Mode::synchronous}) {
    std::atomic<int> runs{0};
    ls::Recorder recorder({.mode = mode});
    const auto submit = [&] {
      ls::Job job = job_of("series", "loss", 0);
      job.waiting = ls::Waiting::join;
      job.run = [&](const ls::JobInputs&) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        ++runs;
        return std::vector<ls::Artifact>();
      };
      return recorder.submit(std::move(job)).outcome();
    };
    submit();
    while (recorder.report().counts.written < 1) std::this_thread::yield();
    for (int i = 0; i < 3; ++i) {
      CHECK(submit() == ls::Outcome::queued);
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    CHECK(runs == 1);  // for two seconds
    CHECK(recorder.report().counts == ls::RunCounts{4, 1, 0, 0, 3});
    CHECK(recorder.flush());
    CHECK(runs == 2);
    CHECK(recorder.close().counts == ls::RunCounts{4, 4, 0, 0, 0});
  }
}

TEST_CASE("recorder: a sink or job that throws anything costs that job alone") {
  for (const ls::Mode mode : {ls::Mode::asynchronous, ls::Mode::synchronous}) {
    std::mutex mutex;
    std::vector<std::string> told;
    const auto good = std::make_shared<ls::MemorySink>();
    ls::Recorder recorder({.mode = mode, .on_error = [&](const ls::Failure& failure) {
                             const std::lock_guard lock(mutex);
                             told.push_back(failure.name + ": " + failure.message);
                             throw 42;  // nor does this matter
                           }});
    recorder.add(sink_of([](const ls::Artifact& artifact) {
      if (artifact.name == "int") throw 7;
      if (artifact.name == "error") throw ls::Error(ls::ErrorCode::io, "disk on fire");
      if (artifact.name == "memory") throw std::bad_alloc();
    }));
    recorder.add(good);
    for (const char* name : {"int", "fine", "error", "memory"}) recorder.submit(job_of("k", name, 1));
    ls::Job throws = job_of("k", "job", 1);
    throws.run = [](const ls::JobInputs&) -> std::vector<ls::Artifact> { throw "a C string"; };
    CHECK(recorder.submit(std::move(throws)).outcome() ==
          (mode == ls::Mode::synchronous ? ls::Outcome::failed : ls::Outcome::queued));
    ls::Job empty = job_of("k", "null", 1);
    empty.run = nullptr;
    CHECK(recorder.submit(std::move(empty)).outcome() == ls::Outcome::failed);
    const ls::Report report = recorder.close();
    CHECK(report.counts == ls::RunCounts{6, 1, 0, 5, 0});
    CHECK(report.complete);
    CHECK(good->size() == 4);  // the other sink has them all
    CHECK(report.failures.size() == 5);
    std::sort(told.begin(), told.end());
    REQUIRE(told.size() == 5);
    CHECK(told[0] == "error: disk on fire");
  }
}

TEST_CASE("recorder: on_error may itself record and fail without end or deadlock") {
  ls::Recorder* self = nullptr;
  std::atomic<int> told{0};
  ls::Recorder recorder({.mode = ls::Mode::synchronous, .on_error = [&](const ls::Failure&) {
                           ++told;
                           ls::Job job;
                           job.kind = "again";
                           self->submit(std::move(job));  // no function: fails too
                         }});
  self = &recorder;
  ls::Job job;
  job.kind = "first";
  CHECK_FALSE(recorder.submit(std::move(job)).ok());
  CHECK(told == 1);
  CHECK(recorder.close().counts.failed == 2);
}

TEST_CASE("recorder: close() keeps its deadline whatever a sink does, and says what it abandoned") {
  const auto gate = std::make_shared<Gate>();
  std::atomic<int> written{0};
  {
    ls::Recorder recorder({.on_error = quiet});
    recorder.add(sink_of([gate](const ls::Artifact&) { gate->pass(); }));
    recorder.add(sink_of([&](const ls::Artifact&) { ++written; }));
    for (int step = 0; step < 5; ++step) recorder.submit(job_of("k", "n", step));
    gate->await(1);
    CHECK_FALSE(recorder.flush(0.05));
    ls::Report report;
    const double took = seconds_of([&] { report = recorder.close(0.2); });
    CHECK(took >= 0.1);
    CHECK(took < 2);
    CHECK_FALSE(report.complete);
    CHECK_FALSE(report.worker_alive);
    CHECK(report.counts == ls::RunCounts{5, 0, 4, 1, 0});
    REQUIRE(report.failures.size() == 1);
    CHECK(report.failures[0].message.find("abandoned") != std::string::npos);
    CHECK(recorder.submit(job_of("k", "n", 9)).outcome() == ls::Outcome::dropped);
    CHECK(recorder.submit(job_of("k", "n", 9)).code() == ls::ErrorCode::closed);
    CHECK(recorder.close(0).counts == ls::RunCounts{7, 0, 6, 1, 0});
  }
  gate->open();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(written == 0);  // an abandoned job reaches no further sink
}

TEST_CASE("recorder: the destructor keeps its deadline") {
  const auto gate = std::make_shared<Gate>();
  const double took = seconds_of([&] {
    ls::Recorder recorder({.close_seconds = 0.1, .on_error = quiet});
    recorder.add(sink_of([gate](const ls::Artifact&) { gate->pass(); }));
    recorder.submit(job_of("k", "n", 0));
    gate->await(1);
  });
  CHECK(took < 2);
  gate->open();
}

TEST_CASE("recorder: a job is told when close() runs out of time") {
  const auto stopped = std::make_shared<std::atomic<bool>>(false);
  const auto started = std::make_shared<Gate>(true);
  ls::Recorder recorder({.on_error = quiet});
  ls::Job job = job_of("k", "n", 0);
  job.run = [stopped, started](const ls::JobInputs& inputs) {
    started->pass();
    while (!inputs.stop.stop_requested()) std::this_thread::yield();
    *stopped = true;
    return std::vector<ls::Artifact>();
  };
  recorder.submit(std::move(job));
  started->await(1);
  CHECK(recorder.close(0.05).counts == ls::RunCounts{1, 0, 0, 1, 0});
  while (!*stopped) std::this_thread::yield();
}

TEST_CASE("recorder: a sink's flush() that blocks does not hang close()") {
  class Stuck final : public ls::Sink {
   public:
    explicit Stuck(std::shared_ptr<Gate> gate) : gate_(std::move(gate)) {}

   private:
    void do_write(const ls::Artifact&) override {}
    void do_flush() override { gate_->pass(); }
    std::shared_ptr<Gate> gate_;
  };
  const auto gate = std::make_shared<Gate>();
  ls::Recorder recorder;
  recorder.add(std::make_shared<Stuck>(gate));
  recorder.submit(job_of("k", "n", 0));
  CHECK_FALSE(recorder.flush(0.05));
  const ls::Report report = recorder.close(0.1);
  CHECK_FALSE(report.complete);
  CHECK(report.counts == ls::RunCounts{1, 1, 0, 0, 0});
  gate->open();
}

TEST_CASE("recorder: sinks are told the counts and flushed") {
  class Told final : public ls::Sink {
   public:
    std::vector<ls::RunCounts> counts;
    int flushed = 0;

   private:
    void do_write(const ls::Artifact&) override {}
    void do_flush() override { ++flushed; }
    void do_report(const ls::RunCounts& now) override { counts.push_back(now); }
  };
  for (const ls::Mode mode : {ls::Mode::asynchronous, ls::Mode::synchronous}) {
    const auto sink = std::make_shared<Told>();
    ls::Recorder recorder({.mode = mode});
    recorder.add(sink);
    recorder.submit(job_of("k", "n", 0));
    CHECK(recorder.flush());
    CHECK(sink->flushed == 1);
    recorder.submit(job_of("k", "n", 1));
    CHECK(recorder.close().complete);
    CHECK(recorder.close().complete);
    CHECK(sink->flushed == 2);
    REQUIRE(sink->counts.size() == 2);
    CHECK(sink->counts[0] == ls::RunCounts{1, 1, 0, 0, 0});
    CHECK(sink->counts[1] == ls::RunCounts{2, 2, 0, 0, 0});
  }
}

TEST_CASE("recorder: a sink whose flush() throws is reported, and the run ends incomplete") {
  class Broken final : public ls::Sink {
    void do_write(const ls::Artifact&) override {}
    void do_flush() override { throw 1; }
  };
  for (const ls::Mode mode : {ls::Mode::asynchronous, ls::Mode::synchronous}) {
    ls::Recorder recorder({.mode = mode, .on_error = quiet});
    recorder.add(std::make_shared<Broken>());
    recorder.submit(job_of("k", "n", 0));
    CHECK_FALSE(recorder.flush());
    const ls::Report report = recorder.close();
    CHECK_FALSE(report.complete);
    CHECK(report.counts == ls::RunCounts{1, 1, 0, 0, 0});
    CHECK(report.failures.size() == 2);
  }
}

TEST_CASE("recorder: a job may use the recorder that runs it") {
  for (const ls::Mode mode : {ls::Mode::asynchronous, ls::Mode::synchronous}) {
    const auto sink = std::make_shared<ls::MemorySink>();
    ls::Recorder recorder({.mode = mode, .overflow = ls::Overflow::block, .block_seconds = 30});
    recorder.add(sink);
    bool flushed = true;
    ls::Job job = job_of("k", "outer", 0);
    job.run = [&](const ls::JobInputs&) {
      flushed = recorder.flush();
      recorder.submit(job_of("k", "inner", 0));
      return std::vector<ls::Artifact>();
    };
    recorder.submit(std::move(job));
    recorder.flush();  // the outer one
    recorder.flush();  // the inner one
    CHECK(recorder.close().counts == ls::RunCounts{2, 2, 0, 0, 0});
    CHECK_FALSE(flushed);  // it cannot wait for itself
    CHECK(labels(*sink) == std::vector<std::string>{"k/inner@0"});
  }
}

TEST_CASE("recorder: synchronous mode gives the same artifacts and counts") {
  std::vector<std::vector<std::string>> seen;
  std::vector<ls::RunCounts> counts;
  for (const ls::Mode mode : {ls::Mode::asynchronous, ls::Mode::synchronous}) {
    const auto sink = std::make_shared<ls::MemorySink>();
    ls::Recorder recorder({.mode = mode, .queue_bytes = 4000, .on_error = quiet});
    recorder.add(sink);
    const std::vector<float> x(1000), large(1001);
    for (int step = 0; step < 3; ++step) {
      recorder.submit(job_of("k", "x", step, {ls::view(x)}));
      recorder.flush();
      recorder.submit(job_of("k", "large", step, {ls::view(large)}));
      ls::Job heavy = job_of("h", "n", step);
      heavy.lane = ls::Lane::heavy;
      const ls::Status status = recorder.submit(std::move(heavy));
      CHECK(status.outcome() == (mode == ls::Mode::synchronous ? ls::Outcome::written : ls::Outcome::queued));
      recorder.flush();
    }
    counts.push_back(recorder.close().counts);
    seen.push_back(labels(*sink));
  }
  CHECK(seen[0] == seen[1]);
  CHECK(seen[0].size() == 6);
  CHECK(counts[0] == counts[1]);
}

TEST_CASE("recorder: without sinks, and moved from, it does nothing and says so") {
  ls::Recorder recorder;
  CHECK(recorder.submit(job_of("k", "n", 0)).ok());
  ls::Recorder other(std::move(recorder));
  CHECK(recorder.submit(job_of("k", "n", 0)).outcome() == ls::Outcome::dropped);  // NOLINT(bugprone-use-after-move)
  CHECK_FALSE(recorder.flush());
  CHECK(recorder.report().counts == ls::RunCounts{});
  CHECK(recorder.close().counts == ls::RunCounts{});
  CHECK(recorder.options().queue_jobs == 1024);
  CHECK_FALSE(recorder.snapshot(1));
  recorder.add(std::make_shared<ls::MemorySink>()).observe([](ls::Snapshot&) {});
  CHECK(other.close().counts == ls::RunCounts{1, 1, 0, 0, 0});
}

TEST_CASE("recorder: sinks live as long as somebody needs them") {
  std::weak_ptr<ls::MemorySink> watched;
  {
    ls::Recorder recorder;
    auto sink = std::make_shared<ls::MemorySink>();
    watched = sink;
    recorder.add(std::move(sink));
    recorder.submit(job_of("k", "n", 0));
    CHECK(recorder.flush());
    REQUIRE_FALSE(watched.expired());
    CHECK(watched.lock()->size() == 1);
  }
  CHECK(watched.expired());
  const auto kept = std::make_shared<ls::MemorySink>();
  {
    ls::Recorder recorder;
    recorder.add(kept);
    recorder.submit(job_of("k", "n", 0));
  }
  CHECK(kept->size() == 1);
}

TEST_CASE("recorder: a snapshot may outlive its recorder") {
  const auto recorder = std::make_unique<ls::Recorder>();
  ls::Snapshot snapshot = recorder->snapshot(1);
  REQUIRE(snapshot);
  const_cast<std::unique_ptr<ls::Recorder>&>(recorder).reset();
  CHECK(snapshot.text("n", "late").outcome() == ls::Outcome::dropped);
  CHECK(snapshot.scalar("n", 1).outcome() == ls::Outcome::dropped);
}

TEST_CASE("recorder: schedules") {
  const auto due = [](const ls::Schedule& schedule) {
    std::vector<int> steps;
    for (int step = 0; step < 10; ++step) {
      if (schedule.due(step)) steps.push_back(step);
    }
    return steps;
  };
  CHECK(due(ls::Schedule::every(1)).size() == 10);
  CHECK(due(ls::Schedule::every(4)) == std::vector<int>{0, 4, 8});
  CHECK(due(ls::Schedule::every(0)).size() == 10);
  CHECK(due(ls::Schedule::every(-3)).size() == 10);
  CHECK(ls::Schedule::every(3).due(-6));
  CHECK(due(ls::Schedule::steps({7, 1, 1})) == std::vector<int>{1, 7});
  CHECK(due(ls::Schedule::steps({})).empty());
  CHECK(due(ls::Schedule::when([](std::int64_t step) { return step > 7; })) == std::vector<int>{8, 9});
  CHECK(due(ls::Schedule::never()).empty());
  CHECK(due(ls::Schedule::every_seconds(1e6)) == std::vector<int>{0});
  CHECK(due(ls::Schedule::every_seconds(0)).size() == 10);
  const ls::Schedule interval = ls::Schedule::every_seconds(0.03);
  CHECK(interval.due(0));
  CHECK(interval.due(0));  // the same step stays due
  CHECK_FALSE(interval.due(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(40));
  CHECK(interval.due(2));
}

TEST_CASE("recorder: a predicate that throws leaves the step out and is reported") {
  int told = 0;
  ls::Recorder recorder({.schedule = ls::Schedule::when([](std::int64_t step) -> bool {
                           if (step == 1) throw 5;
                           return true;
                         }),
                         .on_error = [&](const ls::Failure& failure) {
                           ++told;
                           CHECK(failure.step == 1);
                         }});
  CHECK(recorder.snapshot(0));
  CHECK_FALSE(recorder.snapshot(1));
  CHECK(told == 1);
}

TEST_CASE("recorder: observers see every snapshot that is due") {
  std::vector<std::int64_t> seen;
  ls::Recorder recorder({.schedule = ls::Schedule::every(2), .on_error = quiet});
  recorder.observe([](ls::Snapshot&) { throw 3; }).observe([&](ls::Snapshot& snapshot) {
    seen.push_back(snapshot.step());
    recorder.snapshot(snapshot.step());  // does not start over
  });
  for (int step = 0; step < 5; ++step) recorder.snapshot(step);
  CHECK(seen == std::vector<std::int64_t>{0, 2, 4});
  CHECK(recorder.close().failures.size() == 3);
}

TEST_CASE("recorder: a directory that cannot be written is said at once, and other sinks work") {
  const TemporaryDirectory directory;
  layerscope_test::write_plainly(directory / "file", "in the way");
  std::vector<ls::Failure> told;
  ls::Recorder recorder(directory / "file", {.on_error = [&](const ls::Failure& failure) { told.push_back(failure); }});
  REQUIRE(told.size() == 1);
  CHECK(told[0].kind == "recorder");
  CHECK(told[0].message.find("file") != std::string::npos);
  const auto sink = std::make_shared<ls::MemorySink>();
  recorder.add(sink);
  CHECK(recorder.snapshot(0).text("n", "words").ok());
  CHECK(recorder.close().complete);
  CHECK(sink->size() == 1);
}

TEST_CASE("recorder: a directory gets the files") {
  const TemporaryDirectory directory;
  ls::Recorder recorder(directory / "run");
  recorder.snapshot(3).heatmap("layer", std::vector<float>{1, 2, 3});
  CHECK(recorder.close().complete);
  CHECK(layerscope_test::contents(directory / "run/manifest.json") != "<none>");
  CHECK(layerscope_test::contents(directory / "run/layer/heatmap-000003.png").substr(1, 3) == "PNG");
}

TEST_CASE("recorder: time on the caller's threads is counted, without flush() and close()") {
  ls::Recorder recorder;
  recorder.add(sink_of([](const ls::Artifact&) { std::this_thread::sleep_for(std::chrono::milliseconds(50)); }));
  const std::vector<float> x(100000);
  for (int i = 0; i < 5; ++i) recorder.submit(job_of("k", "n", i, {ls::view(x)}));
  const ls::Report report = recorder.close();
  CHECK(report.caller_seconds > 0);
  CHECK(report.caller_seconds < 0.2);
}

#ifdef __linux__

namespace {

/// What `body` writes to stderr.
std::string stderr_of(const std::function<void()>& body) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const int saved = dup(STDERR_FILENO);
  dup2(ends[1], STDERR_FILENO);
  close(ends[1]);
  body();
  dup2(saved, STDERR_FILENO);
  close(saved);
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(n));
  close(ends[0]);
  return text;
}

}  // namespace

TEST_CASE("recorder: by default each kind and name is said once on stderr, and a summary at the end") {
  const std::string text = stderr_of([] {
    ls::Recorder recorder;
    recorder.add(sink_of([](const ls::Artifact&) { throw std::runtime_error("two\nlines"); }));
    for (int step = 0; step < 4; ++step) {
      recorder.submit(job_of("k", "a", step));
      recorder.submit(job_of("k", "b", step));
    }
    recorder.flush();
    recorder.close();
    recorder.close();
  });
  CHECK(std::count(text.begin(), text.end(), '\n') == 3);
  CHECK(text.find("k \"a\" at step 0: two?lines\n") != std::string::npos);
  CHECK(text.find("of 8 snapshots 0 were written, 0 dropped, 8 failed\n") != std::string::npos);
  CHECK(stderr_of([] {
          ls::Recorder recorder;
          recorder.submit(job_of("k", "n", 0));
        }).empty());
}

TEST_CASE("recorder: a forked child neither records nor hangs, and says so once") {
  const auto gate = std::make_shared<Gate>();
  const auto sink = std::make_shared<ls::MemorySink>();
  const std::string text = stderr_of([&] {
    auto recorder = std::make_unique<ls::Recorder>();
    recorder->add(sink);
    recorder->submit(stop_at(gate));
    recorder->submit(job_of("k", "n", 0));
    gate->await(1);
    ls::Snapshot snapshot = recorder->snapshot(1);
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);
      bool right = recorder->submit(job_of("k", "n", 1)).outcome() == ls::Outcome::dropped;
      right = right && snapshot.text("n", "words").outcome() == ls::Outcome::dropped;
      right = right && !recorder->snapshot(2) && !recorder->flush(1);
      right = right && !recorder->report().worker_alive && !recorder->close().complete;
      recorder.reset();
      _exit(right ? 0 : 1);
    }
    REQUIRE(child > 0);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    gate->open();
    CHECK(recorder->close().counts == ls::RunCounts{2, 2, 0, 0, 0});
  });
  CHECK(text == "layerscope: a forked process does not record; its copy is disabled\n");
  CHECK(sink->size() == 1);
}

#ifdef __GLIBC__
TEST_CASE("recorder: a worker that a job ends is noticed; what comes is dropped, nothing hangs") {
  for (const ls::Lane lane : {ls::Lane::light, ls::Lane::heavy}) {
    const auto gate = std::make_shared<Gate>();
    ls::Recorder recorder({.on_error = quiet});
    ls::Job job = job_of("k", "exits", 0);
    job.lane = lane;
    job.run = [gate](const ls::JobInputs&) -> std::vector<ls::Artifact> {
      gate->pass();
      pthread_exit(nullptr);
    };
    recorder.submit(std::move(job));
    gate->await(1);
    ls::Job next = job_of("k", "next", 0);
    next.lane = lane;
    recorder.submit(next);
    gate->open();
    while (recorder.report().worker_alive) std::this_thread::yield();
    CHECK(recorder.report().counts == ls::RunCounts{2, 0, 1, 1, 0});
    CHECK(recorder.submit(next).outcome() == ls::Outcome::dropped);
    recorder.flush();
    const ls::Report report = recorder.close();
    CHECK(report.counts == ls::RunCounts{3, 0, 2, 1, 0});
    CHECK(report.failures.size() == 1);
  }
}
#endif

TEST_CASE("recorder: workers have the lowest priority and take no signals") {
  int nice_value = -100;
  sigset_t mask;
  sigemptyset(&mask);
  ls::Recorder recorder;
  ls::Job job = job_of("k", "n", 0);
  job.run = [&](const ls::JobInputs&) {
    nice_value = nice(0);
    pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    return std::vector<ls::Artifact>();
  };
  recorder.submit(std::move(job));
  recorder.close();
  CHECK(nice_value == 19);
  CHECK(sigismember(&mask, SIGINT) == 1);
  CHECK(sigismember(&mask, SIGXFSZ) == 1);
  CHECK(sigismember(&mask, SIGSEGV) == 0);
}

#endif
