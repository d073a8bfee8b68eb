// What an event costs: scalars through TensorBoard against the same records, made by the same code, given to stdio with
// and without a flush each, in turn in one run; a picture against the encoding of its PNG alone; and what calls cost
// the training thread while the disk hangs. Prints one line a figure.
//
// Usage: tensorboard_bench DIRECTORY [rounds, default 7]
//        tensorboard_bench DIRECTORY --scalars N     writes N scalars and prints the seconds, for
//        compare/tensorboard.py
#include <layerscope/adapters/std.hpp>
#include <layerscope/core/png.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/impl/event_record.hpp>
#include <layerscope/impl/thread_inl.hpp>
#include <layerscope/sinks/tensorboard.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>

namespace ls = layerscope;

namespace {

/// Wall time, and processor time of all threads, since it was made.
class Clock {
 public:
  struct Times {
    double wall = 0;
    double processor = 0;
  };
  Times times() const {
    return {std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(), processor() - before_};
  }

 private:
  static double processor() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }

  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  double before_ = processor();
};

double quantile(std::vector<double> values, double q) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

double value_at(int step) {
  return 1.0 / (1 + step);
}

Clock::Times layerscope_scalars(const std::string& directory, int count) {
  ls::TensorBoardOptions options;
  options.queue_bytes = std::int64_t{1} << 30;
  const Clock clock;
  ls::TensorBoard tb(directory, options);
  for (int step = 0; step < count; ++step) tb.scalar("train/loss", value_at(step), step);
  if (tb.close().written != static_cast<std::uint64_t>(count)) std::abort();
  return clock.times();
}

/// The simplest writer there can be: one tag table, one record, one fwrite.
Clock::Times stdio_scalars(const std::string& path, int count, bool flush_each) {
  const Clock clock;
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) std::abort();
  std::string record;
  ls::detail::append_version(record, 0);
  std::map<std::string, std::int64_t, std::less<>> last_steps;  // a writer has to know its tags
  for (int step = 0; step < count; ++step) {
    const std::string_view tag = "train/loss";
    auto known = last_steps.find(tag);
    if (known == last_steps.end()) known = last_steps.emplace(tag, step).first;
    known->second = step;
    const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    ls::detail::append_scalar(record, {now, step}, tag, static_cast<float>(value_at(step)));
    if (std::fwrite(record.data(), 1, record.size(), file) != record.size()) std::abort();
    if (flush_each && std::fflush(file) != 0) std::abort();
    record.clear();
  }
  if (std::fclose(file) != 0) std::abort();
  return clock.times();
}

void scalars(const std::string& directory, int rounds) {
  constexpr int count = 1'000'000;
  std::vector<double> ours, theirs[2], ratios[2], processor[2];
  for (int round = 0; round <= rounds; ++round) {
    const std::string place = directory + "/" + std::to_string(round);
    const Clock::Times mine = layerscope_scalars(place, count);
    for (const int flushed : {0, 1}) {
      const Clock::Times its = stdio_scalars(place + "/stdio" + std::to_string(flushed), count, flushed == 1);
      if (round == 0) continue;  // the first warms up
      const auto which = static_cast<std::size_t>(flushed);
      theirs[which].push_back(its.wall);
      ratios[which].push_back(its.wall / mine.wall);
      processor[which].push_back(its.processor / mine.processor);
    }
    if (round > 0) ours.push_back(mine.wall);
    std::filesystem::remove_all(place);
  }
  std::printf("scalars: layerscope %.2f M/s\n", count / quantile(ours, 0.5) / 1e6);
  for (const std::size_t flushed : {std::size_t{0}, std::size_t{1}}) {
    const double ratio = quantile(ratios[flushed], 0.5);
    const double wanted = flushed == 1 ? 2 : 0.8;
    std::printf("against fwrite%s, %.2f M/s: ratio %.2f (processor time %.2f), wanted %.1f: %s\n",
                flushed == 1 ? " and fflush" : ", buffered", count / quantile(theirs[flushed], 0.5) / 1e6, ratio,
                quantile(processor[flushed], 0.5), wanted, ratio >= wanted ? "met" : "NOT met");
  }
}

/// 512 × 512: two waves and some noise.
ls::Image picture() {
  ls::Image image = ls::make_image(512, 512, ls::PixelFormat::rgb);
  const ls::Random random(1);
  for (std::int64_t y = 0; y < 512; ++y) {
    for (std::int64_t x = 0; x < 512; ++x) {
      for (int c = 0; c < 3; ++c) {
        const double wave = std::sin(0.03 * static_cast<double>(x + 9 * c)) + std::cos(0.02 * static_cast<double>(y));
        const double noise = 6 * random.normal(static_cast<std::uint64_t>((y * 512 + x) * 3 + c));
        image.at(x, y)[c] = static_cast<std::uint8_t>(std::clamp(127 + 60 * wave + noise, 0.0, 255.0));
      }
    }
  }
  return image;
}

/// All on a thread of the lowest priority, as what else the machine does would slow only one of them otherwise. A
/// picture that is handed over is encoded where it lies; one that is passed by value is copied first.
void images(const std::string& directory, int rounds) {
  constexpr int count = 30;
  const ls::Image image = picture();
  const ls::Picture handle(image);
  std::vector<double> encoding, handed, copied;
  std::size_t bytes = 0;
  const auto event = [&](const std::string& place, auto call) {
    const Clock clock;
    {
      ls::TensorBoard tb(place);
      for (int step = 0; step < count; ++step) call(tb, step);
      if (tb.close().written != count) std::abort();
    }
    const double seconds = clock.times().processor;
    std::filesystem::remove_all(place);
    return seconds;
  };
  for (int round = 0; round <= rounds; ++round) {
    const Clock alone;
    std::thread([&] {
      ls::detail::take_lowest_priority();
      for (int step = 0; step < count; ++step) bytes = ls::encode_png(image).size();
    }).join();
    const double png = alone.times().processor;
    const std::string place = directory + "/images" + std::to_string(round);
    const double shared = event(place, [&](ls::TensorBoard& tb, int step) { tb.figure("picture", handle, step); });
    const double owned = event(place, [&](ls::TensorBoard& tb, int step) { tb.image("picture", image, step); });
    if (round == 0) continue;
    encoding.push_back(png / count);
    handed.push_back(shared / png);
    copied.push_back(owned / png);
  }
  const double ratio = quantile(handed, 0.5);
  std::printf(
      "512 x 512 picture, %zu kB: encoding %.2f ms, as an event %.3f times that, wanted 1.1: %s; copied first %.3f\n",
      bytes / 1000, 1e3 * quantile(encoding, 0.5), ratio, ratio <= 1.1 ? "met" : "NOT met", quantile(copied, 0.5));
}

/// What `call(step)` costs its caller, in turn with a memcpy of 1 MB into touched memory.
template <class Call, class Pause = void (*)()>
void measure_calls(
    const char* what, int count, Call call, Pause pause = [] {}) {
  const std::vector<float> source(250'000, 1.0f);
  std::vector<float> target = source;
  std::vector<double> calls, copies;
  const auto seconds_of = [](auto work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  for (int step = 0; step < count; ++step) {
    calls.push_back(seconds_of([&] { call(step); }));
    pause();
    if (step % (count / 1000) != 0) continue;
    copies.push_back(seconds_of([&] { std::copy(source.begin(), source.end(), target.begin()); }));
    if (target.back() != 1.0f) std::abort();
  }
  const double p99 = 1e6 * quantile(calls, 0.99);
  std::printf(
      "%s: p50 %.2f us, p99 %.2f us, wanted p99 1000 us: %s; a memcpy of 1 MB beside: p50 %.0f us, p99 %.0f us\n", what,
      1e6 * quantile(calls, 0.5), p99, p99 <= 1000 ? "met" : "NOT met", 1e6 * quantile(copies, 0.5),
      1e6 * quantile(copies, 0.99));
}

/// Calls while the disk hangs: the queue fills, then everything is dropped.
void hung_disk(const std::string& directory) {
  struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    bool open = true;
    void set(bool whether) {
      const std::lock_guard lock(mutex);
      open = whether;
      changed.notify_all();
    }
  } gate;
  ls::FileOperations table = ls::posix_file_operations();
  table.context = &gate;
  table.write = [](void* context, int descriptor, const void* data, std::size_t size) {
    Gate& its = *static_cast<Gate*>(context);
    std::unique_lock lock(its.mutex);
    its.changed.wait(lock, [&] { return its.open; });
    return ls::posix_file_operations().write(nullptr, descriptor, data, size);
  };
  ls::TensorBoardOptions options;
  options.operations = &table;
  options.on_error = [](const std::string&) {};
  ls::TensorBoard tb(directory, options);
  if (!tb.flush()) std::abort();
  const std::vector<float> weights(250'000, 1.0f);
  const auto pause = [] { std::this_thread::sleep_for(std::chrono::milliseconds(3)); };  // a training step
  measure_calls(
      "histogram() of 1 MB, the disk at work", 1000, [&](int step) { tb.histogram("w", weights, step); }, pause);
  gate.set(false);
  measure_calls("scalar(), the disk hung", 1'000'000, [&](int step) { tb.scalar("loss", step, step); });
  measure_calls("histogram() of 1 MB, the disk hung", 1000, [&](int step) { tb.histogram("v", weights, step); });
  const ls::RunCounts counts = tb.counts();
  std::printf("  of %d values %d waited and %d were dropped\n", static_cast<int>(counts.submitted),
              static_cast<int>(counts.in_flight), static_cast<int>(counts.dropped));
  gate.set(true);
  tb.close();
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (argc < 2) {
    std::fprintf(stderr, "usage: tensorboard_bench DIRECTORY [rounds | --scalars N]\n");
    return 2;
  }
  const std::string directory = argv[1];
  if (argc > 3 && std::string(argv[2]) == "--scalars") {
    std::printf("%.6f\n", layerscope_scalars(directory, std::atoi(argv[3])).wall);
    return 0;
  }
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 7;
  std::filesystem::create_directories(directory);
  scalars(directory, rounds);
  images(directory, rounds);
  hung_disk(directory + "/hung");
}
