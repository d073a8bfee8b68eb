// Sinks that misbehave, and jobs to send to them.
#pragma once

#include <layerscope/adapters/std.hpp>
#include <layerscope/recorder.hpp>
#include <layerscope/snapshot/snapshot.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace layerscope_test {

/// Holds whoever passes until it is opened. Shared with sinks that outlive a test.
class Gate {
 public:
  explicit Gate(bool open = false) : open_(open) {}
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  /// Waits until `count` calls of pass() began.
  void await(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return arrived_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int arrived_ = 0;
  bool open_;
};

/// Does to each artifact what a function does.
class FunctionSink final : public layerscope::Sink {
 public:
  explicit FunctionSink(std::function<void(const layerscope::Artifact&)> write) : write_(std::move(write)) {}

 private:
  void do_write(const layerscope::Artifact& artifact) override { write_(artifact); }
  std::function<void(const layerscope::Artifact&)> write_;
};

inline std::shared_ptr<FunctionSink> sink_of(std::function<void(const layerscope::Artifact&)> write) {
  return std::make_shared<FunctionSink>(std::move(write));
}

/// A job that makes one artifact of its inputs, as parts "0", "1" …
inline layerscope::Job job_of(std::string kind, std::string name, std::int64_t step,
                              std::vector<layerscope::AnyView> inputs = {}) {
  layerscope::Job job;
  job.kind = std::move(kind);
  job.name = std::move(name);
  job.step = step;
  job.inputs = std::move(inputs);
  job.run = [](const layerscope::JobInputs& given) {
    layerscope::Artifact artifact;
    for (std::size_t i = 0; i < given.tensors.size(); ++i) {
      artifact.parts.push_back({std::to_string(i), given.tensors[i]});
    }
    return std::vector<layerscope::Artifact>{std::move(artifact)};
  };
  return job;
}

inline bool balanced(const layerscope::RunCounts& counts) {
  return counts.submitted == counts.written + counts.dropped + counts.failed + counts.in_flight;
}

inline double seconds_of(const std::function<void()>& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace layerscope_test
