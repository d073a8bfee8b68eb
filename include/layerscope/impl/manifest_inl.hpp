// The manifest of a run: what its directory holds, as one JSON file. What is read back is not trusted: a run directory
// travels between machines and people, and the files that a manifest names are files that a run may remove.
#pragma once

#include <layerscope/core/artifact.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/io.hpp>
#include <layerscope/impl/artifact_files_inl.hpp>
#include <layerscope/impl/json_reader_inl.hpp>
#include <layerscope/impl/run_layout_inl.hpp>
#include <layerscope/sinks/sink.hpp>

#include <sys/stat.h>

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

inline constexpr std::string_view run_format = "layerscope-run";
inline constexpr int run_version = 1;
/// The longest manifest, or JSON of one artifact, that is read back.
inline constexpr std::uint64_t max_json_bytes = std::uint64_t{256} << 20;
/// How many warnings and failures a manifest keeps; the first ones tell the most.
inline constexpr std::size_t max_messages = 64;
inline constexpr std::size_t max_message_bytes = 1000;

/// What the manifest says about one artifact.
struct RunEntry {
  std::vector<std::string> files;  ///< relative to the run, forward slashes
  std::int64_t bytes = 0;
  std::optional<Range> range;
  std::optional<std::string> picture_error;
};

struct SeriesKey {
  std::string name;
  std::string kind;
  friend auto operator<=>(const SeriesKey&, const SeriesKey&) = default;
};

/// Every artifact of a run: by name and kind, then by step.
using RunEntries = std::map<SeriesKey, std::map<std::int64_t, RunEntry>>;

struct Manifest {
  RunEntries entries;
  std::optional<RunCounts> counts;
  std::vector<std::string> warnings;
  std::vector<std::string> failures;
  std::uint64_t failed = 0;
  std::int64_t bytes = 0;
};

inline std::string manifest_text(const Manifest& manifest) {
  JsonWriter json;
  json.begin_object().member("format", run_format).member("version", run_version).key("counts");
  if (manifest.counts) {
    json.begin_object()
        .member("submitted", manifest.counts->submitted)
        .member("written", manifest.counts->written)
        .member("dropped", manifest.counts->dropped)
        .member("failed", manifest.counts->failed)
        .member("in_flight", manifest.counts->in_flight)
        .end_object();
  } else {
    json.value(nullptr);
  }
  json.member("bytes", manifest.bytes).member("failed", manifest.failed).key("failures").begin_array();
  for (const std::string& message : manifest.failures) json.value(message);
  json.end_array().key("warnings").begin_array();
  for (const std::string& message : manifest.warnings) json.value(message);
  json.end_array().key("artifacts").begin_array();
  for (const auto& [key, steps] : manifest.entries) {
    for (const auto& [step, entry] : steps) {
      json.begin_object();
      write_name(json, "name", key.name);
      write_name(json, "kind", key.kind);
      json.member("step", step).key("files").begin_array();
      for (const std::string& file : entry.files) json.value(file);
      json.end_array().member("bytes", entry.bytes);
      write_range(json, entry.range);
      if (entry.picture_error) json.member("picture_error", *entry.picture_error);
      json.end_object();
    }
  }
  json.end_array().member("invalid_utf8", json.replaced_utf8()).end_object();
  return json.text();
}

/// Whether `text` may be one component of a path that a run wrote: never hidden, never "..", no separator.
inline bool is_run_component(std::string_view text) noexcept {
  constexpr std::string_view allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+-";
  return !text.empty() && text.size() <= 255 && text.front() != '.' &&
         text.find_first_not_of(allowed) == std::string_view::npos;
}

[[noreturn]] inline void throw_bad_manifest(const std::string& problem) {
  throw Error(ErrorCode::format, problem);
}

inline const JsonValue& require_member(const JsonValue& object, const char* key) {
  const JsonValue* const found = object.find(key);
  if (found == nullptr) throw_bad_manifest("\"" + std::string(key) + "\" is missing");
  return *found;
}

inline std::string require_string(const JsonValue& value, const char* what) {
  const auto* const string = value.get_if<std::string>();
  if (string == nullptr) throw_bad_manifest(std::string(what) + " is no string");
  return *string;
}

/// A name that write_name() wrote.
inline std::string read_name(const JsonValue& object, const std::string& key) {
  const JsonValue* const hex = object.find(key + "_hex");
  if (hex == nullptr) return require_string(require_member(object, key.c_str()), key.c_str());
  const std::string digits = require_string(*hex, "a name in hexadecimal");
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    const std::size_t high = std::string_view("0123456789abcdef").find(digits[i]);
    const std::size_t low = std::string_view("0123456789abcdef").find(digits[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) throw_bad_manifest("a name is no hexadecimal");
    bytes += static_cast<char>(high << 4 | low);
  }
  return bytes;
}

inline double read_bound(const JsonValue& value) {
  if (const std::optional<double> number = value.number()) return *number;
  if (value.is("Infinity")) return std::numeric_limits<double>::infinity();
  if (value.is("-Infinity")) return -std::numeric_limits<double>::infinity();
  if (value.is("NaN")) return std::numeric_limits<double>::quiet_NaN();
  throw_bad_manifest("a range is no number");
}

/// One artifact of a manifest, or, with its `folder` given, the artifact that a JSON file describes.
struct ReadEntry {
  SeriesKey key;
  std::int64_t step = 0;
  RunEntry entry;
  std::string folder;
  std::string kind_component;
};

/// Throws Error(format) unless every file is one that this artifact may have.
inline ReadEntry read_entry(const JsonValue& object, std::string_view folder = {}) {
  ReadEntry read;
  if (object.get_if<JsonValue::Object>() == nullptr) throw_bad_manifest("an artifact is no object");
  read.key = {read_name(object, "name"), read_name(object, "kind")};
  const std::optional<std::int64_t> step = require_member(object, "step").integer();
  if (!step) throw_bad_manifest("a step is no integer of 64 bits");
  read.step = *step;
  const auto* const files = require_member(object, "files").get_if<JsonValue::Array>();
  if (files == nullptr || files->empty()) throw_bad_manifest("an artifact has no files");
  const std::string after_kind = "-" + step_text(read.step) + ".";
  for (const JsonValue& file : *files) {
    std::string path = require_string(file, "a file");
    if (!folder.empty()) path.insert(0, std::string(folder) + "/");
    const std::size_t slash = path.find('/');
    const std::string its_folder = path.substr(0, slash);
    const std::string its_name = slash == std::string::npos ? std::string() : path.substr(slash + 1);
    const std::size_t stem = its_name.rfind(after_kind);
    const std::string its_kind = its_name.substr(0, stem == std::string::npos ? 0 : stem);
    if (read.entry.files.empty()) {
      read.folder = its_folder;
      read.kind_component = its_kind;
    }
    if (!is_run_component(its_folder) || !is_run_component(its_name) || its_kind.empty() || its_folder != read.folder ||
        its_kind != read.kind_component) {
      throw_bad_manifest("\"" + path + "\" is no file of step " + to_text(read.step) + " of one artifact");
    }
    read.entry.files.push_back(std::move(path));
  }
  const JsonValue* const range = object.find("range");
  if (range != nullptr && range->get_if<JsonValue::Object>() != nullptr) {
    read.entry.range = Range{read_bound(require_member(*range, "min")), read_bound(require_member(*range, "max"))};
  }
  const JsonValue* const error = object.find("picture_error");
  const auto* const reason = error == nullptr ? nullptr : error->get_if<std::string>();
  if (reason != nullptr) read.entry.picture_error = *reason;
  return read;
}

/// Throws Error(unsupported) for JSON that something else wrote, or another version of layerscope.
inline void require_format(const JsonValue& root, std::string_view format, int version) {
  const JsonValue* const its_format = root.find("format");
  const JsonValue* const its_version = root.find("version");
  if (its_format != nullptr && its_format->is(format) && its_version != nullptr && its_version->integer() == version) {
    return;
  }
  throw Error(ErrorCode::unsupported, "expected the format " + std::string(format) + " of version " + to_text(version));
}

/// Reads a manifest, handing over one artifact after the other. Returns its warnings. Throws Error(format), and
/// Error(unsupported) for another format or version.
template <class Take>
std::vector<std::string> read_manifest(const std::string& text, Take take) {
  std::optional<Error> bad_entry;  // told only once it is known whose file this is
  const auto every = [](int, const std::string&) { return true; };
  const auto hand_over = [&](int depth, const JsonValue& value) {
    if (depth != 2 || value.get_if<JsonValue::Object>() == nullptr) return true;
    if (bad_entry) return false;
    try {
      take(read_entry(value));
    } catch (const Error& error) {
      bad_entry = error;
    }
    return false;
  };
  const JsonValue root = parse_json(text, every, hand_over);
  require_format(root, run_format, run_version);
  if (bad_entry) throw Error(*bad_entry);
  std::vector<std::string> warnings;
  const JsonValue* const found = root.find("warnings");
  const auto* const texts = found == nullptr ? nullptr : found->get_if<JsonValue::Array>();
  if (texts == nullptr) return warnings;
  for (const JsonValue& warning : *texts) {
    const auto* const words = warning.get_if<std::string>();
    if (words != nullptr && warnings.size() < max_messages) warnings.push_back(*words);
  }
  return warnings;
}

/// What the JSON file of one artifact in `folder` says about it, its numbers left unread. Throws Error(format).
inline ReadEntry read_artifact_entry(const std::string& text, std::string_view folder) {
  const auto but_parts = [](int depth, const std::string& key) { return depth != 1 || key != "parts"; };
  const auto every = [](int, const JsonValue&) { return true; };
  const JsonValue root = parse_json(text, but_parts, every);
  require_format(root, artifact_format, artifact_version);
  return read_entry(root, folder);
}

/// The size of a regular file; std::nullopt for anything else, symbolic links included.
inline std::optional<std::int64_t> regular_file_size(const std::string& path) {
  struct stat found;
  if (lstat(path.c_str(), &found) != 0 || !S_ISREG(found.st_mode)) return std::nullopt;
  return static_cast<std::int64_t>(found.st_size);
}

inline bool exists(const std::string& path) {
  struct stat found;
  return lstat(path.c_str(), &found) == 0;
}

inline bool is_real_directory(const std::string& path) {
  struct stat found;
  return lstat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode);
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
