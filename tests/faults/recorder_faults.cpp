// The recorder when memory or threads are not to be had: every allocation of the calling thread fails once, the first,
// the second … until a run needs fewer; then thread creation fails. Own operator new and pthread_create, hence a
// program of its own. Exit status 0 when every run kept its promises.
#include <layerscope/adapters/std.hpp>
#include <layerscope/recorder.hpp>
#include <layerscope/sinks/memory.hpp>
#include <layerscope/snapshot/snapshot.hpp>

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "allocation_faults.hpp"

namespace ls = layerscope;
using layerscope_test::fail_after;

namespace {

std::atomic<bool> no_threads{false};

}  // namespace

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*), void* data) {
  if (no_threads) return EAGAIN;
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto next = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
  return next(thread, attributes, body, data);
}

namespace {

int failures = 0;

void expect(bool condition, const char* what, long n) {
  if (condition) return;
  ++failures;
  std::printf("not so, with allocation %ld failing: %s\n", n, what);
}

bool balanced(const ls::RunCounts& counts) {
  return counts.submitted == counts.written + counts.dropped + counts.failed + counts.in_flight;
}

/// Every kind of call on one recorder, the nth allocation of this thread failing; false when all were had.
bool run(ls::Mode mode, long n) {
  const auto sink = std::make_shared<ls::MemorySink>();
  const std::vector<float> x(64, 1.5f);
  const std::vector<std::int64_t> labels(8, 1);
  const ls::Tensor rows = ls::copy(*ls::AnyView(ls::view(x)).reshape({8, 8}));
  ls::RecorderOptions options{.mode = mode, .on_error = [](const ls::Failure&) {}};
  ls::Artifact own;
  own.kind = "own";
  own.name = "a name too long to be kept within the string itself";
  ls::Image image = ls::make_image(4, 4, ls::Rgb{});
  bool all_had = false;
  {
    fail_after = n;
    ls::Recorder recorder(std::move(options));
    recorder.add(sink).observe([](ls::Snapshot&) {});
    {
      ls::Snapshot snapshot = recorder.snapshot(1);
      snapshot.activations("a name too long to be kept within the string itself", x);
      snapshot.filters("w", rows);
      snapshot.histogram("w", rows);
      snapshot.statistics("w", rows);
      snapshot.gradients("w", rows);
      snapshot.heatmap("w", rows);
      snapshot.embedding("w", rows, {.labels = labels});
      snapshot.scalar("loss", 1);
      snapshot.scalar("loss", 2);
      snapshot.image("i", std::move(image));
      snapshot.text("t", "words that are too many to be kept within the string itself");
      snapshot.artifact(std::move(own));
    }  // and the overview of layers
    recorder.flush(60);
    const ls::Report before = recorder.report();
    all_had = fail_after >= 0;
    fail_after = -1;
    expect(balanced(before.counts), "the counts balance", n);
    const ls::Report report = recorder.close(60);
    expect(balanced(report.counts), "the counts balance after close()", n);
    expect(report.counts.in_flight == 0, "nothing is left in flight", n);
    if (!all_had && report.counts.submitted > 0) {
      expect(report.counts.written + 2 >= report.counts.submitted, "one failure costs one call or two", n);
    }
    if (all_had) expect(report.counts.written == 13 && report.complete, "without failure all is written", n);
  }
  return !all_had;
}

void without_threads() {
  no_threads = true;
  int told = 0;
  {
    ls::Recorder recorder({.on_error = [&](const ls::Failure&) { ++told; }});
    for (int step = 0; step < 3; ++step) {
      expect(recorder.snapshot(step).text("t", "words").outcome() == ls::Outcome::dropped, "a drop", -1);
    }
    expect(!recorder.report().worker_alive, "the worker is known to be dead", -1);
    recorder.flush(60);
    const ls::Report report = recorder.close(60);
    expect(report.counts == ls::RunCounts{3, 0, 3, 0, 0}, "three drops", -1);
    expect(told == 1, "said once", -1);
  }
  no_threads = false;
}

}  // namespace

int main() {
  for (const ls::Mode mode : {ls::Mode::synchronous, ls::Mode::asynchronous}) {
    long n = 0;
    while (run(mode, n)) ++n;
    std::printf("%ld allocations failed in turn\n", n);
    expect(n > 50, "allocations are counted at all", n);  // the control: the loop did inject
  }
  without_threads();
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
