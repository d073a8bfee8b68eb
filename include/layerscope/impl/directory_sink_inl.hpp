// Body of sinks/directory.hpp.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/impl/artifact_files_inl.hpp>
#include <layerscope/impl/exception_text_inl.hpp>
#include <layerscope/impl/manifest_inl.hpp>
#include <layerscope/impl/run_layout_inl.hpp>
#include <layerscope/sinks/directory.hpp>

#include <dirent.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI {

namespace detail {

/// The entries of a directory, sorted; none when it cannot be read.
inline std::vector<std::string> list_directory(const std::string& path) {
  std::vector<std::string> names;
  DIR* const stream = opendir(path.c_str());
  if (stream == nullptr) return names;
  while (const dirent* const entry = readdir(stream)) names.emplace_back(entry->d_name);
  closedir(stream);
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
      note_failure(artifact.kind + " of " + artifact.name + " at step " + to_text(artifact.step) + ": " +
                   detail::current_error().what());
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
    const std::vector<std::string> held = release_doomed(place.folder + "/" + place.stem + ".");
    const auto room = [&](std::int64_t size) { make_room(size, key, artifact.step); };
    detail::ArtifactFiles files(artifact, place, folder, options, room);
    try {
      files.write();
    } catch (...) {
      undo(files, place, key, artifact.step);
      doomed.insert(held.begin(), held.end());
      throw;
    }
    doomed.insert(held.begin(), held.end());
    if (!files.names().empty()) commit(files, place, key, artifact);
    if (files.picture_error()) {
      const char* rest = options.json == Output::write ? "; its numbers were written" : "";
      throw Error(files.picture_error()->code(), std::string("picture: ") + files.picture_error()->what() + rest);
    }
  }

  /// Takes files off the list of those to remove while their names are being written again: the manifest, and with it
  /// the removal, may come in between.
  std::vector<std::string> release_doomed(const std::string& prefix) {
    const auto first = doomed.lower_bound(prefix);
    auto last = first;
    while (last != doomed.end() && last->starts_with(prefix)) ++last;
    std::vector<std::string> released(first, last);
    doomed.erase(first, last);
    return released;
  }

  /// Removes the files that a failed write leaves behind, apart from those of the artifact that it was to replace.
  void undo(const detail::ArtifactFiles& files, const detail::ArtifactPlace& place, const detail::SeriesKey& key,
            std::int64_t step) {
    const detail::RunEntry* old = find(key, step);
    for (const std::string& name : files.names()) {
      const std::string relative = place.folder + "/" + name;
      if (old != nullptr && std::find(old->files.begin(), old->files.end(), relative) != old->files.end()) continue;
      operations.unlink(operations.context, detail::joined(directory, relative).c_str());
    }
  }

  void commit(const detail::ArtifactFiles& files, const detail::ArtifactPlace& place, const detail::SeriesKey& key,
              const Artifact& artifact) {
    auto& steps = manifest.entries[key];
    const auto old = steps.find(artifact.step);
    if (old != steps.end()) doom(steps, old);
    detail::RunEntry entry;
    for (const std::string& name : files.names()) entry.files.push_back(place.folder + "/" + name);
    for (const std::string& file : entry.files) doomed.erase(file);
    entry.bytes = files.bytes();
    entry.range = artifact.range;
    if (files.picture_error()) entry.picture_error = files.picture_error()->what();
    add_bytes(entry.bytes);
    const auto added = steps.emplace(artifact.step, std::move(entry)).first;
    ++artifacts;
    if (artifact.retention == Retention::latest) {
      for (auto step = steps.begin(); step != steps.end();) step = step == added ? std::next(step) : doom(steps, step);
    } else if (options.keep_every && added != steps.begin()) {
      const auto previous = std::prev(added);
      if (previous->first % *options.keep_every != 0) doom(steps, previous);
    }
    ++changes;
    make_room(0, key, artifact.step);  // what was the newest of its name may go by now
    keep_manifest_fresh();
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
      note_failure(detail::current_error().what());
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
    add_bytes(-step->second.bytes);
    doomed.insert(step->second.files.begin(), step->second.files.end());
    ++changes;
    --artifacts;
    return steps.erase(step);
  }

  void remove_doomed() {
    for (auto file = doomed.begin(); file != doomed.end();) {
      const std::string folder = detail::joined(directory, file->substr(0, file->find('/')));
      const bool gone = !detail::is_real_directory(folder) ||
                        operations.unlink(operations.context, detail::joined(directory, *file).c_str()) == 0 ||
                        errno == ENOENT;
      file = gone ? doomed.erase(file) : std::next(file);
    }
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

  void note_failure(std::string message) {
    keep(manifest.failures, std::move(message));
    ++manifest.failed;
    ++changes;
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
  if (run_->changes > 0) run_->write_manifest();
}

LAYERSCOPE_INLINE void DirectorySink::do_report(const RunCounts& counts) {
  if (run_->manifest.counts == counts) return;
  run_->manifest.counts = counts;
  ++run_->changes;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI
