#include <layerscope/snapshot/watch.hpp>

#include <layerscope/sinks/memory.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/recorder.hpp"

namespace ls = layerscope;

namespace {

struct Net {
  float weight[2][3] = {{1, 2, 3}, {4, 5, 6}};
  std::vector<float> bias{1, 2};
  bool broken = false;
};

/// Like TORCH_MODULE's: copies share.
struct Holder {
  std::shared_ptr<Net> net = std::make_shared<Net>();
};

std::vector<std::string> labels(const ls::MemorySink& sink) {
  std::vector<std::string> labels;
  for (const ls::Artifact& artifact : sink.artifacts()) labels.push_back(artifact.name + " " + artifact.kind);
  return labels;
}

}  // namespace

template <>
struct layerscope::named_parameters<Net> {
  template <class F>
  static void for_each(const Net& net, F f) {
    f("weight", net.weight);
    if (net.broken) throw 3;
    f("bias", net.bias);
  }
};

template <>
struct layerscope::named_parameters<Holder> {
  template <class F>
  static void for_each(const Holder& holder, F f) {
    named_parameters<Net>::for_each(*holder.net, f);
  }
  static Holder share(const Holder& holder) { return holder; }
};

/// A handle that cannot be kept.
struct BrokenHolder {};

template <>
struct layerscope::named_parameters<BrokenHolder> {
  template <class F>
  static void for_each(const BrokenHolder&, F) {}
  static BrokenHolder share(const BrokenHolder&) { throw 4; }
};

TEST_CASE("watch: a handle that throws when copied is a counted failure") {
  std::vector<std::string> told;
  ls::RecorderOptions options;
  options.mode = ls::Mode::synchronous;
  options.on_error = [&](const ls::Failure& failure) { told.push_back(failure.kind + " " + failure.name); };
  ls::Recorder recorder(options);
  recorder.watch(BrokenHolder{});
  recorder.snapshot(0);
  CHECK(recorder.report().counts.failed == 1);
  CHECK(told == std::vector<std::string>{"recorder watch"});
}

TEST_CASE("watch: filters of what has two axes, histograms of everything, at each snapshot that is due") {
  const auto sink = std::make_shared<ls::MemorySink>();
  ls::Recorder recorder({.schedule = ls::Schedule::every(2), .mode = ls::Mode::synchronous, .overview = false});
  const Net net;
  recorder.add(sink).watch(net, "net");
  recorder.snapshot(1);
  CHECK(sink->size() == 0);
  recorder.snapshot(2);
  CHECK(labels(*sink) == std::vector<std::string>{"net/weight filters", "net/weight histogram",
                                                  "net/weight histogram_timeline", "net/bias histogram",
                                                  "net/bias histogram_timeline"});
  recorder.snapshot(4);
  recorder.flush();          // timelines are held back
  CHECK(sink->size() == 8);  // of a timeline memory keeps the newest
}

/// Has gradients of some parameters.
struct Trained {
  float weight[2][2] = {{1, 2}, {3, 4}};
  float gradient[2][2] = {{0.5f, 0}, {0, 1.5f}};
};

template <>
struct layerscope::named_parameters<Trained> {
  template <class F>
  static void for_each(const Trained& net, F f) {
    f("fc/weight", net.weight);
    f("fc/bias", net.weight[0]);
  }
  template <class F>
  static void for_each_gradient(const Trained& net, F f) {
    f("fc/weight", net.gradient);
  }
};

TEST_CASE("watch: gradients that are there, unless they are not wanted") {
  const Trained net;
  for (const bool wanted : {true, false}) {
    const auto sink = std::make_shared<ls::MemorySink>();
    ls::Recorder recorder({.mode = ls::Mode::synchronous, .overview = false});
    recorder.add(sink).watch(net, "net", {.gradients = wanted});
    recorder.snapshot(0);
    std::vector<std::string> expected{"net/fc/weight filters", "net/fc/weight histogram",
                                      "net/fc/weight histogram_timeline", "net/fc/bias histogram",
                                      "net/fc/bias histogram_timeline"};
    if (wanted) expected.emplace_back("net/fc/weight gradients");
    CHECK(labels(*sink) == expected);
  }
}

TEST_CASE("watch: a shared pointer and a handle are kept") {
  const auto sink = std::make_shared<ls::MemorySink>();
  ls::Recorder recorder({.mode = ls::Mode::synchronous, .overview = false});
  recorder.add(sink);
  auto shared = std::make_shared<Net>();
  const std::weak_ptr<Net> watched = shared;
  recorder.watch(shared).watch(std::shared_ptr<const Net>());
  shared.reset();
  CHECK_FALSE(watched.expired());
  std::weak_ptr<Net> held;
  {
    const Holder holder;
    held = holder.net;
    recorder.watch(holder, "holder");
  }
  CHECK_FALSE(held.expired());
  recorder.snapshot(0);
  CHECK(sink->size() == 10);
  CHECK(labels(*sink)[0] == "weight filters");
}

TEST_CASE("watch: a module that throws is reported, and what came before stays") {
  const auto sink = std::make_shared<ls::MemorySink>();
  int told = 0;
  ls::Recorder recorder(
      {.mode = ls::Mode::synchronous, .overview = false, .on_error = [&](const ls::Failure&) { ++told; }});
  Net net;
  net.broken = true;
  recorder.add(sink).watch(net);
  CHECK(recorder.snapshot(0));
  CHECK(told == 1);
  CHECK(sink->size() == 3);
}
