// Reads TensorBoard's event files, of whatever writer: records in the framing of TFRecord, each an Event message.
#pragma once

#include <layerscope/config.hpp>
#include <layerscope/readers/options.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

/// One value of a summary. Text points into its Event.
class EventValue {
 public:
  std::string_view tag;
  /// Who shows it: "scalars", "images", "histograms", "text", "hparams" … Writers may give it with the first value of a
  /// tag alone; it is empty then. The plain forms of TensorFlow 1 have the name of the plugin that shows them.
  std::string_view plugin;
  /// The plugin's own message.
  std::string_view plugin_content;
  /// The number, of a plain scalar and of a tensor of one number.
  std::optional<double> scalar;
  /// Extents of a tensor; empty for rank 0, for the plain forms and beyond 8 dimensions.
  std::vector<std::int64_t> shape;

  /// The numbers of a float32 or float64 tensor, in row-major order as they are stored: TensorFlow may leave out
  /// repetitions of the last one. A histogram has left edge, right edge and count of each bucket. Empty for others.
  std::vector<double> numbers() const;
  /// The strings of a tensor, at most 65,536: width, height and PNG files of a picture, or Markdown. Of a plain picture
  /// its PNG file alone.
  std::vector<std::string_view> strings() const;

 private:
  friend class EventFile;
  std::string_view tensor_;  // TensorProto
  std::string_view image_;
};

/// One record. Moves, and cannot be copied, as its values point into it.
class Event {
 public:
  Event() = default;
  Event(Event&&) noexcept = default;
  Event& operator=(Event&&) noexcept = default;

  double wall_time = 0;  ///< seconds since 1970
  std::int64_t step = 0;
  std::string_view file_version;   ///< "brain.Event:2" in a file's first record
  std::string_view graph;          ///< GraphDef
  bool session_start = false;      ///< what was recorded at this step and later is void
  std::vector<EventValue> values;  ///< at most 4,096
  std::uint64_t offset = 0;        ///< of the record in the file

 private:
  friend class EventFile;
  std::vector<char> data_;
};

/// An open file, read from front to back. A file that is cut anywhere, as by a crash or while it is written, gives
/// every complete record, and then says how many bytes are left.
class EventFile {
 public:
  /// Throws Error(io) when the file cannot be opened.
  explicit EventFile(const std::string& path, const ReadOptions& options = {});
  /// Borrows the bytes of such a file, which must outlive this object.
  explicit EventFile(std::span<const std::byte> file, const ReadOptions& options = {});
  ~EventFile();
  EventFile(EventFile&&) noexcept;
  EventFile& operator=(EventFile&&) noexcept;

  /// Reads the next record into `event`; false at the end of the complete ones. Throws Error(format) for a wrong
  /// checksum or a message that is none, and Error(too_large) for a record beyond options.max_bytes or with more values
  /// than fit; the next call goes on behind that record, or ends where its length is not to be trusted.
  bool next(Event& event);

  /// Where the next record begins.
  std::uint64_t position() const noexcept;
  /// Bytes of the file from there on: once next() has returned false, those of a record that was cut.
  std::uint64_t left() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/read_event_file_inl.hpp>
#endif
