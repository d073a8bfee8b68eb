#include <layerscope/probe.hpp>

#include <layerscope/adapters/std.hpp>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"

namespace ls = layerscope;

namespace {

class Ear final : public ls::ProbeListener {
 public:
  std::vector<std::string> heard;
  std::vector<std::int64_t> sizes;

 private:
  void receive(std::string_view name, const ls::TensorRef& x) noexcept override {
    heard.emplace_back(name);
    sizes.push_back(ls::element_count(x.shape()));
    const std::vector<float> inner(1);
    ls::probe("within " + std::string(name), inner);
  }
};

}  // namespace

TEST_CASE("probe: an identity, for lvalues and rvalues") {
  std::vector<float> x{1, 2};
  std::vector<float>& same = ls::probe("x", x);
  CHECK(&same == &x);
  const float* const data = x.data();
  const std::vector<float> moved = ls::probe("x", std::move(x));
  CHECK(moved.data() == data);
  auto unique = ls::probe("x", std::vector<float>{3});
  static_assert(std::is_same_v<decltype(unique), std::vector<float>>);
  CHECK(unique == std::vector<float>{3});
}

TEST_CASE("probe: the innermost listener alone hears, and is deaf to what it calls itself") {
  const std::vector<float> x(5);
  Ear outer;
  ls::probe("a", x);
  {
    Ear inner;
    ls::probe("b", x);
    {
      const ls::ProbeSilence silence;
      ls::probe("c", x);
    }
    ls::probe("d", x);
    CHECK(inner.heard == std::vector<std::string>{"b", "d"});
  }
  ls::probe("e", x);
  CHECK(outer.heard == std::vector<std::string>{"a", "e"});
  CHECK(outer.sizes == std::vector<std::int64_t>{5, 5});
}

TEST_CASE("probe: listeners may end in any order") {
  const std::vector<float> x(1);
  auto first = std::make_unique<Ear>();
  auto second = std::make_unique<Ear>();
  auto third = std::make_unique<Ear>();
  second.reset();
  ls::probe("a", x);
  CHECK(third->heard.size() == 1);
  third.reset();
  ls::probe("b", x);
  CHECK(first->heard == std::vector<std::string>{"b"});
  first.reset();
  ls::probe("c", x);
  CHECK(ls::detail::probe_listener == nullptr);
}

TEST_CASE("probe: threads have listeners of their own") {
  const std::vector<float> x(1);
  Ear here;
  std::size_t there = 0;
  std::thread([&] {
    ls::probe("silent", x);
    Ear ear;
    ls::probe("a", x);
    there = ear.heard.size();
  }).join();
  CHECK(there == 1);
  CHECK(here.heard.empty());
}
