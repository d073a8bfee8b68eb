// Body of readers/safetensors.hpp.
#pragma once

#include <layerscope/core/format.hpp>
#include <layerscope/impl/json_reader_inl.hpp>
#include <layerscope/readers/detail/byte_source.hpp>
#include <layerscope/readers/safetensors.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <optional>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// Receives the header's JSON event by event and accepts only the one shape that the format allows. Nothing nests
/// deeper than that shape, so neither a tree nor recursion is ever built.
class SafetensorsHandler {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  SafetensorsHandler(const ByteSource& source, const char* text) : source_(source), text_(text), farthest_(text) {}

  const char** farthest() { return &farthest_; }
  std::uint64_t offset() const { return 8 + static_cast<std::uint64_t>(farthest_ - text_); }

  bool null() { return unexpected("null"); }
  bool boolean(bool) { return unexpected("a boolean"); }
  bool number_integer(number_integer_t) { return unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t&) { return unexpected("a number with a fraction or too large"); }
  bool binary(binary_t&) { return unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) {
    if (place_ == Place::shape) {
      if (value > static_cast<std::uint64_t>(INT64_MAX)) fail(ErrorCode::format, "an extent exceeds 2^63 - 1");
      if (entry_.shape.rank() == max_rank) fail(ErrorCode::unsupported, "more than 8 dimensions");
      entry_.shape.push_back(static_cast<std::int64_t>(value));
      return true;
    }
    if (place_ == Place::offsets) {
      if (offsets_ == 2) fail(ErrorCode::format, "data_offsets has more than two numbers");
      (offsets_++ == 0 ? begin_ : end_) = value;
      return true;
    }
    return unexpected("a number");
  }

  bool string(string_t& value) {
    if (place_ == Place::metadata) {
      metadata.emplace_back(std::move(key_), std::move(value));
      return true;
    }
    if (place_ != Place::entry || key_ != "dtype") return unexpected("a string");
    constexpr std::array<std::pair<std::string_view, DType>, 13> types{{{"BOOL", DType::boolean},
                                                                        {"U8", DType::u8},
                                                                        {"I8", DType::i8},
                                                                        {"U16", DType::u16},
                                                                        {"I16", DType::i16},
                                                                        {"U32", DType::u32},
                                                                        {"I32", DType::i32},
                                                                        {"U64", DType::u64},
                                                                        {"I64", DType::i64},
                                                                        {"F16", DType::f16},
                                                                        {"BF16", DType::bf16},
                                                                        {"F32", DType::f32},
                                                                        {"F64", DType::f64}}};
    const auto* const type =
        std::find_if(types.begin(), types.end(), [&](const auto& candidate) { return candidate.first == value; });
    if (type == types.end()) {
      fail(ErrorCode::unsupported,
           "element type \"" + value.substr(0, 64) + "\"; expected BOOL, U8 to I64, F16, BF16, F32 or F64");
    }
    entry_.dtype = type->second;
    return true;
  }

  bool start_object(std::size_t) {
    switch (place_) {
      case Place::outside: place_ = Place::header; return true;
      case Place::header:
        place_ = key_ == "__metadata__" ? Place::metadata : Place::entry;
        if (place_ == Place::metadata && std::exchange(has_metadata_, true)) fail(ErrorCode::format, "repeated key");
        if (place_ == Place::entry) {
          if (entries.size() == most_tensors) fail(ErrorCode::too_large, "more than 1,000,000 tensors");
          entry_ = {};
          entry_.name = std::move(key_);
          has_dtype_ = has_shape_ = has_offsets_ = false;
        }
        return true;
      case Place::metadata:
      case Place::entry:
      case Place::shape:
      case Place::offsets: break;
    }
    return unexpected("an object");
  }

  bool key(string_t& value) {
    if (place_ == Place::entry) {
      bool* const seen = value == "dtype"          ? &has_dtype_
                         : value == "shape"        ? &has_shape_
                         : value == "data_offsets" ? &has_offsets_
                                                   : nullptr;
      if (seen == nullptr) fail(ErrorCode::format, "unknown key \"" + value.substr(0, 64) + "\"");
      if (std::exchange(*seen, true)) fail(ErrorCode::format, "repeated key \"" + value + "\"");
    }
    key_ = std::move(value);
    return true;
  }

  bool end_object() {
    if (place_ == Place::entry) {
      if (!has_dtype_ || !has_shape_ || !has_offsets_) {
        fail(ErrorCode::format, "one of dtype, shape and data_offsets is missing");
      }
      if (begin_ > end_) fail(ErrorCode::format, "data_offsets run backwards");
      entry_.offset = begin_;
      entry_.bytes = end_ - begin_;
      entries.push_back(std::move(entry_));
    }
    place_ = place_ == Place::header ? Place::outside : Place::header;
    return true;
  }

  bool start_array(std::size_t) {
    if (place_ == Place::entry && key_ == "shape") {
      place_ = Place::shape;
      return true;
    }
    if (place_ == Place::entry && key_ == "data_offsets") {
      place_ = Place::offsets;
      offsets_ = 0;
      return true;
    }
    return unexpected("an array");
  }

  bool end_array() {
    if (place_ == Place::offsets && offsets_ != 2) fail(ErrorCode::format, "data_offsets has fewer than two numbers");
    place_ = Place::entry;
    return true;
  }

  [[noreturn]] void refuse(const std::string& reason) const { fail(ErrorCode::format, "the header is " + reason); }

  std::vector<SafetensorsEntry> entries;  ///< offsets count from the end of the header
  std::vector<std::pair<std::string, std::string>> metadata;

 private:
  enum class Place : std::uint8_t { outside, header, metadata, entry, shape, offsets };
  static constexpr std::size_t most_tensors = 1000000;

  [[noreturn]] void fail(ErrorCode code, const std::string& reason) const {
    const bool inside = place_ == Place::entry || place_ == Place::shape || place_ == Place::offsets;
    source_.fail(code, offset(), (inside ? "tensor \"" + entry_.name.substr(0, 128) + "\": " : std::string()) + reason);
  }
  bool unexpected(std::string_view what) const {
    fail(ErrorCode::format, std::string(what) + " where the format has none");
  }

  const ByteSource& source_;
  const char* text_;
  const char* farthest_;
  Place place_ = Place::outside;
  std::string key_;
  SafetensorsEntry entry_;
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
  int offsets_ = 0;
  bool has_metadata_ = false;
  bool has_dtype_ = false;
  bool has_shape_ = false;
  bool has_offsets_ = false;
};

}  // namespace detail

struct Safetensors::File {
  File(detail::ByteSource bytes, const ReadOptions& read_options) : source(std::move(bytes)), options(read_options) {
    std::array<std::byte, 8> length_bytes{};
    source.read(0, length_bytes, "the header's length");
    std::uint64_t length = 0;
    for (std::size_t i = 0; i < 8; ++i) length |= std::to_integer<std::uint64_t>(length_bytes[i]) << (8 * i);
    if (length > source.size() - 8) {
      source.fail(ErrorCode::format, 0,
                  "a header of " + to_text(length) + " bytes; only " + to_text(source.size() - 8) + " follow");
    }
    if (length > 100000000) {
      source.fail(ErrorCode::too_large, 0, "a header of " + to_text(length) + " bytes; expected at most 100 MB");
    }
    parse_header(static_cast<std::size_t>(length));
    check_layout(8 + length);
    index_names();
  }

  const SafetensorsEntry* find(std::string_view name) const noexcept {
    const auto found = std::lower_bound(by_name.begin(), by_name.end(), name,
                                        [&](std::uint32_t i, std::string_view key) { return entries[i].name < key; });
    return found == by_name.end() || entries[*found].name != name ? nullptr : &entries[*found];
  }

  Tensor read(const SafetensorsEntry& entry) const {
    detail::checked_payload(source, entry.offset, entry.dtype, entry.shape, entry.bytes, options);
    return detail::read_elements(source, entry.offset, entry.dtype, entry.shape, detail::ByteOrder::little);
  }

  detail::ByteSource source;
  ReadOptions options;
  std::vector<SafetensorsEntry> entries;
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<std::uint32_t> by_name;

 private:
  void parse_header(std::size_t length) {
    std::string text(length, '\0');
    source.read(8, std::as_writable_bytes(std::span(text.data(), text.size())), "the header");
    if (text.empty() || text.front() != '{') source.fail(ErrorCode::format, 8, "the header does not begin with '{'");
    detail::CappedJsonHandler<detail::SafetensorsHandler> handler(source, text.data());
    detail::parse_json_events(text, handler, handler.farthest());
    entries = std::move(handler.entries);
    metadata = std::move(handler.metadata);
    std::sort(metadata.begin(), metadata.end());
    const auto repeated = std::adjacent_find(metadata.begin(), metadata.end(),
                                             [](const auto& a, const auto& b) { return a.first == b.first; });
    if (repeated != metadata.end()) {
      source.fail(ErrorCode::format, 8, "the metadata key \"" + repeated->first.substr(0, 128) + "\" is repeated");
    }
  }

  /// Orders the entries by place and checks that each begins where the one before ended, up to the end of the file.
  void check_layout(std::uint64_t payload) {
    std::sort(entries.begin(), entries.end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
      return a.offset != b.offset ? a.offset < b.offset : a.bytes != b.bytes ? a.bytes < b.bytes : a.name < b.name;
    });
    const std::uint64_t available = source.size() - payload;
    std::uint64_t expected = 0;
    for (SafetensorsEntry& entry : entries) {
      const std::string who = "tensor \"" + entry.name.substr(0, 128) + "\"";
      if (entry.offset != expected) {
        source.fail(ErrorCode::format, payload + (std::min)(entry.offset, available),
                    who + " begins at " + to_text(entry.offset) + " of the data; expected " + to_text(expected) +
                        ", where the one before ends");
      }
      if (entry.bytes > available - expected) {
        source.fail(ErrorCode::format, payload + expected,
                    who + " has " + to_text(entry.bytes) + " bytes; only " + to_text(available - expected) +
                        " are left of the file");
      }
      entry.offset = payload + expected;
      const std::size_t needed = detail::checked_payload(source, entry.offset, entry.dtype, entry.shape, entry.bytes,
                                                         ReadOptions{.max_bytes = entry.bytes});
      if (needed != entry.bytes) {
        source.fail(ErrorCode::format, entry.offset,
                    who + " has " + to_text(entry.bytes) + " bytes; its shape " + to_text(entry.shape) + " needs " +
                        to_text(needed));
      }
      expected += entry.bytes;
    }
    if (expected != available) {
      source.fail(ErrorCode::format, payload + expected,
                  to_text(available - expected) + " bytes after the last tensor belong to none");
    }
  }

  void index_names() {
    by_name.resize(entries.size());
    std::iota(by_name.begin(), by_name.end(), std::uint32_t{0});
    std::sort(by_name.begin(), by_name.end(),
              [&](std::uint32_t a, std::uint32_t b) { return entries[a].name < entries[b].name; });
    const auto repeated = std::adjacent_find(by_name.begin(), by_name.end(), [&](std::uint32_t a, std::uint32_t b) {
      return entries[a].name == entries[b].name;
    });
    if (repeated != by_name.end()) {
      source.fail(ErrorCode::format, 8,
                  "the tensor name \"" + entries[*repeated].name.substr(0, 128) + "\" is repeated");
    }
  }
};

LAYERSCOPE_INLINE Safetensors::Safetensors(const std::string& path, const ReadOptions& options)
    : file_(std::make_shared<const File>(detail::ByteSource(path), options)) {}

LAYERSCOPE_INLINE Safetensors::Safetensors(std::span<const std::byte> file, const ReadOptions& options)
    : file_(std::make_shared<const File>(detail::ByteSource(file), options)) {}

LAYERSCOPE_INLINE const std::vector<SafetensorsEntry>& Safetensors::entries() const noexcept {
  return file_->entries;
}

LAYERSCOPE_INLINE const std::vector<std::pair<std::string, std::string>>& Safetensors::metadata() const noexcept {
  return file_->metadata;
}

LAYERSCOPE_INLINE const SafetensorsEntry* Safetensors::find(std::string_view name) const noexcept {
  return file_->find(name);
}

LAYERSCOPE_INLINE Tensor Safetensors::read(std::string_view name) const {
  const SafetensorsEntry* const entry = find(name);
  if (entry == nullptr) {
    throw Error(ErrorCode::invalid_argument, "safetensors: " + file_->source.name() + " has no tensor \"" +
                                                 std::string(name) + "\" among its " + to_text(entries().size()));
  }
  return file_->read(*entry);
}

LAYERSCOPE_INLINE std::vector<std::pair<std::string, Tensor>> Safetensors::read_all() const {
  std::vector<std::pair<std::string, Tensor>> tensors;
  tensors.reserve(entries().size());
  for (const SafetensorsEntry& entry : entries()) tensors.emplace_back(entry.name, file_->read(entry));
  return tensors;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
