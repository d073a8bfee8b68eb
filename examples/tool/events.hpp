// layerscope events: what TensorBoard's event files hold, and whether they are sound.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/readers/event_file.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common.hpp"

namespace tool {

struct EventsArguments {
  std::string in;  ///< an event file, or a directory: all in it and below
  bool json = false;
};

struct EventTag {
  std::string plugin;
  std::uint64_t values = 0;
  std::int64_t first = 0;
  std::int64_t last = 0;
};

struct EventSummary {
  std::string path;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::uint64_t torn = 0;  ///< at the end, of a record that was cut
  std::map<std::string, EventTag> tags;
  std::vector<std::string> problems;
};

/// The event files that a path stands for, sorted as TensorBoard reads them.
inline std::vector<std::string> event_files_at(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code failure;
  if (!fs::is_directory(path, failure)) return {path};
  std::vector<std::string> files;
  for (fs::recursive_directory_iterator entry(path, failure), end; !failure && entry != end; entry.increment(failure)) {
    const std::string name = entry->path().filename().string();
    std::error_code ignored;
    if (name.find("tfevents") != std::string::npos && entry->is_regular_file(ignored)) files.push_back(entry->path());
  }
  if (failure) {
    throw layerscope::Error(layerscope::ErrorCode::io, "\"" + path + "\" cannot be listed: " + failure.message());
  }
  if (files.empty()) {
    throw layerscope::Error(layerscope::ErrorCode::empty,
                            "\"" + path + "\" has no event files; expected names with tfevents");
  }
  std::sort(files.begin(), files.end());
  return files;
}

inline void check_value(const layerscope::Event& event, const layerscope::EventValue& value, EventSummary& summary) {
  const auto problem = [&](const std::string& what) {
    summary.problems.push_back("byte " + layerscope::to_text(event.offset) + ": \"" + std::string(value.tag) +
                               "\" at step " + layerscope::to_text(event.step) + ": " + what);
  };
  const auto [place, added] = summary.tags.try_emplace(std::string(value.tag));
  EventTag& tag = place->second;
  if (added) {
    tag.first = tag.last = event.step;
    tag.plugin = value.plugin;
  }
  if (event.step < tag.last)
    problem("after step " + layerscope::to_text(tag.last) + "; expected steps that do not decrease");
  if (!value.plugin.empty() && !tag.plugin.empty() && value.plugin != tag.plugin) {
    problem("data of \"" + std::string(value.plugin) + "\"; the tag is one of \"" + tag.plugin + "\"");
  }
  ++tag.values;
  tag.last = event.step;
  if (tag.plugin != "histograms" || value.shape.size() != 2) return;
  const std::vector<double> numbers = value.numbers();
  if (value.shape[1] != 3 || numbers.size() % 3 != 0) return problem("a histogram without three numbers a bucket");
  for (std::size_t i = 0; i < numbers.size(); i += 3) {
    if (!layerscope::is_finite(numbers[i]) || !layerscope::is_finite(numbers[i + 1]) || numbers[i] > numbers[i + 1]) {
      return problem("a bucket from " + layerscope::to_text(numbers[i]) + " to " + layerscope::to_text(numbers[i + 1]));
    }
  }
}

/// Reads a file from front to back. What is wrong with its contents is a problem, not an exception.
inline EventSummary summarise_events(const std::string& path) {
  EventSummary summary;
  summary.path = path;
  layerscope::EventFile file(path);
  layerscope::Event event;
  for (;;) {
    try {
      if (!file.next(event)) break;
      if (summary.records++ == 0 && event.file_version != "brain.Event:2") {
        summary.problems.push_back("the first record has the version \"" + std::string(event.file_version) +
                                   "\"; expected \"brain.Event:2\"");
      }
      for (const layerscope::EventValue& value : event.values) check_value(event, value, summary);
    } catch (const layerscope::Error& error) {
      if (error.code() == layerscope::ErrorCode::io) throw;
      summary.problems.push_back(error.what());
    }
  }
  summary.bytes = file.position() + file.left();
  summary.torn = file.left();
  if (summary.bytes == 0) summary.problems.push_back("the file is empty; expected a version record");
  if (summary.torn > 0) {
    summary.problems.push_back("the last " + layerscope::to_text(summary.torn) + " bytes are no complete record");
  }
  return summary;
}

inline Json events_json(const EventSummary& summary) {
  Json json{
      {"file", summary.path}, {"records", summary.records}, {"bytes", summary.bytes}, {"torn_bytes", summary.torn}};
  json["tags"] = Json::array();
  for (const auto& [name, tag] : summary.tags) {
    json["tags"].push_back({{"tag", name},
                            {"plugin", tag.plugin},
                            {"values", tag.values},
                            {"first_step", tag.first},
                            {"last_step", tag.last}});
  }
  json["problems"] = summary.problems;
  return json;
}

/// One line of text; tags are somebody else's, and a terminal obeys control characters.
inline std::string printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, '?');
  return text;
}

inline void list_events(const EventsArguments& arguments) {
  Json all = Json::array();
  std::string text;
  for (const std::string& path : event_files_at(arguments.in)) {
    const EventSummary summary = summarise_events(path);
    all.push_back(events_json(summary));
    text += printable(path) + ": " + layerscope::to_text(summary.records) + " records, " +
            layerscope::to_text(summary.bytes) + " bytes\n";
    for (const auto& [name, tag] : summary.tags) {
      text += "  " + printable(name) + "  " + (tag.plugin.empty() ? "-" : printable(tag.plugin)) + "  " +
              layerscope::to_text(tag.values) + (tag.values == 1 ? " value, step " : " values, steps ") +
              layerscope::to_text(tag.first) + (tag.values == 1 ? "" : " to " + layerscope::to_text(tag.last)) + "\n";
    }
    for (const std::string& problem : summary.problems) text += "  ! " + printable(problem) + "\n";
  }
  print(arguments.json ? to_text(all) : text);
}

/// Returns whether all files are sound.
inline bool check_events(const EventsArguments& arguments) {
  Json all = Json::array();
  std::string text;
  bool sound = true;
  for (const std::string& path : event_files_at(arguments.in)) {
    const EventSummary summary = summarise_events(path);
    sound = sound && summary.problems.empty();
    all.push_back(events_json(summary));
    for (const std::string& problem : summary.problems) text += printable(path + ": " + problem) + "\n";
    if (summary.problems.empty()) {
      text += printable(path) + ": sound, " + layerscope::to_text(summary.records) + " records, " +
              layerscope::to_text(summary.tags.size()) + " tags\n";
    }
  }
  print(arguments.json ? to_text(all) : text);
  return sound;
}

}  // namespace tool
