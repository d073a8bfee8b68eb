// What recording costs the training thread: a call on a step that is not due, and the copy of one that is, against a
// memcpy of the same bytes into memory that was touched before, in turn. Prints one line a figure.
//
// Usage: recorder_bench [repeats of the copies, default 2000]
#include <layerscope/adapters/std.hpp>
#include <layerscope/recorder.hpp>
#include <layerscope/snapshot/snapshot.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

namespace ls = layerscope;

namespace {

double nanoseconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count();
}

double quantile(std::vector<double> values, double q) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

void disabled_calls() {
  ls::Recorder recorder({.schedule = ls::Schedule::every(1'000'000'000)});
  const std::vector<float> x(1000);
  constexpr int calls = 2'000'000;
  int taken = 0;
  auto begin = std::chrono::steady_clock::now();
  for (int step = 1; step <= calls; ++step) taken += recorder.snapshot(step) ? 1 : 0;
  std::printf("snapshot() of a step that is not due: %.1f ns\n", nanoseconds_since(begin) / calls);
  begin = std::chrono::steady_clock::now();
  for (int step = 1; step <= calls; ++step) {
    taken += recorder.snapshot(step).activations("x", x).outcome() == ls::Outcome::queued ? 1 : 0;
  }
  std::printf("snapshot().activations() of the same: %.1f ns\n", nanoseconds_since(begin) / calls);
  ls::Snapshot off = recorder.snapshot(1);
  begin = std::chrono::steady_clock::now();
  for (int step = 1; step <= calls; ++step) taken += off.embedding("x", x).ok() ? 0 : 1;
  std::printf("embedding() of a snapshot that is off: %.1f ns\n", nanoseconds_since(begin) / calls);
  if (taken != 0) std::abort();
}

void copies(std::size_t bytes, int repeats) {
  ls::Recorder recorder;
  std::vector<float> source(bytes / sizeof(float), 1.0f), target(source.size(), 2.0f);
  std::vector<double> submits, plain;
  for (int i = 0; i < repeats + 20; ++i) {
    source[static_cast<std::size_t>(i) % source.size()] = static_cast<float>(i);
    const auto copy_begin = std::chrono::steady_clock::now();
    std::memcpy(target.data(), source.data(), bytes);
    const double copy = nanoseconds_since(copy_begin);
    ls::Job job;
    job.kind = "bench";
    job.name = "x";
    job.step = i;
    job.inputs = {ls::view(source)};
    job.run = [](const ls::JobInputs&) { return std::vector<ls::Artifact>(); };
    const auto submit_begin = std::chrono::steady_clock::now();
    const ls::Status status = recorder.submit(std::move(job));
    const double submit = nanoseconds_since(submit_begin);
    if (!status.ok()) std::abort();
    std::this_thread::sleep_for(std::chrono::microseconds(300));  // a training step; the buffer comes back meanwhile
    if (i < 20) continue;                                         // first use apart
    submits.push_back(submit);
    plain.push_back(copy);
  }
  const double p50 = quantile(submits, 0.5), copy50 = quantile(plain, 0.5);
  std::printf(
      "submit() of %zu kB: p50 %.1f us, p99 %.1f us; memcpy p50 %.1f us, p99 %.1f us; allowed p50 %.1f us: %s\n",
      bytes / 1000, p50 / 1e3, quantile(submits, 0.99) / 1e3, copy50 / 1e3, quantile(plain, 0.99) / 1e3,
      (1.2 * copy50 + 50e3) / 1e3, p50 <= 1.2 * copy50 + 50e3 ? "met" : "NOT met");
}

}  // namespace

int main(int argc, char** argv) {
  const int repeats = argc > 1 ? std::atoi(argv[1]) : 2000;
  disabled_calls();
  for (const std::size_t bytes : {std::size_t{4000}, std::size_t{1'000'000}, std::size_t{16'000'000}}) {
    copies(bytes, bytes > 10'000'000 ? (std::max)(repeats / 10, 1) : repeats);
  }
}
