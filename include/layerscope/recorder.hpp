// The recorder: decides when to look, names what it saw, owns the queue between the training thread and the worker, and
// turns every failure into a counted, reported status. It knows jobs and artifacts, and no algorithm.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/tensor.hpp>
#include <layerscope/sinks/sink.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

class Snapshot;

/// What became of one call on the training thread.
enum class Outcome : std::uint8_t {
  skipped,  ///< this step is not scheduled, or the recorder is disabled
  queued,   ///< copied and handed to the worker
  written,  ///< done, in synchronous mode
  dropped,  ///< the queue was full or closed
  failed,   ///< the arguments were refused, or, in synchronous mode, an algorithm or sink threw
};

/// The result of every call of Recorder and Snapshot. Ignoring it is fine: failures are counted and reported anyway.
class Status {
 public:
  Status(Outcome outcome) noexcept : outcome_(outcome) {}  // NOLINT(google-explicit-constructor)
  Status(Outcome outcome, ErrorCode code, std::string message)
      : outcome_(outcome), code_(code), message_(std::move(message)) {}

  Outcome outcome() const noexcept { return outcome_; }
  /// Neither dropped nor failed.
  bool ok() const noexcept { return outcome_ < Outcome::dropped; }
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

/// When snapshots are taken.
class Schedule {
 public:
  /// Steps divisible by `n` (n ≥ 1; smaller counts as 1).
  static Schedule every(std::int64_t n);
  /// At most one step in `seconds` of wall time.
  static Schedule every_seconds(double seconds);
  /// Exactly these steps.
  static Schedule steps(std::vector<std::int64_t> steps);
  /// Steps for which `predicate` is true; one that throws counts as false and is reported.
  static Schedule when(std::function<bool(std::int64_t step)> predicate);
  static Schedule never();

  /// Whether `step` is due; for every_seconds, asking starts the next interval.
  bool due(std::int64_t step);

 private:
  explicit Schedule(std::function<bool(std::int64_t)> due) : due_(std::move(due)) {}
  std::function<bool(std::int64_t)> due_;
  std::int64_t every_ = 0;  ///< the common case, decided without an indirect call
};

enum class Mode : std::uint8_t {
  asynchronous,  ///< the training thread copies, a worker computes and writes
  synchronous,   ///< everything happens inside the call
};

/// What submit does when the queue is full.
enum class Overflow : std::uint8_t {
  drop_newest,  ///< refuse the new job
  drop_oldest,  ///< make room by dropping jobs that wait longest
  block,        ///< wait up to block_seconds, then refuse
};

struct RecorderOptions {
  /// When snapshots are taken. Default: every step that snapshot() is called with.
  Schedule schedule = Schedule::every(1);
  /// Where the work is done. Default: on a worker thread of the lowest priority.
  Mode mode = Mode::asynchronous;
  /// Most jobs waiting. Default 1024; at least 1.
  std::int64_t queue_jobs = 1024;
  /// Most bytes of copied tensors, waiting or kept for reuse. Default 256 MiB (RELIABILITY.md, R3).
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
  /// For a recorder with a directory: most bytes of all its files; older steps are removed first. Default: no limit.
  std::optional<std::int64_t> byte_limit;
  /// For a recorder with a directory: once a newer step is written, only steps divisible by this stay. Default: all
  /// stay.
  std::optional<std::int64_t> keep_every;
  /// Told of every failure, on the thread where it happened, one at a time. Default: one line on stderr for the first
  /// failure of each kind and name, and a count on close().
  std::function<void(const Failure&)> on_error;
};

/// Which worker does a job: light ones must not wait behind heavy ones.
enum class Lane : std::uint8_t {
  light,  ///< heatmaps, statistics, encoding
  heavy,  ///< embeddings, atlas: a waiting job of the same kind and name is replaced by a newer one, and counted
          ///< dropped
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
  std::vector<AnyView> inputs;  ///< borrowed until submit returns
  std::function<std::vector<Artifact>(const JobInputs&)> run;
};

/// How a run stands.
struct Report {
  RunCounts counts;
  double caller_seconds = 0;  ///< time spent inside calls of the library on the user's threads
  std::int64_t peak_queue_bytes = 0;
  bool worker_alive = false;
  bool complete = false;          ///< close() finished everything in time
  std::vector<Failure> failures;  ///< the first 100
};

/// Records snapshots of a training run. No member throws; bad_alloc while copying is a counted drop.
/// Calls from several threads are safe. After fork() the child's copy is disabled, with one line on stderr.
class Recorder {
 public:
  /// Without sinks: add some.
  explicit Recorder(RecorderOptions options = {});
  /// Writes PNG and JSON files and a manifest into `directory`, continuing a run that is there already. A directory
  /// that cannot be written is reported at once, and the recorder stays usable for sinks added later.
  explicit Recorder(const std::string& directory, RecorderOptions options = {});
  /// close() with the deadline of the options.
  ~Recorder();
  Recorder(Recorder&&) noexcept;
  Recorder& operator=(Recorder&&) = delete;

  /// Adds a sink; every artifact written from now on reaches it.
  Recorder& add(std::shared_ptr<Sink> sink) noexcept;

  /// The front to record with at `step` (an epoch or an iteration: the user's choice). Off, and free, when the step is
  /// not due. What was given to watch() is recorded right away.
  Snapshot snapshot(std::int64_t step) noexcept;

  /// Records `module` at every snapshot that is due: the filters and histograms of all its named parameters, through
  /// the trait named_parameters<M> (adapters/torch.hpp has it for torch::nn::Module). A module given by reference must
  /// outlive its last snapshot.
  template <class M>
  Recorder& watch(const M& module, std::string_view prefix = "");

  /// Calls `observer` at every snapshot that is due, on the thread that calls snapshot().
  Recorder& observe(std::function<void(Snapshot&)> observer) noexcept;

  /// Copies the inputs and queues the job (or runs it, in synchronous mode).
  Status submit(Job job) noexcept;

  /// Waits until everything submitted so far is written, at most `seconds`; true when it is.
  bool flush(std::optional<double> seconds = std::nullopt) noexcept;

  /// Ends the run: waits for everything, or for `seconds`; then what waits is dropped and counted, a worker stuck in
  /// user code is abandoned, and further calls are counted as drops. May be called again.
  Report close(std::optional<double> seconds = std::nullopt) noexcept;

  Report report() const noexcept;
  const RecorderOptions& options() const noexcept;

 private:
  friend class Snapshot;
  struct Core;
  std::shared_ptr<Core> core_;  // shared with the workers, which may outlive a close() that ran out of time
};

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/recorder_inl.hpp>
#endif
