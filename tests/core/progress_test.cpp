#include <layerscope/core/progress.hpp>

#include "support/catch.hpp"
#include "support/error.hpp"

namespace ls = layerscope;

TEST_CASE("throw_if_stopped throws once a stop is requested") {
  std::stop_source source;
  CHECK_NOTHROW(ls::throw_if_stopped(source.get_token(), "umap"));
  CHECK_NOTHROW(ls::throw_if_stopped({}, "umap"));
  source.request_stop();
  const ls::Error error = layerscope_test::error_of([&] { ls::throw_if_stopped(source.get_token(), "umap"); });
  CHECK(error.code() == ls::ErrorCode::cancelled);
  CHECK_THAT(error.what(), Catch::Matchers::StartsWith("umap: "));
}
