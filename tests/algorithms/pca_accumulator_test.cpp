#include <layerscope/algorithms/pca.hpp>
#include <layerscope/algorithms/pca_accumulator.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/readers/idx.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error.hpp"
#include "support/tables.hpp"

namespace ls = layerscope;
using layerscope_test::error_of;

namespace {

const double nan64 = std::bit_cast<double>(0x7FF8000000000000u);

/// n rows in d columns, correlated, around means that are not 0, of falling variances.
ls::Tensor sample(std::int64_t n, std::int64_t d, double scale = 1, std::int64_t rank = 1 << 20) {
  ls::Tensor x(ls::DType::f64, {n, d});
  double* const values = x.mutable_data<double>();
  const ls::Random random(21), mix(22);
  rank = (std::min)(rank, d);
  for (std::int64_t r = 0; r < n; ++r) {
    for (std::int64_t c = 0; c < d; ++c) values[r * d + c] = scale * static_cast<double>(c + 1);
    for (std::int64_t k = 0; k < rank; ++k) {
      const double score = scale * random.normal(static_cast<std::uint64_t>(r * rank + k)) * std::pow(0.9, k);
      for (std::int64_t c = 0; c < d; ++c)
        values[r * d + c] += score * mix.normal(static_cast<std::uint64_t>(k * d + c));
    }
  }
  return x;
}

/// Batches of 1, 2, 3 … rows and what remains.
ls::PcaAccumulator in_growing_batches(const ls::AnyView& x, std::int64_t first = 1,
                                      ls::PcaAccumulatorOptions options = {}) {
  ls::PcaAccumulator sums(options);
  for (std::int64_t at = 0, size = first; at < x.extent(0); at += size, ++size) {
    size = (std::min)(size, x.extent(0) - at);
    sums.add(x.narrow(0, at, size));
  }
  return sums;
}

/// Variances to `tolerance` of themselves, |cosine| to 1e-5 (far less when variances do not nearly agree).
void check_same(const ls::Pca& found, const ls::Pca& expected, double tolerance) {
  REQUIRE(found.rank == expected.rank);
  REQUIRE(found.components.shape() == expected.components.shape());
  CHECK(found.rows == expected.rows);
  CHECK(found.total_variance == Catch::Approx(expected.total_variance).epsilon(tolerance));
  const std::int64_t d = expected.components.extent(1);
  for (std::int64_t i = 0; i < expected.rank; ++i) {
    CAPTURE(i);
    const auto at = static_cast<std::size_t>(i);
    CHECK(std::abs(found.explained_variance[at] / expected.explained_variance[at] - 1) < tolerance);
    CHECK(std::abs(found.explained_variance_ratio[at] / expected.explained_variance_ratio[at] - 1) < 2 * tolerance);
    double cosine = 0;
    for (std::int64_t c = 0; c < d; ++c) {
      cosine += found.components.data<double>()[i * d + c] * expected.components.data<double>()[i * d + c];
    }
    CHECK(cosine > 1 - 1e-5);
  }
  for (std::int64_t c = 0; c < d; ++c) {
    CHECK(found.mean.data<double>()[c] == Catch::Approx(expected.mean.data<double>()[c]).epsilon(1e-12).margin(1e-300));
  }
}

std::map<std::string, std::vector<double>> reference() {
  std::map<std::string, std::vector<double>> all;
  std::ifstream file(LAYERSCOPE_TESTS_DIR "/reference/pca.txt");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream words(line);
    std::string data, what;
    words >> data >> what;
    std::vector<double>& values = all[data + " " + what];
    for (double value = 0; words >> value;) values.push_back(value);
  }
  return all;
}

void check_reference(const ls::Pca& model, const std::string& data) {
  const auto expected = reference();
  const std::vector<double>& variance = expected.at(data + " variance");
  REQUIRE(model.explained_variance.size() == variance.size());
  for (std::size_t i = 0; i < variance.size(); ++i) {
    CAPTURE(data, i);
    CHECK(std::abs(model.explained_variance[i] / variance[i] - 1) < 1e-6);
    CHECK(std::abs(model.explained_variance_ratio[i] / expected.at(data + " ratio")[i] - 1) < 1e-6);
  }
  const std::vector<double>& components = expected.at(data + " components");
  const std::int64_t d = model.components.extent(1);
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(components.size()) / d; ++i) {
    double cosine = 0;
    for (std::int64_t c = 0; c < d; ++c) {
      cosine += model.components.data<double>()[i * d + c] * components[static_cast<std::size_t>(i * d + c)];
    }
    CHECK(std::abs(cosine) >= 1 - 1e-5);
  }
}

}  // namespace

TEST_CASE("pca_accumulator: points on a line, one at a time") {
  const std::vector<double> x{0, 0, 1, 2, 2, 4, 3, 6};
  const ls::Pca model = in_growing_batches(ls::AnyView(x.data(), ls::DType::f64, {4, 2})).result();
  CHECK(model.rank == 1);
  CHECK(model.rows == 4);
  CHECK(model.explained_variance[0] == Catch::Approx(25.0 / 3));  // squared steps of √5 over 0 … 3: 5 · 5/3
  CHECK(model.components.data<double>()[1] == Catch::Approx(2 / std::sqrt(5.0)));
  CHECK(model.mean.data<double>()[1] == Catch::Approx(3));
  CHECK(model.solver == ls::PcaSolver::covariance);
}

TEST_CASE("pca_accumulator: optdigits in batches as scikit-learn decomposes the whole") {
  const auto digits = layerscope_test::optdigits();
  if (!digits) return;
  const ls::AnyView all = digits->x.view();
  check_reference(in_growing_batches(all).result({.components = 30}), "optdigits");
  CHECK(in_growing_batches(all, 100).result().rank == 61);  // three columns never hold ink
}

#ifdef LAYERSCOPE_WITH_ZLIB
TEST_CASE("pca_accumulator: MNIST in batches as scikit-learn decomposes the whole") {
  const auto path = layerscope_test::data_file("mnist/t10k-images-idx3-ubyte.gz");
  if (!path) return;
  const ls::AnyView images = ls::read_idx(*path).view().reshape({10000, 784}).value();
  ls::PcaAccumulator bytes, floats;
  for (std::int64_t first = 0; first < 10000; first += 1024) {
    const ls::AnyView batch = images.narrow(0, first, (std::min<std::int64_t>)(1024, 10000 - first));
    bytes.add(batch);
    floats.add(ls::convert(batch, ls::DType::f32));
  }
  check_reference(bytes.result({.components = 50}), "mnist10k");
  check_reference(floats.result({.components = 50}), "mnist10k");
}
#endif

TEST_CASE("pca_accumulator: equals pca() however the rows are cut, and whatever is merged") {
  for (const std::int64_t d : {1, 7, 40}) {
    const ls::Tensor all = sample(333, d);
    const ls::AnyView x = all.view();
    const ls::Pca whole = ls::pca(x);
    check_same(in_growing_batches(x).result(), whole, 1e-9);
    check_same(in_growing_batches(x, 333).result(), whole, 1e-9);
    check_same(in_growing_batches(x.narrow(0, 332, 333, -1)).result(), whole, 1e-9);
    ls::PcaAccumulator a = in_growing_batches(x.narrow(0, 0, 100)), b = in_growing_batches(x.narrow(0, 100, 200), 50);
    const ls::PcaAccumulator c = in_growing_batches(x.narrow(0, 300, 33), 1);
    ls::PcaAccumulator ab = a, nothing;
    ab.merge(b);
    ab.merge(nothing);
    ab.merge(c);
    check_same(ab.result(), whole, 1e-9);
    nothing.merge(c);  // and the other way round
    b.merge(a);
    nothing.merge(b);
    check_same(nothing.result(), whole, 1e-9);
    // The same rows twice: the same directions and mean.
    ab.merge(ab);
    CHECK(ab.rows() == 666);
    CHECK(ab.result().explained_variance[0] == Catch::Approx(whole.explained_variance[0] * 2 * 332 / 665));
  }
}

TEST_CASE("pca_accumulator: batches that drift, and a mean far above the spread") {
  // Every batch around another point: what separates them is most of the variance.
  ls::Tensor x = sample(400, 12);
  for (std::int64_t r = 0; r < 400; ++r) {
    for (std::int64_t c = 0; c < 12; ++c)
      x.mutable_data<double>()[r * 12 + c] += 1e6 + 50.0 * static_cast<double>((r / 20 * (c + 3)) % 7);
  }
  check_same(in_growing_batches(x.view(), 20).result(), ls::pca(x), 1e-6);
  ls::PcaAccumulator sums;
  for (std::int64_t r = 0; r < 400; r += 20) sums.add(x.view().narrow(0, r, 20));
  check_same(sums.result(), ls::pca(x), 1e-6);
}

TEST_CASE("pca_accumulator: any element type and strides, the same bits for any number of threads") {
  const ls::Tensor x = sample(500, 33);
  const ls::Tensor floats = ls::convert(x, ls::DType::f32);
  ls::Tensor turned(ls::DType::f32, {33, 500});
  for (std::int64_t r = 0; r < 500; ++r) {
    for (std::int64_t c = 0; c < 33; ++c) turned.mutable_data<float>()[c * 500 + r] = floats.data<float>()[r * 33 + c];
  }
  const auto bits = [](const ls::AnyView& view, int threads) {
    ls::PcaAccumulator sums({.threads = threads});
    ls::PcaAccumulator other({.threads = threads});
    for (std::int64_t r = 0; r < 500; r += 125) (r < 250 ? sums : other).add(view.narrow(0, r, 125));
    sums.merge(other);
    const ls::Pca model = sums.result({.threads = threads});
    std::vector<std::uint64_t> words(static_cast<std::size_t>(model.components.size()));
    std::memcpy(words.data(), model.components.raw(), model.components.bytes());
    for (const double variance : model.explained_variance) words.push_back(std::bit_cast<std::uint64_t>(variance));
    return words;
  };
  const auto one = bits(floats, 1);
  CHECK(bits(floats, 2) == one);
  CHECK(bits(floats, 8) == one);
  check_same(in_growing_batches(turned.view().permute({1, 0})).result(), ls::pca(floats), 1e-6);
}

TEST_CASE("pca_accumulator: numbers too large or too small for their own squares, and both in one stream") {
  for (const double scale : {1e-140, 1e-30, 1e30, 1e148}) {
    const ls::Tensor x = sample(60, 5, scale);
    check_same(in_growing_batches(x.view()).result(), ls::pca(x), 1e-9);
  }
  // Later batches are much larger or smaller than the first.
  ls::Tensor x = sample(90, 4);
  for (std::int64_t i = 0; i < 30 * 4; ++i) x.mutable_data<double>()[i] *= 1e-60;
  for (std::int64_t i = 60 * 4; i < 90 * 4; ++i) x.mutable_data<double>()[i] *= 1e60;
  check_same(in_growing_batches(x.view()).result({.components = 2}), ls::pca(x, {.components = 2}), 1e-9);
  check_same(in_growing_batches(x.view().narrow(0, 89, 90, -1)).result({.components = 2}),
             ls::pca(x, {.components = 2}), 1e-9);
  ls::PcaAccumulator small = in_growing_batches(x.view().narrow(0, 0, 60));
  small.merge(in_growing_batches(x.view().narrow(0, 60, 30)));
  check_same(small.result({.components = 2}), ls::pca(x, {.components = 2}), 1e-9);
}

TEST_CASE("pca_accumulator: one row, equal rows, fewer rows than columns") {
  const ls::Tensor x = sample(6, 9);
  ls::PcaAccumulator sums;
  sums.add(x.view().narrow(0, 0, 1));
  ls::Pca model = sums.result();
  CHECK(model.rank == 0);
  CHECK(model.explained_variance == std::vector<double>{0});
  for (int i = 0; i < 10; ++i) sums.add(x.view().narrow(0, 0, 1));
  model = sums.result();
  CHECK(model.rank == 0);
  CHECK(model.rows == 11);
  CHECK(model.total_variance == 0);
  check_same(in_growing_batches(x.view()).result(), ls::pca(x), 1e-9);
  model = in_growing_batches(x.view()).result({.components = 8});
  CHECK(model.components.extent(0) == 6);
  REQUIRE(model.warnings.size() == 1);
  CHECK(model.warnings[0] == "pca: components 8 exceeds min(n, d); 6 are computed");
  const ls::Tensor flat = sample(200, 30, 1, 3);
  CHECK(in_growing_batches(flat.view()).result().rank == 3);
}

TEST_CASE("pca_accumulator: rows with NaN are refused with their batch, or left out and counted") {
  ls::Tensor x = sample(50, 6);
  ls::Tensor spoilt = x;
  for (const std::int64_t row : {3, 20, 21}) spoilt.mutable_data<double>()[row * 6 + 2] = nan64;
  ls::PcaAccumulator strict;
  strict.add(x.view().narrow(0, 0, 10));
  const std::vector<double> before = strict.result().explained_variance;
  CHECK(std::string(error_of([&] { strict.add(spoilt.view().narrow(0, 15, 10)); }).what()) ==
        "pca: row 5, column 2 is nan; finite values are expected");
  CHECK(strict.rows() == 10);
  CHECK(strict.result().explained_variance == before);

  ls::PcaAccumulator lenient({.non_finite = ls::NonFiniteRows::drop});
  lenient.add(spoilt.view().narrow(0, 3, 1));  // nothing left
  CHECK(lenient.rows() == 0);
  CHECK(std::string(error_of([&] { lenient.result(); }).what()) ==
        "pca: an accumulator of 0 rows (1 left out); at least one row is expected");
  for (std::int64_t r = 4; r < 50; r += 2) lenient.add(spoilt.view().narrow(0, r, 2));
  lenient.add(spoilt.view().narrow(0, 0, 3));
  CHECK(lenient.dropped_rows() == 3);
  const ls::Pca model = lenient.result();
  CHECK(model.dropped_rows == 3);
  REQUIRE(model.warnings.size() == 1);
  CHECK(model.warnings[0] == "pca: 3 of 50 rows hold NaN or infinity and are left out");
  ls::Pca whole = ls::pca(spoilt, {.non_finite = ls::NonFiniteRows::drop});
  check_same(model, whole, 1e-9);
}

TEST_CASE("pca_accumulator: misuse is named, and changes nothing") {
  const ls::Tensor x = sample(20, 4);
  ls::PcaAccumulator sums;
  CHECK(error_of([&] { sums.result(); }).code() == ls::ErrorCode::empty);
  CHECK(error_of([&] { sums.add(x.view().narrow(0, 0, 0)); }).code() == ls::ErrorCode::empty);
  CHECK(error_of([&] { sums.add(x.view().select(0, 0)); }).code() == ls::ErrorCode::invalid_argument);
  CHECK(sums.columns() == 0);
  sums.add(x.view());
  CHECK(std::string(error_of([&] { sums.add(x.view().narrow(1, 0, 3)); }).what()) ==
        "pca: a batch of 3 columns after batches of 4; as many are expected");
  ls::PcaAccumulator narrow;
  narrow.add(x.view().narrow(1, 0, 3));
  CHECK(error_of([&] { sums.merge(narrow); }).code() == ls::ErrorCode::invalid_argument);
  ls::Tensor large = x;
  large.mutable_data<double>()[0] = 1e200;
  CHECK(error_of([&] { sums.add(large); }).code() == ls::ErrorCode::invalid_argument);
  CHECK(sums.rows() == 20);
  check_same(sums.result(), ls::pca(x), 1e-9);
  CHECK(std::string(error_of([&] { sums.result({.solver = ls::PcaSolver::gram}); }).what()) ==
        "pca: solver gram of an accumulator, which has no rows; automatic or covariance is expected");
  CHECK(error_of([&] { sums.result({.components = 0}); }).code() == ls::ErrorCode::invalid_argument);
  std::stop_source stop;
  stop.request_stop();
  CHECK(error_of([&] { sums.result({.stop = stop.get_token()}); }).code() == ls::ErrorCode::cancelled);
}
