// Body of core/io.hpp.
#pragma once

#include <layerscope/core/detail/input_file.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/io.hpp>
#include <layerscope/impl/open_directory.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <ctime>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

inline constexpr std::string_view temporary_prefix = ".layerscope-";
inline constexpr std::string_view temporary_suffix = ".tmp";

[[noreturn]] inline void throw_io(std::string_view operation, const std::string& path, int code,
                                  std::string_view context = {}) {
  std::string message = "io: " + std::string(operation) + " \"" + path + "\"";
  if (!context.empty()) message += " for \"" + std::string(context) + "\"";
  throw Error(ErrorCode::io, message + ": " + errno_text(code));
}

/// Identifies the machine and its process-id namespace in the names of temporaries: a process id tells whether its
/// owner lives only where it was given out, and run directories are shared between hosts and containers.
inline std::string pid_realm() {
  std::array<char, 512> buffer{};
  if (gethostname(buffer.data(), 255) != 0) buffer[0] = '\0';
  std::string realm = buffer.data();
  const ssize_t length = readlink("/proc/self/ns/pid", buffer.data(), buffer.size());
  if (length > 0) realm.append(buffer.data(), static_cast<std::size_t>(length));
  std::uint32_t hash = 2166136261u;  // FNV-1a
  for (const char c : realm) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  std::string text(8, '0');
  for (std::size_t digit = 0; digit < 8; ++digit) text[digit] = "0123456789abcdef"[hash >> (28 - 4 * digit) & 15u];
  return text;
}

inline std::string temporary_name(std::uint64_t counter) {
  return std::string(temporary_prefix) + pid_realm() + "-" + to_text(static_cast<std::int64_t>(getpid())) + "-" +
         to_text(counter) + std::string(temporary_suffix);
}

inline std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash + 1);
}

/// An open temporary that vanishes unless it is renamed.
class Temporary {
 public:
  Temporary(const std::string& target, const FileOperations& operations) : target_(target), operations_(operations) {
    static std::atomic<std::uint64_t> counter{0};
    const std::string directory = directory_of(target);
    // A name may be taken by what a killed process with our recycled id left behind.
    for (int attempt = 0; attempt < 1000; ++attempt) {
      path_ = directory + temporary_name(counter.fetch_add(1, std::memory_order_relaxed));
      do {
        descriptor_ = operations_.open(operations_.context, path_.c_str(),
                                       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
      } while (descriptor_ < 0 && errno == EINTR);
      if (descriptor_ >= 0 || errno != EEXIST) break;
    }
    if (descriptor_ < 0) throw_io("open", path_, errno, target_);
  }
  ~Temporary() {
    if (descriptor_ >= 0) operations_.close(operations_.context, descriptor_);
    if (!path_.empty()) operations_.unlink(operations_.context, path_.c_str());
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  void write(std::span<const std::byte> bytes) {
    constexpr std::size_t largest = std::size_t{1} << 30;  // some systems refuse INT_MAX bytes and more in one call
    while (!bytes.empty()) {
      const std::ptrdiff_t done =
          operations_.write(operations_.context, descriptor_, bytes.data(), (std::min)(bytes.size(), largest));
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) throw_io("write", path_, errno, target_);
      if (done == 0) throw_io("write", path_, EIO, target_);
      bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
  }

  void sync() {
    while (operations_.fsync(operations_.context, descriptor_) != 0) {
      if (errno != EINTR) throw_io("fsync", path_, errno, target_);
    }
  }

  void rename_to_target() {
    // The descriptor is gone after close() whatever it returns; a failure may be the only sign of a lost write.
    const int descriptor = descriptor_;
    descriptor_ = -1;
    if (operations_.close(operations_.context, descriptor) != 0) throw_io("close", path_, errno, target_);
    if (operations_.rename(operations_.context, path_.c_str(), target_.c_str()) != 0) {
      throw_io("rename", path_, errno, target_);
    }
    path_.clear();
  }

 private:
  const std::string& target_;
  const FileOperations& operations_;
  std::string path_;
  int descriptor_ = -1;
};

inline void sync_directory(const std::string& target, const FileOperations& operations) {
  std::string directory = directory_of(target);
  if (directory.empty()) directory = ".";
  int descriptor = -1;
  do {
    descriptor = operations.open(operations.context, directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) throw_io("open", directory, errno, target);
  int failure = 0;
  while (operations.fsync(operations.context, descriptor) != 0) {
    if (errno == EINTR) continue;
    failure = errno;
    break;
  }
  const int closed = operations.close(operations.context, descriptor);
  if (failure != 0) throw_io("fsync", directory, failure, target);
  if (closed != 0) throw_io("close", directory, errno, target);
}

/// Makes one directory. `follow` says whether a symbolic link to a directory will do.
enum class Links : std::uint8_t { followed, refused };
inline void make_directory(const std::string& path, Links links, const FileOperations& operations) {
  struct stat found;
  const auto look = [&] { return links == Links::followed ? stat(path.c_str(), &found) : lstat(path.c_str(), &found); };
  if (look() != 0) {
    if (errno != ENOENT) throw_io("stat", path, errno);
    if (operations.mkdir(operations.context, path.c_str(), 0777) == 0) return;
    if (errno != EEXIST) throw_io("mkdir", path, errno);
    if (look() != 0) throw_io("stat", path, errno);  // another process was faster, or a dangling link lies there
  }
  if (S_ISLNK(found.st_mode)) {
    throw Error(ErrorCode::io, "io: mkdir \"" + path + "\": a symbolic link lies there; expected a directory");
  }
  if (!S_ISDIR(found.st_mode)) throw_io("mkdir", path, ENOTDIR);
}

/// Calls `visit(prefix)` for "a", "a/b", "a/b/c" of the path "a/b/c"; empty and "." components count for nothing.
template <class Visit>
void for_each_prefix(std::string_view path, Visit visit) {
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = (std::min)(path.find('/', begin), path.size());
    const std::string_view component = path.substr(begin, end - begin);
    if (!component.empty() && component != ".") visit(path.substr(0, end), component);
    begin = end + 1;
  }
}

/// The process id in the name of a temporary of this realm; 0 for another realm's, -1 for a file that is not ours.
inline std::int64_t owner_of_temporary(std::string_view name, std::string_view realm) {
  if (!name.starts_with(temporary_prefix) || !name.ends_with(temporary_suffix)) return -1;
  name.remove_prefix(temporary_prefix.size());
  name.remove_suffix((std::min)(temporary_suffix.size(), name.size()));
  const std::size_t first = name.find('-');
  const std::size_t second = name.find('-', first == std::string_view::npos ? first : first + 1);
  if (first != 8 || second == std::string_view::npos) return -1;
  std::int64_t pid = 0;
  std::uint64_t counter = 0;
  if (!from_text(name.substr(first + 1, second - first - 1), pid) || pid <= 0 || pid > INT_MAX) return -1;
  if (!from_text(name.substr(second + 1), counter)) return -1;
  return name.substr(0, first) == realm ? pid : 0;
}

}  // namespace detail

LAYERSCOPE_INLINE const FileOperations& posix_file_operations() noexcept {
  static constexpr FileOperations operations{
      nullptr,
      [](void*, const char* path, int flags, unsigned mode) { return ::open(path, flags, static_cast<mode_t>(mode)); },
      [](void*, int descriptor, const void* data, std::size_t size) -> std::ptrdiff_t {
        return ::write(descriptor, data, size);
      },
      [](void*, int descriptor) { return ::fsync(descriptor); },
      [](void*, int descriptor) { return ::close(descriptor); },
      [](void*, const char* from, const char* to) { return std::rename(from, to); },
      [](void*, const char* path) { return ::unlink(path); },
      [](void*, const char* path, unsigned mode) { return ::mkdir(path, static_cast<mode_t>(mode)); },
  };
  return operations;
}

LAYERSCOPE_INLINE void publish_file(const std::string& path, std::span<const std::span<const std::byte>> pieces,
                                    const PublishOptions& options) {
  // A NUL would end the path early, and the file would appear under another name.
  if (path.empty() || path.find('\0') != std::string::npos) {
    throw Error(ErrorCode::invalid_argument, "io: \"" + path + "\" is empty or holds a NUL; expected a file name");
  }
  const FileOperations& operations = options.operations != nullptr ? *options.operations : posix_file_operations();
  {
    detail::Temporary temporary(path, operations);
    for (const std::span<const std::byte> piece : pieces) temporary.write(piece);
    if (options.durability != Durability::none) temporary.sync();
    temporary.rename_to_target();
  }
  if (options.durability == Durability::full) detail::sync_directory(path, operations);
}

LAYERSCOPE_INLINE void publish_file(const std::string& path, std::span<const std::byte> bytes,
                                    const PublishOptions& options) {
  publish_file(path, std::span<const std::span<const std::byte>>(&bytes, 1), options);
}

LAYERSCOPE_INLINE void publish_file(const std::string& path, std::string_view text, const PublishOptions& options) {
  publish_file(path, std::as_bytes(std::span(text.data(), text.size())), options);
}

LAYERSCOPE_INLINE int sweep_orphans(const std::string& directory, const FileOperations* operations) {
  if (operations == nullptr) operations = &posix_file_operations();
  const detail::OpenDirectory stream(opendir(directory.empty() ? "." : directory.c_str()));
  if (stream == nullptr) return 0;
  const std::string realm = detail::pid_realm();
  int removed = 0;
  while (const dirent* const entry = readdir(stream.get())) {
    const std::int64_t owner = detail::owner_of_temporary(entry->d_name, realm);
    if (owner < 0) continue;
    bool orphan = false;
    if (owner > 0) {
      orphan = kill(static_cast<pid_t>(owner), 0) != 0 && errno == ESRCH;
    } else {
      struct stat found;
      constexpr std::time_t day = 24 * 60 * 60;
      orphan = fstatat(dirfd(stream.get()), entry->d_name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
               found.st_mtime < std::time(nullptr) - day;
    }
    if (!orphan) continue;
    const std::string path = (directory.empty() ? std::string(".") : directory) + "/" + entry->d_name;
    if (operations->unlink(operations->context, path.c_str()) == 0) ++removed;
  }
  return removed;
}

LAYERSCOPE_INLINE std::string create_directories(const std::string& root, std::string_view relative,
                                                 const FileOperations* operations) {
  if (operations == nullptr) operations = &posix_file_operations();
  const bool absolute = !relative.empty() && relative.front() == '/';
  bool escapes =
      absolute || root.empty() || root.find('\0') != std::string::npos || relative.find('\0') != std::string_view::npos;
  detail::for_each_prefix(
      relative, [&](std::string_view, std::string_view component) { escapes = escapes || component == ".."; });
  if (escapes) {
    throw Error(ErrorCode::invalid_argument, "io: \"" + std::string(relative) + "\" below \"" + root +
                                                 "\"; expected a root and a relative path without \"..\" and NUL");
  }
  detail::for_each_prefix(root, [&](std::string_view prefix, std::string_view) {
    detail::make_directory(std::string(prefix), detail::Links::followed, *operations);
  });
  std::string path = root;
  if (relative.empty()) return path;
  if (path.back() != '/') path += '/';
  const std::size_t start = path.size();
  path += relative;
  detail::for_each_prefix(relative, [&](std::string_view prefix, std::string_view) {
    detail::make_directory(path.substr(0, start + prefix.size()), detail::Links::refused, *operations);
  });
  return path;
}

LAYERSCOPE_INLINE std::string read_file(const std::string& path, std::uint64_t max_bytes) {
  const detail::InputFile file(path);
  if (file.size() > max_bytes) {
    throw Error(ErrorCode::too_large,
                "io: \"" + path + "\" has " + to_text(file.size()) + " bytes; expected at most " + to_text(max_bytes));
  }
  std::string contents(static_cast<std::size_t>(file.size()), '\0');
  file.read(0, std::as_writable_bytes(std::span(contents.data(), contents.size())));
  return contents;
}

LAYERSCOPE_INLINE std::string errno_text(int code) {
  switch (code) {
    case EACCES: return "EACCES: Permission denied";
    case EAGAIN: return "EAGAIN: Resource temporarily unavailable";
    case EBADF: return "EBADF: Bad file descriptor";
    case EBUSY: return "EBUSY: Device or resource busy";
    case EDQUOT: return "EDQUOT: Disk quota exceeded";
    case EEXIST: return "EEXIST: File exists";
    case EFBIG: return "EFBIG: File too large";
    case EINTR: return "EINTR: Interrupted system call";
    case EINVAL: return "EINVAL: Invalid argument";
    case EIO: return "EIO: Input/output error";
    case EISDIR: return "EISDIR: Is a directory";
    case ELOOP: return "ELOOP: Too many levels of symbolic links";
    case EMFILE: return "EMFILE: Too many open files";
    case EMLINK: return "EMLINK: Too many links";
    case ENAMETOOLONG: return "ENAMETOOLONG: File name too long";
    case ENFILE: return "ENFILE: Too many open files in system";
    case ENODEV: return "ENODEV: No such device";
    case ENOENT: return "ENOENT: No such file or directory";
    case ENOMEM: return "ENOMEM: Cannot allocate memory";
    case ENOSPC: return "ENOSPC: No space left on device";
    case ENOTDIR: return "ENOTDIR: Not a directory";
    case ENOTEMPTY: return "ENOTEMPTY: Directory not empty";
    case ENXIO: return "ENXIO: No such device or address";
    case EPERM: return "EPERM: Operation not permitted";
    case EPIPE: return "EPIPE: Broken pipe";
    case EROFS: return "EROFS: Read-only file system";
    case ESTALE: return "ESTALE: Stale file handle";
    case ETXTBSY: return "ETXTBSY: Text file busy";
    case EXDEV: return "EXDEV: Invalid cross-device link";
    default: return "errno " + to_text(code);
  }
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
