// What a Recorder, its snapshots and its workers share. One mutex guards the queue and the counts, so that the counts
// balance whenever somebody looks; another guards the failures; no code of the user's runs under either.
#pragma once

#include <layerscope/impl/buffer_pool.hpp>
#include <layerscope/impl/thread_inl.hpp>
#include <layerscope/recorder.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#ifdef __GLIBCXX__
#include <cxxabi.h>
#endif

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

using SteadyTime = std::chrono::steady_clock::time_point;
using Deadline = std::optional<SteadyTime>;

/// `seconds` from now, none for none and for more than thirty years; negative and NaN mean now.
inline Deadline deadline_after(std::optional<double> seconds) {
  if (!seconds || *seconds > 1e9) return std::nullopt;
  const std::chrono::duration<double> delay(*seconds > 0 ? *seconds : 0.0);
  return std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::steady_clock::duration>(delay);
}

inline constinit thread_local int caller_depth = 0;

/// Adds its lifetime to what the user's threads spent in the library; nested ones count once.
class CallerTime {
 public:
  explicit CallerTime(std::atomic<std::int64_t>& sum) noexcept : sum_(sum) {
    if (caller_depth++ == 0) begin_ = std::chrono::steady_clock::now();
  }
  ~CallerTime() {
    if (--caller_depth > 0) return;
    const auto spent = std::chrono::steady_clock::now() - begin_;
    sum_ += std::chrono::duration_cast<std::chrono::nanoseconds>(spent).count();
  }
  CallerTime(const CallerTime&) = delete;
  CallerTime& operator=(const CallerTime&) = delete;

 private:
  std::atomic<std::int64_t>& sum_;
  SteadyTime begin_;
};

using JobKey = std::pair<std::string, std::string>;  // kind and name
using JobKeyView = std::pair<std::string_view, std::string_view>;

/// Finds a JobKey without making one, as memory may be short.
struct JobKeyLess {
  using is_transparent = void;
  bool operator()(const JobKeyView& a, const JobKeyView& b) const noexcept { return a < b; }
};

/// A job between admission and end.
struct QueuedJob {
  Job job;
  std::vector<Tensor> tensors;
  std::int64_t bytes = 0;            // reserved in the pool
  std::uint64_t ticket = 0;          // its place in line; one that replaces another keeps the other's
  std::uint64_t stands_for = 1;      // calls that it is counted for
  std::atomic<bool> settled{false};  // counted by close() already, as it took too long
};

/// One line of waiting jobs and the thread that does them.
struct RecorderLane {
  struct Kept {
    std::shared_ptr<void> state;  // touched by the thread that runs the job alone
    SteadyTime held_until{};
  };
  enum class Worker : std::uint8_t { none, running, ended, dead };

  std::list<QueuedJob> waiting;  // by ticket
  std::list<QueuedJob> running;  // one at most
  std::map<JobKey, Kept, JobKeyLess> kept;
  std::condition_variable wake;
  std::thread thread;
  std::thread::id runner;  // the worker
  Worker worker = Worker::none;
};

}  // namespace detail

struct Recorder::Core : std::enable_shared_from_this<Core> {
  using Lock = std::unique_lock<std::mutex>;
  using Lane = detail::RecorderLane;
  using Jobs = std::list<detail::QueuedJob>;

  explicit Core(RecorderOptions given);

  // recorder_queue_inl.hpp: the callers' side.
  Status submit(Job& job, std::span<const detail::LateInput> late);
  /// Recorder::defer().
  bool defer(Job& job);
  /// Counts a call that was refused before it was admitted; while its exception is handled.
  Status refuse(std::string_view kind, std::string_view name, std::int64_t step) noexcept;
  /// Whether this process is a fork of the one that made the recorder; says so once.
  bool forked() noexcept;

  // recorder_close_inl.hpp.
  bool flush(const detail::Deadline& deadline);
  void close(std::optional<double> seconds);

  // recorder_worker_inl.hpp: the workers' side.
  static void work(const std::shared_ptr<Core>& core, Lane& lane);
  /// Starts the lane's worker if there is none yet; false when there is no living one afterwards.
  bool start(Lane& lane, Jobs& retired);
  /// Runs the waiting job `next` without the lock; true when its artifacts reached every sink.
  bool perform(Lock& lock, Lane& lane, Jobs& from, Jobs::iterator next);
  /// Synchronous mode: runs on this thread everything that need not be held back.
  void run_here(Lock& lock);
  /// Whether a job that joins others waits for more of them.
  bool held_back(const detail::QueuedJob& queued);
  /// The first job that may run now; else the end, and when to look again.
  Jobs::iterator next_job(Lane& lane, detail::Deadline& look_again);
  /// Tells the sinks how the run stands and flushes them, without the lock; true when none threw.
  bool flush_sinks(Lock& lock, Lane& lane);

  // recorder_inl.hpp.
  Lane& lane_of(layerscope::Lane which) noexcept { return which == layerscope::Lane::heavy ? heavy : light; }
  /// The thread that runs user code for this lane. In synchronous mode both lanes share one at a time, or none.
  std::thread::id& runner_of(Lane& lane) noexcept {
    return options.mode == Mode::synchronous ? light.runner : lane.runner;
  }
  void fail(std::string_view kind, std::string_view name, std::int64_t step, const char* message) noexcept;
  Report report() noexcept;

  /// Runs `f`; false when it threw, which is reported. A thread that is being cancelled goes on unwinding.
  template <class F>
  bool attempt(std::string_view kind, std::string_view name, std::int64_t step, F&& f) {
    try {
      f();
      return true;
    } catch (const std::exception& error) {
      fail(kind, name, step, error.what());
    } catch (...) {
#ifdef __GLIBCXX__
      // pthread_exit() and pthread_cancel() unwind with something that has no C++ type and must not be stopped.
      if (abi::__cxa_current_exception_type() == nullptr) throw;
#endif
      fail(kind, name, step, "threw something that is not a std::exception");
    }
    return false;
  }

  template <class Predicate>
  bool wait(Lock& lock, const detail::Deadline& deadline, Predicate done) {
    if (deadline) return changed.wait_until(lock, *deadline, done);
    changed.wait(lock, done);
    return true;
  }

  const RecorderOptions options;
  const std::int64_t owner;  // process id
  std::atomic<bool> fork_told{false};
  std::atomic<std::int64_t> caller_nanoseconds{0};
  const std::shared_ptr<detail::BufferPool> pool;
  std::stop_source stop;

  std::mutex mutex;  // guards the rest, up to failure_mutex
  std::condition_variable changed;
  RunCounts counts;
  Lane light;
  Lane heavy;
  Jobs copying;  // admitted, their callers still at it
  std::uint64_t last_ticket = 0;
  int hurrying = 0;     // callers of flush() and close() that wait: nothing is held back
  bool closed = false;  // no more jobs are taken
  bool quit = false;    // workers end when nothing waits
  bool complete = false;
  bool summary_told = false;
  std::uint64_t sink_flushes_wanted = 0;
  std::uint64_t sink_flushes_done = 0;
  bool sink_flush_good = true;
  detail::SteadyTime next_sink_flush{};
  std::shared_ptr<const std::vector<std::shared_ptr<Sink>>> sinks;  // replaced, never changed
  std::shared_ptr<const std::vector<std::shared_ptr<const std::function<void(Snapshot&)>>>> observers;
  std::map<detail::JobKey, std::shared_ptr<void>, detail::JobKeyLess> callers_kept;

  std::mutex failure_mutex;
  std::vector<Failure> failures;  // the first of all
  std::deque<Failure> untold;
  std::thread::id teller;                                  // the thread that tells on_error, if any
  std::set<detail::JobKey, detail::JobKeyLess> told_keys;  // by the default on_error

 private:
  enum class Room : std::uint8_t { found, closed, dead, too_large, full };
  Room make_room(Lock& lock, const Job& job, std::int64_t new_jobs, std::int64_t bytes, Jobs& retired);
  Jobs::iterator same_job(Lane& lane, const Job& job);
  void admit(detail::QueuedJob& queued, Jobs& retired);
  Status refused(Room room) const noexcept;
  void copy_inputs(detail::QueuedJob& queued, std::span<const detail::LateInput> late, Jobs& retired);
  Status enqueue(Jobs::iterator queued, Jobs& retired);
  void stand_in_line(Lane& lane, Jobs& from, Jobs::iterator queued);
  void settle(detail::QueuedJob& queued, std::uint64_t RunCounts::*count);
  void drop(Jobs& from, Jobs::iterator queued, Jobs& retired);
  void drop_all(Jobs& from, Jobs& retired);
  std::uint64_t oldest_ticket() const;
  bool on_own_thread() const;
  bool wait_for_jobs(Lock& lock, std::uint64_t up_to, const detail::Deadline& deadline);
  bool wait_for_sinks(Lock& lock, const detail::Deadline& deadline, Jobs& retired);
  void end_lane(Lane& lane);
  bool execute(detail::QueuedJob& queued, Lane::Kept& kept);
  void tell(const Failure& failure) noexcept;
};

namespace detail {

inline constexpr double sink_flush_seconds = 5;  // how long a sink's manifest may lag behind
inline constexpr int held_back_factor = 20;      // a result that grows with the run takes at most 1/20 of the time

}  // namespace detail

}  // namespace layerscope::inline LAYERSCOPE_ABI
