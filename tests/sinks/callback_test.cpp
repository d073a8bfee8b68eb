#include <layerscope/sinks/callback.hpp>

#include <stdexcept>
#include <string>

#include "support/catch.hpp"
#include "support/error.hpp"

namespace ls = layerscope;

namespace {

ls::Artifact of_kind(const std::string& kind) {
  ls::Artifact result;
  result.kind = kind;
  return result;
}

}  // namespace

TEST_CASE("CallbackSink calls its function with every artifact, or with those of one kind") {
  std::string seen;
  ls::CallbackSink all([&](const ls::Artifact& artifact) { seen += artifact.kind + " "; });
  ls::CallbackSink some("b", [&](const ls::Artifact& artifact) { seen += "(" + artifact.kind + ") "; });
  for (const char* kind : {"a", "b", ""}) {
    all.write(of_kind(kind));
    some.write(of_kind(kind));
  }
  CHECK(seen == "a b (b)  ");
  CHECK(some.written() == 3);
}

TEST_CASE("CallbackSink: the empty kind is a kind") {
  int calls = 0;
  ls::CallbackSink sink("", [&](const ls::Artifact&) { ++calls; });
  sink.write(of_kind("a"));
  sink.write(of_kind(""));
  CHECK(calls == 1);
}

TEST_CASE("CallbackSink counts what its function throws, and passes it on") {
  ls::CallbackSink sink([](const ls::Artifact&) { throw std::domain_error("no"); });
  CHECK_THROWS_AS(sink.write({}), std::domain_error);
  CHECK(sink.failed() == 1);
}

TEST_CASE("CallbackSink refuses an empty function") {
  CHECK(layerscope_test::error_of([] { ls::CallbackSink{ls::CallbackSink::Callback{}}; }).code() ==
        ls::ErrorCode::invalid_argument);
  CHECK(layerscope_test::error_of([] { ls::CallbackSink{"a", nullptr}; }).code() == ls::ErrorCode::invalid_argument);
}
