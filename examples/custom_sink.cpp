// A sink of your own: one line of CSV for each artifact. A sink is a class with one private function.
//
//   custom_sink [FILE]
#include <layerscope/layerscope.hpp>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace ls = layerscope;

class CsvSink : public ls::Sink {
 public:
  explicit CsvSink(const std::string& path) : file_(std::fopen(path.c_str(), "w"), &std::fclose) {
    if (file_ == nullptr) throw ls::Error(ls::ErrorCode::io, path + ": cannot be opened for writing");
    std::fputs("step,kind,name,min,max\n", file_.get());
  }

 private:
  // The base class sees to it that this never runs on two threads at once, and counts what it throws.
  void do_write(const ls::Artifact& artifact) override {
    const ls::Range range = artifact.range.value_or(ls::Range{});
    const std::string line = ls::to_text(artifact.step) + ',' + artifact.kind + ',' + artifact.name + ',' +
                             ls::to_text(range.min) + ',' + ls::to_text(range.max) + '\n';
    if (std::fputs(line.c_str(), file_.get()) < 0) throw ls::Error(ls::ErrorCode::io, "the CSV file is not writable");
  }
  void do_flush() override { std::fflush(file_.get()); }

  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

int main(int argc, char** argv) {
  const std::string path = argc > 1 ? argv[1] : "artifacts.csv";
  ls::Recorder recorder;
  try {
    recorder.add(std::make_shared<CsvSink>(path));
  } catch (const ls::Error& error) {
    std::fprintf(stderr, "custom_sink: %s\n", error.what());
    return 2;
  }

  std::vector<float> weights(1000);
  for (int step = 0; step < 5; ++step) {
    for (std::size_t i = 0; i < weights.size(); ++i)
      weights[i] += static_cast<float>(ls::Random(1, static_cast<std::uint64_t>(step)).normal(i));
    recorder.snapshot(step).histogram("weights", weights);
  }
  const ls::RunCounts counts = recorder.close().counts;
  return counts.dropped + counts.failed == 0 ? 0 : 1;
}
