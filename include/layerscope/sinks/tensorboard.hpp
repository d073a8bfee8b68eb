// TensorBoard from C++: event files that `tensorboard --logdir` reads, without libprotobuf and without a server.
//
//   ls::TensorBoard tb{"runs/x"};
//   tb.scalar("loss", loss, step);
//   tb.histogram("fc1/weight", weights, step);
//   tb.image("input", batch[0], step);          // [c, h, w], 0 to 1, or uint8
//
// Every call copies what it needs and returns; a thread of the lowest priority encodes and appends to one file,
// events.out.tfevents.<time>.<host>.<pid>.<n>. Formats: tensorboard/compat/proto/event.proto and the plugins' metadata.
// The server keeps 10 steps of images and 500 of histograms a tag unless it is told `--samples_per_plugin images=100`.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/core/artifact.hpp>
#include <layerscope/core/image.hpp>
#include <layerscope/core/io.hpp>
#include <layerscope/core/overflow.hpp>
#include <layerscope/core/picture.hpp>
#include <layerscope/core/png.hpp>
#include <layerscope/core/tensor_ref.hpp>
#include <layerscope/sinks/sink.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {
class EventLog;
}

struct TensorBoardOptions {
  /// Most seconds that a value waits in memory while the disk takes what it is given. Default 5; 0 writes at once.
  double flush_seconds = 5;
  /// Most bytes that wait for the disk, pictures and tensors included. Default 64 MiB.
  std::int64_t queue_bytes = std::int64_t{64} << 20;
  /// What happens to a value when they are full. `drop_oldest` drops scalars in runs of about a thousand.
  Overflow overflow = Overflow::drop_newest;
  /// Longest wait of Overflow::block, in seconds. Default 1.
  double block_seconds = 1;
  /// Deadline of the destructor, in seconds. Default 5.
  double close_seconds = 5;
  /// When a run goes on from a checkpoint: the first step that is recorded anew. TensorBoard then forgets what the
  /// directory had from this step on, of every tag. Default: it forgets nothing.
  std::optional<std::int64_t> purge_step = std::nullopt;
  /// How pictures are compressed.
  PngOptions png = {};
  /// Told of failures and drops, the first of each sort, on the thread where it happened; what it throws is ignored.
  /// Default: one line on stderr.
  std::function<void(const std::string& message)> on_error = nullptr;
  /// The table of file operations; must outlive the writer, or its thread where close() left that stuck in one of them.
  /// Default: POSIX.
  const FileOperations* operations = nullptr;
};

/// One hyperparameter: {"lr", 1e-3}, {"optimizer", "adam"}, {"nesterov", true}.
struct HParam {
  template <class Number>
  using Stored = std::conditional_t<std::same_as<Number, bool>, bool, double>;

  template <class Number>
  requires std::is_arithmetic_v<Number> HParam(std::string_view its_name, Number its_value)
      : name(its_name), value(std::in_place_type<Stored<Number>>, static_cast<Stored<Number>>(its_value)) {}
  HParam(std::string_view its_name, std::string_view its_value) : name(its_name), value(std::string(its_value)) {}
  HParam(std::string_view its_name, const char* its_value) : HParam(its_name, std::string_view(its_value)) {}

  std::string name;
  std::variant<bool, double, std::string> value;
};

/// What was measured with the hyperparameters: {"accuracy", 0.98}.
using HParamMetrics = std::vector<std::pair<std::string, double>>;

/// Writes one event file. No member throws. Functions return true for a value that was taken, and false for one that
/// was dropped or refused, which is counted and reported. Calls from several threads are safe.
///
/// Steps of one tag do not decrease: a smaller one is refused, an equal one replaces the value shown. A tag holds one
/// sort of data; one that has another already gets the sort's name appended ("x" with scalars, "x/histogram"). Slashes
/// at the front of a tag are left out, bytes that are no UTF-8 and control characters become %XX, an empty tag is "_".
///
/// A directory has one writer at a time; a second one, of any process, is told so and records nothing. With data-
/// parallel training let rank 0 write. Opening a directory again adds a file to it, which TensorBoard reads after the
/// ones before, torn or not. A full disk loses nothing that fits the queue: the record it cut is completed when space
/// returns. After fork() the child's copy is disabled, with one line on stderr.
class TensorBoard {
 public:
  /// Makes the directory and the file. When that fails it is reported at once, and all values are dropped.
  explicit TensorBoard(const std::string& directory, TensorBoardOptions options = {}) noexcept;
  /// close() with the deadline of the options.
  ~TensorBoard();
  /// The other is left without a file: its calls are drops that nobody counts.
  TensorBoard(TensorBoard&&) noexcept;
  TensorBoard& operator=(TensorBoard&&) = delete;

  /// A number, stored as float32; NaN and infinities too.
  bool scalar(std::string_view tag, double value, std::int64_t step) noexcept;

  /// A picture.
  bool image(std::string_view tag, Image image, std::int64_t step) noexcept;
  /// One picture [h, w] or [c, h, w] with c of 1 (grey), 3 (RGB) or 4 (RGBA): floats from 0 to 1 (clamped, rounded to
  /// the nearest of 256 levels; NaN is 0), or uint8. Other types are refused.
  bool image(std::string_view tag, const TensorRef& pixels, std::int64_t step) noexcept;
  /// Several pictures of one size at one step, shown side by side: [n, c, h, w] as above.
  bool images(std::string_view tag, const TensorRef& batch, std::int64_t step) noexcept;
  /// The tiles of a grid as pictures side by side; they need not have one size, but TensorBoard states that of the
  /// first.
  bool images(std::string_view tag, const Grid& grid, std::int64_t step) noexcept;
  /// A picture that is drawn on the writer's thread, such as a chart:
  ///   tb.figure("roc", ls::Picture([curve] { return ls::line_chart(curve); }), step);
  bool figure(std::string_view tag, Picture picture, std::int64_t step) noexcept;

  /// The distribution of all elements, none sampled: `bins` (1 to 65,536) equal ones between the smallest and the
  /// largest finite number, as TensorFlow counts them; all in the last one when these are equal; all zero without
  /// elements. NaN and infinities are in no bin: their number is a scalar "<tag>/non_finite", written when there are
  /// any.
  bool histogram(std::string_view tag, const TensorRef& values, std::int64_t step, int bins = 30) noexcept;
  /// One that is counted already.
  bool histogram(std::string_view tag, const Histogram& counted, std::int64_t step) noexcept;

  /// Words, in Markdown.
  bool text(std::string_view tag, std::string_view markdown, std::int64_t step) noexcept;

  /// What this run was made with, for the HPARAMS page; once a run. Metrics are scalars at step 0; every other scalar
  /// of the run can be chosen there too. close() marks the run as finished.
  bool hparams(const std::vector<HParam>& hparams, const HParamMetrics& metrics = {}) noexcept;

  /// The architecture, for the GRAPHS page: node ids become names, of which slashes make groups.
  bool graph(const Graph& graph) noexcept;

  /// Waits until everything taken so far is handed to the operating system, at most `seconds`; true when so.
  bool flush(std::optional<double> seconds = std::nullopt) noexcept;

  /// Ends the file: waits for everything, or for `seconds`; what is not written then counts as failed. May be called
  /// again; later values are drops.
  RunCounts close(std::optional<double> seconds = std::nullopt) noexcept;

  /// submitted = written + dropped + failed + in_flight, at any moment.
  RunCounts counts() const noexcept;
  /// The event file; empty when it could not be made.
  std::string path() const;

 private:
  std::shared_ptr<detail::EventLog> log_;  // shared with its thread, which may outlive a close() that ran out of time
};

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/event_data.hpp>
#include <layerscope/impl/event_data_inl.hpp>
#include <layerscope/impl/event_log.hpp>
#include <layerscope/impl/event_log_inl.hpp>
#include <layerscope/impl/event_log_open_inl.hpp>
#include <layerscope/impl/event_log_write_inl.hpp>
#include <layerscope/impl/event_record.hpp>
#include <layerscope/impl/tensorboard_inl.hpp>
#endif
