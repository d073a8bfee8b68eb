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

void images(const std::string& directory, int rounds) {
  constexpr int count = 30;
  const ls::Image image = picture();
  std::vector<double> ratios, encoding;
  std::size_t bytes = 0;
  for (int round = 0; round <= rounds; ++round) {
    const std::string place = directory + "/images" + std::to_string(round);
    const Clock alone;
    for (int step = 0; step < count; ++step) bytes = ls::encode_png(image).size();
    const double png = alone.times().processor;
    const Clock clock;
    {
      ls::TensorBoard tb(place);
      for (int step = 0; step < count; ++step) tb.image("picture", image, step);
      if (tb.close().written != count) std::abort();
    }
    const double event = clock.times().processor;
    std::filesystem::remove_all(place);
    if (round == 0) continue;
    ratios.push_back(event / png);
    encoding.push_back(png / count);
  }
  const double ratio = quantile(ratios, 0.5);
  std::printf("512 x 512 picture, %zu kB: encoding %.2f ms, as an event %.3f times that, wanted 1.1: %s\n",
              bytes / 1000, 1e3 * quantile(encoding, 0.5), ratio, ratio <= 1.1 ? "met" : "NOT met");
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
  const auto measure = [&](const char* what, int count, auto call) {
    std::vector<double> seconds;
    for (int step = 0; step < count; ++step) {
      const auto begin = std::chrono::steady_clock::now();
      call(step);
      seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    const double p99 = 1e6 * quantile(seconds, 0.99);
    std::printf("%s while the disk hangs: p50 %.2f us, p99 %.2f us, worst %.0f us, wanted p99 1000 us: %s\n", what,
                1e6 * quantile(seconds, 0.5), p99, 1e6 * quantile(seconds, 1), p99 <= 1000 ? "met" : "NOT met");
  };
  gate.set(false);
  const std::vector<float> weights(250'000, 1.0f);
  measure("scalar()", 1'000'000, [&](int step) { tb.scalar("loss", step, step); });
  measure("histogram() of 1 MB", 300, [&](int step) { tb.histogram("w", weights, step); });
  const ls::RunCounts counts = tb.counts();
  std::printf("  of %d values %d waited and %d were dropped\n", static_cast<int>(counts.submitted),
              static_cast<int>(counts.in_flight), static_cast<int>(counts.dropped));
  gate.set(true);
  tb.close();
}

}  // namespace

int main(int argc, char** argv) {
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
