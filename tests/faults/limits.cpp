// Recorders on disks that are full: /dev/full, a tmpfs of 256 KiB, and RLIMIT_FSIZE. Training goes on, what was there
// stays whole, errors name errno and path, and writing recovers once there is room.
//
//   limits [dev_full | tmpfs | file_size]: exit status 77 when the machine does not allow the test
#include <layerscope/adapters/std.hpp>
#include <layerscope/core/png.hpp>
#include <layerscope/recorder.hpp>
#include <layerscope/sinks/directory.hpp>
#include <layerscope/sinks/json.hpp>
#include <layerscope/sinks/png.hpp>
#include <layerscope/snapshot/snapshot.hpp>

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "support/temporary_directory.hpp"

namespace ls = layerscope;
namespace fs = std::filesystem;
using layerscope_test::contents;
using layerscope_test::TemporaryDirectory;

namespace {

constexpr int skipped = 77;
int failures = 0;

void expect(bool condition, const std::string& what) {
  if (condition) return;
  ++failures;
  std::printf("not so: %s\n", what.c_str());
}

/// Records one step of everything: about 60 kB of numbers and pictures.
ls::Status record(ls::Recorder& recorder, std::int64_t step) {
  std::vector<float> x(64 * 64);
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<float>((i * 2654435761u + 97 * static_cast<unsigned>(step)) % 1000);
  ls::Snapshot snapshot = recorder.snapshot(step);
  snapshot.histogram("weight", x);
  return snapshot.heatmap("map", ls::view(x.data(), {64, 64}));
}

bool balanced(const ls::RunCounts& counts) {
  return counts.submitted == counts.written + counts.dropped + counts.failed + counts.in_flight;
}

/// Every JSON parses, every PNG is ended, no temporary lies there.
void expect_whole(const std::string& directory) {
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_directory()) continue;
    const std::string path = entry.path().string();
    const std::string text = contents(path);
    ++files;
    expect(path.find(".layerscope-") == std::string::npos, "no temporary is left: " + path);
    if (path.ends_with(".json")) expect(nlohmann::json::accept(text), "JSON is whole: " + path);
    if (path.ends_with(".png")) expect(text.ends_with(std::string("IEND\xAE\x42\x60\x82")), "a PNG is whole: " + path);
  }
  expect(files > 0, "files were written before");
}

struct Errors {
  std::mutex mutex;
  std::vector<std::string> messages;
  ls::RecorderOptions options(ls::Mode mode) {
    return {.mode = mode, .on_error = [this](const ls::Failure& failure) {
              const std::lock_guard lock(mutex);
              messages.push_back(failure.message);
            }};
  }
  void expect_all(const std::string& code, const std::string& directory) {
    expect(!messages.empty(), code + " is told");
    for (const std::string& message : messages) {
      expect(message.find(code) != std::string::npos && message.find(directory) != std::string::npos,
             "errno and path are named: " + message);
    }
  }
};

bool full = false;  // whether /dev/full is opened in place of every new file

void add_sinks(ls::Recorder& recorder, const std::string& directory, const ls::FileOperations* operations) {
  recorder.add(
      std::make_shared<ls::DirectorySink>(directory + "/both", ls::DirectoryOptions{.operations = operations}));
  recorder.add(std::make_shared<ls::JsonSink>(directory + "/json", ls::DirectoryOptions{.operations = operations}));
  recorder.add(std::make_shared<ls::PngSink>(directory + "/png", ls::PngOptions{},
                                             ls::PublishOptions{ls::Durability::none, operations}));
}

/// Steps 1, then 2 and 3 while `fail` is in force, then 4.
void record_through(const std::string& directory, const ls::FileOperations* operations, ls::Mode mode,
                    const std::string& code, const std::function<void()>& fail, const std::function<void()>& mend) {
  Errors errors;
  {
    ls::Recorder recorder(errors.options(mode));
    add_sinks(recorder, directory, operations);
    record(recorder, 1);
    expect(recorder.flush(60), "the first step is written");
    const std::string before = contents(directory + "/both/map/heatmap-000001.json");
    fail();
    for (std::int64_t step = 1; step <= 3; ++step) record(recorder, step);
    recorder.flush(60);
    const ls::Report during = recorder.report();
    expect(balanced(during.counts) && during.counts.in_flight == 0, "the counts balance");
    expect(during.counts.failed > 0 && during.counts.dropped == 0, "failures are counted as such");
    expect(during.worker_alive, "the recorder lives on");
    errors.expect_all(code, directory);
    expect_whole(directory);
    expect(contents(directory + "/both/map/heatmap-000001.json") == before, "the file before is intact");
    mend();
    const std::uint64_t failed = during.counts.failed;
    expect(record(recorder, 4).ok(), "the call is taken");
    recorder.flush(60);
    const ls::Report report = recorder.close(60);
    expect(report.counts.failed == failed && report.complete, "writing recovers");
  }
  expect_whole(directory);
  for (const char* file : {"/both/map/heatmap-000004.png", "/both/map/heatmap-000004.json",
                           "/png/map/heatmap-000004.png", "/json/map/heatmap-000004.json"}) {
    expect(fs::exists(directory + file), std::string("written in the end: ") + file);
  }
  const nlohmann::json manifest = nlohmann::json::parse(contents(directory + "/both/manifest.json"));
  expect(manifest["failed"].get<int>() > 0, "the manifest counts failures");
}

int dev_full() {
  if (access("/dev/full", W_OK) != 0) return skipped;
  ls::FileOperations operations = ls::posix_file_operations();
  operations.open = [](void*, const char* path, int flags, unsigned mode) {
    if (!full || (flags & O_CREAT) == 0) return ::open(path, flags, static_cast<mode_t>(mode));
    const int there = ::open(path, flags, static_cast<mode_t>(mode));  // the name is taken, the bytes go nowhere
    if (there >= 0) ::close(there);
    return ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  };
  for (const ls::Mode mode : {ls::Mode::synchronous, ls::Mode::asynchronous}) {
    const TemporaryDirectory directory;
    record_through(
        directory.path(), &operations, mode, "ENOSPC", [] { full = true; }, [] { full = false; });
  }
  return 0;
}

/// The exit status of `body` in a process of its own.
int in_child(const std::function<int()>& body) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child < 0) std::abort();
  if (child == 0) {
    const int status = body();
    std::fflush(stdout);
    _exit(status);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child) std::abort();
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

int tmpfs() {
  const TemporaryDirectory directory;
  return in_child([&] {
    // In a mount namespace of its own nothing outlives the process; whoever is not root gets one with a user namespace.
    const bool alone = unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
    if (!alone || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", directory.path().c_str(), "tmpfs", 0, "size=512k") != 0) {
      std::printf("skipped: needs the right to mount a tmpfs: %s\n", std::strerror(errno));
      return skipped;
    }
    const std::string ballast = directory / "ballast";
    record_through(
        directory.path(), nullptr, ls::Mode::asynchronous, "ENOSPC",
        [&] {
          const int file = ::open(ballast.c_str(), O_WRONLY | O_CREAT, 0600);
          const std::string block(4096, 'x');
          while (::write(file, block.data(), block.size()) > 0) {
          }
          ::close(file);
        },
        [&] { ::unlink(ballast.c_str()); });
    return failures == 0 ? 0 : 1;
  });
}

int file_size() {
  const TemporaryDirectory directory;
  // The signal has its default action, which ends the process, and is not blocked: the worker has to see to that.
  const int recorded = in_child([&] {
    signal(SIGXFSZ, SIG_DFL);
    rlimit limit{};
    getrlimit(RLIMIT_FSIZE, &limit);
    const rlim_t before = limit.rlim_cur;
    record_through(
        directory.path(), nullptr, ls::Mode::asynchronous, "EFBIG",
        [&] {
          limit.rlim_cur = 200;
          setrlimit(RLIMIT_FSIZE, &limit);
        },
        [&] {
          limit.rlim_cur = before;
          setrlimit(RLIMIT_FSIZE, &limit);
        });
    return failures == 0 ? 0 : 1;
  });
  expect(recorded == 0, "a recorder under RLIMIT_FSIZE, status " + std::to_string(recorded));
  const int plain = in_child([&] {  // the control
    signal(SIGXFSZ, SIG_DFL);
    const rlimit limit{200, 200};
    setrlimit(RLIMIT_FSIZE, &limit);
    layerscope_test::write_plainly(directory / "plain", std::string(10000, 'x'));
    return 0;
  });
  expect(plain == 1000 + SIGXFSZ, "without care the signal kills, status " + std::to_string(plain));
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string what = count > 1 ? arguments[1] : "";
  const int status = what == "dev_full"    ? dev_full()
                     : what == "tmpfs"     ? tmpfs()
                     : what == "file_size" ? file_size()
                                           : 2;
  if (status == 0 && failures == 0) std::printf("%s: as promised\n", what.c_str());
  return status != 0 ? status : failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
