// Files written so that nobody ever sees half of one: a unique temporary in the same directory, checked writes, rename.
//
// Every output of layerscope goes through publish_file() and the table of operations that it takes. POSIX only. A
// program that limits its file size (RLIMIT_FSIZE) must block or ignore SIGXFSZ on the calling thread to get the error
// instead of the signal; the threads of layerscope do.
#pragma once

#include <layerscope/config.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace layerscope::inline LAYERSCOPE_ABI {

/// The operations behind every output. Each behaves as its POSIX namesake: -1 and errno on failure. `context` is handed
/// to each as it is. Replace single entries of posix_file_operations() to inject faults or to count.
struct FileOperations {
  void* context;
  int (*open)(void* context, const char* path, int flags, unsigned mode);
  std::ptrdiff_t (*write)(void* context, int descriptor, const void* data, std::size_t size);
  int (*fsync)(void* context, int descriptor);
  int (*close)(void* context, int descriptor);
  int (*rename)(void* context, const char* from, const char* to);
  int (*unlink)(void* context, const char* path);
  int (*mkdir)(void* context, const char* path, unsigned mode);
};

/// The operating system's own operations.
const FileOperations& posix_file_operations() noexcept;

/// What publish_file() waits for before it returns.
enum class Durability : std::uint8_t {
  none,  ///< nothing: after a power cut the file may be the old one, absent, or empty on some file systems
  file,  ///< fsync of the contents before the rename: the old or the new file, whole
  full,  ///< and fsync of the directory after it: the new file. May stall for seconds on a busy disk
};

struct PublishOptions {
  Durability durability = Durability::none;    ///< what to wait for; see Durability
  const FileOperations* operations = nullptr;  ///< the table to write through, which must outlive the call; null: POSIX
};

/// Makes `path` a regular file with these bytes, or leaves it as it was. Readers see the old file or the new one, never
/// a mixture, even when the process is killed half-way. A symbolic link at `path` is replaced, not followed. Safe from
/// several threads and processes; the last rename wins. Throws Error(io) naming the operation, the path and errno; the
/// temporary is removed then. If only the last fsync of `full` fails, the new file is in place though the call throws.
void publish_file(const std::string& path, std::span<const std::byte> bytes, const PublishOptions& options = {});

/// As above, for contents in several pieces, written one after the other.
void publish_file(const std::string& path, std::span<const std::span<const std::byte>> pieces,
                  const PublishOptions& options = {});

/// As above, for text.
void publish_file(const std::string& path, std::string_view text, const PublishOptions& options = {});

/// Removes from `directory` the temporaries that killed processes left: those of this machine whose process is gone,
/// and those of other machines older than a day. Returns how many. An unreadable directory or an undeletable file is
/// skipped, as this is housekeeping.
int sweep_orphans(const std::string& directory, const FileOperations* operations = nullptr);

/// Makes `root` and its missing parents, then `relative` below it. `root` may be reached through symbolic links, as it
/// is the user's choice; below it, a component that is a symbolic link or no directory is refused, as is "..".
/// Returns the joined path. Throws Error(io), or Error(invalid_argument) for a `relative` that is absolute or has "..".
std::string create_directories(const std::string& root, std::string_view relative = {},
                               const FileOperations* operations = nullptr);

/// The bytes of a regular file. Throws Error(io) when it cannot be read, Error(too_large) beyond `max_bytes`,
/// Error(unsupported) for a directory, pipe or device.
std::string read_file(const std::string& path, std::uint64_t max_bytes);

/// "ENOSPC: No space left on device", the same under every locale.
std::string errno_text(int code);

}  // namespace layerscope::inline LAYERSCOPE_ABI

#ifdef LAYERSCOPE_HEADER_ONLY
#include <layerscope/impl/io_inl.hpp>
#endif
