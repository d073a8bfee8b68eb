// An event file being written: what TensorBoard and TensorBoardSink are fronts of. Callers append records, or functions
// that make one, to a bounded queue under one mutex; a thread writes them without it, so that no caller waits for a
// disk.
#pragma once

#include <layerscope/core/tensor.hpp>
#include <layerscope/impl/buffer_pool.hpp>
#include <layerscope/impl/event_record.hpp>
#include <layerscope/impl/thread_inl.hpp>
#include <layerscope/sinks/tensorboard.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// What a tag holds. TensorBoard shows one sort a tag, that of its first value.
enum class EventSort : std::uint8_t { scalar, image, histogram, text, other };
inline constexpr std::size_t event_sorts = 5;
constexpr std::string_view name(EventSort sort) noexcept {
  switch (sort) {
    case EventSort::scalar: return "scalar";
    case EventSort::image: return "image";
    case EventSort::histogram: return "histogram";
    case EventSort::text: return "text";
    case EventSort::other: break;
  }
  return "data";
}

/// Seconds since 1970.
double wall_time_now() noexcept;

/// How many forks lie between the process that loaded the library and this one; a load, unlike getpid().
int fork_generation() noexcept;

/// A tag as TensorBoard can show it; see TensorBoard.
std::string clean_tag(std::string_view tag);

/// Valid UTF-8: other bytes become U+FFFD.
std::string clean_text(std::string_view text);

inline constexpr std::size_t chunk_bytes = 65536;  // of small records, written at once

class EventLog : public std::enable_shared_from_this<EventLog> {
 public:
  using Clock = std::chrono::steady_clock;
  using Deadline = std::optional<Clock::time_point>;

  explicit EventLog(TensorBoardOptions options);
  ~EventLog();

  // event_log_open_inl.hpp.
  /// Makes the directory, takes its lock, makes the file and starts the thread. Throws Error when it cannot.
  void open(const std::string& directory);
  /// Whether the directory had event files before this one.
  bool resumed() const noexcept { return resumed_; }
  const std::string& path() const noexcept { return path_; }
  /// Writes down that what the directory has from `step` on is void.
  void purge(std::int64_t step);

  // event_log_inl.hpp: the callers' side.
  bool scalar(std::string_view tag, double value, std::int64_t step);
  /// A value whose record `make` appends.
  using Make = std::function<void(std::string& out, const EventStamp& stamp, std::string_view tag)>;
  bool add(EventSort sort, std::string_view tag, std::int64_t step, const Make& make);
  /// A value whose record `make` writes into an empty `out`, later and on the writer's thread; what it owns takes
  /// `bytes` of the queue until then.
  using MakeLater = std::function<void(EventBytes& out, const EventStamp& stamp, std::string_view tag)>;
  bool defer(EventSort sort, std::string_view tag, std::int64_t step, std::int64_t bytes, MakeLater make);
  /// Whether defer() would drop a value of this size for want of room, which is then counted and told: before anything
  /// is copied for it.
  bool turns_away(std::string_view tag, std::int64_t bytes);
  /// A copy of the elements, in memory that is used again.
  Tensor hold(const AnyView& view);
  /// The record that close() appends. Throws Error(invalid_argument) for a second one.
  void at_end(std::function<void(std::string& out)> make);

  bool flush(std::optional<double> seconds);
  RunCounts close(std::optional<double> seconds);
  RunCounts counts();
  /// Whether this process is a fork of the one that made the log; says so once.
  bool forked() noexcept;
  /// Counts a call that threw before it was admitted, and reports it.
  void refuse(const char* message) noexcept;
  /// Tells the user of the first trouble of each sort.
  enum class Trouble : std::uint8_t { refused, full, disk, thread, closed, summary };
  void report(Trouble trouble, const std::string& message) noexcept;
  /// Why nothing could be written at the last attempt; empty when it went well.
  std::string disk_error();

  const PngOptions& png() const noexcept { return options_.png; }
  bool purges() const noexcept { return options_.purge_step.has_value(); }
  double close_seconds() const noexcept { return options_.close_seconds; }

 private:
  using Lock = std::unique_lock<std::mutex>;

  struct Entry {
    std::string bytes;          // whole records
    std::uint64_t records = 0;  // values among them
    MakeLater make;             // or what makes one
    EventStamp stamp{};
    std::string tag{};
    std::int64_t cost = 0;  // within queue_bytes
    bool sealed = false;    // takes no more records
  };
  struct TagState {
    std::string shown;  // the tag in the file
    std::int64_t last_step = 0;
  };
  struct TagHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
  };
  using Tags = std::unordered_map<std::string, TagState, TagHash, std::equal_to<>>;

  TagState* admit(Lock& lock, EventSort sort, std::string_view tag, std::int64_t step);
  TagState& state_of(EventSort sort, std::string_view tag, std::int64_t step);
  bool make_room(Lock& lock, std::int64_t bytes);
  bool refuse_full(Lock& lock, std::string_view tag, std::int64_t bytes);
  bool refuse_memory(Lock& lock);
  Entry& chunk();
  void count_in(Entry& entry, std::int64_t bytes, bool began);
  void drop_oldest();
  void settle(std::uint64_t records, std::uint64_t RunCounts::*count) noexcept;

  // event_log_write_inl.hpp: the writer's side.
  static void work(const std::shared_ptr<EventLog>& log);
  void loop();
  bool due(Clock::time_point now) const;
  void build(Entry& entry);
  int write_rest() noexcept;
  void finish(int failure);
  void end() noexcept;
  void close_files() noexcept;

  // event_log_open_inl.hpp.
  void take_lock(const std::string& directory);
  void make_file(const std::string& directory);
  void sign_lock() noexcept;

  const TensorBoardOptions options_;
  const FileOperations& operations_;
  const std::shared_ptr<BufferPool> pool_;
  const int generation_;
  std::atomic<bool> fork_told_{false};
  std::atomic<unsigned> told_{0};  // a bit for each Trouble
  std::string path_;
  bool resumed_ = false;
  int lock_descriptor_ = -1;  // the writer's, as the next one, once the thread runs
  int descriptor_ = -1;

  std::mutex mutex_;  // guards the rest, up to the writer's own
  std::condition_variable wake_;
  std::condition_variable changed_;
  std::deque<Entry> queue_;
  std::int64_t queued_bytes_ = 0;  // what is being written included
  std::uint64_t entries_begun_ = 0;
  std::uint64_t entries_done_ = 0;
  std::uint64_t flush_up_to_ = 0;  // entries
  std::uint64_t disk_failures_ = 0;
  RunCounts counts_;
  Tags tags_[event_sorts];  // under the names that callers use
  std::map<std::string, EventSort, std::less<>> shown_;
  std::function<void(std::string&)> last_record_;
  Clock::time_point flush_at_{};
  Clock::time_point retry_at_{};
  int waiting_for_room_ = 0;
  bool closed_ = false;
  bool quit_ = false;       // write what there is, then end
  bool abandoned_ = false;  // time is up: what is not written has failed
  bool busy_ = false;       // the thread is at work without the lock, perhaps for ever
  bool ended_ = true;       // there is no thread
  std::string disk_error_;
  std::thread thread_;

  // Touched by the writer alone.
  EventBytes rest_;  // records of which `written_` bytes are out; a cut one is completed, never begun again
  std::size_t written_ = 0;
  std::uint64_t rest_records_ = 0;
  std::int64_t rest_cost_ = 0;
  double retry_seconds_ = 0;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
