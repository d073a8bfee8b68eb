// Body of recorder.hpp: flush() and close(), which wait no longer than they are told.
#pragma once

#include <layerscope/core/format.hpp>
#include <layerscope/impl/recorder_core.hpp>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE std::uint64_t Recorder::Core::oldest_ticket() const {
  std::uint64_t oldest = (std::numeric_limits<std::uint64_t>::max)();
  for (const Jobs* jobs : {&copying, &light.waiting, &light.running, &heavy.waiting, &heavy.running}) {
    for (const detail::QueuedJob& queued : *jobs) {
      if (!queued.settled) oldest = (std::min)(oldest, queued.ticket);
    }
  }
  return oldest;
}

LAYERSCOPE_INLINE bool Recorder::Core::wait_for_jobs(Lock& lock, std::uint64_t up_to,
                                                     const detail::Deadline& deadline) {
  ++hurrying;
  light.wake.notify_all();
  heavy.wake.notify_all();
  const bool here = options.mode == Mode::synchronous;
  const auto mine_to_run = [&] {
    return here && light.runner == std::thread::id() && !(light.waiting.empty() && heavy.waiting.empty());
  };
  const auto done = [&] { return oldest_ticket() > up_to; };
  bool in_time = true;
  while (in_time && !done()) {
    if (mine_to_run()) run_here(lock);
    in_time = wait(lock, deadline, [&] { return done() || mine_to_run(); });
  }
  --hurrying;
  return in_time;
}

/// Has the sinks flushed by the light worker, whose blocking cannot hang this thread past its deadline.
LAYERSCOPE_INLINE bool Recorder::Core::wait_for_sinks(Lock& lock, const detail::Deadline& deadline, Jobs& retired) {
  if (options.mode == Mode::synchronous) {
    if (!wait(lock, deadline, [&] { return light.runner == std::thread::id(); })) return false;
    return flush_sinks(lock, light);
  }
  if (!start(light, retired)) return false;
  const std::uint64_t wanted = ++sink_flushes_wanted;
  light.wake.notify_all();
  const auto over = [&] { return sink_flushes_done >= wanted || light.worker != Lane::Worker::running; };
  return wait(lock, deadline, over) && sink_flushes_done >= wanted && sink_flush_good;
}

LAYERSCOPE_INLINE bool Recorder::Core::flush(const detail::Deadline& deadline) {
  Jobs retired;
  Lock lock(mutex);
  if (on_own_thread()) return false;  // a job cannot wait for itself
  return wait_for_jobs(lock, last_ticket, deadline) && wait_for_sinks(lock, deadline, retired);
}

LAYERSCOPE_INLINE void Recorder::Core::close(std::optional<double> seconds) {
  // A tenth of the time is for the sinks: they hold what was written so far, whatever is stuck.
  const detail::Deadline deadline = detail::deadline_after(seconds);
  const detail::Deadline jobs_deadline = seconds ? detail::deadline_after(*seconds * 0.9) : std::nullopt;
  Jobs retired;
  std::vector<Failure> abandoned;
  Lock lock(mutex);
  closed = true;
  changed.notify_all();  // whoever waits for room need not
  if (on_own_thread()) {
    drop_all(light.waiting, retired);
    drop_all(heavy.waiting, retired);
    return;  // the thread is joined by a close() from outside
  }
  bool good = wait_for_jobs(lock, last_ticket, jobs_deadline);
  if (!good) {
    drop_all(light.waiting, retired);
    drop_all(heavy.waiting, retired);
    for (detail::QueuedJob& queued : copying) settle(queued, &RunCounts::dropped);
    for (Lane* lane : {&light, &heavy}) {
      for (detail::QueuedJob& queued : lane->running) {
        if (queued.settled) continue;
        abandoned.push_back(
            {queued.job.kind, queued.job.name, queued.job.step, "abandoned: still at work when time was up"});
        settle(queued, &RunCounts::failed);
      }
    }
    lock.unlock();
    stop.request_stop();
    for (const Failure& failure : abandoned) {
      fail(failure.kind, failure.name, failure.step, failure.message.c_str());
    }
    lock.lock();
  }
  if (!quit || !complete) good = wait_for_sinks(lock, deadline, retired) && good;
  quit = true;
  light.wake.notify_all();
  heavy.wake.notify_all();
  std::vector<std::thread> ended;
  for (Lane* lane : {&light, &heavy}) {
    const auto over = [lane] { return lane->worker != Lane::Worker::running; };
    const bool gone = wait(lock, deadline, over);
    if (!lane->thread.joinable()) continue;
    if (gone) {
      ended.push_back(std::move(lane->thread));
    } else {
      lane->thread.detach();  // it shares the ownership of all it uses
      good = false;
    }
  }
  complete = good;
  const RunCounts final_counts = counts;
  const bool tell_summary = !options.on_error && !std::exchange(summary_told, true);
  lock.unlock();
  for (std::thread& thread : ended) thread.join();
  if (tell_summary && final_counts.dropped + final_counts.failed > 0) {
    detail::say("layerscope: of " + to_text(final_counts.submitted) + " snapshots " + to_text(final_counts.written) +
                " were written, " + to_text(final_counts.dropped) + " dropped, " + to_text(final_counts.failed) +
                " failed");
  }
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
