// Decompresses gzip (RFC 1952) piece by piece, so that memory is taken only for what the caller asked for.
#pragma once

#include <layerscope/core/format.hpp>
#include <layerscope/readers/detail/byte_source.hpp>

#ifdef LAYERSCOPE_WITH_ZLIB

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <new>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Reads the decompressed bytes of a source from begin to end. Several members in a row count as one stream, as gzip
/// itself treats them.
class GzipReader {
 public:
  explicit GzipReader(const ByteSource& source) : source_(source), input_(65536) {
    constexpr int gzip_only = 16 + MAX_WBITS;
    if (inflateInit2(&stream_, gzip_only) != Z_OK) throw std::bad_alloc();
  }
  ~GzipReader() { inflateEnd(&stream_); }
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;

  /// Fills `out`. Throws Error(format) when the stream is damaged or ends first; `what` names the part read.
  void read(std::span<std::byte> out, std::string_view what) {
    while (!out.empty()) {
      const std::size_t done = read_some(out);
      if (done == 0) {
        source_.fail(ErrorCode::format, offset(),
                     std::string(what) + " needs " + to_text(out.size()) + " more decompressed bytes; the stream ends");
      }
      out = out.subspan(done);
    }
  }

  /// Throws Error(format) unless the stream ends here with the right checksum.
  void expect_end() {
    std::byte extra{};
    if (read_some({&extra, 1}) != 0) {
      source_.fail(ErrorCode::format, offset(), "decompressed bytes are left over after the elements");
    }
  }

 private:
  std::uint64_t offset() const noexcept { return position_ - stream_.avail_in; }

  /// Decompresses some bytes into `out`, which is not empty; 0 at the end of the last member.
  std::size_t read_some(std::span<std::byte> out) {
    const std::size_t room = (std::min<std::size_t>)(out.size(), std::size_t{1} << 30);
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(room);
    while (stream_.avail_out == room) {
      if (stream_.avail_in == 0) {
        const std::uint64_t left = source_.size() - position_;
        if (left == 0 && between_members_) return 0;
        if (left == 0) source_.fail(ErrorCode::format, position_, "the compressed stream is cut short");
        const auto size = static_cast<std::size_t>((std::min<std::uint64_t>)(left, input_.size()));
        source_.read(position_, std::span(input_).first(size), "the compressed stream");
        position_ += size;
        stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
        stream_.avail_in = static_cast<uInt>(size);
      }
      if (between_members_) {
        inflateReset(&stream_);
        between_members_ = false;
      }
      const int status = inflate(&stream_, Z_NO_FLUSH);
      if (status == Z_STREAM_END) {
        between_members_ = true;
      } else if (status == Z_MEM_ERROR) {
        throw std::bad_alloc();
      } else if (status != Z_OK && status != Z_BUF_ERROR) {
        source_.fail(
            ErrorCode::format, offset(),
            std::string("the gzip stream is damaged: ") + (stream_.msg != nullptr ? stream_.msg : "no detail"));
      }
    }
    return room - stream_.avail_out;
  }

  const ByteSource& source_;
  std::vector<std::byte> input_;
  z_stream stream_{};
  std::uint64_t position_ = 0;    // the first byte of the source not yet handed to zlib
  bool between_members_ = false;  // a member has ended and no other begun
};

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail

#endif
