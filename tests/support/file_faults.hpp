// The operating system's file operations, of which some fail on demand, and what was asked of them.
#pragma once

#include <layerscope/core/io.hpp>

#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>

namespace layerscope_test {

struct FileFaults {
  int fail_at = 0;            ///< the call that fails, from 1; 0: none
  bool sticky = false;        ///< whether every later call fails too
  bool spare_unlink = false;  ///< whether unlink always works
  int code = EIO;
  std::string only;  ///< the one operation that fails and is counted; empty: all
  int calls = 0;
  std::string failed;           ///< the first operation that failed
  std::uint64_t manifests = 0;  ///< renames onto a manifest
  std::uint64_t bytes_written = 0;

  layerscope::FileOperations table{
      this,
      [](void* f, const char* path, int flags, unsigned mode) {
        return fails(f, "open") ? -1 : real().open(nullptr, path, flags, mode);
      },
      [](void* f, int fd, const void* data, std::size_t size) -> std::ptrdiff_t {
        if (fails(f, "write")) return -1;
        const std::ptrdiff_t done = real().write(nullptr, fd, data, size);
        if (done > 0) static_cast<FileFaults*>(f)->bytes_written += static_cast<std::uint64_t>(done);
        return done;
      },
      [](void* f, int) { return fails(f, "fsync") ? -1 : 0; },  // the disk itself is not under test, and slow
      [](void* f, int fd) {
        const int result = real().close(nullptr, fd);
        return fails(f, "close") ? -1 : result;
      },
      [](void* f, const char* from, const char* to) {
        if (fails(f, "rename")) return -1;
        if (std::string_view(to).ends_with("/manifest.json")) ++static_cast<FileFaults*>(f)->manifests;
        return real().rename(nullptr, from, to);
      },
      [](void* f, const char* path) { return fails(f, "unlink") ? -1 : real().unlink(nullptr, path); },
      [](void* f, const char* path, unsigned mode) {
        return fails(f, "mkdir") ? -1 : real().mkdir(nullptr, path, mode);
      }};

  FileFaults() = default;
  FileFaults(const FileFaults&) = delete;  // the table points back
  FileFaults& operator=(const FileFaults&) = delete;

 private:
  static const layerscope::FileOperations& real() { return layerscope::posix_file_operations(); }

  static bool fails(void* f, std::string_view operation) {
    FileFaults& self = *static_cast<FileFaults*>(f);
    if (!self.only.empty() && operation != self.only) return false;
    if (self.spare_unlink && operation == "unlink") return false;
    ++self.calls;
    const bool now = self.fail_at > 0 && (self.calls == self.fail_at || (self.sticky && self.calls > self.fail_at));
    if (!now) return false;
    if (self.failed.empty()) self.failed = operation;
    errno = self.code;
    return true;
  }
};

}  // namespace layerscope_test
