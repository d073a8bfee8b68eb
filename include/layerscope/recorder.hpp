// The recorder: decides when to look, names what it saw, owns the queue between the training thread and the worker, and
// turns every failure into a counted, reported status. It knows jobs and artifacts, and no algorithm.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/overflow.hpp>
#include <layerscope/core/parallel.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/core/tensor_ref.hpp>
#include <layerscope/sinks/sink.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

class Snapshot;

/// What became of one call on the training thread.
enum class Outcome : std::uint8_t {
  skipped,  ///< this step is not scheduled
  queued,   ///< copied and handed to the worker
  written,  ///< done, in synchronous mode
  dropped,  ///< the queue was full or closed, memory was short, or this process is a fork of the one that records
  failed,   ///< the arguments were refused, or, in synchronous mode, an algorithm or sink threw
};

/// The result of every call of Recorder and Snapshot. Ignoring it is fine: failures are counted and reported anyway.
class Status {
 public:
  Status(Outcome outcome) noexcept : outcome_(outcome) {}  // NOLINT(google-explicit-constructor)
  Status(Outcome outcome, ErrorCode code, std::string message) noexcept
      : outcome_(outcome), code_(code), message_(std::move(message)) {}

  Outcome outcome() const noexcept { return outcome_; }
  /// Neither dropped nor failed.
  bool ok() const noexcept { return outcome_ < Outcome::dropped; }
  /// Why it was dropped or failed; says nothing while ok().
  ErrorCode code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }
  /// For who wants the exception: throws Error unless ok().
  void or_throw() const {
    if (!ok()) throw Error(code_, message_);
  }

 private:
  Outcome outcome_;
  ErrorCode code_ = ErrorCode::invalid_argument;
  std::string message_;
};

/// One failure, as on_error is told of it.
struct Failure {
  std::string kind;  ///< of the artifact, or "recorder"
  std::string name;
  std::int64_t step = 0;
  std::string message;
};

/// When snapshots are taken. A value; what it remembers of the run (every_seconds) is shared by its copies.
class Schedule {
 public:
  /// Steps divisible by `n` (n ≥ 1; smaller counts as 1).
  static Schedule every(std::int64_t n) noexcept;
  /// At most one step in `seconds` of wall time, the first one asked about included.
  static Schedule every_seconds(double seconds);
  /// Exactly these steps.
  static Schedule steps(std::vector<std::int64_t> steps);
  /// Steps for which `predicate` is true. It is called by one thread at a time.
  static Schedule when(std::function<bool(std::int64_t step)> predicate);
  static Schedule never() noexcept;

  /// Whether `step` is due; for every_seconds, a step that is due starts the next interval and stays due itself.
  /// Throws what the predicate throws.
  bool due(std::int64_t step) const {
    if (rule_ == nullptr) return every_ != 0 && step % every_ == 0;
    return (*rule_)(step);
  }

 private:
  explicit Schedule(std::int64_t every) noexcept : every_(every) {}
  explicit Schedule(std::function<bool(std::int64_t)> rule);

  std::int64_t every_ = 0;  // the common case, decided without an indirect call; 0 is never
  std::shared_ptr<const std::function<bool(std::int64_t)>> rule_;
};

enum class Mode : std::uint8_t {
  asynchronous,  ///< the training thread copies, a worker computes and writes
  synchronous,   ///< everything happens inside the call
};

struct RecorderOptions {
  /// When snapshots are taken. Default: every step that snapshot() is called with.
  Schedule schedule = Schedule::every(1);
  /// Where the work is done. Default: on a worker thread of the lowest priority.
  Mode mode = Mode::asynchronous;
  /// Most jobs waiting, both lanes together. Default 1024; at least 1.
  std::int64_t queue_jobs = 1024;
  /// Most bytes of copied tensors: waiting, being worked on, and kept for reuse. Default 256 MiB.
  std::int64_t queue_bytes = std::int64_t{256} << 20;
  /// What happens when either is exceeded.
  Overflow overflow = Overflow::drop_newest;
  /// Longest wait of Overflow::block, in seconds. Default 1.
  double block_seconds = 1;
  /// Deadline of the destructor, in seconds. Default 5.
  double close_seconds = 5;
  /// Threads that one job may use, at least 1. Default 1, so that training keeps the machine.
  int threads = 1;
  /// Caps before any copy: samples, and channels or features, of activations. Defaults 8 and 64.
  std::int64_t max_samples = 8;
  std::int64_t max_channels = 64;
  /// Whether each snapshot that tells of layers has the picture of all of them brought up to date: kind "overview",
  /// name "layers", one job a snapshot. Default: yes.
  bool overview = true;
  /// For a recorder with a directory: most bytes of all its files; older steps are removed first. Default: no limit.
  std::optional<std::int64_t> byte_limit = std::nullopt;
  /// For a recorder with a directory: once a newer step is written, only steps divisible by this stay. Default: all
  /// stay.
  std::optional<std::int64_t> keep_every = std::nullopt;
  /// Told of every failure, one at a time: on the thread where it happened, or, when another thread is being told just
  /// then, on that one. What it throws is ignored. Default: one line on stderr for the first failure of each kind and
  /// name, and a summary on close() when anything failed or was dropped.
  std::function<void(const Failure&)> on_error = nullptr;
};

struct WatchOptions {
  /// Whether the gradients of the parameters are recorded too, as they are when the snapshot is taken. They should be
  /// those of a whole batch then: after backward(), before they are set to zero. Default: yes, where the library of the
  /// module has gradients and there are some.
  bool gradients = true;
};

/// Which worker does a job: light ones must not wait behind heavy ones.
enum class Lane : std::uint8_t {
  light,  ///< heatmaps, statistics, encoding
  heavy,  ///< embeddings, atlas: a waiting job of the same kind and name is replaced by a newer one, and counted
          ///< dropped
};

/// What happens when a light job finds one of the same kind and name that waits.
enum class Waiting : std::uint8_t {
  separate,  ///< both are done
  join,      ///< one job, the newer, stands for both and is counted for both. It is held back for 20 times as long as
             ///< the one before took, or until flush() or close(), and never dropped while others wait: for results
             ///< that grow with the run
};

/// What a job's function gets.
struct JobInputs {
  std::span<const Tensor> tensors;  ///< copies of Job::inputs, row-major, element types kept
  std::shared_ptr<void>& state;     ///< kept from job to job of the same kind and name; null at first
  int threads = 1;                  ///< the limit to pass on to algorithms
  std::stop_token stop;             ///< stops when close() runs out of time
};

/// Work for the recorder: tensors to copy now, and a function that later makes artifacts of the copies.
struct Job {
  std::string kind;
  std::string name;
  std::int64_t step = 0;
  Lane lane = Lane::light;
  Waiting waiting = Waiting::separate;
  std::vector<AnyView> inputs;  ///< borrowed until submit returns
  std::int64_t bytes = 0;       ///< of what `run` owns, to count within queue_bytes beside the copies of `inputs`
  /// Makes the artifacts. Their step is set to the job's, and kind and name too where they are empty.
  std::function<std::vector<Artifact>(const JobInputs&)> run;
};

namespace detail {
/// A tensor to read once its job is admitted, so that a job which is dropped costs no copy from a device.
struct LateInput {
  const TensorRef* tensor = nullptr;
  Shape extents;                   ///< the leading part of each axis to take
  std::vector<std::int64_t> rows;  ///< entries of axis 0 to take, in increasing order; empty takes all
};
}  // namespace detail

/// How a run stands. The counts are of jobs: of calls on a step that is due, and of one more for each snapshot that
/// feeds the overview of layers; the timeline of a histogram counts only when it is dropped or fails. A job is written
/// when each of its artifacts reached every sink, and failed, once, when its arguments were refused or it or any sink
/// threw.
struct Report {
  RunCounts counts;
  double caller_seconds = 0;  ///< time spent inside calls on the user's threads, apart from flush() and close()
  std::int64_t peak_queue_bytes = 0;
  bool worker_alive = false;      ///< jobs are accepted: not closed, no fork, and no worker ended or failed to start
  bool complete = false;          ///< close() finished everything in time
  std::vector<Failure> failures;  ///< the first 100
};

/// Records snapshots of a training run. No member throws; bad_alloc while copying is a counted drop.
/// Calls from several threads are safe. After fork() the child's copy is disabled, with one line on stderr.
class Recorder {
 public:
  /// Without sinks: add some.
  explicit Recorder(RecorderOptions options = {}) noexcept;
  /// Writes PNG and JSON files and a manifest into `directory`, continuing a run that is there already. A directory
  /// that cannot be written is reported at once, and the recorder stays usable for sinks added later.
  explicit Recorder(const std::string& directory, RecorderOptions options = {}) noexcept;
  /// close() with the deadline of the options.
  ~Recorder();
  /// The other is left without a run: its calls are drops that nobody counts.
  Recorder(Recorder&& other) noexcept = default;
  Recorder& operator=(Recorder&&) = delete;

  /// Adds a sink; every artifact written from now on reaches it.
  Recorder& add(std::shared_ptr<Sink> sink) noexcept;

  /// The front to record with at `step` (an epoch or an iteration: the user's choice). Off, and free, when the step is
  /// not due. What was given to watch() and observe() is recorded right away.
  Snapshot snapshot(std::int64_t step) noexcept;

  /// Records `module` at every snapshot that is due: the histograms of all its named parameters, the filters of those
  /// of rank 2 and more, and the gradients that there are, through the trait named_parameters<M> of snapshot/watch.hpp,
  /// which has to be included (layerscope.hpp does; adapters/torch_module.hpp has the trait for torch::nn::Module). A
  /// module given by reference must outlive its last snapshot; a std::shared_ptr to one is kept. `prefix` goes before
  /// each name, with a slash.
  template <class M>
  Recorder& watch(const M& module, std::string_view prefix = "", const WatchOptions& options = {}) noexcept;

  /// Calls `observer` at every snapshot that is due, on the thread that calls snapshot().
  Recorder& observe(std::function<void(Snapshot&)> observer) noexcept;

  /// Copies the inputs and queues the job (or runs it, in synchronous mode).
  Status submit(Job job) noexcept;

  /// Waits until everything submitted so far is written and the sinks are flushed, at most `seconds`; true when so.
  bool flush(std::optional<double> seconds = std::nullopt) noexcept;

  /// Ends the run: waits for everything, or for `seconds`; then what waits is dropped and counted, a job stuck in user
  /// code is abandoned and counted as failed, and further calls are counted as drops. May be called again.
  Report close(std::optional<double> seconds = std::nullopt) noexcept;

  Report report() const noexcept;
  const RecorderOptions& options() const noexcept;

 private:
  friend class Snapshot;
  struct Core;

  // What Snapshot is a front of.
  static const RecorderOptions& options(const Core& core) noexcept;
  /// Runs `body` and times it as the user's; what it throws is counted and reported as a failed call.
  static Status guarded(Core& core, std::string_view kind, std::string_view name, std::int64_t step,
                        FunctionRef<Status()> body) noexcept;
  /// Within guarded(): job.inputs and then `late` become JobInputs::tensors. Throws only before the job is counted.
  static Status submit(Core& core, Job& job, std::span<const detail::LateInput> late);
  /// Within guarded(): whether a sink takes what embeddings are made of (Sink::takes_inputs).
  static bool takes_inputs(Core& core);
  /// From within a running job: queues one without inputs that joins others, and that is counted only when it is
  /// dropped or fails, as it is part of the call that the running one stands for. False, and nothing done, when flush()
  /// or close() waits and none of its name does, as it would come too late.
  static bool defer(Core& core, Job& job);
  /// Within guarded(): what a shorthand keeps for a kind and name between calls, made by `make` at first.
  static std::shared_ptr<void> keep(Core& core, std::string_view kind, std::string_view name,
                                    std::shared_ptr<void> (*make)());

  std::shared_ptr<Core> core_;  // shared with the workers, which may outlive a close() that ran out of time
};

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/recorder_close_inl.hpp>
#include <layerscope/impl/recorder_core.hpp>
#include <layerscope/impl/recorder_directory_inl.hpp>
#include <layerscope/impl/recorder_inl.hpp>
#include <layerscope/impl/recorder_queue_inl.hpp>
#include <layerscope/impl/recorder_worker_inl.hpp>
#include <layerscope/impl/schedule_inl.hpp>
#endif
