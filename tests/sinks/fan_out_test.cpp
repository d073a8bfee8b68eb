#include <layerscope/sinks/callback.hpp>
#include <layerscope/sinks/fan_out.hpp>
#include <layerscope/sinks/memory.hpp>

#include <memory>
#include <stdexcept>

#include "support/catch.hpp"
#include "support/error.hpp"

namespace ls = layerscope;
using Catch::Matchers::ContainsSubstring;
using layerscope_test::error_of;

namespace {

struct Failing final : ls::Sink {
 private:
  void do_write(const ls::Artifact&) override { throw ls::Error(ls::ErrorCode::too_large, "far too large"); }
  void do_flush() override { throw 7; }
  void do_report(const ls::RunCounts&) override { throw std::runtime_error("cannot report"); }
};

struct Counting final : ls::Sink {
  int flushed = 0;
  ls::RunCounts counts;

 private:
  void do_write(const ls::Artifact&) override {}
  void do_flush() override { ++flushed; }
  void do_report(const ls::RunCounts& given) override { counts = given; }
};

}  // namespace

TEST_CASE("FanOut hands everything to every sink") {
  const auto memory = std::make_shared<ls::MemorySink>();
  const auto counting = std::make_shared<Counting>();
  ls::FanOut both({memory, counting});
  both.write({});
  both.flush();
  both.report({.submitted = 3, .written = 3});
  CHECK(memory->size() == 1);
  CHECK(counting->written() == 1);
  CHECK(counting->flushed == 1);
  CHECK(counting->counts.submitted == 3);
}

TEST_CASE("FanOut: sinks that throw keep nothing from the others, and one Error tells of all") {
  const auto memory = std::make_shared<ls::MemorySink>();
  const auto counting = std::make_shared<Counting>();
  ls::FanOut sinks({std::make_shared<Failing>(), memory, std::make_shared<Failing>(), counting});
  const ls::Error written = error_of([&] { sinks.write({}); });
  CHECK(written.code() == ls::ErrorCode::too_large);
  CHECK_THAT(written.what(), ContainsSubstring("2 of 4 sinks failed to write"));
  CHECK_THAT(written.what(), ContainsSubstring("far too large"));
  CHECK(memory->size() == 1);
  CHECK(sinks.failed() == 1);

  const ls::Error flushed = error_of([&] { sinks.flush(); });
  CHECK(flushed.code() == ls::ErrorCode::io);
  CHECK_THAT(flushed.what(), ContainsSubstring("no std::exception"));
  CHECK(counting->flushed == 1);

  CHECK_THAT(error_of([&] { sinks.report({.submitted = 5}); }).what(), ContainsSubstring("cannot report"));
  CHECK(counting->counts.submitted == 5);
}

TEST_CASE("FanOut: none is fine, null is not") {
  ls::FanOut none({});
  CHECK_NOTHROW(none.write({}));
  CHECK(error_of([] {
          ls::FanOut({std::make_shared<ls::MemorySink>(), nullptr});
        }).code() == ls::ErrorCode::invalid_argument);
}
