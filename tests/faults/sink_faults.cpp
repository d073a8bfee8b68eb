// The file sinks when memory is not to be had or a file operation fails, in the manner of SQLite's tests: the first
// allocation fails, the second, … until a run needs fewer, once and from there on; then the same with file operations.
// Each sink by itself, and behind a recorder. After every run: what was there before is whole, no temporary is left,
// nothing leaks, counters balance, errors name errno and path, and writing recovers.
//
//   sink_faults [DirectorySink | JsonSink | PngSink]
#include <layerscope/core/png.hpp>
#include <layerscope/recorder.hpp>
#include <layerscope/sinks/directory.hpp>
#include <layerscope/sinks/json.hpp>
#include <layerscope/sinks/png.hpp>
#include <layerscope/snapshot/snapshot.hpp>

#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "allocation_faults.hpp"
#include "support/file_faults.hpp"
#include "support/temporary_directory.hpp"

namespace ls = layerscope;
namespace fs = std::filesystem;
using layerscope_test::contents;
using layerscope_test::FileFaults;
using layerscope_test::live_blocks;
using Files = std::map<std::string, std::string>;
using Step = std::int64_t;

namespace {

int failures = 0;
std::string where;  // the run that is being judged

void expect(bool condition, const std::string& what) {
  if (condition) return;
  if (++failures <= 40) std::printf("not so, %s: %s\n", where.c_str(), what.c_str());
}

enum class Kind { directory, json, png };
constexpr Kind kinds[] = {Kind::directory, Kind::json, Kind::png};
constexpr const char* names[] = {"DirectorySink", "JsonSink", "PngSink"};

std::shared_ptr<ls::Sink> make_sink(Kind kind, const std::string& directory, const ls::FileOperations* operations) {
  ls::DirectoryOptions options{.inline_limit = 4,
                               .keep_every = 2,
                               .manifest_seconds = 0,
                               .durability = ls::Durability::full,
                               .operations = operations};
  if (kind == Kind::directory) return std::make_shared<ls::DirectorySink>(directory, options);
  if (kind == Kind::json) return std::make_shared<ls::JsonSink>(directory, options);
  return std::make_shared<ls::PngSink>(directory, ls::PngOptions{},
                                       ls::PublishOptions{ls::Durability::full, operations});
}

/// A picture, three numbers in the JSON and six in a file beside it.
ls::Artifact artifact(const std::string& name, Step step, std::uint8_t version) {
  ls::Artifact result;
  result.kind = "a kind too long to be kept within the string itself";
  result.name = name;
  result.step = step;
  result.picture = ls::Picture([version] { return ls::make_image(5, 4, ls::Rgb{version, 2, 3}); });
  ls::Tensor values(ls::DType::f32, ls::Shape{3});
  values.mutable_data<float>()[0] = version;
  result.parts.push_back({"values", values});
  ls::Tensor longer(ls::DType::u8, ls::Shape{6});
  longer.mutable_data<std::uint8_t>()[5] = version;
  result.parts.push_back({"longer", longer});
  if (name == "latest") result.retention = ls::Retention::latest;
  return result;
}

/// What a run writes: one artifact that replaces another, two that push older ones out, and one of a new name.
std::vector<ls::Artifact> work(std::uint8_t version) {
  return {artifact("a layer", 2, version), artifact("a layer", 3, version), artifact("latest", 3, version),
          artifact("new", 4, version)};
}

Files files_below(const std::string& directory) {
  Files files;
  if (!fs::exists(directory)) return files;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (!entry.is_directory()) files[fs::relative(entry.path(), directory).string()] = contents(entry.path().string());
  }
  return files;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

/// Whether a text is the JSON of an artifact that lacks only its picture, and says why.
bool tells_of_its_picture(const std::string& text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  return json.is_object() && json["format"] == "layerscope-artifact" && json["picture_error"].is_string();
}

/// Everything that must hold of a directory after faults, `known` being the contents that each file may have.
void judge(Kind kind, const std::string& directory, const std::map<std::string, std::set<std::string>>& known,
           bool spared) {
  const Files files = files_below(directory);
  std::set<std::string> listed;
  for (const auto& [name, text] : files) {
    if (name.find(".layerscope-") != std::string::npos) {
      expect(!spared, "a temporary is left: " + name);
    } else if (name == "manifest.json") {
      const nlohmann::json manifest = nlohmann::json::parse(text, nullptr, false);
      expect(manifest.is_object() && manifest["format"] == "layerscope-run", "the manifest is whole");
      if (!manifest.is_object()) continue;
      for (const auto& entry : manifest["artifacts"]) {
        for (const auto& file : entry["files"]) {
          listed.insert(file.get<std::string>());
          expect(files.contains(file.get<std::string>()), "a listed file is there: " + file.get<std::string>());
        }
      }
    } else {
      const auto found = known.find(name);
      const bool whole = found != known.end() && found->second.contains(text);
      expect(whole || tells_of_its_picture(text), "a file is whole: " + name);
    }
  }
  // The newest of what was there before, in its old or its new form.
  const std::string stem = "/a%20kind%20too%20long%20to%20be%20kept%20within%20the%20string%20itself-";
  expect(files.contains("a%20layer" + stem + (kind == Kind::png ? "000002.png" : "000002.json")), "step 2 is there");
}

/// Nothing but what the manifest lists, and all of that.
void judge_recovered(Kind kind, const std::string& directory, const Files& expected) {
  Files files = files_below(directory);
  if (kind != Kind::png) {
    std::set<std::string> listed;
    const nlohmann::json manifest = nlohmann::json::parse(files["manifest.json"], nullptr, false);
    expect(manifest.is_object(), "the manifest is whole in the end");
    if (!manifest.is_object()) return;
    for (const auto& entry : manifest["artifacts"]) {
      for (const auto& file : entry["files"]) listed.insert(file.get<std::string>());
    }
    for (const auto& [name, text] : files) {
      expect(name == "manifest.json" || listed.contains(name), "only listed files are left in the end: " + name);
    }
  }
  files.erase("manifest.json");
  for (const auto& [name, text] : expected) {
    expect(files[name] == text, "written in the end: " + name);
    files.erase(name);
  }
  for (const auto& [name, text] : files) expect(false, "left over in the end: " + name);
}

/// What sinks, errors and counters said of one run under faults.
struct Said {
  std::vector<std::string> errors;
  std::shared_ptr<ls::Sink> sink;  ///< still there, where a run is to recover with it
};

/// When faults begin and end, and who recovers.
struct Fault {
  std::function<void()> begin;
  std::function<void()> end;
  bool same_sink = false;  ///< whether the sink that met the faults goes on after them
  const ls::FileOperations* operations = nullptr;
};

/// Writes the work of version 2 into a directory that holds version 1.
Said run_sink(Kind kind, const std::string& directory, const Fault& fault) {
  Said said;
  const std::vector<ls::Artifact> artifacts = work(2);
  std::uint64_t tried = 0, refused = 0;
  std::vector<std::exception_ptr> caught;
  caught.reserve(16);
  fault.begin();
  try {
    said.sink = make_sink(kind, directory, fault.operations);
  } catch (...) {
    caught.push_back(std::current_exception());
  }
  if (said.sink != nullptr) {
    for (const ls::Artifact& one : artifacts) {
      ++tried;
      try {
        said.sink->write(one);
      } catch (...) {
        ++refused;
        caught.push_back(std::current_exception());
      }
    }
    try {
      said.sink->flush();
    } catch (...) {
      caught.push_back(std::current_exception());
    }
    const bool counted = said.sink->written() + said.sink->failed() == tried && said.sink->failed() == refused;
    if (!fault.same_sink) said.sink.reset();
    fault.end();
    expect(counted, "the sink's counts");
  }
  fault.end();
  for (const std::exception_ptr& one : caught) {
    try {
      std::rethrow_exception(one);
    } catch (const ls::Error& error) {
      expect(error.code() == ls::ErrorCode::io, std::string("an error of files has the code io: ") + error.what());
      said.errors.push_back(error.what());
    } catch (const std::bad_alloc&) {  // the other exception that is allowed
    }
  }
  return said;
}

/// The same behind a recorder that works inside the calls.
Said run_recorder(Kind kind, const std::string& directory, const Fault& fault) {
  Said said;
  std::vector<ls::Artifact> artifacts = work(2);
  std::shared_ptr<ls::Sink> sink;
  fault.begin();
  try {
    sink = make_sink(kind, directory, fault.operations);
  } catch (const std::exception& error) {
    const layerscope_test::NoAllocationFaults pause;
    said.errors.push_back(error.what());
  }
  if (sink != nullptr) {
    ls::Recorder recorder({.mode = ls::Mode::synchronous, .on_error = [&said](const ls::Failure& failure) {
                             const layerscope_test::NoAllocationFaults pause;
                             said.errors.push_back(failure.message);
                           }});
    recorder.add(sink);
    for (ls::Artifact& one : artifacts) {
      const Step step = one.step;
      recorder.snapshot(step).artifact(std::move(one));
    }
    recorder.flush();
    fault.end();
    const ls::Report report = recorder.close();
    const ls::RunCounts& counts = report.counts;
    expect(counts.submitted == counts.written + counts.dropped + counts.failed + counts.in_flight,
           "the counts balance");
    expect(counts.in_flight == 0, "nothing is left in flight");
  }
  fault.end();
  if (fault.same_sink) said.sink = std::move(sink);
  return said;
}

using Front = Said (*)(Kind, const std::string&, const Fault&);

/// What the files of a sink look like before, after, and ever.
struct Expected {
  Files before;
  Files after;
  std::map<std::string, std::set<std::string>> known;
};

void write_before(Kind kind, const std::string& directory, const ls::FileOperations* operations) {
  const auto sink = make_sink(kind, directory, operations);
  sink->write(artifact("a layer", 1, 1));
  sink->write(artifact("a layer", 2, 1));
  sink->write(artifact("latest", 1, 1));
  sink->flush();
}

Expected expected_of(Kind kind, const std::string& directory) {
  FileFaults quick;  // no fsync
  Expected expected;
  write_before(kind, directory, &quick.table);
  expected.before = files_below(directory);
  {
    const auto sink = make_sink(kind, directory, &quick.table);
    for (const ls::Artifact& one : work(2)) {
      sink->write(one);
      sink->flush();
      for (const auto& [name, text] : files_below(directory)) expected.known[name].insert(text);
    }
  }
  expected.after = files_below(directory);
  expected.after.erase("manifest.json");
  for (const auto& [name, text] : expected.before) expected.known[name].insert(text);
  expect(expected.after.size() >= 4, "the sink writes");
  return expected;
}

void restore(const std::string& directory, const Files& files) {
  for (const auto& [name, text] : files) {
    const std::string path = directory + "/" + name;
    fs::create_directories(fs::path(path).parent_path());
    layerscope_test::write_plainly(path, text);
  }
}

/// One run under faults, judged right after them and once writing has recovered. `gone` tells afterwards what went
/// wrong in the test's own eyes.
void run_and_judge(Kind kind, Front front, const Expected& expected, const Fault& fault, bool spared,
                   const std::function<void(const Said&, const std::string& directory)>& also) {
  const std::size_t descriptors = open_descriptors();
  const long blocks = live_blocks;
  {
    const layerscope_test::TemporaryDirectory outer;
    const std::string directory = outer / "run";
    restore(directory, expected.before);
    Said said = front(kind, directory, fault);
    judge(kind, directory, expected.known, spared);
    also(said, directory);
    {
      if (said.sink == nullptr) said.sink = make_sink(kind, directory, fault.operations);
      for (const ls::Artifact& one : work(2)) said.sink->write(one);
      said.sink->flush();
      said.sink.reset();
    }
    if (spared) judge_recovered(kind, directory, expected.after);
  }
  const long leaked = live_blocks - blocks;
  expect(leaked == 0, std::to_string(leaked) + " blocks of memory leak");
  expect(open_descriptors() == descriptors, "descriptors leak");
}

void allocations_fail(Kind kind, Front front, const Expected& expected, bool sticky) {
  FileFaults quick;
  long n = 0;
  for (bool failed = true; failed; ++n) {
    where = std::string(names[static_cast<int>(kind)]) + (front == run_sink ? "" : " behind a recorder") +
            ", allocation " + std::to_string(n) + (sticky ? " and all after it" : "");
    failed = false;
    Fault fault;
    fault.begin = [&] {
      layerscope_test::fail_on = sticky;
      layerscope_test::fail_after = n;
    };
    fault.end = [&] {
      failed = failed || layerscope_test::fail_after == -2 || (sticky && layerscope_test::fail_after == 0);
      layerscope_test::fail_after = -1;
    };
    fault.same_sink = n % 2 == 1;
    fault.operations = &quick.table;
    run_and_judge(kind, front, expected, fault, true, [](const Said&, const std::string&) {});
  }
  std::printf("%-13s %-10s %-6s %4ld allocations failed in turn\n", names[static_cast<int>(kind)],
              front == run_sink ? "" : "recorder", sticky ? "sticky" : "once", n - 1);
  expect(n > 100, "allocations are counted at all");  // the control: the loop did inject
}

void operations_fail(Kind kind, Front front, const Expected& expected, bool sticky) {
  constexpr int codes[] = {ENOSPC, EIO, EMFILE, EACCES, EROFS, EDQUOT, EFBIG, ENAMETOOLONG, ENOTDIR};
  int n = 1;
  for (bool failed = true; failed; ++n) {
    where = std::string(names[static_cast<int>(kind)]) + (front == run_sink ? "" : " behind a recorder") +
            ", file operation " + std::to_string(n) + (sticky ? " and all after it" : "");
    FileFaults faults;
    faults.code = codes[static_cast<std::size_t>(n) % std::size(codes)];
    faults.sticky = sticky;
    faults.spare_unlink = sticky;  // without unlink nobody can clean up
    Fault fault;
    fault.begin = [&] { faults.fail_at = n; };
    fault.end = [&] { faults.fail_at = 0; };
    fault.same_sink = n % 2 == 1;
    fault.operations = &faults.table;
    run_and_judge(kind, front, expected, fault, true, [&](const Said& said, const std::string& directory) {
      failed = !faults.failed.empty();
      for (const std::string& error : said.errors) {
        expect(
            error.find(ls::errno_text(faults.code)) != std::string::npos && error.find(directory) != std::string::npos,
            "the error names errno and path: " + error);
      }
      bool told = !said.errors.empty() || faults.failed == "unlink";
      if (kind != Kind::png) {
        const auto manifest = nlohmann::json::parse(contents(directory + "/manifest.json"), nullptr, false);
        told = told || !manifest["failures"].empty();
      }
      if (failed) expect(told, "the failure of " + faults.failed + " is told");
    });
  }
  std::printf("%-13s %-10s %-6s %4d file operations failed in turn\n", names[static_cast<int>(kind)],
              front == run_sink ? "" : "recorder", sticky ? "sticky" : "once", n - 2);
  expect(n > 30, "file operations are counted at all");
}

/// The control: a sink that writes in place and keeps its memory is found out.
void judges_can_tell(const Expected& expected) {
  where = "control";
  const int before = failures;
  const layerscope_test::TemporaryDirectory directory;
  restore(directory.path(), expected.before);
  for (auto& [name, text] : expected.before) layerscope_test::write_plainly(directory / name, text.substr(0, 9));
  layerscope_test::write_plainly(directory / ".layerscope-1-2-3.tmp", "");
  judge(Kind::directory, directory.path(), expected.known, true);
  const int found = failures - before;
  failures = before;
  expect(found > 3, "torn files and temporaries are found");
}

}  // namespace

int main(int count, char** arguments) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const std::string only = count > 1 ? arguments[1] : "";
  for (const Kind kind : kinds) {
    if (!only.empty() && only != names[static_cast<int>(kind)]) continue;
    const layerscope_test::TemporaryDirectory directory;
    const Expected expected = expected_of(kind, directory / "run");
    if (kind == Kind::directory) judges_can_tell(expected);
    for (const Front front : {&run_sink, &run_recorder}) {
      for (const bool sticky : {false, true}) {
        operations_fail(kind, front, expected, sticky);
        allocations_fail(kind, front, expected, sticky);
      }
    }
  }
  std::printf("%d failures\n", failures);
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
