// Processes killed by SIGKILL while they write: whatever the sinks left must be whole, and a run that goes on must
// clean up after its predecessors. A writer in place is the control, which must be caught with torn files.
//
//   kill [rounds for each sink, 300]
#include <layerscope/core/error.hpp>
#include <layerscope/core/png.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/readers/event_file.hpp>
#include <layerscope/sinks/directory.hpp>
#include <layerscope/sinks/png.hpp>
#include <layerscope/sinks/tensorboard.hpp>

#include <nlohmann/json.hpp>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "support/temporary_directory.hpp"

namespace ls = layerscope;
namespace fs = std::filesystem;
using layerscope_test::contents;
using layerscope_test::TemporaryDirectory;
using Known = std::map<std::string, std::set<std::string>>;  // what each file may hold

namespace {

int failures = 0;

void expect(bool condition, const std::string& what) {
  if (condition) return;
  if (++failures <= 20) std::printf("not so: %s\n", what.c_str());
}

/// Large enough that writing it takes a while: noise, which does not compress.
ls::Artifact artifact(int i) {
  const auto version = static_cast<std::uint64_t>(i % 4);
  ls::Image image = ls::make_image(192, 192, ls::Rgb{});
  const ls::Random random(version);
  for (std::size_t at = 0; at < image.pixels.size(); ++at) {
    image.pixels[at] = static_cast<std::uint8_t>(random.below(at, 256));
  }
  ls::Tensor numbers(ls::DType::u8, ls::Shape{20000});
  for (int at = 0; at < 20000; ++at) numbers.mutable_data<std::uint8_t>()[at] = static_cast<std::uint8_t>(version);
  ls::Artifact result;
  result.kind = "noise";
  result.name = "layer" + std::to_string(i % 3);
  result.step = i % 5;
  result.picture = ls::Picture(std::move(image));
  result.range = ls::Range{0, static_cast<double>(version)};
  result.parts.push_back({"numbers", std::move(numbers)});
  return result;
}

constexpr int period = 60;  // of artifacts; each file is written in four versions

const std::vector<ls::Artifact>& artifacts() {
  static const std::vector<ls::Artifact> all = [] {
    std::vector<ls::Artifact> made;
    for (int i = 0; i < period; ++i) made.push_back(artifact(i));
    return made;
  }();
  return all;
}

void each_file(const std::string& directory, const std::function<void(const std::string&, const std::string&)>& visit) {
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_directory()) continue;
    visit(fs::relative(entry.path(), directory).string(), contents(entry.path().string()));
  }
}

/// Runs `write` in a child, which calls its argument once it has begun, and kills it `rounds` times. `check` looks
/// after each; returns the sum of what it returns.
int kill_again_and_again(int rounds, const std::function<void(const std::function<void()>&)>& write,
                         const std::function<int(int round)>& check) {
  const ls::Random random(7);
  int sum = 0;
  for (int round = 0; round < rounds; ++round) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    const pid_t child = fork();
    if (child < 0) std::abort();
    if (child == 0) {
      close(ends[0]);
      try {
        write([&] {
          if (::write(ends[1], "x", 1) != 1) _exit(2);
        });
      } catch (const std::exception& error) {
        std::printf("not so: a child fails: %s\n", error.what());
        std::fflush(stdout);
      }
      _exit(3);
    }
    close(ends[1]);
    char begun = 0;
    if (round % 4 != 0 && read(ends[0], &begun, 1) != 1) expect(false, "the child writes");
    usleep(static_cast<useconds_t>(random.below(static_cast<std::uint64_t>(round), 6000)));
    kill(child, SIGKILL);
    int status = 0;
    if (waitpid(child, &status, 0) != child) std::abort();
    close(ends[0]);
    expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the child was killed, and not done before");
    sum += check(round);
  }
  return sum;
}

/// The system's operations, a page at a time, so that files are being written for as long as they are rendered.
const ls::FileOperations& small_steps() {
  static const ls::FileOperations table = [] {
    ls::FileOperations small = ls::posix_file_operations();
    small.write = [](void*, int fd, const void* data, std::size_t size) -> std::ptrdiff_t {
      return ::write(fd, data, size < 4096 ? size : 4096);
    };
    return small;
  }();
  return table;
}

/// Files that are neither whole nor temporaries. Counts temporaries, which tell that a kill came in the middle.
int torn_files(const std::string& directory, const Known& known, int& temporaries) {
  int torn = 0;
  each_file(directory, [&](const std::string& name, const std::string& text) {
    if (name.find(".layerscope-") != std::string::npos) {
      ++temporaries;
    } else if (name == "manifest.json") {
      const nlohmann::json manifest = nlohmann::json::parse(text, nullptr, false);
      torn += manifest.is_object() && manifest["format"] == "layerscope-run" ? 0 : 1;
    } else {
      const auto found = known.find(name);
      torn += found != known.end() && found->second.contains(text) ? 0 : 1;
    }
  });
  return torn;
}

template <class MakeSink>
void kill_sink(const char* what, int rounds, MakeSink make) {
  Known known;
  {
    const TemporaryDirectory directory;
    const auto sink = make(directory.path());
    for (int i = 0; i < period; ++i) {
      sink->write(artifacts()[static_cast<std::size_t>(i)]);
      if (i % 15 == 14)
        each_file(directory.path(), [&](const auto& name, const auto& text) { known[name].insert(text); });
    }
    known.erase("manifest.json");
    expect(known.size() >= 15, "the sink writes");
    for (const auto& [name, texts] : known) expect(texts.size() == 4, "four versions of " + name);
  }
  const TemporaryDirectory directory;
  const std::string run = directory / "run";
  fs::create_directory(run);
  int temporaries = 0;
  const int torn = kill_again_and_again(
      rounds,
      [&](const std::function<void()>& begun) {
        const auto sink = make(run);
        begun();
        for (int i = 0;; ++i) sink->write(artifacts()[static_cast<std::size_t>(i % period)]);
      },
      [&](int) { return torn_files(run, known, temporaries); });
  expect(torn == 0, std::string(what) + " leaves no torn file");
  expect(temporaries > 0, "kills hit in the middle of a file");
  {
    const auto sink = make(run);
    for (const ls::Artifact& one : artifacts()) sink->write(one);
  }
  int left = 0;
  expect(torn_files(run, known, left) == 0 && left == 0, std::string(what) + ": a run that goes on cleans up");
  if (const std::string manifest = contents(run + "/manifest.json"); manifest != "<none>") {
    expect(nlohmann::json::parse(manifest)["artifacts"].size() == 15, "the manifest lists everything in the end");
    expect(manifest.find("broken") == std::string::npos, "no manifest was ever broken");
  }
  std::printf("%-14s %5d kills, %d torn files, %d times a temporary lay there after a kill\n", what, rounds, torn,
              temporaries);
}

/// Event files are append-only: every complete record of a file that a kill cut must be there, in order.
void kill_tensorboard(int rounds) {
  const TemporaryDirectory directory;
  std::uint64_t records = 0, cut = 0;
  int events_lost = 0;
  const auto check = [&](int round) {
    const std::string run = directory / std::to_string(round);
    if (!fs::exists(run)) return 0;  // killed before it began
    for (const auto& entry : fs::directory_iterator(run)) {
      if (entry.path().filename().string().find("tfevents") == std::string::npos) continue;
      std::int64_t expected = 0;
      try {
        ls::EventFile file(entry.path().string());
        ls::Event event;
        while (file.next(event)) {
          ++records;
          for (const ls::EventValue& value : event.values) {
            if (value.tag != "loss") continue;
            events_lost += event.step == expected++ && value.scalar == static_cast<float>(event.step) ? 0 : 1;
          }
        }
        cut += file.left() > 0 ? 1 : 0;
      } catch (const ls::Error& error) {
        expect(false, std::string("a cut file is read: ") + error.what());
      }
    }
    fs::remove_all(run);
    return 0;
  };
  int round_of_child = -1;
  kill_again_and_again(
      rounds,
      [&](const std::function<void()>& begun) {
        ls::TensorBoardOptions options;
        options.flush_seconds = 0;
        options.overflow = ls::Overflow::block;
        ls::TensorBoard board(directory / std::to_string(round_of_child + 1), std::move(options));
        for (std::int64_t step = 0;; ++step) {
          board.scalar("loss", static_cast<double>(step), step);
          if (step == 100) begun();
        }
      },
      [&](int round) {
        round_of_child = round;
        return check(round);
      });
  expect(events_lost == 0, "records come in order and whole");
  expect(records > 0, "records are written at all");
  std::printf("%-14s %5d kills, %llu records recovered, %d wrong; %llu files ended in a cut record\n", "TensorBoard",
              rounds, static_cast<unsigned long long>(records), events_lost, static_cast<unsigned long long>(cut));
}

/// The control.
void kill_writer_in_place(int rounds) {
  const TemporaryDirectory directory;
  const std::string path = directory / "file";
  const std::string texts[] = {std::string(200000, 'a'), std::string(200000, 'b')};
  const int torn = kill_again_and_again(
      rounds,
      [&](const std::function<void()>& begun) {
        begun();
        for (int i = 0;; ++i) layerscope_test::write_plainly(path, texts[i % 2]);
      },
      [&](int) {
        const std::string text = contents(path);
        return text == "<none>" || text == texts[0] || text == texts[1] ? 0 : 1;
      });
  expect(torn > 0, "a writer in place tears files, or kills come at the wrong times");
  std::printf("%-14s %5d kills, %d torn files (the control)\n", "in place", rounds, torn);
}

}  // namespace

int main(int count, char** arguments) {
  const int rounds = count > 1 ? std::atoi(arguments[1]) : 300;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  kill_sink("DirectorySink", rounds, [](const std::string& directory) {
    return std::make_unique<ls::DirectorySink>(
        directory, ls::DirectoryOptions{.manifest_seconds = 0, .operations = &small_steps()});
  });
  kill_sink("PngSink", rounds, [](const std::string& directory) {
    return std::make_unique<ls::PngSink>(directory, ls::PngOptions{},
                                         ls::PublishOptions{ls::Durability::none, &small_steps()});
  });
  kill_tensorboard(rounds);
  kill_writer_in_place(rounds);
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
