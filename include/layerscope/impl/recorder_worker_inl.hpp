// Body of recorder.hpp: the workers, and synchronous mode, which does their work on the caller's thread.
#pragma once

#include <layerscope/impl/recorder_core.hpp>
#include <layerscope/impl/thread_inl.hpp>

#include <algorithm>
#include <new>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

LAYERSCOPE_INLINE bool Recorder::Core::held_back(const detail::QueuedJob& queued) {
  if (queued.job.waiting == Waiting::separate || hurrying > 0 || closed) return false;
  const Lane& lane = lane_of(queued.job.lane);
  const auto kept = lane.kept.find(detail::JobKeyView(queued.job.kind, queued.job.name));
  return kept != lane.kept.end() && kept->second.held_until > std::chrono::steady_clock::now();
}

LAYERSCOPE_INLINE Recorder::Core::Jobs::iterator Recorder::Core::next_job(Lane& lane, detail::Deadline& look_again) {
  look_again = std::nullopt;
  for (auto queued = lane.waiting.begin(); queued != lane.waiting.end(); ++queued) {
    if (!held_back(*queued)) return queued;
    const auto kept = lane.kept.find(detail::JobKeyView(queued->job.kind, queued->job.name));
    const detail::SteadyTime until = kept->second.held_until;
    look_again = look_again ? (std::min)(*look_again, until) : until;
  }
  return lane.waiting.end();
}

/// What a job's function and the sinks do with it; none of it under the lock.
LAYERSCOPE_INLINE bool Recorder::Core::execute(detail::QueuedJob& queued, Lane::Kept& kept) {
  const std::string& kind = queued.job.kind;
  const std::string& name = queued.job.name;
  const std::int64_t step = queued.job.step;
  std::vector<Artifact> artifacts;
  bool good = attempt(kind, name, step, [&] {
    std::vector<Artifact> made = queued.job.run({queued.tensors, kept.state, options.threads, stop.get_token()});
    for (Artifact& artifact : made) {
      if (artifact.kind.empty()) artifact.kind = kind;
      if (artifact.name.empty()) artifact.name = name;
      artifact.step = step;
    }
    artifacts = std::move(made);  // all of them, and none without its name
  });
  std::shared_ptr<const std::vector<std::shared_ptr<Sink>>> receivers;
  {
    const Lock lock(mutex);
    receivers = sinks;
  }
  for (const Artifact& artifact : artifacts) {
    for (const std::shared_ptr<Sink>& sink : *receivers) {
      if (queued.settled) return false;  // abandoned by close(): the sinks may be done with
      good = attempt(artifact.kind, artifact.name, step, [&] { sink->write(artifact); }) && good;
    }
  }
  return good;
}

LAYERSCOPE_INLINE bool Recorder::Core::perform(Lock& lock, Lane& lane, Jobs& from, Jobs::iterator next) {
  Jobs retired;
  lane.running.splice(lane.running.end(), from, next);
  const std::thread::id before = std::exchange(runner_of(lane), std::this_thread::get_id());
  Lane::Kept* kept = nullptr;
  try {
    kept = &lane.kept[{next->job.kind, next->job.name}];
  } catch (const std::bad_alloc&) {
    // Not even for the name: the job fails below.
  }
  lock.unlock();

  const detail::SteadyTime begin = std::chrono::steady_clock::now();
  const bool good = kept != nullptr && execute(*next, *kept);
  const detail::SteadyTime end = std::chrono::steady_clock::now();

  lock.lock();
  runner_of(lane) = before;
  if (kept != nullptr && next->job.waiting == Waiting::join)
    kept->held_until = end + detail::held_back_factor * (end - begin);
  settle(*next, good ? &RunCounts::written : &RunCounts::failed);
  retired.splice(retired.end(), lane.running, next);
  const bool lagging = end >= next_sink_flush;
  if (lagging)
    next_sink_flush = end + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                                std::chrono::duration<double>(detail::sink_flush_seconds));
  changed.notify_all();
  lock.unlock();
  retired.clear();  // runs destructors of the user's
  lock.lock();
  if (lagging) flush_sinks(lock, lane);
  return good;
}

LAYERSCOPE_INLINE bool Recorder::Core::flush_sinks(Lock& lock, Lane& lane) {
  const std::shared_ptr<const std::vector<std::shared_ptr<Sink>>> receivers = sinks;
  const RunCounts now = counts;
  const std::thread::id before = std::exchange(runner_of(lane), std::this_thread::get_id());
  lock.unlock();
  bool good = true;
  for (const std::shared_ptr<Sink>& sink : *receivers) {
    good = attempt("recorder", "sink", 0,
                   [&] {
                     sink->report(now);
                     sink->flush();
                   }) &&
           good;
  }
  lock.lock();
  runner_of(lane) = before;
  changed.notify_all();
  return good;
}

LAYERSCOPE_INLINE void Recorder::Core::run_here(Lock& lock) {
  detail::Deadline look_again;
  for (;;) {
    bool ran = false;
    for (Lane* lane : {&light, &heavy}) {
      const auto next = next_job(*lane, look_again);
      if (next == lane->waiting.end()) continue;
      perform(lock, *lane, lane->waiting, next);
      ran = true;
    }
    if (!ran || light.runner != std::thread::id()) return;
  }
}

LAYERSCOPE_INLINE bool Recorder::Core::start(Lane& lane, Jobs& retired) {
  if (lane.worker == Lane::Worker::running) return true;
  if (lane.worker == Lane::Worker::none && !quit) {
    try {
      const detail::BlockedSignals blocked;
      lane.thread = std::thread([core = shared_from_this(), &lane] { work(core, lane); });
      lane.worker = Lane::Worker::running;
      lane.runner = lane.thread.get_id();
      return true;
    } catch (const std::bad_alloc&) {
      // The next job may find memory for it.
    } catch (const std::exception&) {
      lane.worker = Lane::Worker::dead;
    }
    drop_all(lane.waiting, retired);
    changed.notify_all();
  }
  return false;
}

/// However the worker came to its end, nobody waits for it any more.
LAYERSCOPE_INLINE void Recorder::Core::end_lane(Lane& lane) {
  Jobs retired;
  bool died = false;
  {
    const Lock lock(mutex);
    died = !quit;
    lane.worker = died ? Lane::Worker::dead : Lane::Worker::ended;
    while (!lane.running.empty()) {
      settle(lane.running.front(), &RunCounts::failed);
      retired.splice(retired.end(), lane.running, lane.running.begin());
    }
    drop_all(lane.waiting, retired);
    changed.notify_all();
  }
  if (died) fail("recorder", "worker", 0, "its thread has ended; what comes is dropped");
}

LAYERSCOPE_INLINE void Recorder::Core::work(const std::shared_ptr<Core>& core, Lane& lane) {
  struct End {
    Core& core;
    Lane& lane;
    ~End() { core.end_lane(lane); }
  };
  const End end{*core, lane};
  detail::take_lowest_priority();
  Lock lock(core->mutex);
  for (;;) {
    detail::Deadline look_again;
    const auto next = core->next_job(lane, look_again);
    if (next != lane.waiting.end()) {
      core->perform(lock, lane, lane.waiting, next);
    } else if (&lane == &core->light && core->sink_flushes_done != core->sink_flushes_wanted) {
      const std::uint64_t wanted = core->sink_flushes_wanted;
      const bool good = core->flush_sinks(lock, lane);
      core->sink_flush_good = good;
      core->sink_flushes_done = wanted;
      core->changed.notify_all();
    } else if (core->quit) {
      return;
    } else if (look_again) {
      lane.wake.wait_until(lock, *look_again);
    } else {
      lane.wake.wait(lock);
    }
  }
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
