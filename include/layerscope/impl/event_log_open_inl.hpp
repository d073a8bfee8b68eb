// Body of impl/event_log.hpp: the directory, its lock, and the file.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/io.hpp>
#include <layerscope/impl/event_log.hpp>
#include <layerscope/impl/run_layout_inl.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <string>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

inline constexpr std::string_view event_lock_name = ".layerscope-tensorboard.lock";
inline constexpr std::string_view event_file_mark = "tfevents.";

/// This machine's name, as a part of a file name.
inline std::string event_host() {
  std::array<char, 256> buffer{};
  if (gethostname(buffer.data(), 64) != 0 || buffer[0] == '\0') return "localhost";
  std::string host = buffer.data();
  for (char& c : host) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-';
    if (!plain && c != '.') c = '-';
  }
  return host;
}

[[noreturn]] inline void throw_event_file(std::string_view operation, const std::string& path, int code) {
  throw Error(ErrorCode::io, std::string(operation) + " \"" + path + "\": " + errno_text(code));
}

/// A lock of the kernel's on a file that stays: it is gone with its process, however that ends, and a stale file holds
/// nobody up. Where the file system has no locks, there is none.
LAYERSCOPE_INLINE void EventLog::take_lock(const std::string& directory) {
  const std::string path = joined(directory, event_lock_name);
  do {
    lock_descriptor_ =
        operations_.open(operations_.context, path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
  } while (lock_descriptor_ < 0 && errno == EINTR);
  if (lock_descriptor_ < 0) throw_event_file("open", path, errno);
  int locked = 0;
  do {
    locked = flock(lock_descriptor_, LOCK_EX | LOCK_NB);
  } while (locked != 0 && errno == EINTR);
  if (locked == 0 || (errno != EWOULDBLOCK && errno != EAGAIN)) return;
  std::string owner;
  try {
    owner = clean_text(read_file(path, 4096));
    owner = " (" + owner.substr(0, owner.find('\n')) + ")";
  } catch (const Error&) {
    // Then without a name.
  }
  operations_.close(operations_.context, lock_descriptor_);
  lock_descriptor_ = -1;
  throw Error(ErrorCode::io, "\"" + directory + "\" has a writer already" + owner + "; expected one at a time");
}

/// Says in the lock whose it is. On the writer's thread, where a limit on file sizes raises no signal.
LAYERSCOPE_INLINE void EventLog::sign_lock() noexcept {
  if (lock_descriptor_ < 0) return;
  try {
    const std::string owner = "process " + to_text(process_id()) + " on " + event_host() + "\n";
    static_cast<void>(operations_.write(operations_.context, lock_descriptor_, owner.data(), owner.size()));
  } catch (...) {
    // The lock holds without a name.
  }
}

/// TensorBoard reads the files of a directory in the order of their names, hence of the times in them.
LAYERSCOPE_INLINE void EventLog::make_file(const std::string& directory) {
  constexpr std::int64_t last_time = 9'999'999'998;  // ten digits
  auto time = static_cast<std::int64_t>(wall_time_now());
  if (DIR* const stream = opendir(directory.c_str())) {
    while (const dirent* const entry = readdir(stream)) {
      const std::string_view file = entry->d_name;
      const std::size_t mark = file.find(event_file_mark);
      if (mark == std::string_view::npos) continue;
      resumed_ = true;
      const std::string_view digits = file.substr(mark + event_file_mark.size());
      std::int64_t its = 0;
      if (from_text(digits.substr(0, digits.find('.')), its) && its < last_time) time = (std::max)(time, its + 1);
    }
    closedir(stream);
  }
  std::string digits = to_text(time);
  if (digits.size() < 10) digits.insert(0, 10 - digits.size(), '0');
  static std::atomic<std::uint64_t> counter{0};
  for (int attempt = 0; attempt < 1000 && descriptor_ < 0; ++attempt) {
    path_ = joined(directory, "events.out.") + std::string(event_file_mark) + digits + "." + event_host() + "." +
            to_text(process_id()) + "." + to_text(counter++);
    do {
      descriptor_ = operations_.open(operations_.context, path_.c_str(),
                                     O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0666);
    } while (descriptor_ < 0 && errno == EINTR);
    if (descriptor_ < 0 && errno != EEXIST) break;
  }
  if (descriptor_ >= 0) return;
  const int code = errno;
  const std::string path = std::exchange(path_, "");
  throw_event_file("open", path, code);
}

LAYERSCOPE_INLINE void EventLog::open(const std::string& directory) {
  create_directories(directory, {}, &operations_);
  take_lock(directory);
  make_file(directory);
  const double now = wall_time_now();
  const BlockedSignals blocked;  // the thread inherits them
  const Lock lock(mutex_);
  Entry& entry = chunk();
  append_version(entry.bytes, now);
  if (options_.purge_step) append_purge(entry.bytes, {now, *options_.purge_step});
  count_in(entry, static_cast<std::int64_t>(entry.bytes.size()), true);
  ended_ = false;
  busy_ = true;  // until it has signed the lock
  try {
    thread_ = std::thread([log = shared_from_this()] { work(log); });
  } catch (const std::exception& error) {
    ended_ = true;
    queue_.clear();
    throw Error(ErrorCode::io, "\"" + path_ + "\": no thread to write it: " + error.what());
  }
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
