#include <layerscope/adapters/std.hpp>
#include <layerscope/algorithms/statistics.hpp>
#include <layerscope/core/error.hpp>
#include <layerscope/core/random.hpp>

#include <cmath>
#include <limits>

#include "support/catch.hpp"
#include "support/ieee.hpp"
#include "support/statistics_reference.hpp"

namespace ls = layerscope;

namespace {

const float infinity = std::numeric_limits<float>::infinity();
const float not_a_number = std::numeric_limits<float>::quiet_NaN();

bool close(double a, double b, double relative, double absolute = 0) {
  return std::abs(a - b) <= relative * (std::max)(std::abs(a), std::abs(b)) + absolute;
}

std::vector<float> normals(std::size_t n, std::uint64_t seed) {
  const ls::Random random(seed);
  std::vector<float> x(n);
  for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<float>(random.normal(i));
  return x;
}

ls::ErrorCode code_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const ls::Error& error) {
    return error.code();
  }
  FAIL("no ls::Error was thrown");
  return {};
}

}  // namespace

TEST_CASE("moments equal numpy's in extended precision") {
  LAYERSCOPE_NEEDS_IEEE_ROUNDING();
  const auto reference = statistics_reference("moments");
  REQUIRE(reference.size() == 9);
  for (const auto& words : reference) {
    CAPTURE(words[0]);
    const std::vector<double> x = statistics_case(words[0]);
    const ls::Statistics s = ls::statistics(ls::view(x));
    CHECK(s.count() == std::stoull(words[1]));
    CHECK(s.zero_count() == std::stoull(words[2]));
    const double deviation = exact_number(words[4]);
    // Half a dozen roundings of the mean, relative to the spread for means near zero.
    CHECK(close(s.mean(), exact_number(words[3]), 4e-16, deviation * 1e-15));
    CHECK(close(s.standard_deviation(), deviation, 1e-13));
    CHECK(s.min() == exact_number(words[5]));
    CHECK(s.max() == exact_number(words[6]));
    if (words[0] != "huge" && words[0] != "tiny") CHECK(close(s.variance(), deviation * deviation, 1e-12));
  }
}

TEST_CASE("a small spread far from zero survives") {
  LAYERSCOPE_NEEDS_IEEE_ROUNDING();
  std::vector<double> x;
  for (int i = 0; i < 30000; ++i) x.push_back(1e9 + (i % 3 - 1) * 1e-3);
  // 1e9 ± 1e-3 are not doubles; the exact moments are those of the three numbers stored, less 1e9.
  double mean = 0;
  double variance = 0;
  for (std::size_t i = 0; i < 3; ++i) mean += (x[i] - 1e9) / 3;
  for (std::size_t i = 0; i < 3; ++i) variance += (x[i] - 1e9 - mean) * (x[i] - 1e9 - mean) / 3;
  const ls::Statistics whole = ls::statistics(ls::view(x));
  CHECK(close(whole.variance(), variance, 1e-12));
  ls::Moments single;
  for (const double value : x) single.add(value);
  CHECK(close(single.variance(), variance, 1e-10));
  CHECK(close(single.mean(), 1e9, 1e-15));
}

TEST_CASE("a constant has no variance, whatever it is") {
  for (const double value : {0.1, 1e-310, 1e300, -7.0, 0.0}) {
    const std::vector<double> x(100001, value);
    const ls::Statistics s = ls::statistics(ls::view(x));
    CHECK(s.variance() == 0);
    CHECK(s.standard_deviation() == 0);
    CHECK(s.mean() == value);
    CHECK(s.quantile(0.5) == value);
  }
}

TEST_CASE("magnitudes at the ends of the range neither overflow nor vanish") {
  const double largest = (std::numeric_limits<double>::max)();
  const ls::Statistics wide = ls::statistics(ls::view(std::vector<double>{-largest, largest, largest, -largest}));
  CHECK(wide.mean() == 0);
  CHECK(close(wide.standard_deviation(), largest, 1e-15));
  CHECK(wide.variance() == largest);  // saturated
  const double smallest = std::numeric_limits<double>::denorm_min();
  const ls::Statistics narrow = ls::statistics(ls::view(std::vector<double>{0, 4 * smallest}));
  CHECK(narrow.mean() == 2 * smallest);
  CHECK(narrow.standard_deviation() == 2 * smallest);
  const ls::Statistics floats = ls::statistics(ls::view(std::vector<float>{-3e38f, 3e38f, 1e-45f}));
  CHECK(close(floats.standard_deviation(), 3e38 * std::sqrt(2.0 / 3), 1e-6));
  ls::Moments mixed;
  for (const double value : {1e-300, 1.0, 1e300, 1.0, 1e-300}) mixed.add(value);
  CHECK(close(mixed.mean(), 2e299, 1e-15));
  CHECK(mixed.min() == 1e-300);
  CHECK(close(mixed.standard_deviation(), 4e299, 1e-14));
}

TEST_CASE("NaN and infinities are counted apart and change nothing else") {
  std::vector<float> x = normals(300000, 3);
  const ls::Statistics clean = ls::statistics(ls::view(x));
  std::vector<float> dirty;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (i % 1000 == 0) dirty.insert(dirty.end(), {not_a_number, infinity, -infinity, -infinity});
    dirty.push_back(x[i]);
  }
  const ls::Statistics s = ls::statistics(ls::view(dirty));
  CHECK(s.count() == clean.count());
  CHECK(s.nan_count() == 300);
  CHECK(s.positive_infinity_count() == 300);
  CHECK(s.negative_infinity_count() == 600);
  CHECK(s.total() == dirty.size());
  CHECK(close(s.mean(), clean.mean(), 0, 1e-15));
  CHECK(close(s.variance(), clean.variance(), 1e-14));
  CHECK(s.min() == clean.min());
  CHECK(s.sketch() == clean.sketch());
  ls::Moments all_bad;
  for (const float value : {not_a_number, infinity}) all_bad.add(static_cast<double>(value));
  CHECK(all_bad.total() == 2);
  CHECK(code_of([&] { (void)all_bad.mean(); }) == ls::ErrorCode::empty);
}

TEST_CASE("nothing has a count of zero and no numbers") {
  const ls::Statistics s = ls::statistics(ls::view(std::vector<float>{}));
  CHECK(s.count() == 0);
  CHECK(s.total() == 0);
  CHECK(code_of([&] { (void)s.mean(); }) == ls::ErrorCode::empty);
  CHECK(code_of([&] { (void)s.variance(); }) == ls::ErrorCode::empty);
  CHECK(code_of([&] { (void)s.standard_deviation(); }) == ls::ErrorCode::empty);
  CHECK(code_of([&] { (void)s.min(); }) == ls::ErrorCode::empty);
  CHECK(code_of([&] { (void)s.max(); }) == ls::ErrorCode::empty);
  CHECK(code_of([&] { (void)s.zero_fraction(); }) == ls::ErrorCode::empty);
  CHECK(code_of([&] { (void)s.quantile(0.5); }) == ls::ErrorCode::empty);
}

TEST_CASE("the bits do not depend on the number of threads") {
  std::vector<float> x = normals(1 << 20, 5);
  x[12345] = not_a_number;
  const ls::Statistics one = ls::statistics(ls::view(x), {.threads = 1});
  CHECK(ls::statistics(ls::view(x), {.threads = 2}) == one);
  CHECK(ls::statistics(ls::view(x), {.threads = 8}) == one);
  const ls::AnyView images = ls::view(x.data(), {16, 64, 32, 32});
  const ls::ChannelStatistics channels = ls::channel_statistics(images, ls::layouts::nchw, {.threads = 1});
  CHECK(ls::channel_statistics(images, ls::layouts::nchw, {.threads = 8}) == channels);
}

TEST_CASE("the table of float32 keys counts as the sketch does") {
  std::vector<float> x = normals(300001, 9);
  for (std::size_t i = 0; i < x.size(); i += 3) x[i] = i % 2 == 0 ? 0.0f : -0.0f;
  x[1] = (std::numeric_limits<float>::max)();  // rounds up to 2^128
  x[2] = -(std::numeric_limits<float>::max)();
  x[100001] = 1e-45f;  // a subnormal: its block takes the other way
  x[4] = (std::numeric_limits<float>::min)();
  ls::QuantileSketch slow;
  slow.add(x);
  CHECK(ls::statistics(ls::view(x), {.threads = 2}).sketch() == slow);
}

TEST_CASE("merging equals concatenation") {
  const std::vector<float> x = normals(200000, 6);
  const ls::Statistics whole = ls::statistics(ls::view(x));
  for (const std::int64_t cut : {0, 1, 4097, 150000, 200000}) {
    ls::Statistics left = ls::statistics(ls::view(x.data(), {cut}));
    left.merge(ls::statistics(ls::view(x.data() + cut, {200000 - cut})));
    CHECK(left.count() == whole.count());
    CHECK(left.min() == whole.min());
    CHECK(left.max() == whole.max());
    CHECK(left.sketch() == whole.sketch());
    CHECK(close(left.mean(), whole.mean(), 0, 1e-15));
    CHECK(close(left.variance(), whole.variance(), 1e-14));
  }
  ls::Statistics streamed;
  for (const float value : x) streamed.add(static_cast<double>(value));
  CHECK(streamed.sketch() == whole.sketch());
  CHECK(close(streamed.mean(), whole.mean(), 0, 1e-13));
  CHECK(close(streamed.variance(), whole.variance(), 1e-12));
}

TEST_CASE("any stride and element type gives the numbers of the contiguous copy") {
  const std::vector<float> x = normals(24 * 1000, 8);
  const ls::Statistics plain = ls::statistics(ls::view(x));
  const ls::AnyView matrix = ls::view(x.data(), {24, 1000});
  for (const ls::AnyView& view : {matrix.permute({1, 0}), ls::AnyView(ls::view(x.data() + 23999, {24000}, {-1}))}) {
    const ls::Statistics strided = ls::statistics(view);
    CHECK(strided.sketch() == plain.sketch());
    CHECK(close(strided.mean(), plain.mean(), 0, 1e-15));
    CHECK(close(strided.variance(), plain.variance(), 1e-14));
  }
  const ls::Statistics repeated = ls::statistics(ls::view(x.data(), {5, 24000}, {0, 1}));
  CHECK(repeated.count() == 120000);
  CHECK(close(repeated.variance(), plain.variance(), 1e-14));

  const std::vector<std::uint8_t> bytes{0, 0, 3, 5};
  CHECK(ls::statistics(ls::view(bytes)).mean() == 2);
  CHECK(ls::statistics(ls::view(bytes)).zero_fraction() == 0.5);
  const std::vector<std::int64_t> integers{-(std::int64_t{1} << 40), std::int64_t{1} << 40};
  CHECK(ls::statistics(ls::view(integers)).max() == 0x1p40);
  const std::vector<ls::Half> halves{{0x3C00}, {0xC000}};  // 1, -2
  CHECK(ls::statistics(ls::view(halves)).mean() == -0.5);
}

TEST_CASE("each channel has its own moments, in either memory order") {
  const std::int64_t n = 3, c = 19, h = 8, w = 70;
  const std::vector<float> x = normals(static_cast<std::size_t>(n * c * h * w), 11);
  const ls::AnyView nchw = ls::view(x.data(), {n, c, h, w});
  const ls::ChannelStatistics first = ls::channel_statistics(nchw, ls::layouts::nchw);
  REQUIRE(first.channels() == c);
  for (std::int64_t channel = 0; channel < c; ++channel) {
    const ls::Statistics expected = ls::statistics(nchw.select(1, channel));
    CHECK(first[channel].count() == static_cast<std::uint64_t>(n * h * w));
    CHECK(close(first[channel].mean(), expected.mean(), 0, 1e-15));
    CHECK(close(first[channel].variance(), expected.variance(), 1e-13));
    CHECK(first[channel].min() == expected.min());
  }
  const ls::Tensor nhwc = ls::copy(nchw.permute({0, 2, 3, 1}));
  const ls::ChannelStatistics last = ls::channel_statistics(nhwc, ls::layouts::nhwc);
  for (std::int64_t channel = 0; channel < c; ++channel) {
    CHECK(last[channel].count() == first[channel].count());
    CHECK(close(last[channel].mean(), first[channel].mean(), 0, 1e-15));
    CHECK(close(last[channel].variance(), first[channel].variance(), 1e-13));
    CHECK(last[channel].max() == first[channel].max());
  }
  CHECK(ls::channel_statistics(ls::view(x.data(), {40, 19}), ls::layouts::oi).channels() == 40);
  CHECK(ls::channel_statistics(ls::view(x.data(), {2, 5, 7}), ls::layouts::ntd).channels() == 7);
  CHECK(ls::channel_statistics(ls::view(x.data(), {1, 1, 5}), ls::layouts::ncl)[0].count() == 5);
}

TEST_CASE("a channel is dead when all batches together say so") {
  std::vector<float> batch(2 * 4 * 3, 1.0f);  // [2, 4, 3]: channel 1 is zero, channel 2 constant, channel 3 has a NaN
  for (std::size_t sample = 0; sample < 2; ++sample) {
    for (std::size_t i = 0; i < 3; ++i) {
      batch[sample * 12 + i] = static_cast<float>(i);
      batch[sample * 12 + 3 + i] = 0;
      batch[sample * 12 + 9 + i] = not_a_number;
    }
  }
  ls::ChannelStatistics s;
  CHECK(s.dead().empty());
  s.add(ls::view(batch.data(), {2, 4, 3}), ls::layouts::ncl);
  CHECK(s.dead() == std::vector<std::int64_t>{1});
  CHECK(s.dead(ls::DeadRule::constant) == std::vector<std::int64_t>{1, 2});
  ls::ChannelStatistics later = ls::channel_statistics(ls::view(batch.data(), {2, 4, 3}), ls::layouts::ncl);
  batch[4] = 0.5f;
  later.add(ls::view(batch.data(), {2, 4, 3}), ls::layouts::ncl);
  CHECK(later.dead().empty());
  s.merge(later);
  CHECK(s.dead().empty());
  CHECK(s.dead(ls::DeadRule::constant) == std::vector<std::int64_t>{2});
  CHECK(s[1].count() == 18);
  ls::ChannelStatistics empty;
  empty.merge(s);
  CHECK(empty == s);
}

TEST_CASE("channel statistics refuse layouts and channels that do not fit") {
  const std::vector<float> x(24);
  using ls::ErrorCode;
  CHECK(code_of([&] { (void)ls::channel_statistics(ls::view(x), ls::layouts::nchw); }) == ErrorCode::invalid_argument);
  CHECK(code_of([&] {
          (void)ls::channel_statistics(ls::view(x.data(), {4, 6}), ls::layouts::hw);
        }) == ErrorCode::invalid_argument);
  ls::ChannelStatistics s = ls::channel_statistics(ls::view(x.data(), {4, 6}), ls::layouts::nc);
  CHECK(code_of([&] { s.add(ls::view(x.data(), {6, 4}), ls::layouts::nc); }) == ErrorCode::invalid_argument);
  CHECK(code_of([&] {
          s.merge(ls::channel_statistics(ls::view(x.data(), {6, 4}), ls::layouts::nc));
        }) == ErrorCode::invalid_argument);
  CHECK(code_of([&] { (void)s[6]; }) == ErrorCode::invalid_argument);
  CHECK(code_of([&] { (void)s[-1]; }) == ErrorCode::invalid_argument);
  const ls::ChannelStatistics none = ls::channel_statistics(ls::view(x.data(), {0, 6}), ls::layouts::nc);
  CHECK(none.channels() == 6);
  CHECK(none.dead().empty());
  CHECK(code_of([&] { (void)none[0].mean(); }) == ErrorCode::empty);
}
