// One record of an event file, and the messages in it: Event, Summary, TensorProto, HParamsPluginData, GraphDef, as far
// as they are written here. Field numbers are those of tensorboard/compat/proto and tensorboard/plugins/hparams.
#pragma once

#include <layerscope/core/kernels/crc32c.hpp>
#include <layerscope/impl/protobuf.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Checksums of records are masked, since they are stored beside the data that they cover (RecordIO's rule).
inline std::uint32_t mask_crc32c(std::uint32_t crc) noexcept {
  return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}
inline std::uint32_t masked_crc32c(const void* data, std::size_t size) noexcept {
  return mask_crc32c(crc32c(data, size));
}

inline constexpr std::size_t record_header = 12;  // u64 length, u32 masked crc of it
inline constexpr std::size_t record_footer = 4;   // u32 masked crc of the data

template <class Integer>
void store_little_endian(char* out, Integer value) noexcept {
  for (std::size_t i = 0; i < sizeof value; ++i) out[i] = static_cast<char>(value >> (8 * i) & 0xFF);
}

/// Appends a record whose data `body` writes; leaves `out` as it was when that throws.
template <class Body>
void append_record(std::string& out, const Body& body) {
  const std::size_t begin = out.size();
  try {
    out.append(record_header, '\0');
    ProtoText text{out};
    ProtoWriter<ProtoText> writer(text);
    body(writer);
    out.append(record_footer, '\0');
  } catch (...) {
    out.resize(begin);
    throw;
  }
  char* const header = out.data() + begin;
  char* const data = header + record_header;
  const std::size_t size = out.size() - begin - record_header - record_footer;
  store_little_endian(header, std::uint64_t{size});
  store_little_endian(header + 8, masked_crc32c(header, 8));
  store_little_endian(data + size, masked_crc32c(data, size));
}

/// Records, of which the last may have a large piece that is not copied into the text.
struct EventBytes {
  std::string head;
  std::vector<std::uint8_t> blob;
  std::string tail;  ///< what follows the blob
  std::size_t size() const noexcept { return head.size() + blob.size() + tail.size(); }
};

/// A message around a blob that it has as one of its strings.
struct ProtoAround {
  EventBytes& out;
  bool behind = false;
  void put(char byte) { (behind ? out.tail : out.head) += byte; }
  void put(std::string_view bytes) {
    if (!bytes.empty() && bytes.data() == reinterpret_cast<const char*>(out.blob.data())) {
      behind = true;
    } else {
      (behind ? out.tail : out.head) += bytes;
    }
  }
};

/// Makes `out`, which has nothing but a blob, a record whose data `body` writes, out.blob among it.
template <class Body>
void append_record(EventBytes& out, const Body& body) {
  out.head.append(record_header, '\0');
  ProtoAround around{out};
  ProtoWriter<ProtoAround> writer(around);
  body(writer);
  store_little_endian(out.head.data(), std::uint64_t{out.size() - record_header});
  store_little_endian(out.head.data() + 8, masked_crc32c(out.head.data(), 8));
  std::uint32_t crc = crc32c(out.head.data() + record_header, out.head.size() - record_header);
  crc = crc32c(out.blob.data(), out.blob.size(), crc);
  crc = mask_crc32c(crc32c(out.tail.data(), out.tail.size(), crc));
  out.tail.append(record_footer, '\0');
  store_little_endian(out.tail.data() + out.tail.size() - record_footer, crc);
}

/// When something happened.
struct EventStamp {
  double wall_time = 0;  ///< seconds since 1970
  std::int64_t step = 0;
};

template <class Out, class Body>
void append_event(Out& out, const EventStamp& stamp, const Body& body) {
  append_record(out, [&](auto& event) {
    event.real(1, stamp.wall_time);
    if (stamp.step != 0) event.integer(2, stamp.step);
    body(event);
  });
}

/// The first record of every file; without it TensorBoard takes the file for one of 2015.
inline void append_version(std::string& out, double wall_time) {
  append_event(out, {wall_time, 0}, [](auto& event) {
    event.bytes(3, "brain.Event:2");
    event.message(10, [](auto& source) { source.bytes(1, "layerscope"); });
  });
}

/// SessionLog of status START: what was recorded at `step` and later is void.
inline void append_purge(std::string& out, const EventStamp& stamp) {
  append_event(out, stamp, [](auto& event) { event.message(7, [](auto& session) { session.integer(1, 1); }); });
}

/// The form of PyTorch and TensorFlow 1, which every reader takes, at half the size of a tensor.
inline void append_scalar(std::string& out, const EventStamp& stamp, std::string_view tag, float number) {
  append_event(out, stamp, [&](auto& event) {
    event.message(5, [&](auto& summary) {
      summary.message(1, [&](auto& value) {
        value.bytes(1, tag);
        value.real(2, number);
      });
    });
  });
}

enum class DataClass : std::uint8_t { scalar = 1, tensor = 2, blobs = 3 };

/// A value of a plugin, with its metadata each time, so that no value depends on an earlier one that was dropped.
template <class Out, class Body>
void append_tensor(Out& out, const EventStamp& stamp, std::string_view tag, std::string_view plugin,
                   DataClass data_class, std::string_view content, const Body& tensor_body) {
  append_event(out, stamp, [&](auto& event) {
    event.message(5, [&](auto& summary) {
      summary.message(1, [&](auto& value) {
        value.bytes(1, tag);
        value.message(9, [&](auto& metadata) {
          metadata.message(1, [&](auto& data) {
            data.bytes(1, plugin);
            if (!content.empty()) data.bytes(2, content);
          });
          metadata.integer(4, static_cast<std::int64_t>(data_class));
        });
        value.message(8, tensor_body);
      });
    });
  });
}

enum class TensorType : std::uint8_t { f32 = 1, f64 = 2, string = 7 };

/// The beginning of a TensorProto: its element type and shape.
template <class Writer, class Extents>
void write_tensor_head(Writer& tensor, TensorType type, const Extents& extents) {
  tensor.integer(1, static_cast<std::int64_t>(type));
  tensor.message(2, [&](auto& shape) {
    for (const std::int64_t extent : extents) shape.message(2, [&](auto& dim) { dim.integer(1, extent); });
  });
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
