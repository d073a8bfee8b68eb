// Body of sinks/directory.hpp.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/impl/artifact_files_inl.hpp>
#include <layerscope/impl/exception_text_inl.hpp>
#include <layerscope/impl/manifest_inl.hpp>
#include <layerscope/impl/open_directory.hpp>
#include <layerscope/impl/run_layout_inl.hpp>
#include <layerscope/sinks/directory.hpp>

#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// The entries of a directory, sorted; none when it cannot be read.
inline std::vector<std::string> list_directory(const std::string& path) {
  std::vector<std::string> names;
  const OpenDirectory stream(opendir(path.c_str()));
  if (stream == nullptr) return names;
  while (const dirent* const entry = readdir(stream.get())) names.emplace_back(entry->d_name);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace detail

struct DirectorySink::Run {
  using Clock = std::chrono::steady_clock;

  Run(const std::string& path, const DirectoryOptions& given)
      : directory(path),
        options(given),
        operations(given.operations != nullptr ? *given.operations : posix_file_operations()) {
    check_options();
    create_directories(directory, {}, &operations);
    sweep_orphans(directory, &operations);
    if (detail::exists(manifest_path())) open_existing();
    write_manifest();  // also tells at once when the directory cannot be written
  }

  void write(const Artifact& artifact) {
    try {
      write_files(artifact);
    } catch (...) {
      note_failure([&] {
        return artifact.kind + " of " + artifact.name + " at step " + to_text(artifact.step) + ": " +
               detail::current_error().what();
      });
      throw;
    }
  }

  void write_manifest() {
    const Clock::time_point start = Clock::now();
    publish_file(manifest_path(), std::string_view(detail::manifest_text(manifest)), {options.durability, &operations});
    changes = 0;
    remove_doomed();
    manifest_time = Clock::now();
    manifest_cost = manifest_time - start;
  }

  void flush() {
    if (changes > 0) {
      write_manifest();
    } else {
      remove_doomed();  // what an earlier failure left
    }
  }

  const std::string directory;
  const DirectoryOptions options;
  const FileOperations& operations;
  detail::Manifest manifest;
  std::atomic<std::int64_t> bytes{0};  ///< manifest.bytes, for other threads
  std::size_t changes = 0;             ///< since the manifest was written
  const pid_t process = getpid();

 private:
  void check_options() const {
    const auto refuse = [](const std::string& problem) {
      throw Error(ErrorCode::invalid_argument, "directory sink: " + problem);
    };
    if (options.inline_limit < 0) refuse("inline_limit " + to_text(options.inline_limit) + "; expected at least 0");
    if (options.byte_limit && *options.byte_limit < 0) {
      refuse("byte_limit " + to_text(*options.byte_limit) + "; expected at least 0");
    }
    if (options.keep_every && *options.keep_every < 1) {
      refuse("keep_every " + to_text(*options.keep_every) + "; expected at least 1");
    }
    if (!is_finite(options.manifest_seconds) || options.manifest_seconds < 0) {
      refuse("manifest_seconds " + to_text(options.manifest_seconds) + "; expected at least 0");
    }
  }

  std::string manifest_path() const { return detail::joined(directory, detail::manifest_name); }

  // ---- opening a run that is there ----

  void open_existing() {
    if (options.existing == ExistingRun::refuse) {
      throw Error(ErrorCode::invalid_argument, "directory sink: \"" + directory + "\" holds a run; expected none");
    }
    read_existing_manifest();
    const std::size_t listed = artifacts;
    find_unlisted();
    if (artifacts > listed) {
      warn(to_text(artifacts - listed) + " artifacts that the manifest did not list were found again");
    }
    for (auto& [key, steps] : manifest.entries) {
      for (auto step = steps.begin(); step != steps.end();) {
        const bool newest = std::next(step) == steps.end();
        const bool thinned = options.keep_every && !newest && step->first % *options.keep_every != 0;
        step = thinned || options.existing == ExistingRun::replace ? doom(steps, step) : std::next(step);
      }
    }
    if (options.existing != ExistingRun::replace) return;
    manifest.entries.clear();
    manifest.warnings.clear();
    owners = {};
  }

  void read_existing_manifest() {
    try {
      if (!detail::regular_file_size(manifest_path())) {
        throw Error(ErrorCode::format, "it is no regular file");  // a planted link is not followed
      }
      std::size_t missing = 0;
      manifest.warnings = detail::read_manifest(read_file(manifest_path(), detail::max_json_bytes),
                                                [&](detail::ReadEntry read) { missing += adopt(read) ? 0u : 1u; });
      if (missing > 0) warn(to_text(missing) + " artifacts that the manifest listed had no files left");
    } catch (const Error& error) {
      // Neither a newer version's run, nor another program's file, nor one that cannot be read now is broken.
      if (error.code() != ErrorCode::format && error.code() != ErrorCode::too_large) {
        throw Error(error.code(), "directory sink: \"" + manifest_path() + "\": " + error.what());
      }
      put_manifest_aside(error.what());
    }
  }

  void put_manifest_aside(const std::string& reason) {
    std::string aside;
    for (int number = 1; aside.empty() || detail::exists(aside); ++number) {
      aside = manifest_path() + ".broken-" + to_text(number);
    }
    if (operations.rename(operations.context, manifest_path().c_str(), aside.c_str()) != 0) {
      throw Error(ErrorCode::io,
                  "directory sink: rename \"" + manifest_path() + "\" to \"" + aside + "\": " + errno_text(errno));
    }
    manifest = {};
    owners = {};
    artifacts = 0;
    bytes = 0;
    warn("the manifest found was broken (" + reason + ") and is kept as " + aside.substr(directory.size()));
  }

  /// Adds what was read; false when none of its files is there. Throws Error(format) for files that belong to another.
  bool adopt(detail::ReadEntry& read) {
    std::vector<std::string> present;
    if (detail::is_real_directory(detail::joined(directory, read.folder))) {
      for (std::string& file : read.entry.files) {
        const auto size = detail::regular_file_size(detail::joined(directory, file));
        if (!size) continue;
        read.entry.bytes += *size;
        present.push_back(std::move(file));
      }
    }
    if (present.empty()) return false;
    read.entry.files = std::move(present);
    if (!owners.claim_as("", read.folder, read.key.name) ||
        !owners.claim_as(read.folder, read.kind_component, read.key.kind)) {
      detail::throw_bad_manifest("\"" + read.entry.files.front() + "\" belongs to two names");
    }
    const std::int64_t entry_bytes = read.entry.bytes;
    if (!manifest.entries[read.key].try_emplace(read.step, std::move(read.entry)).second) {
      detail::throw_bad_manifest("step " + to_text(read.step) + " of \"" + read.key.name + "\" is listed twice");
    }
    add_bytes(entry_bytes);
    ++artifacts;
    return true;
  }

  /// Adopts artifacts whose JSON is there though the manifest does not list it: a killed run wrote them last.
  void find_unlisted() {
    std::set<std::string> listed;
    for (const auto& [key, steps] : manifest.entries) {
      for (const auto& [step, entry] : steps) listed.insert(entry.files.begin(), entry.files.end());
    }
    for (const std::string& folder : detail::list_directory(directory)) {
      const std::string path = detail::joined(directory, folder);
      if (!detail::is_run_component(folder) || !detail::is_real_directory(path)) continue;
      sweep_orphans(path, &operations);
      for (const std::string& file : detail::list_directory(path)) {
        const std::string relative = folder + "/" + file;
        if (!detail::is_run_component(file) || !file.ends_with(".json") || listed.contains(relative)) continue;
        if (!detail::regular_file_size(detail::joined(path, file))) continue;
        try {
          detail::ReadEntry read =
              detail::read_artifact_entry(read_file(detail::joined(path, file), detail::max_json_bytes), folder);
          const auto& files = read.entry.files;
          if (std::find(files.begin(), files.end(), relative) != files.end()) adopt(read);
        } catch (const Error&) {
          continue;  // somebody else's JSON
        }
      }
    }
  }

  // ---- writing artifacts ----

  void write_files(const Artifact& artifact) {
    const bool pictures = options.png == Output::write;
    if (!pictures && options.json == Output::skip) return;
    const detail::ArtifactPlace place(owners, artifact.name, artifact.kind, artifact.step);
    const std::string folder = create_directories(directory, place.folder, &operations);
    const detail::SeriesKey key{artifact.name, artifact.kind};
    std::set<std::string> held = release_doomed(place.folder + "/" + place.stem + ".");
    const auto room = [&](std::int64_t size) { make_room(size, key, artifact.step); };
    detail::ArtifactFiles files(artifact, place, folder, options, room);
    try {
      files.write();
      doomed.merge(held);
      if (!files.names().empty()) commit(files, place, key, artifact);
    } catch (...) {
      undo(files, place, key, artifact.step);
      doomed.merge(held);
      throw;
    }
    if (!files.names().empty()) tidy(key, artifact);
    if (files.picture_error()) {
      const char* rest = options.json == Output::write ? "; its numbers were written" : "";
      throw Error(files.picture_error()->code(), std::string("picture: ") + files.picture_error()->what() + rest);
    }
  }

  /// Takes files off the list of those to remove while their names are being written again: the manifest, and with it
  /// the removal, may come in between. merge() puts them back; neither takes memory.
  std::set<std::string> release_doomed(const std::string& prefix) {
    std::set<std::string> released;
    for (auto file = doomed.lower_bound(prefix); file != doomed.end() && file->starts_with(prefix);) {
      released.insert(doomed.extract(file++));
    }
    return released;
  }

  /// Removes the files that a failed write leaves behind, apart from those of the artifact that it was to replace.
  /// Takes no memory, as there may be none.
  void undo(const detail::ArtifactFiles& files, const detail::ArtifactPlace& place, const detail::SeriesKey& key,
            std::int64_t step) noexcept {
    const detail::RunEntry* old = find(key, step);
    for (const detail::ArtifactFiles::Begun& file : files.begun()) {
      const std::string_view path = file.path;
      const std::string_view relative = path.substr(path.size() - file.name.size() - 1 - place.folder.size());
      if (old != nullptr && std::find(old->files.begin(), old->files.end(), relative) != old->files.end()) continue;
      operations.unlink(operations.context, file.path.c_str());
    }
  }

  /// Lists an artifact whose files are written. Everything that may fail comes before the first change.
  void commit(const detail::ArtifactFiles& files, const detail::ArtifactPlace& place, const detail::SeriesKey& key,
              const Artifact& artifact) {
    std::map<std::int64_t, detail::RunEntry> added;
    detail::RunEntry& entry = added[artifact.step];
    for (const std::string& name : files.names()) entry.files.push_back(place.folder + "/" + name);
    entry.bytes = files.bytes();
    entry.range = artifact.range;
    if (files.picture_error()) entry.picture_error = files.picture_error()->what();
    std::set<std::string> leftover;  // a picture may be in place though it failed
    for (const detail::ArtifactFiles::Begun& file : files.begun()) leftover.insert(place.folder + "/" + file.name);
    auto& steps = manifest.entries[key];
    const auto old = steps.find(artifact.step);
    if (old != steps.end()) leftover.insert(old->second.files.begin(), old->second.files.end());

    if (old != steps.end()) {
      add_bytes(-old->second.bytes);
      --artifacts;
      steps.erase(old);
    }
    doomed.merge(leftover);
    for (const std::string& file : entry.files) doomed.erase(file);
    add_bytes(entry.bytes);
    steps.merge(added);
    ++artifacts;
    ++changes;
  }

  /// What follows a written artifact: older ones leave, and the manifest is kept fresh. It is written all the same when
  /// this fails.
  void tidy(const detail::SeriesKey& key, const Artifact& artifact) noexcept {
    try {
      auto& steps = manifest.entries.find(key)->second;
      const auto added = steps.find(artifact.step);
      if (artifact.retention == Retention::latest) {
        for (auto step = steps.begin(); step != steps.end();) {
          step = step == added ? std::next(step) : doom(steps, step);
        }
      } else if (options.keep_every && added != steps.begin()) {
        const auto previous = std::prev(added);
        if (previous->first % *options.keep_every != 0) doom(steps, previous);
      }
      make_room(0, key, artifact.step);  // what was the newest of its name may go by now
      keep_manifest_fresh();
    } catch (...) {
      note_failure([] { return std::string(detail::current_error().what()); });
    }
  }

  /// Writes the manifest when enough has changed: a part of the whole in number, or some time ago, so that its cost
  /// stays a small part of that of the artifacts however many there are.
  void keep_manifest_fresh() {
    const std::chrono::duration<double> since = Clock::now() - manifest_time;
    const double patience = (std::max)(options.manifest_seconds, 20 * manifest_cost.count());
    if (changes < (std::max)(std::size_t{32}, artifacts / 4) && since.count() < patience) return;
    try_write_manifest();
  }

  /// An artifact that is written stays written when the manifest is not; flush() tells.
  void try_write_manifest() {
    try {
      write_manifest();
    } catch (...) {
      note_failure([] { return std::string(detail::current_error().what()); });
      manifest_time = Clock::now();
    }
  }

  // ---- removing artifacts ----

  /// Removes the oldest steps until `size` more bytes fit, and a tenth of the limit to spare, so that this is rare.
  void make_room(std::int64_t size, const detail::SeriesKey& key, std::int64_t step) {
    if (!options.byte_limit || manifest.bytes + size <= *options.byte_limit) return;
    const std::int64_t target = *options.byte_limit - *options.byte_limit / 10 - size;
    std::vector<std::pair<std::int64_t, std::map<std::int64_t, detail::RunEntry>*>> oldest;
    for (auto& [its_key, steps] : manifest.entries) {
      for (auto it = steps.begin(); it != steps.end() && std::next(it) != steps.end(); ++it) {
        // The one that is being replaced shares its files' names with the new one.
        if (its_key != key || it->first != step) oldest.emplace_back(it->first, &steps);
      }
    }
    std::stable_sort(oldest.begin(), oldest.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    const std::size_t before = artifacts;
    for (const auto& [old_step, steps] : oldest) {
      if (manifest.bytes <= target) break;
      doom(*steps, steps->find(old_step));
    }
    if (manifest.bytes + size > *options.byte_limit && !limit_warned) {
      limit_warned = true;
      warn("the newest artifacts alone exceed the limit of " + to_text(*options.byte_limit) + " bytes");
    }
    if (artifacts < before) try_write_manifest();
  }

  /// Takes one artifact off the manifest; its files go once that is written.
  std::map<std::int64_t, detail::RunEntry>::iterator doom(std::map<std::int64_t, detail::RunEntry>& steps,
                                                          std::map<std::int64_t, detail::RunEntry>::iterator step) {
    std::set<std::string> files(step->second.files.begin(), step->second.files.end());  // before anything changes
    doomed.merge(files);
    add_bytes(-step->second.bytes);
    ++changes;
    --artifacts;
    return steps.erase(step);
  }

  void remove_doomed() noexcept {
    for (auto file = doomed.begin(); file != doomed.end();) {
      file = remove_file(*file) ? doomed.erase(file) : std::next(file);
    }
  }

  /// Whether `file`, relative to the run, is gone. Takes no memory, as there may be none.
  bool remove_file(std::string_view file) const noexcept {
    std::array<char, 4096> path;  // PATH_MAX: no longer one was ever opened
    if (directory.size() + 1 + file.size() >= path.size()) return true;
    char* end = std::copy(directory.begin(), directory.end(), path.data());
    if (directory.back() != '/') *end++ = '/';
    char* const slash = std::copy_n(file.begin(), file.find('/'), end);
    *slash = '\0';
    struct stat found;
    if (lstat(path.data(), &found) != 0 || !S_ISDIR(found.st_mode)) return true;  // a planted link is not followed
    *std::copy(file.begin(), file.end(), end) = '\0';
    return operations.unlink(operations.context, path.data()) == 0 || errno == ENOENT;
  }

  // ---- bookkeeping ----

  const detail::RunEntry* find(const detail::SeriesKey& key, std::int64_t step) const {
    const auto steps = manifest.entries.find(key);
    if (steps == manifest.entries.end()) return nullptr;
    const auto entry = steps->second.find(step);
    return entry == steps->second.end() ? nullptr : &entry->second;
  }

  void add_bytes(std::int64_t more) {
    manifest.bytes += more;
    bytes = manifest.bytes;
  }

  static void keep(std::vector<std::string>& messages, std::string message) {
    if (messages.size() >= detail::max_messages) return;
    if (message.size() > detail::max_message_bytes) {
      std::size_t end = detail::max_message_bytes;
      while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xC0u) == 0x80u) --end;  // between two characters
      message = message.substr(0, end) + "…";
    }
    messages.push_back(std::move(message));
  }

  void warn(std::string message) {
    keep(manifest.warnings, std::move(message));
    ++changes;
  }

  /// Counts a failure, and keeps what `message()` says of it where there is memory to.
  template <class Message>
  void note_failure(Message message) noexcept {
    ++manifest.failed;
    ++changes;
    try {
      keep(manifest.failures, message());
    } catch (...) {  // the count tells
    }
  }

  detail::ComponentOwners owners;
  std::set<std::string> doomed;  ///< files to remove once a manifest without them is written
  std::size_t artifacts = 0;     ///< in manifest.entries
  bool limit_warned = false;
  Clock::time_point manifest_time;
  std::chrono::duration<double> manifest_cost{0};
};

LAYERSCOPE_INLINE DirectorySink::DirectorySink(const std::string& directory, const DirectoryOptions& options)
    : run_(std::make_unique<Run>(directory, options)) {}

LAYERSCOPE_INLINE DirectorySink::~DirectorySink() {
  if (run_->process != getpid()) return;  // a child after fork() must not write over its parent's manifest
  try {
    DirectorySink::do_flush();
  } catch (...) {  // a destructor must not throw; flush() is for who wants to know
  }
}

LAYERSCOPE_INLINE std::int64_t DirectorySink::bytes() const noexcept {
  return run_->bytes;
}

LAYERSCOPE_INLINE void DirectorySink::do_write(const Artifact& artifact) {
  run_->write(artifact);
}

LAYERSCOPE_INLINE void DirectorySink::do_flush() {
  run_->flush();
}

LAYERSCOPE_INLINE void DirectorySink::do_report(const RunCounts& counts) {
  if (run_->manifest.counts == counts) return;
  run_->manifest.counts = counts;
  ++run_->changes;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
