// Body of readers/event_file.hpp.
#pragma once

#include <layerscope/core/format.hpp>
#include <layerscope/core/kernels/crc32c.hpp>
#include <layerscope/core/shape.hpp>
#include <layerscope/readers/detail/byte_source.hpp>
#include <layerscope/readers/event_file.hpp>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

template <class Integer>
Integer load_little_endian(const char* bytes) noexcept {
  Integer value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) {
    value =
        static_cast<Integer>(value | static_cast<Integer>(Integer{static_cast<unsigned char>(bytes[i])} << (8 * i)));
  }
  return value;
}

/// Goes through the fields of a message. Ends early, and is not whole, at what is no field.
class ProtoReader {
 public:
  explicit ProtoReader(std::string_view data) noexcept : rest_(data) {}

  bool next() noexcept {
    if (rest_.empty() || !whole_) return false;
    const std::uint64_t key = varint();
    field = key >> 3;
    wire = static_cast<unsigned>(key & 7u);
    value = 0;
    bytes = {};
    switch (wire) {
      case 0: value = varint(); break;
      case 1: value = fixed<std::uint64_t>(); break;
      case 2: {
        const std::uint64_t size = varint();
        if (size > rest_.size()) whole_ = false;
        if (!whole_) break;
        bytes = rest_.substr(0, static_cast<std::size_t>(size));
        rest_.remove_prefix(static_cast<std::size_t>(size));
        break;
      }
      case 5: value = fixed<std::uint32_t>(); break;
      default: whole_ = false;
    }
    if (field == 0) whole_ = false;
    return whole_;
  }
  bool whole() const noexcept { return whole_; }
  bool is(std::uint64_t wanted, unsigned wanted_wire) const noexcept { return field == wanted && wire == wanted_wire; }

  std::uint64_t field = 0;
  unsigned wire = 0;
  std::uint64_t value = 0;  // of a number, its bits
  std::string_view bytes;

 private:
  std::uint64_t varint() noexcept {
    std::uint64_t result = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) break;
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      result |= std::uint64_t{byte & 127u} << shift;
      if (byte < 128) return result;
    }
    whole_ = false;
    return 0;
  }
  template <class Integer>
  std::uint64_t fixed() noexcept {
    if (rest_.size() < sizeof(Integer)) {
      whole_ = false;
      return 0;
    }
    const auto result = load_little_endian<Integer>(rest_.data());
    rest_.remove_prefix(sizeof(Integer));
    return result;
  }

  std::string_view rest_;
  bool whole_ = true;
};

/// Calls `take(number)` for each float32 or float64 of a TensorProto.
template <class Take>
void for_tensor_numbers(std::string_view tensor, Take take) {
  std::uint64_t type = 0;
  for (ProtoReader head(tensor); head.next();) {
    if (head.is(1, 0)) type = head.value;
  }
  const bool wide = type == 2;
  if (type != 1 && !wide) return;
  const auto from_bits = [wide](std::uint64_t bits) {
    if (wide) return std::bit_cast<double>(bits);
    return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  };
  const std::uint64_t listed = wide ? 6 : 5;  // double_val, float_val: packed or one by one
  for (ProtoReader reader(tensor); reader.next();) {
    if (reader.is(listed, wide ? 1 : 5)) take(from_bits(reader.value));
    if (!reader.is(4, 2) && !reader.is(listed, 2)) continue;
    const std::size_t size = wide ? 8 : 4;
    for (std::size_t at = 0; at + size <= reader.bytes.size(); at += size) {
      const char* const bytes = reader.bytes.data() + at;
      take(from_bits(wide ? load_little_endian<std::uint64_t>(bytes) : load_little_endian<std::uint32_t>(bytes)));
    }
  }
}

}  // namespace detail

LAYERSCOPE_INLINE std::vector<double> EventValue::numbers() const {
  std::size_t count = 0;
  detail::for_tensor_numbers(tensor_, [&](double) { ++count; });
  std::vector<double> found;
  found.reserve(count);
  detail::for_tensor_numbers(tensor_, [&](double number) { found.push_back(number); });
  return found;
}

LAYERSCOPE_INLINE std::vector<std::string_view> EventValue::strings() const {
  constexpr std::size_t most = 65536;
  std::vector<std::string_view> found;
  for (detail::ProtoReader reader(tensor_); found.size() < most && reader.next();) {
    if (reader.is(8, 2)) found.push_back(reader.bytes);
  }
  for (detail::ProtoReader reader(image_); found.size() < most && reader.next();) {
    if (reader.is(4, 2)) found.push_back(reader.bytes);
  }
  return found;
}

struct EventFile::State {
  State(detail::ByteSource from, const ReadOptions& with) : source(std::move(from)), options(with) {}

  /// `size` bytes from `offset` on, which the file has; through a window, as records are small.
  void read(std::uint64_t offset, std::span<char> out) {
    if (offset < window_begin || offset + out.size() > window_begin + window.size()) {
      if (out.size() >= window_bytes) return source.read(offset, std::as_writable_bytes(out), "a record");
      window.resize(static_cast<std::size_t>((std::min)(std::uint64_t{window_bytes}, source.size() - offset)));
      window_begin = offset;
      source.read(offset, std::as_writable_bytes(std::span(window)), "a record");
    }
    if (!out.empty()) std::memcpy(out.data(), window.data() + (offset - window_begin), out.size());
  }

  static std::uint32_t checksum(std::span<const char> bytes) noexcept {
    const std::uint32_t crc = crc32c(bytes.data(), bytes.size());
    return (crc >> 15 | crc << 17) + 0xA282EAD8u;
  }

  bool next(Event& event) {
    event.values.clear();
    event.file_version = event.graph = {};
    event.session_start = false;
    event.step = 0;
    event.wall_time = 0;
    const std::uint64_t left = source.size() - position;
    if (ended || left < 12) return false;
    char header[12];
    read(position, header);
    if (detail::load_little_endian<std::uint32_t>(header + 8) != checksum({header, 8})) {
      ended = true;
      source.fail(ErrorCode::format, position, "the length of a record has a wrong checksum");
    }
    const auto size = detail::load_little_endian<std::uint64_t>(header);
    if (size > left - 12 || left - 12 - size < 4) return false;  // cut
    const std::uint64_t begin = std::exchange(position, position + size + 16);
    if (size > options.max_bytes) {
      source.fail(
          ErrorCode::too_large, begin,
          "a record of " + to_text(size) + " bytes; expected at most max_bytes = " + to_text(options.max_bytes));
    }
    event.offset = begin;
    event.data_.resize(static_cast<std::size_t>(size) + 4);
    read(begin + 12, event.data_);
    const std::span<const char> data(event.data_.data(), static_cast<std::size_t>(size));
    if (detail::load_little_endian<std::uint32_t>(data.data() + data.size()) != checksum(data)) {
      source.fail(ErrorCode::format, begin, "the data of a record has a wrong checksum");
    }
    parse({data.data(), data.size()}, event);
    return true;
  }

  void parse(std::string_view data, Event& event) const {
    detail::ProtoReader reader(data);
    while (reader.next()) {
      if (reader.is(1, 1)) event.wall_time = std::bit_cast<double>(reader.value);
      if (reader.is(2, 0)) event.step = static_cast<std::int64_t>(reader.value);
      if (reader.is(3, 2)) event.file_version = reader.bytes;
      if (reader.is(4, 2)) event.graph = reader.bytes;
      if (reader.is(5, 2)) summary(reader.bytes, event);
      if (!reader.is(7, 2)) continue;
      detail::ProtoReader session(reader.bytes);
      while (session.next()) event.session_start = event.session_start || (session.is(1, 0) && session.value == 1);
      whole(session, event, "SessionLog");
    }
    whole(reader, event, "Event");
  }

  void summary(std::string_view data, Event& event) const {
    constexpr std::size_t most = 4096;
    detail::ProtoReader reader(data);
    while (reader.next()) {
      if (!reader.is(1, 2)) continue;
      if (event.values.size() >= most) {
        source.fail(ErrorCode::too_large, event.offset, "more than " + to_text(most) + " values in one record");
      }
      event.values.push_back(value(reader.bytes, event));
    }
    whole(reader, event, "Summary");
  }

  EventValue value(std::string_view data, const Event& event) const {
    EventValue value;
    std::string_view plain;
    detail::ProtoReader reader(data);
    while (reader.next()) {
      if (reader.is(1, 2)) value.tag = reader.bytes;
      if (reader.is(2, 5)) {
        value.scalar = static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(reader.value)));
        plain = "scalars";
      }
      if (reader.is(4, 2)) {
        value.image_ = reader.bytes;
        plain = "images";
      }
      if (reader.is(5, 2)) plain = "histograms";
      if (reader.is(8, 2)) tensor(reader.bytes, value, event);
      if (reader.is(9, 2)) metadata(reader.bytes, value, event);
    }
    whole(reader, event, "Summary.Value");
    if (value.plugin.empty()) value.plugin = plain;
    return value;
  }

  void metadata(std::string_view data, EventValue& value, const Event& event) const {
    detail::ProtoReader reader(data);
    while (reader.next()) {
      if (!reader.is(1, 2)) continue;
      detail::ProtoReader plugin(reader.bytes);
      while (plugin.next()) {
        if (plugin.is(1, 2)) value.plugin = plugin.bytes;
        if (plugin.is(2, 2)) value.plugin_content = plugin.bytes;
      }
      whole(plugin, event, "PluginData");
    }
    whole(reader, event, "SummaryMetadata");
  }

  void tensor(std::string_view data, EventValue& value, const Event& event) const {
    value.tensor_ = data;
    detail::ProtoReader reader(data);
    while (reader.next()) {
      if (!reader.is(2, 2)) continue;
      detail::ProtoReader shape(reader.bytes);
      std::size_t rank = 0;
      while (shape.next()) {
        if (!shape.is(2, 2)) continue;
        std::int64_t extent = 0;
        detail::ProtoReader dim(shape.bytes);
        while (dim.next()) extent = dim.is(1, 0) ? static_cast<std::int64_t>(dim.value) : extent;
        whole(dim, event, "TensorShape.Dim");
        if (++rank <= static_cast<std::size_t>(max_rank)) value.shape.push_back(extent);
      }
      whole(shape, event, "TensorShape");
      if (rank > static_cast<std::size_t>(max_rank)) value.shape.clear();
    }
    whole(reader, event, "TensorProto");
    std::size_t count = 0;
    double number = 0;
    detail::for_tensor_numbers(data, [&](double each) {
      ++count;
      number = each;
    });
    if (count == 1) value.scalar = number;
  }

  void whole(const detail::ProtoReader& reader, const Event& event, const char* message) const {
    if (!reader.whole()) {
      source.fail(ErrorCode::format, event.offset, std::string("a record with a broken ") + message + " message");
    }
  }

  static constexpr std::size_t window_bytes = 65536;
  detail::ByteSource source;
  ReadOptions options;
  std::uint64_t position = 0;
  bool ended = false;
  std::vector<char> window;
  std::uint64_t window_begin = 0;
};

LAYERSCOPE_INLINE EventFile::EventFile(const std::string& path, const ReadOptions& options)
    : state_(std::make_unique<State>(detail::ByteSource(path), options)) {}

LAYERSCOPE_INLINE EventFile::EventFile(std::span<const std::byte> file, const ReadOptions& options)
    : state_(std::make_unique<State>(detail::ByteSource(file), options)) {}

LAYERSCOPE_INLINE EventFile::~EventFile() = default;
LAYERSCOPE_INLINE EventFile::EventFile(EventFile&&) noexcept = default;
LAYERSCOPE_INLINE EventFile& EventFile::operator=(EventFile&&) noexcept = default;

LAYERSCOPE_INLINE bool EventFile::next(Event& event) {
  return state_->next(event);
}

LAYERSCOPE_INLINE std::uint64_t EventFile::position() const noexcept {
  return state_->position;
}

LAYERSCOPE_INLINE std::uint64_t EventFile::left() const noexcept {
  return state_->source.size() - state_->position;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
