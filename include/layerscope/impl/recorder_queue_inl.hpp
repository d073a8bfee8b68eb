// Body of recorder.hpp: the queue as the user's threads see it: admission and copying.
#pragma once

#include <layerscope/core/format.hpp>
#include <layerscope/impl/recorder_core.hpp>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <new>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// Bytes that an input will have; an element type that is not known before reading counts as float32.
inline std::int64_t expected_bytes(const LateInput& input) {
  Shape shape = input.extents;
  if (!input.rows.empty()) shape[0] = static_cast<std::int64_t>(input.rows.size());
  return static_cast<std::int64_t>(byte_count(DType::f32, shape));
}

inline Status failed_status(ErrorCode code, const char* message) noexcept {
  try {
    return {Outcome::failed, code, message};
  } catch (...) {
    return Outcome::failed;
  }
}

/// The rows of `view` asked for, row-major, at `out`.
inline void copy_rows(const AnyView& view, std::span<const std::int64_t> rows, std::byte* out) {
  const AnyView first = view.narrow(0, 0, 1);
  const std::size_t row_bytes = static_cast<std::size_t>(first.size()) * size_of(view.dtype());
  const bool plain = first.contiguous();
  for (const std::int64_t row : rows) {
    const AnyView one = view.narrow(0, row, 1);
    if (plain) {
      std::memcpy(out, one.data(), row_bytes);
    } else {
      convert_into(one, view.dtype(), out);
    }
    out += row_bytes;
  }
}

}  // namespace detail

LAYERSCOPE_INLINE bool Recorder::Core::forked() noexcept {
  if (detail::process_id() == owner) return false;
  if (!fork_told.exchange(true)) detail::say("layerscope: a forked process does not record; its copy is disabled");
  return true;
}

LAYERSCOPE_INLINE bool Recorder::Core::on_own_thread() const {
  const std::thread::id self = std::this_thread::get_id();
  return light.runner == self || heavy.runner == self;
}

LAYERSCOPE_INLINE void Recorder::Core::settle(detail::QueuedJob& queued, std::uint64_t RunCounts::*count) {
  if (queued.settled.exchange(true)) return;
  counts.in_flight -= queued.stands_for;
  counts.*count += queued.stands_for;
  if (queued.stands_for == 0 && count != &RunCounts::written) {  // deferred: counted when it goes wrong
    ++counts.submitted;
    ++(counts.*count);
  }
  pool->release(std::exchange(queued.bytes, 0));
  changed.notify_all();
}

LAYERSCOPE_INLINE void Recorder::Core::drop(Jobs& from, Jobs::iterator queued, Jobs& retired) {
  settle(*queued, &RunCounts::dropped);
  retired.splice(retired.end(), from, queued);
}

LAYERSCOPE_INLINE void Recorder::Core::drop_all(Jobs& from, Jobs& retired) {
  while (!from.empty()) drop(from, from.begin(), retired);
}

LAYERSCOPE_INLINE Recorder::Core::Jobs::iterator Recorder::Core::same_job(Lane& lane, const Job& job) {
  if (job.lane == layerscope::Lane::light && job.waiting == Waiting::separate) return lane.waiting.end();
  return std::find_if(lane.waiting.begin(), lane.waiting.end(), [&job](const detail::QueuedJob& other) {
    return other.job.name == job.name && other.job.kind == job.kind && other.job.waiting == job.waiting;
  });
}

/// Room for `new_jobs` jobs (0 or 1) and `bytes` more, by the policy; what has to go for it goes to `retired`.
LAYERSCOPE_INLINE Recorder::Core::Room Recorder::Core::make_room(Lock& lock, const Job& job, std::int64_t new_jobs,
                                                                 std::int64_t bytes, Jobs& retired) {
  Lane& lane = lane_of(job.lane);
  const auto droppable = [](const detail::QueuedJob& queued) { return queued.job.waiting == Waiting::separate; };
  const detail::Deadline deadline =
      options.overflow == Overflow::block ? detail::deadline_after(options.block_seconds) : std::nullopt;
  for (;;) {
    if (closed) return Room::closed;
    if (lane.worker == Lane::Worker::dead) return Room::dead;
    if (bytes > pool->limit()) return Room::too_large;

    const auto same = new_jobs > 0 ? same_job(lane, job) : lane.waiting.end();
    const bool replaces = same != lane.waiting.end();
    const auto jobs = static_cast<std::int64_t>(light.waiting.size() + heavy.waiting.size() + copying.size());
    // At most one job of a name that joins waits, so these need no place of their own.
    const bool place = job.waiting == Waiting::join || new_jobs == 0 ||
                       jobs - (replaces ? 1 : 0) < (std::max<std::int64_t>)(options.queue_jobs, 1);
    if (place && pool->fits(bytes, replaces ? same->bytes : 0)) return Room::found;

    if (options.overflow == Overflow::drop_newest) return Room::full;
    if (options.overflow == Overflow::block) {
      if (on_own_thread()) return Room::full;  // nobody else would make room
      const std::uint64_t ended = counts.written + counts.dropped + counts.failed;
      const auto progress = [&] { return closed || counts.written + counts.dropped + counts.failed != ended; };
      if (!wait(lock, deadline, progress)) return Room::full;
      continue;
    }
    std::int64_t gained = 0;
    Jobs* oldest_line = nullptr;
    Jobs::iterator oldest;
    for (Jobs* line : {&light.waiting, &heavy.waiting}) {
      for (auto queued = line->begin(); queued != line->end(); ++queued) {
        if (!droppable(*queued)) continue;
        gained += queued->bytes;
        if (oldest_line == nullptr || queued->ticket < oldest->ticket) {
          oldest_line = line;
          oldest = queued;
        }
      }
    }
    // Without hope nothing is given up: the rest is being copied or worked on.
    if (oldest_line == nullptr || !pool->fits(bytes, gained)) return Room::full;
    drop(*oldest_line, oldest, retired);
  }
}

LAYERSCOPE_INLINE Status Recorder::Core::refused(Room room) const noexcept {
  try {
    switch (room) {
      case Room::found: break;
      case Room::closed: return {Outcome::dropped, ErrorCode::closed, "recorder: closed"};
      case Room::dead: return {Outcome::dropped, ErrorCode::closed, "recorder: its worker thread is gone"};
      case Room::too_large:
        return {Outcome::dropped, ErrorCode::too_large,
                "recorder: the copy is larger than the " + to_text(pool->limit()) + " bytes of queue_bytes"};
      case Room::full: return {Outcome::dropped, ErrorCode::too_large, "recorder: the queue is full"};
    }
  } catch (...) {
    // The message is what memory was short for.
  }
  return Outcome::dropped;
}

/// Takes a place in line, or that of the waiting job which this one replaces.
LAYERSCOPE_INLINE void Recorder::Core::admit(detail::QueuedJob& queued, Jobs& retired) {
  Lane& lane = lane_of(queued.job.lane);
  queued.ticket = ++last_ticket;
  counts.in_flight += queued.stands_for;
  const auto same = same_job(lane, queued.job);
  if (same == lane.waiting.end()) return;
  queued.ticket = same->ticket;
  if (queued.job.waiting == Waiting::join) {
    queued.stands_for += std::exchange(same->stands_for, 0);
    pool->release(std::exchange(same->bytes, 0));
    same->settled = true;
    retired.splice(retired.end(), lane.waiting, same);
  } else {
    drop(lane.waiting, same, retired);
  }
}

/// Reads, makes room for what reading showed to be larger than expected, and copies. Without the lock.
LAYERSCOPE_INLINE void Recorder::Core::copy_inputs(detail::QueuedJob& queued, std::span<const detail::LateInput> late,
                                                   Jobs& retired) {
  std::vector<AnyView> views = std::exchange(queued.job.inputs, {});
  const std::size_t early = views.size();
  std::vector<Shape> shapes;
  std::vector<std::size_t> sizes;
  std::vector<std::shared_ptr<std::byte>> buffers;
  for (const detail::LateInput& input : late) views.push_back(input.tensor->read(input.extents));
  std::int64_t total = (std::max<std::int64_t>)(queued.job.bytes, 0);
  for (std::size_t i = 0; i < views.size(); ++i) {
    Shape shape = views[i].shape();
    if (i >= early && !late[i - early].rows.empty()) {
      shape[0] = static_cast<std::int64_t>(late[i - early].rows.size());
    }
    shapes.push_back(shape);
    sizes.push_back(byte_count(views[i].dtype(), shape));
    total += static_cast<std::int64_t>(sizes.back());
  }
  if (views.empty()) return;
  std::int64_t more = total;
  {
    Lock lock(mutex);
    more -= queued.bytes;
    if (more > 0 && make_room(lock, queued.job, 0, more, retired) != Room::found) throw std::bad_alloc();
    if (queued.settled) throw std::bad_alloc();  // close() did not wait, and gave the reservation back
    pool->reserve(more);
    queued.bytes += more;
  }
  more = 0;
  const auto account = [&] {
    const Lock lock(mutex);
    if (queued.settled) {
      pool->release(more);
    } else {
      queued.bytes += more;
    }
  };
  try {
    pool->take(sizes, more, buffers);
  } catch (...) {
    account();
    throw;
  }
  if (more > 0) account();
  queued.tensors.reserve(views.size());
  for (std::size_t i = 0; i < views.size(); ++i) {
    std::byte* const out = buffers[i].get();
    if (i >= early && !late[i - early].rows.empty()) {
      detail::copy_rows(views[i], late[i - early].rows, out);
    } else {
      convert_into(views[i], views[i].dtype(), out);
    }
    queued.tensors.emplace_back(views[i].dtype(), shapes[i], std::move(buffers[i]));
  }
}

LAYERSCOPE_INLINE Status Recorder::Core::submit(Job& job, std::span<const detail::LateInput> late) {
  Jobs retired;  // destroyed last, and without the lock, as jobs own things of the user's
  Jobs mine(1);
  const auto queued = mine.begin();
  std::int64_t expected = (std::max<std::int64_t>)(job.bytes, 0);
  for (const AnyView& input : job.inputs)
    expected += static_cast<std::int64_t>(byte_count(input.dtype(), input.shape()));
  for (const detail::LateInput& input : late) expected += detail::expected_bytes(input);
  {
    Lock lock(mutex);
    const Room room = make_room(lock, job, 1, expected, retired);
    ++counts.submitted;
    if (room != Room::found) {
      ++counts.dropped;
      return refused(room);
    }
    queued->job = std::move(job);
    queued->bytes = expected;
    admit(*queued, retired);
    pool->reserve(expected);
    copying.splice(copying.end(), mine);
  }
  std::uint64_t RunCounts::*count = &RunCounts::failed;
  Status status = Outcome::failed;
  const bool copied = attempt(queued->job.kind, queued->job.name, queued->job.step, [&] {
    try {
      copy_inputs(*queued, late, retired);
    } catch (const std::bad_alloc&) {
      count = &RunCounts::dropped;
      status = refused(Room::full);
    } catch (const Error& error) {
      status = detail::failed_status(error.code(), error.what());
      throw;
    } catch (const std::exception& error) {
      status = detail::failed_status(ErrorCode::invalid_argument, error.what());
      throw;
    }
  });
  if (!copied || count == &RunCounts::dropped) {
    const Lock lock(mutex);
    settle(*queued, count);
    retired.splice(retired.end(), copying, queued);
    return status;
  }
  return enqueue(queued, retired);
}

LAYERSCOPE_INLINE void Recorder::Core::stand_in_line(Lane& lane, Jobs& from, Jobs::iterator queued) {
  auto place = lane.waiting.end();
  while (place != lane.waiting.begin() && std::prev(place)->ticket > queued->ticket) --place;
  lane.waiting.splice(place, from, queued);
}

LAYERSCOPE_INLINE bool Recorder::Core::defer(Job& job) {
  Jobs retired;  // destroyed last, and without the lock
  Jobs mine(1);
  const auto queued = mine.begin();
  const Lock lock(mutex);
  Lane& lane = lane_of(job.lane);
  // One that waits already is done before flush() or close() ends; it must not come after a newer one.
  if ((closed || hurrying > 0) && same_job(lane, job) == lane.waiting.end()) return false;
  queued->stands_for = 0;
  queued->job = std::move(job);
  admit(*queued, retired);
  stand_in_line(lane, mine, queued);
  return true;  // the thread that runs this job looks for the next one after it
}

LAYERSCOPE_INLINE Status Recorder::Core::enqueue(Jobs::iterator queued, Jobs& retired) {
  Lock lock(mutex);
  Lane& lane = lane_of(queued->job.lane);
  // Once admitted, close() waits for it, unless it ran out of time.
  if (queued->settled || lane.worker == Lane::Worker::dead) {
    const Room room = queued->settled ? Room::closed : Room::dead;
    drop(copying, queued, retired);
    return refused(room);
  }
  if (options.mode == Mode::synchronous && !on_own_thread()) {
    wait(lock, std::nullopt, [&] { return queued->settled || light.runner == std::thread::id(); });
    if (queued->settled) {
      drop(copying, queued, retired);
      return refused(Room::closed);
    }
    if (!held_back(*queued)) {
      const bool good = perform(lock, lane, copying, queued);
      run_here(lock);  // what that job itself submitted
      return good ? Outcome::written : Outcome::failed;
    }
  }
  stand_in_line(lane, copying, queued);
  if (options.mode == Mode::asynchronous) {
    if (!start(lane, retired)) {
      if (lane.worker != Lane::Worker::dead) return refused(Room::full);  // no memory
      lock.unlock();
      fail("recorder", "worker", 0, "its thread could not be started; what comes is dropped");
      return refused(Room::dead);
    }
    lane.wake.notify_one();
  }
  return Outcome::queued;
}

/// While the exception is handled.
LAYERSCOPE_INLINE Status Recorder::Core::refuse(std::string_view kind, std::string_view name,
                                                std::int64_t step) noexcept {
  std::uint64_t RunCounts::*count = &RunCounts::failed;
  Status status = Outcome::failed;
  const char* what = "threw something that is not a std::exception";
  std::exception_ptr current;  // keeps `what` alive
  try {
    current = std::current_exception();
    std::rethrow_exception(current);
  } catch (const std::bad_alloc&) {
    count = &RunCounts::dropped;
    status = Outcome::dropped;
  } catch (const Error& error) {
    what = error.what();
    status = detail::failed_status(error.code(), what);
  } catch (const std::exception& error) {
    what = error.what();
    status = detail::failed_status(ErrorCode::invalid_argument, what);
  } catch (...) {
    status = detail::failed_status(ErrorCode::invalid_argument, what);
  }
  {
    const Lock lock(mutex);
    if (closed) count = &RunCounts::dropped;
    ++counts.submitted;
    ++(counts.*count);
  }
  if (count == &RunCounts::failed) fail(kind, name, step, what);
  return status;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
