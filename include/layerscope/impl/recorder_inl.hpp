// Body of recorder.hpp: the public functions. None of them lets an exception out.
#pragma once

#include <layerscope/core/format.hpp>
#include <layerscope/impl/recorder_core.hpp>

#include <algorithm>
#include <new>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE Recorder::Core::Core(RecorderOptions given)
    : options(std::move(given)),
      owner(detail::process_id()),
      pool(std::make_shared<detail::BufferPool>(options.queue_bytes)),
      next_sink_flush(*detail::deadline_after(detail::sink_flush_seconds)),
      sinks(std::make_shared<const std::vector<std::shared_ptr<Sink>>>()),
      observers(std::make_shared<const std::vector<std::shared_ptr<const std::function<void(Snapshot&)>>>>()) {}

LAYERSCOPE_INLINE void Recorder::Core::tell(const Failure& failure) noexcept {
  try {
    if (options.on_error) return options.on_error(failure);
    if (!told_keys.emplace(failure.kind, failure.name).second) return;
    detail::say("layerscope: " + failure.kind + " \"" + failure.name + "\" at step " + to_text(failure.step) + ": " +
                failure.message);
  } catch (...) {
    // A handler that fails has nobody left to tell.
  }
}

LAYERSCOPE_INLINE void Recorder::Core::fail(std::string_view kind, std::string_view name, std::int64_t step,
                                            const char* message) noexcept {
  constexpr std::size_t most = 100;
  try {
    const std::thread::id self = std::this_thread::get_id();
    Failure failure{std::string(kind), std::string(name), step, message};
    Lock lock(failure_mutex);
    if (failures.size() < most) failures.push_back(failure);
    if (teller == self || untold.size() >= most) return;  // what on_error itself causes would have no end
    untold.push_back(std::move(failure));
    if (teller != std::thread::id()) return;  // that thread tells this one too
    teller = self;
    while (!untold.empty()) {
      const Failure next = std::move(untold.front());
      untold.pop_front();
      lock.unlock();
      tell(next);
      lock.lock();
    }
    teller = std::thread::id();
  } catch (...) {
    // No memory for the words; the counts have it.
  }
}

LAYERSCOPE_INLINE Report Recorder::Core::report() noexcept {
  Report report;
  report.caller_seconds = static_cast<double>(caller_nanoseconds.load()) * 1e-9;
  if (forked()) return report;
  report.peak_queue_bytes = pool->peak();
  {
    const Lock lock(mutex);
    report.counts = counts;
    report.complete = complete;
    report.worker_alive = !closed && light.worker != Lane::Worker::dead && heavy.worker != Lane::Worker::dead;
  }
  try {
    const std::lock_guard lock(failure_mutex);
    report.failures = failures;
  } catch (...) {
    // No memory for the words; the counts have it.
  }
  return report;
}

LAYERSCOPE_INLINE Recorder::Recorder(RecorderOptions options) noexcept {
  try {
    core_ = std::make_shared<Core>(std::move(options));
  } catch (...) {
    detail::say("layerscope: no memory for a recorder; nothing is recorded");
  }
}

LAYERSCOPE_INLINE Recorder::~Recorder() {
  if (core_ == nullptr) return;
  if (core_->forked()) {
    // Nothing of it may be destroyed here: its threads are gone, its locks may be held, its sinks are the parent's.
    new (std::nothrow) std::shared_ptr<Core>(core_);
    return;
  }
  close(core_->options.close_seconds);
}

LAYERSCOPE_INLINE Recorder& Recorder::add(std::shared_ptr<Sink> sink) noexcept {
  if (core_ == nullptr || sink == nullptr || core_->forked()) return *this;
  core_->attempt("recorder", "add", 0, [&] {
    const Core::Lock lock(core_->mutex);
    auto more = std::make_shared<std::vector<std::shared_ptr<Sink>>>(*core_->sinks);
    more->push_back(std::move(sink));
    core_->sinks = std::move(more);
  });
  return *this;
}

LAYERSCOPE_INLINE Recorder& Recorder::observe(std::function<void(Snapshot&)> observer) noexcept {
  if (core_ == nullptr || observer == nullptr || core_->forked()) return *this;
  core_->attempt("recorder", "observe", 0, [&] {
    auto added = std::make_shared<const std::function<void(Snapshot&)>>(std::move(observer));
    const Core::Lock lock(core_->mutex);
    auto more = std::make_shared<std::vector<std::shared_ptr<const std::function<void(Snapshot&)>>>>(*core_->observers);
    more->push_back(std::move(added));
    core_->observers = std::move(more);
  });
  return *this;
}

LAYERSCOPE_INLINE const RecorderOptions& Recorder::options(const Core& core) noexcept {
  return core.options;
}

LAYERSCOPE_INLINE Status Recorder::guarded(Core& core, std::string_view kind, std::string_view name, std::int64_t step,
                                           FunctionRef<Status()> body) noexcept {
  if (core.forked()) return Outcome::dropped;
  const detail::CallerTime timed(core.caller_nanoseconds);
  try {
    return body();
  } catch (...) {
    return core.refuse(kind, name, step);
  }
}

LAYERSCOPE_INLINE bool Recorder::takes_inputs(Core& core) {
  std::shared_ptr<const std::vector<std::shared_ptr<Sink>>> sinks;
  {
    const Core::Lock lock(core.mutex);
    sinks = core.sinks;
  }
  return std::any_of(sinks->begin(), sinks->end(), [](const auto& sink) { return sink->takes_inputs(); });
}

LAYERSCOPE_INLINE Status Recorder::submit(Core& core, Job& job, std::span<const detail::LateInput> late) {
  return core.submit(job, late);
}

LAYERSCOPE_INLINE std::shared_ptr<void> Recorder::keep(Core& core, std::string_view kind, std::string_view name,
                                                       std::shared_ptr<void> (*make)()) {
  const Core::Lock lock(core.mutex);
  const auto found = core.callers_kept.find(detail::JobKeyView(kind, name));
  if (found != core.callers_kept.end()) return found->second;
  return core.callers_kept.emplace(detail::JobKey(kind, name), make()).first->second;
}

LAYERSCOPE_INLINE bool Recorder::defer(Core& core, Job& job) {
  return core.defer(job);
}

LAYERSCOPE_INLINE Status Recorder::submit(Job job) noexcept {
  if (core_ == nullptr) return Outcome::dropped;
  return guarded(*core_, job.kind, job.name, job.step, [&] {
    if (!job.run) throw Error(ErrorCode::invalid_argument, "recorder: a job without a function; expected one");
    return core_->submit(job, {});
  });
}

LAYERSCOPE_INLINE bool Recorder::flush(std::optional<double> seconds) noexcept {
  if (core_ == nullptr || core_->forked()) return false;
  bool done = false;
  core_->attempt("recorder", "flush", 0, [&] { done = core_->flush(detail::deadline_after(seconds)); });
  return done;
}

LAYERSCOPE_INLINE Report Recorder::close(std::optional<double> seconds) noexcept {
  if (core_ == nullptr) return {};
  if (!core_->forked()) core_->attempt("recorder", "close", 0, [&] { core_->close(seconds); });
  return core_->report();
}

LAYERSCOPE_INLINE Report Recorder::report() const noexcept {
  return core_ == nullptr ? Report() : core_->report();
}

LAYERSCOPE_INLINE const RecorderOptions& Recorder::options() const noexcept {
  static const RecorderOptions none;
  return core_ == nullptr ? none : core_->options;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
