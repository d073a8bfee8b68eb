#include <layerscope/sinks/memory.hpp>

#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"

namespace ls = layerscope;

namespace {

ls::Artifact artifact(const std::string& kind, const std::string& name, std::int64_t step) {
  ls::Artifact result;
  result.kind = kind;
  result.name = name;
  result.step = step;
  return result;
}

}  // namespace

TEST_CASE("MemorySink keeps artifacts in order until they are taken") {
  ls::MemorySink sink;
  for (std::int64_t step = 0; step < 3; ++step) sink.write(artifact("histogram", "fc", step));
  REQUIRE(sink.size() == 3);
  const auto copies = sink.artifacts();
  CHECK(copies[0].step == 0);
  CHECK(copies[2].step == 2);
  CHECK(sink.take().size() == 3);
  CHECK(sink.size() == 0);
  CHECK(copies.size() == 3);
}

TEST_CASE("MemorySink shares tensors and pictures with what was written") {
  ls::MemorySink sink;
  ls::Artifact with = artifact("filters", "conv1", 0);
  with.parts.push_back({"weights", ls::Tensor(ls::DType::f32, ls::Shape{8})});
  int rendered = 0;
  with.picture = ls::Picture([&] {
    ++rendered;
    return ls::make_image(1, 1, ls::PixelFormat::gray);
  });
  sink.write(with);
  CHECK(rendered == 0);
  const auto kept = sink.artifacts();
  REQUIRE(kept[0].find<ls::Tensor>("weights") != nullptr);
  CHECK(kept[0].find<ls::Tensor>("weights")->raw() == with.find<ls::Tensor>("weights")->raw());
  CHECK(kept[0].picture.get().width == 1);
  CHECK(with.picture.get().width == 1);
  CHECK(rendered == 1);
}

TEST_CASE("MemorySink: an artifact of Retention::latest replaces its predecessors alone") {
  ls::MemorySink sink;
  sink.write(artifact("curve", "loss", 1));
  sink.write(artifact("curve", "accuracy", 1));
  sink.write(artifact("histogram", "loss", 1));
  ls::Artifact newest = artifact("curve", "loss", 2);
  newest.retention = ls::Retention::latest;
  sink.write(newest);
  const auto kept = sink.artifacts();
  REQUIRE(kept.size() == 3);
  CHECK(kept[2].step == 2);
}

TEST_CASE("MemorySink may be read while it is written to") {
  ls::MemorySink sink;
  std::thread writer([&] {
    for (std::int64_t step = 0; step < 500; ++step) sink.write(artifact("a", "b", step));
  });
  std::size_t taken = 0;
  std::size_t largest = 0;
  for (int i = 0; i < 100; ++i) {
    largest = (std::max)(largest, sink.artifacts().size());
    taken += sink.take().size();
  }
  writer.join();
  CHECK(taken + sink.take().size() == 500);
  CHECK(largest <= 500);
}
