// A recorder that does everything inside the call and keeps what it makes in memory.
#pragma once

#include <layerscope/core/artifact.hpp>
#include <layerscope/recorder.hpp>
#include <layerscope/sinks/memory.hpp>
#include <layerscope/snapshot/snapshot.hpp>

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "support/catch.hpp"

namespace layerscope_test {

/// Records in synchronous mode into memory.
struct Run {
  std::shared_ptr<layerscope::MemorySink> sink = std::make_shared<layerscope::MemorySink>();
  layerscope::Recorder recorder;

  explicit Run(layerscope::RecorderOptions options = {.mode = layerscope::Mode::synchronous,
                                                      .on_error = [](const layerscope::Failure&) {}})
      : recorder(std::move(options)) {
    recorder.add(sink);
  }
  /// The one artifact since the call before, apart from those that each step renews.
  layerscope::Artifact only() {
    recorder.flush();
    std::vector<layerscope::Artifact> artifacts = sink->take();
    std::erase_if(artifacts, [](const layerscope::Artifact& artifact) {
      return artifact.kind == "overview" || artifact.kind == "histogram_timeline";
    });
    REQUIRE(artifacts.size() == 1);
    return artifacts.front();
  }
};

/// The attribute of this name and type; the test fails where there is none.
template <class T>
T attribute(const layerscope::Artifact& artifact, const std::string& name) {
  for (const layerscope::Attribute& entry : artifact.attributes) {
    if (entry.name == name) return std::get<T>(entry.value);
  }
  FAIL("no attribute " + name);
  return {};
}

inline bool has_attribute(const layerscope::Artifact& artifact, const std::string& name) {
  for (const layerscope::Attribute& entry : artifact.attributes) {
    if (entry.name == name) return true;
  }
  return false;
}

}  // namespace layerscope_test
