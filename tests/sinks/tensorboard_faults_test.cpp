// TensorBoard when the disk is full, slow, hung or gone, and the process with it.
#include <layerscope/adapters/std.hpp>
#include <layerscope/readers/event_file.hpp>
#include <layerscope/sinks/tensorboard.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/catch.hpp"
#include "support/event_records.hpp"
#include "support/file_faults.hpp"
#include "support/temporary_directory.hpp"

namespace ls = layerscope;
using Catch::Matchers::ContainsSubstring;
using layerscope_test::contents;
using layerscope_test::event_files;
using layerscope_test::FileFaults;
using layerscope_test::TemporaryDirectory;
using layerscope_test::values_of;

namespace {

using Counts = std::array<std::uint64_t, 5>;

Counts in_order(const ls::RunCounts& counts) {
  return {counts.submitted, counts.written, counts.dropped, counts.failed, counts.in_flight};
}

bool balanced(const ls::RunCounts& counts) {
  return counts.submitted == counts.written + counts.dropped + counts.failed + counts.in_flight;
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Waits for what another thread does, 20 seconds at most.
template <class Done>
bool eventually(Done done) {
  const auto begin = std::chrono::steady_clock::now();
  while (!done()) {
    if (seconds_since(begin) > 20) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

/// A disk that behaves as told: takes a few bytes at a time, is full beyond a size, interrupts, or hangs.
struct Disk {
  std::atomic<std::size_t> at_most{std::size_t{1} << 30};       // bytes a write
  std::atomic<std::uint64_t> capacity{std::uint64_t{1} << 40};  // of all event files
  std::atomic<int> interruptions{0};                            // EINTR for as many writes
  std::atomic<std::uint64_t> size{0};
  std::atomic<int> failures{0};
  std::mutex mutex;
  std::condition_variable changed;
  bool hung = false;     // guarded by mutex
  bool waiting = false;  // a write hangs

  ls::FileOperations table = ls::posix_file_operations();

  Disk() {
    table.context = this;
    table.write = [](void* context, int descriptor, const void* data, std::size_t bytes) {
      return static_cast<Disk*>(context)->write(descriptor, data, bytes);
    };
  }
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  void hang(bool whether) {
    const std::lock_guard lock(mutex);
    hung = whether;
    changed.notify_all();
  }
  bool hangs() {
    const std::lock_guard lock(mutex);
    return waiting;
  }

 private:
  std::ptrdiff_t write(int descriptor, const void* data, std::size_t bytes) {
    {
      std::unique_lock lock(mutex);
      waiting = hung;
      changed.wait(lock, [&] { return !hung; });
      waiting = false;
    }
    if (interruptions > 0) {
      --interruptions;
      errno = EINTR;
      return -1;
    }
    const std::uint64_t room = capacity > size ? capacity - size : 0;
    if (room == 0) {
      ++failures;
      errno = ENOSPC;
      return -1;
    }
    const auto count = std::min({bytes, at_most.load(), static_cast<std::size_t>(room)});
    const std::ptrdiff_t done = ls::posix_file_operations().write(nullptr, descriptor, data, count);
    if (done > 0) size += static_cast<std::uint64_t>(done);
    return done;
  }
};

ls::TensorBoardOptions on(Disk& disk, std::vector<std::string>* told = nullptr) {
  ls::TensorBoardOptions options;
  options.operations = &disk.table;
  options.on_error = [told](const std::string& message) {
    if (told != nullptr) told->push_back(message);
  };
  return options;
}

/// Every scalar of a file whose step is its value, in order.
std::vector<std::int64_t> steps_in(const std::string& path) {
  std::vector<std::int64_t> steps;
  ls::EventFile file(path);
  for (ls::Event event; file.next(event);) {
    for (const ls::EventValue& value : event.values) {
      if (value.scalar != static_cast<double>(event.step)) throw std::runtime_error("a wrong value");
      steps.push_back(event.step);
    }
  }
  return steps;
}

bool is_beginning(const std::vector<std::int64_t>& steps) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i] != static_cast<std::int64_t>(i)) return false;
  }
  return true;
}

/// Runs `body` in a child process, which reports by its exit status; -1 when a signal ended it.
template <class Body>
int in_child(Body body) {
  const pid_t child = fork();
  if (child < 0) return -1;
  if (child == 0) _exit(body());
  int status = 0;
  if (waitpid(child, &status, 0) != child) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("TensorBoard: short and interrupted writes are gone on with") {
  const TemporaryDirectory directory;
  Disk disk;
  disk.at_most = 3;
  disk.interruptions = 5;
  ls::TensorBoard tb(directory.path(), on(disk));
  for (int step = 0; step < 100; ++step) CHECK(tb.scalar("x", step, step));
  CHECK(tb.flush());
  CHECK(in_order(tb.counts()) == Counts{100, 100, 0, 0, 0});
  CHECK(values_of(contents(tb.path())).size() == 100);
}

TEST_CASE("TensorBoard: a disk that was full at any byte loses nothing once space returns") {
  const TemporaryDirectory directory;
  std::uint64_t whole = 0;
  for (std::uint64_t capacity = 25; whole == 0 || capacity < whole; capacity += 13) {
    Disk disk;
    disk.capacity = capacity;
    ls::TensorBoard tb(directory / std::to_string(capacity), on(disk));
    for (int step = 0; step < 5; ++step) tb.scalar("x", step, step);
    tb.text("note", "words", 1);
    REQUIRE_FALSE(tb.flush());
    REQUIRE(tb.counts().in_flight == 6);
    ls::EventFile cut(tb.path());  // every complete record is read meanwhile
    for (ls::Event event; cut.next(event);) {
    }
    disk.capacity = std::uint64_t{1} << 40;
    REQUIRE(tb.flush());
    REQUIRE(in_order(tb.close()) == Counts{6, 6, 0, 0, 0});
    const std::string file = contents(tb.path());
    REQUIRE(values_of(file).size() == 6);
    whole = file.size();
  }
}

TEST_CASE("TensorBoard: a full disk is told once, tried again, and told of anew when it fills again") {
  const TemporaryDirectory directory;
  Disk disk;
  std::vector<std::string> told;
  ls::TensorBoard tb(directory.path(), on(disk, &told));
  CHECK(tb.flush());
  for (int round = 0; round < 2; ++round) {
    disk.capacity = 0;
    tb.scalar("x", round, round);
    CHECK_FALSE(tb.flush());
    CHECK_FALSE(tb.flush());
    disk.capacity = std::uint64_t{1} << 40;
    CHECK(eventually([&] { return tb.counts().in_flight == 0; }));  // by itself
    CHECK(tb.flush());
  }
  tb.close();
  REQUIRE(told.size() == 2);
  CHECK_THAT(told[0], ContainsSubstring("ENOSPC") && ContainsSubstring(tb.path()));
  CHECK(steps_in(tb.path()) == std::vector<std::int64_t>{0, 1});
}

TEST_CASE("TensorBoard: a disk that stays full costs what does not fit, and close() its time alone") {
  const TemporaryDirectory directory;
  Disk disk;
  disk.capacity = 200;
  std::vector<std::string> told;
  ls::TensorBoardOptions options = on(disk, &told);
  options.queue_bytes = 10'000;
  ls::TensorBoard tb(directory.path(), options);
  for (int step = 0; step < 1000; ++step) tb.scalar("x", step, step);
  const auto begin = std::chrono::steady_clock::now();
  const ls::RunCounts counts = tb.close(0.2);
  CHECK(seconds_since(begin) < 5);
  CHECK(balanced(counts));
  CHECK(counts.submitted == 1000);
  CHECK(counts.in_flight == 0);
  CHECK(counts.dropped > 500);
  CHECK(counts.failed > 100);
  CHECK_FALSE(tb.scalar("x", 1000, 1000));
  CHECK(tb.counts().dropped == counts.dropped + 1);
  CHECK(is_beginning(steps_in(tb.path())));
}

TEST_CASE("TensorBoard: a disk that hangs does not hold up training") {
  const TemporaryDirectory directory;
  static Disk disk;  // a thread that hangs in it is left behind
  ls::RunCounts counts;
  std::string path;
  std::vector<float> weights(250'000, 1.0f);  // 1 MB
  {
    ls::TensorBoardOptions options = on(disk);
    options.queue_bytes = 8'000'000;
    ls::TensorBoard tb(directory.path(), options);
    CHECK(tb.flush());
    disk.hang(true);
    tb.scalar("x", 0, 0);
    CHECK_FALSE(tb.flush(0.05));
    CHECK(eventually([&] { return disk.hangs(); }));
    std::vector<double> calls;
    for (int step = 1; step <= 20'000; ++step) {
      const auto begin = std::chrono::steady_clock::now();
      tb.scalar("x", step, step);
      calls.push_back(seconds_since(begin));
    }
    std::vector<double> large;
    for (int step = 0; step < 200; ++step) {
      const auto begin = std::chrono::steady_clock::now();
      tb.histogram("w", weights, step);
      large.push_back(seconds_since(begin));
    }
    std::sort(calls.begin(), calls.end());
    std::sort(large.begin(), large.end());
    CHECK(calls[calls.size() * 99 / 100] < 1e-3);
#ifndef __SANITIZE_ADDRESS__
    CHECK(large[large.size() / 2] < 1e-3);  // on a machine that does other things, a copy of 1 MB may be preempted
#endif
    CHECK(tb.counts().dropped > 100);
    const auto begin = std::chrono::steady_clock::now();
    counts = tb.close(0.2);
    CHECK(seconds_since(begin) < 5);
    path = tb.path();
  }
  CHECK(balanced(counts));
  CHECK(counts.in_flight == 0);
  CHECK(counts.failed > 20'000);
  // The directory belongs to the thread that hangs, until it comes back.
  disk.hang(false);
  ls::TensorBoardOptions options;
  options.on_error = [](const std::string&) {};
  CHECK(eventually([&] { return !ls::TensorBoard(directory.path(), options).path().empty(); }));
  CHECK(is_beginning(steps_in(path)));
}

TEST_CASE("TensorBoard: what is dropped when the queue is full") {
  const TemporaryDirectory directory;
  Disk disk;
  const auto fill = [&](const std::string& name, ls::Overflow overflow, double seconds) {
    ls::TensorBoardOptions options = on(disk);
    options.queue_bytes = 400'000;
    options.overflow = overflow;
    options.block_seconds = seconds;
    ls::TensorBoard tb(directory / name, options);
    CHECK(tb.flush());
    disk.hang(true);
    tb.text("first", std::string(50'000, ' '), 0);  // large enough to go out at once, and to hang
    CHECK(eventually([&] { return disk.hangs(); }));
    std::thread release;
    if (overflow == ls::Overflow::block && seconds > 1) {
      release = std::thread([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        disk.hang(false);
      });
    }
    for (int step = 0; step < 12'000; ++step) tb.scalar("x", step, step);
    disk.hang(false);
    if (release.joinable()) release.join();
    const ls::RunCounts counts = tb.close();
    CHECK(balanced(counts));
    CHECK(counts.submitted == 12'001);
    CHECK(counts.failed == 0);
    std::vector<std::int64_t> steps;
    for (const auto& value : values_of(contents(tb.path()))) {
      if (value.tag == "x") steps.push_back(value.step);
    }
    CHECK(steps.size() + 1 == counts.written);
    CHECK(std::is_sorted(steps.begin(), steps.end()));
    return std::pair(steps, counts);
  };
  const auto [newest, newest_counts] = fill("newest", ls::Overflow::drop_newest, 1);
  CHECK(newest_counts.dropped > 1000);
  CHECK(is_beginning(newest));
  const auto [oldest, oldest_counts] = fill("oldest", ls::Overflow::drop_oldest, 1);
  CHECK(oldest_counts.dropped > 1000);
  CHECK(oldest.back() == 11'999);
  CHECK(oldest.size() > 2000);
  const auto [blocked, blocked_counts] = fill("block", ls::Overflow::block, 60);
  CHECK(blocked_counts.dropped == 0);
  const auto [briefly, briefly_counts] = fill("briefly", ls::Overflow::block, 1e-5);
  CHECK(briefly_counts.dropped > 0);
  CHECK(is_beginning(briefly));
}

TEST_CASE("TensorBoard: any one file operation may fail, once or from then on") {
  for (const bool sticky : {false, true}) {
    bool passed = false;
    for (int n = 1; !passed; ++n) {
      REQUIRE(n < 100);
      const TemporaryDirectory directory;
      FileFaults faults;
      faults.fail_at = n;
      faults.sticky = sticky;
      faults.code = EDQUOT;
      ls::TensorBoardOptions options;
      options.operations = &faults.table;
      std::string told;
      options.on_error = [&](const std::string& message) { told += message + "\n"; };
      ls::RunCounts counts;
      std::string path;
      {
        ls::TensorBoard tb(directory / "run", options);
        path = tb.path();
        for (int step = 0; step < 3; ++step) tb.scalar("x", step, step);
        counts = tb.close(sticky ? 0.1 : 20.0);
      }
      const bool failed = faults.calls >= n;
      REQUIRE(balanced(counts));
      REQUIRE(counts.submitted == 3);
      REQUIRE(counts.in_flight == 0);
      if (path.empty()) {
        REQUIRE(counts.dropped == 3);
        REQUIRE_THAT(told, ContainsSubstring("EDQUOT"));
        continue;
      }
      REQUIRE(is_beginning(steps_in(path)));
      if (!sticky || !failed) REQUIRE(counts.written == 3);
      passed = !failed;
    }
  }
}

TEST_CASE("TensorBoard: a directory has one writer") {
  const TemporaryDirectory directory;
  std::string told;
  ls::TensorBoardOptions listening;
  listening.on_error = [&](const std::string& message) { told = message; };
  {
    ls::TensorBoard first(directory.path());
    CHECK(first.flush());
    ls::TensorBoard second(directory.path(), listening);
    CHECK(second.path().empty());
    CHECK_THAT(told, ContainsSubstring("has a writer already") &&
                         ContainsSubstring("process " + std::to_string(getpid()) + " on "));
    CHECK_FALSE(second.scalar("x", 1, 1));
    CHECK_FALSE(second.flush());
    CHECK(in_order(second.close()) == Counts{1, 0, 1, 0, 0});
    CHECK(in_child([&] {
            ls::TensorBoardOptions quiet;
            quiet.on_error = [](const std::string&) {};
            return ls::TensorBoard(directory.path(), quiet).path().empty() ? 0 : 1;
          }) == 0);
    CHECK(first.scalar("x", 1, 1));
  }
  ls::TensorBoard third(directory.path(), listening);
  CHECK_FALSE(third.path().empty());
  CHECK(event_files(directory).size() == 2);
}

TEST_CASE("TensorBoard: a run that is opened again in the same second sorts behind, whoever wrote before") {
  const TemporaryDirectory directory;
  layerscope_test::write_plainly(directory / "events.out.tfevents.9000000000.other.1.0", "");
  std::vector<std::string> paths;
  for (int i = 0; i < 3; ++i) paths.push_back(ls::TensorBoard(directory.path(), {.purge_step = 7}).path());
  const std::vector<std::string> files = event_files(directory);
  REQUIRE(files.size() == 4);
  CHECK(std::vector<std::string>(files.begin() + 1, files.end()) == paths);
  const auto records = layerscope_test::records_of(contents(paths[2]));
  REQUIRE(records.size() == 2);
  const layerscope_test::Message purge(records[1]);
  CHECK(purge.integer(2) == 7);
  CHECK(purge.message(7).integer(1) == 1);
}

TEST_CASE("TensorBoard: a killed process leaves every complete record, and no lock") {
  const TemporaryDirectory directory;
  std::size_t records = 0;
  for (int round = 0; round < 12; ++round) {
    const std::string run = directory / std::to_string(round);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ls::TensorBoardOptions options;
      options.flush_seconds = 0;
      options.overflow = ls::Overflow::block;
      options.block_seconds = 60;
      ls::TensorBoard tb(run, options);
      for (std::int64_t step = 0;; ++step) tb.scalar("x", static_cast<double>(step % (1 << 24)), step);
    }
    const auto size = [&] {  // of the files so far
      std::uintmax_t sum = 0;
      std::error_code ignored;
      for (const auto& entry : std::filesystem::directory_iterator(run, ignored)) {
        const std::uintmax_t bytes = entry.file_size(ignored);
        sum += ignored ? 0 : bytes;
      }
      return sum;
    };
    CHECK(eventually([&] { return size() > 1000; }));
    std::this_thread::sleep_for(std::chrono::milliseconds(3 * round));
    kill(child, SIGKILL);
    REQUIRE(waitpid(child, nullptr, 0) == child);
    ls::TensorBoard tb(run);
    REQUIRE_FALSE(tb.path().empty());
    for (const auto& entry : std::filesystem::directory_iterator(run)) {
      if (entry.path() == tb.path() || entry.path().string().find("tfevents") == std::string::npos) continue;
      const std::vector<std::int64_t> steps = steps_in(entry.path());
      REQUIRE(is_beginning(steps));
      records += steps.size();
    }
    REQUIRE(records > 0);
    records = 0;
  }
}

TEST_CASE("TensorBoard: a limit on the size of files is an error, not a signal that kills") {
  const TemporaryDirectory directory;
  const int status = in_child([&] {
    const rlimit limit{1000, RLIM_INFINITY};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 2;
    std::string told;
    ls::TensorBoardOptions options;
    options.on_error = [&](const std::string& message) { told += message; };
    ls::TensorBoard tb(directory.path(), options);
    for (int step = 0; step < 100; ++step) tb.scalar("x", step, step);
    if (tb.flush()) return 3;
    if (told.find("EFBIG") == std::string::npos) return 4;
    if (std::filesystem::file_size(tb.path()) != 1000) return 5;
    const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
    if (setrlimit(RLIMIT_FSIZE, &none) != 0) return 6;
    if (!tb.flush()) return 7;
    return tb.close().written == 100 ? 0 : 8;
  });
  CHECK(status == 0);
  CHECK(values_of(contents(event_files(directory).at(0))).size() == 100);
}

TEST_CASE("TensorBoard: a child of fork() records nothing and takes nothing away") {
  const TemporaryDirectory directory;
  ls::TensorBoard tb(directory.path());
  tb.scalar("x", 0, 0);
  int channel[2];
  REQUIRE(pipe(channel) == 0);
  const int status = in_child([&] {
    dup2(channel[1], STDERR_FILENO);
    if (tb.scalar("x", 1, 1) || tb.flush() || tb.text("t", "words", 1)) return 1;
    if (in_order(tb.close()) != Counts{} || in_order(tb.counts()) != Counts{}) return 2;
    tb.~TensorBoard();
    return 0;
  });
  close(channel[1]);
  CHECK(status == 0);
  char buffer[1000];
  const ssize_t size = read(channel[0], buffer, sizeof buffer);
  close(channel[0]);
  REQUIRE(size > 0);
  const std::string said(buffer, static_cast<std::size_t>(size));
  CHECK_THAT(said, ContainsSubstring("fork"));
  CHECK(std::count(said.begin(), said.end(), '\n') == 1);
  CHECK(tb.scalar("x", 1, 1));
  CHECK(in_order(tb.close()) == Counts{2, 2, 0, 0, 0});
  CHECK(steps_in(tb.path()) == std::vector<std::int64_t>{0, 1});
}

TEST_CASE("TensorBoard: several threads at once") {
  const TemporaryDirectory directory;
  ls::TensorBoardOptions options;
  options.flush_seconds = 0.001;
  ls::TensorBoard tb(directory.path(), options);
  constexpr int threads = 4, steps = 2000;
  std::vector<std::thread> all;
  for (int thread = 0; thread < threads; ++thread) {
    all.emplace_back([&tb, thread] {
      for (int step = 0; step < steps; ++step) {
        tb.scalar("x" + std::to_string(thread), step, step);
        if (step % 500 == 0) tb.histogram("h" + std::to_string(thread), std::vector<float>{1, 2}, step);
        if (step % 700 == 0) tb.flush();
      }
    });
  }
  for (std::thread& thread : all) thread.join();
  const ls::RunCounts counts = tb.close();
  CHECK(counts.written == threads * (steps + 4));
  CHECK(balanced(counts));
  std::map<std::string, std::vector<std::int64_t>> seen;
  for (const auto& value : values_of(contents(tb.path()))) seen[value.tag].push_back(value.step);
  for (int thread = 0; thread < threads; ++thread) {
    CHECK(seen["x" + std::to_string(thread)].size() == steps);
    CHECK(is_beginning(seen["x" + std::to_string(thread)]));
    CHECK(seen["h" + std::to_string(thread)] == std::vector<std::int64_t>{0, 500, 1000, 1500});
  }
}

TEST_CASE("TensorBoard: values are on the disk soon after they come, without a flush()") {
  const TemporaryDirectory directory;
  ls::TensorBoardOptions options;
  options.flush_seconds = 0.02;
  ls::TensorBoard tb(directory.path(), options);
  for (int step = 0; step < 3; ++step) {
    tb.scalar("x", step, step);
    CHECK(eventually([&] { return steps_in(tb.path()).size() == static_cast<std::size_t>(step) + 1; }));
  }
  ls::TensorBoardOptions patient;
  patient.flush_seconds = 1e18;
  const TemporaryDirectory other;
  ls::TensorBoard slow(other.path(), patient);
  CHECK(slow.flush());
  slow.scalar("x", 0, 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(slow.counts().in_flight == 1);
  ls::TensorBoard moved = std::move(slow);
  CHECK(in_order(moved.close()) == Counts{1, 1, 0, 0, 0});
}

TEST_CASE("TensorBoard: closed within its handler of errors, it does not wait for itself") {
  const TemporaryDirectory directory;
  ls::TensorBoard* self = nullptr;
  ls::TensorBoardOptions options;
  options.on_error = [&](const std::string&) {
    self->flush();
    self->close();
    throw std::runtime_error("ignored");
  };
  ls::TensorBoard tb(directory.path(), options);
  self = &tb;
  tb.figure("bad", ls::Picture([]() -> ls::Image { throw std::runtime_error("no ink"); }), 1);
  CHECK(eventually([&] { return tb.counts().in_flight == 0; }));
  CHECK(in_order(tb.close()) == Counts{1, 0, 0, 1, 0});
}

#ifdef __linux__
TEST_CASE("TensorBoard: its thread takes no signals and has the lowest priority") {
  const TemporaryDirectory directory;
  std::set<std::string> before;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) before.insert(task.path());
  ls::TensorBoard tb(directory.path());
  CHECK(tb.flush());
  int found = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    if (before.count(task.path()) != 0) continue;
    ++found;
    std::ifstream status(task.path() / "status");
    std::uint64_t blocked = 0;
    for (std::string line; std::getline(status, line);) {
      if (line.rfind("SigBlk:", 0) == 0) blocked = std::stoull(line.substr(7), nullptr, 16);
    }
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ, SIGUSR1, SIGALRM, SIGCHLD}) {
      CAPTURE(signal);
      CHECK((blocked >> (signal - 1) & 1) == 1);
    }
    CHECK((blocked >> (SIGSEGV - 1) & 1) == 0);
    CHECK(getpriority(PRIO_PROCESS, static_cast<id_t>(std::stoi(task.path().filename().string()))) == 19);
  }
  CHECK(found == 1);
}
#endif
