// Neighbours by several threads: small searches, to be run under the thread sanitizer too.
#include <layerscope/algorithms/knn.hpp>

#include <layerscope/core/random.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "support/catch.hpp"

namespace {

namespace ls = layerscope;

/// Ten clouds, a third of the rows the same: more rows than one unit of locking holds, in clusters that are searched by
/// several threads.
std::vector<float> rows_of_clouds(std::int64_t n, std::int64_t d) {
  const ls::Random random(5);
  std::vector<float> x(static_cast<std::size_t>(n * d));
  for (std::int64_t r = 0; r < n; ++r) {
    const std::int64_t source = r % 3 == 0 ? 0 : r;
    for (std::int64_t c = 0; c < d; ++c) {
      const auto at = static_cast<std::uint64_t>(source * d + c);
      const auto centre = static_cast<std::uint64_t>(1000000 + source % 10 * d + c);
      x[static_cast<std::size_t>(r * d + c)] = static_cast<float>(3 * random.normal(centre) + random.normal(at));
    }
  }
  return x;
}

bool same_bits(const ls::Tensor& a, const ls::Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

void check_threads(const ls::AnyView& x, ls::KnnOptions options) {
  options.k = 8;
  options.seed = 9;
  options.threads = 1;
  const ls::Neighbors first = ls::knn(x, options);
  CHECK(first.method == options.method);
  for (const int threads : {2, 8}) {
    options.threads = threads;
    const ls::Neighbors again = ls::knn(x, options);
    REQUIRE(same_bits(first.indices, again.indices));
    REQUIRE(same_bits(first.distances, again.distances));
    REQUIRE(first.iterations == again.iterations);
    REQUIRE(first.clusters_searched == again.clusters_searched);
  }
}

}  // namespace

TEST_CASE("knn: threads that share the rows of an exact search") {
  const auto x = rows_of_clouds(1700, 12);
  check_threads(ls::TensorView<float>(x.data(), {1700, 12}), {.method = ls::KnnMethod::exact});
}

TEST_CASE("knn: threads that share the rows of a search of clusters") {
  const auto x = rows_of_clouds(2000, 12);
  check_threads(ls::TensorView<float>(x.data(), {2000, 12}), {.method = ls::KnnMethod::approximate});
  const auto wide = rows_of_clouds(1200, 200);  // by a sketch
  check_threads(ls::TensorView<float>(wide.data(), {1200, 200}), {.method = ls::KnnMethod::approximate});
}

TEST_CASE("knn: threads that share the lists of a descent") {
  const auto x = rows_of_clouds(2000, 12);
  const ls::AnyView rows = ls::TensorView<float>(x.data(), {2000, 12});
  const ls::Neighbors before = ls::knn(rows, {.k = 8, .method = ls::KnnMethod::exact});
  ls::KnnOptions options{.method = ls::KnnMethod::approximate};
  options.initial = before.indices.view();
  check_threads(rows, options);
}
