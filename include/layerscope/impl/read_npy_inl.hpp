// Body of readers/npy.hpp.
#pragma once

#include <layerscope/core/format.hpp>
#include <layerscope/readers/detail/byte_source.hpp>
#include <layerscope/readers/npy.hpp>

#include <array>
#include <bit>
#include <optional>
#include <string_view>
#include <utility>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// Parses the header, a Python dict literal of exactly 'descr', 'fortran_order' and 'shape'. Everything else Python
/// allows is refused.
class NpyHeaderParser {
 public:
  NpyHeaderParser(const ByteSource& source, std::uint64_t offset, std::string_view text)
      : source_(source), offset_(offset), text_(text) {}

  void parse() {
    expect('{');
    for (skip_space(); !accept('}'); skip_space()) {
      const std::size_t start = at_;
      const std::string_view key = quoted();
      skip_space();
      expect(':');
      skip_space();
      if (key == "descr" && !dtype_) {
        parse_descr();
      } else if (key == "fortran_order" && !fortran_order_) {
        parse_fortran_order();
      } else if (key == "shape" && !shape_) {
        parse_shape();
      } else {
        fail(ErrorCode::format, start, "key \"" + std::string(key) + "\" is unknown or repeated");
      }
      skip_space();
      if (accept(',')) continue;
      skip_space();
      expect('}');
      break;
    }
    skip_space();
    if (at_ != text_.size()) fail(ErrorCode::format, at_, "text after the header's dictionary");
    if (!dtype_ || !fortran_order_ || !shape_) {
      fail(ErrorCode::format, 0, "the header lacks one of 'descr', 'fortran_order' and 'shape'");
    }
  }

  DType dtype() const { return *dtype_; }
  ByteOrder order() const { return order_; }
  bool fortran_order() const { return *fortran_order_; }
  const Shape& shape() const { return *shape_; }

 private:
  [[noreturn]] void fail(ErrorCode code, std::size_t at, const std::string& reason) const {
    source_.fail(code, offset_ + at, reason);
  }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }
  bool accept(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(ErrorCode::format, at_, std::string("expected '") + c + "' in the header");
  }
  bool accept(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  std::string_view quoted() {
    const std::size_t start = at_;
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') fail(ErrorCode::format, at_, "expected a quoted string in the header");
    const std::size_t end = text_.find(quote, start + 1);
    if (end == std::string_view::npos) fail(ErrorCode::format, start, "a string of the header does not end");
    at_ = end + 1;
    return text_.substr(start + 1, end - start - 1);
  }

  void parse_descr() {
    const std::size_t start = at_;
    if (at_ < text_.size() && (text_[at_] == '[' || text_[at_] == '(')) {
      fail(ErrorCode::unsupported, start, "a structured array; expected one plain element type");
    }
    const std::string_view descr = quoted();
    std::string_view type = descr;
    order_ = std::endian::native == std::endian::little ? ByteOrder::little : ByteOrder::big;
    if (!type.empty() && std::string_view("<>=|").find(type.front()) != std::string_view::npos) {
      if (type.front() == '<') order_ = ByteOrder::little;
      if (type.front() == '>') order_ = ByteOrder::big;
      type.remove_prefix(1);
    }
    constexpr std::array<std::pair<std::string_view, DType>, 13> types{{{"b1", DType::boolean},
                                                                        {"?", DType::boolean},
                                                                        {"u1", DType::u8},
                                                                        {"i1", DType::i8},
                                                                        {"u2", DType::u16},
                                                                        {"i2", DType::i16},
                                                                        {"u4", DType::u32},
                                                                        {"i4", DType::i32},
                                                                        {"u8", DType::u64},
                                                                        {"i8", DType::i64},
                                                                        {"f2", DType::f16},
                                                                        {"f4", DType::f32},
                                                                        {"f8", DType::f64}}};
    for (const auto& [text, dtype] : types) {
      if (type == text) dtype_ = dtype;
    }
    if (!dtype_) {
      fail(ErrorCode::unsupported, start,
           "element type '" + std::string(descr.substr(0, 64)) +
               "'; expected bool, an integer of 8 to 64 bits, or f2, f4, f8");
    }
  }

  void parse_fortran_order() {
    if (accept(std::string_view("True"))) {
      fortran_order_ = true;
    } else if (accept(std::string_view("False"))) {
      fortran_order_ = false;
    } else {
      fail(ErrorCode::format, at_, "'fortran_order' is neither True nor False");
    }
  }

  void parse_shape() {
    const std::size_t start = at_;
    expect('(');
    Shape shape;
    bool comma = true;
    for (skip_space(); !accept(')'); skip_space()) {
      if (!comma) fail(ErrorCode::format, at_, "expected ',' or ')' in the shape");
      const std::size_t digits = at_;
      while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
      std::int64_t extent = 0;
      if (!from_text(text_.substr(digits, at_ - digits), extent)) {
        fail(ErrorCode::format, digits, "expected an extent of at most 2^63 - 1 in the shape");
      }
      accept('L');  // Python 2 wrote long integers so
      if (shape.rank() == max_rank) {
        fail(ErrorCode::unsupported, start, "the shape has more than 8 dimensions");
      }
      shape.push_back(extent);
      skip_space();
      comma = accept(',');
    }
    if (shape.rank() == 1 && !comma) fail(ErrorCode::format, start, "the shape is a number; expected a tuple");
    shape_ = shape;
  }

  const ByteSource& source_;
  std::uint64_t offset_;
  std::string_view text_;
  std::size_t at_ = 0;
  std::optional<DType> dtype_;
  ByteOrder order_ = ByteOrder::little;
  std::optional<bool> fortran_order_;
  std::optional<Shape> shape_;
};

inline Tensor read_npy(const ByteSource& source, const ReadOptions& options) {
  std::array<std::byte, 12> preamble{};
  source.read(0, std::span(preamble).first(8), "the magic of npy");
  constexpr std::string_view magic = "\x93NUMPY";
  for (std::size_t i = 0; i < magic.size(); ++i) {
    if (static_cast<char>(preamble[i]) != magic[i]) {
      source.fail(ErrorCode::format, i, "not a .npy file; expected it to begin with \\x93NUMPY");
    }
  }
  const auto major = std::to_integer<unsigned>(preamble[6]);
  if (major < 1 || major > 3 || preamble[7] != std::byte{0}) {
    source.fail(ErrorCode::unsupported, 6,
                "format version " + to_text(major) + "." + to_text(std::to_integer<unsigned>(preamble[7])) +
                    "; expected 1.0, 2.0 or 3.0");
  }
  const std::size_t length_bytes = major == 1 ? 2 : 4;
  source.read(8, std::span(preamble).subspan(8, length_bytes), "the header's length");
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < length_bytes; ++i) {
    length |= std::to_integer<std::uint64_t>(preamble[8 + i]) << (8 * i);
  }
  constexpr std::uint64_t longest = 65536;
  if (length > longest) {
    source.fail(ErrorCode::too_large, 8, "a header of " + to_text(length) + " bytes; expected at most 65536");
  }
  const std::uint64_t start = 8 + length_bytes;
  std::string text(static_cast<std::size_t>(length), '\0');
  source.read(start, std::as_writable_bytes(std::span(text.data(), text.size())), "the header");
  NpyHeaderParser header(source, start, text);
  header.parse();

  const std::uint64_t payload = start + length;
  checked_payload(source, payload, header.dtype(), header.shape(), source.size() - payload, options);
  if (!header.fortran_order() || header.shape().rank() < 2) {
    return read_elements(source, payload, header.dtype(), header.shape(), header.order());
  }
  // In Fortran order the first axis runs fastest: a row-major tensor of the reversed shape, transposed.
  Shape reversed;
  std::array<int, max_rank> axes{};
  const int rank = header.shape().rank();
  for (int axis = 0; axis < rank; ++axis) {
    reversed.push_back(header.shape()[rank - 1 - axis]);
    axes[static_cast<std::size_t>(axis)] = rank - 1 - axis;
  }
  const Tensor stored = read_elements(source, payload, header.dtype(), reversed, header.order());
  return copy(stored.view().permute(std::span<const int>(axes.data(), static_cast<std::size_t>(rank))));
}

}  // namespace detail

LAYERSCOPE_INLINE Tensor read_npy(const std::string& path, const ReadOptions& options) {
  return detail::read_npy(detail::ByteSource(path), options);
}

LAYERSCOPE_INLINE Tensor read_npy(std::span<const std::byte> file, const ReadOptions& options) {
  return detail::read_npy(detail::ByteSource(file), options);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
