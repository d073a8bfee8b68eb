#include <layerscope/algorithms/umap.hpp>

#include <layerscope/algorithms/embedding_quality.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/random.hpp>
#include <layerscope/readers/npy.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/kernels/levels.hpp"
#include "support/catch.hpp"
#include "support/error.hpp"
#include "support/tables.hpp"

namespace {

namespace ls = layerscope;
using Catch::Matchers::ContainsSubstring;
using layerscope_test::error_of;
using Size = std::int64_t;

std::size_t at(Size i) {
  return static_cast<std::size_t>(i);
}

ls::AnyView matrix(const std::vector<float>& values, Size columns) {
  return ls::TensorView<float>(values.data(), {static_cast<Size>(values.size()) / columns, columns});
}

/// `count` rows around each of `clusters` far centres.
std::vector<float> blobs(Size clusters, Size count, Size d, double distance, std::uint64_t stream) {
  const ls::Random random(9, stream);
  std::vector<float> x(at(clusters * count * d));
  for (Size i = 0; i < clusters * count; ++i) {
    for (Size c = 0; c < d; ++c) {
      const double centre = c == i / count % d ? distance * static_cast<double>(1 + i / count / d) : 0;
      x[at(i * d + c)] = static_cast<float>(centre + random.normal(static_cast<std::uint64_t>(i * d + c)));
    }
  }
  return x;
}

bool same_bits(const ls::Tensor& a, const ls::Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

bool all_finite(const ls::Tensor& layout) {
  const float* const values = layout.data<float>();
  return std::all_of(values, values + layout.size(), [](float value) { return ls::is_finite(value); });
}

double distance(const ls::Tensor& layout, Size i, Size j) {
  const float* const y = layout.data<float>();
  const Size dims = layout.extent(1);
  double sum = 0;
  for (Size axis = 0; axis < dims; ++axis) {
    const double difference = static_cast<double>(y[i * dims + axis]) - static_cast<double>(y[j * dims + axis]);
    sum += difference * difference;
  }
  return std::sqrt(sum);
}

/// The lines of tests/reference/umap_learn.txt whose first word is `what`, as numbers.
std::vector<std::vector<double>> reference(const std::string& what) {
  std::vector<std::vector<double>> found;
  std::ifstream file(LAYERSCOPE_TESTS_DIR "/reference/umap_learn.txt");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string first;
    words >> first;
    if (first != what) continue;
    found.emplace_back();
    for (double value = 0; words >> value;) found.back().push_back(value);
  }
  REQUIRE_FALSE(found.empty());
  return found;
}

/// The label of the nearest of the first `known` rows of `layout`, for row i of `points`.
Size nearest_label(const ls::Tensor& layout, Size known, const ls::Tensor& points, Size i,
                   const std::vector<Size>& labels, bool skip) {
  double best = std::numeric_limits<double>::max();
  Size label = -1;
  for (Size j = 0; j < known; ++j) {
    if (skip && i == j) continue;
    const double dx = static_cast<double>(layout.data<float>()[2 * j] - points.data<float>()[2 * i]);
    const double dy = static_cast<double>(layout.data<float>()[2 * j + 1] - points.data<float>()[2 * i + 1]);
    if (dx * dx + dy * dy < best) {
      best = dx * dx + dy * dy;
      label = labels[at(j)];
    }
  }
  return label;
}

double one_nn_accuracy(const ls::Tensor& layout, const std::vector<Size>& labels) {
  const Size n = layout.extent(0);
  Size right = 0;
  for (Size i = 0; i < n; ++i) right += nearest_label(layout, n, layout, i, labels, true) == labels[at(i)] ? 1 : 0;
  return static_cast<double>(right) / static_cast<double>(n);
}

}  // namespace

TEST_CASE("a and b are those of scipy's fit in umap-learn") {
  const auto x = blobs(1, 4, 2, 0, 0);
  for (const auto& expected : reference("curve")) {
    CAPTURE(expected[0], expected[1]);
    const ls::Umap found = ls::umap(matrix(x, 2), {.min_dist = expected[0], .spread = expected[1], .epochs = 0});
    CHECK(std::abs(found.a / expected[2] - 1) < 1e-4);
    CHECK(std::abs(found.b / expected[3] - 1) < 1e-4);
  }
  const ls::Umap given = ls::umap(matrix(x, 2), {.epochs = 0, .a = 2, .b = 0.75});
  CHECK(given.a == 2);
  CHECK(given.b == 0.75);
}

TEST_CASE("the same bits for any number of threads, and for epochs in parts") {
  const auto x = blobs(4, 200, 5, 6, 1);
  for (const Size dims : {2, 3}) {
    ls::UmapOptions options{.dimensions = dims, .epochs = 40, .seed = 3, .threads = 1};
    const ls::Umap alone = ls::umap(matrix(x, 5), options);
    CHECK(alone.embedding.shape() == ls::Shape{800, dims});
    CHECK(alone.epochs == 40);
    for (const int threads : {2, 8}) {
      options.threads = threads;
      CHECK(same_bits(ls::umap(matrix(x, 5), options).embedding, alone.embedding));
    }
    ls::UmapState state(matrix(x, 5), options);
    CHECK(state.run(3) == 3);
    const ls::Umap early = state.result();
    CHECK(early.epochs == 3);
    CHECK_FALSE(same_bits(early.embedding, alone.embedding));
    CHECK(state.run(4) == 4);
    CHECK(state.epoch() == 7);
    CHECK(state.run(1000) == 33);
    CHECK(state.run(1) == 0);
    CHECK(same_bits(state.result().embedding, alone.embedding));
    CHECK(same_bits(ls::umap(alone.neighbors, options).embedding, alone.embedding));
    options.seed = 4;
    CHECK_FALSE(same_bits(ls::umap(matrix(x, 5), options).embedding, alone.embedding));
  }
}

TEST_CASE("clusters stay apart, rows that are near stay near") {
  const auto x = blobs(5, 100, 8, 12, 2);
  for (const auto start :
       {ls::UmapInitialization::spectral, ls::UmapInitialization::pca, ls::UmapInitialization::random}) {
    const ls::Umap found = ls::umap(matrix(x, 8), {.epochs = 200, .initialization = start, .seed = 1});
    CAPTURE(ls::name(start));
    CHECK(found.initialization == start);
    std::vector<Size> labels(500);
    for (Size i = 0; i < 500; ++i) labels[at(i)] = i / 100;
    const auto quality = ls::embedding_quality(matrix(x, 8), found.embedding, labels);
    CHECK(quality.label_accuracy.value().value == 1);
    CHECK(quality.trustworthiness.value > 0.9);
  }
}

TEST_CASE("optdigits: as good as umap-learn") {
  const auto digits = layerscope_test::optdigits();
  if (!digits) return;
  const auto expected = reference("optdigits")[0];
  const ls::Umap found = ls::umap(digits->x.view(), {.seed = 1});
  CHECK(found.initialization == ls::UmapInitialization::spectral);
  CHECK(found.epochs == 500);
  ls::EmbeddingQualityOptions all;
  all.sample = 1797;
  const auto quality = ls::embedding_quality(digits->x.view(), found.embedding, digits->labels, all);
  CHECK(quality.trustworthiness.value > expected[0] - 0.01);
  CHECK(quality.label_accuracy.value().value > expected[1] - 0.005);

  const auto published = layerscope_test::data_file("umap_digits/digits_embedding_42.npy");
  if (!published) return;
  const ls::Tensor theirs = ls::convert(ls::read_npy(*published), ls::DType::f32);
  CHECK(std::abs(one_nn_accuracy(theirs, digits->labels) - 0.979) < 0.001);
  CHECK(one_nn_accuracy(found.embedding, digits->labels) > one_nn_accuracy(theirs, digits->labels) - 0.01);
}

TEST_CASE("iris: as good as umap-learn") {
  const auto values = reference("iris_rows")[0];
  const auto classes = reference("iris_labels")[0];
  const auto expected = reference("iris")[0];
  const std::vector<float> x(values.begin(), values.end());
  const std::vector<Size> labels(classes.begin(), classes.end());
  double trustworthiness = 0;
  double accuracy = 0;
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const ls::Umap found = ls::umap(matrix(x, 4), {.seed = seed});
    const auto quality = ls::embedding_quality(matrix(x, 4), found.embedding, labels);
    trustworthiness += quality.trustworthiness.value / 5;
    accuracy += quality.label_accuracy.value().value / 5;
  }
  CHECK(trustworthiness > expected[0] - 0.01);
  CHECK(accuracy > expected[1] - 0.01);
}

TEST_CASE("new rows come to lie among their class") {
  const auto digits = layerscope_test::optdigits();
  if (!digits) return;
  const ls::AnyView rows = digits->x.view();
  const ls::AnyView known = rows.narrow(0, 0, 1200);
  const ls::AnyView others = rows.narrow(0, 1200, 597);
  const ls::UmapOptions options{.seed = 1, .threads = 2};
  const ls::Umap layout = ls::umap(known, options);
  const ls::UmapTransform moved = ls::umap_transform(layout, known, others, options);
  CHECK(moved.epochs == 100);
  REQUIRE(moved.embedding.shape() == ls::Shape{597, 2});
  Size right = 0;
  for (Size i = 0; i < 597; ++i) {
    const Size label = nearest_label(layout.embedding, 1200, moved.embedding, i, digits->labels, false);
    right += label == digits->labels[at(1200 + i)] ? 1 : 0;
  }
  CHECK(static_cast<double>(right) / 597 > reference("optdigits_transform")[0][0] - 0.01);
  const ls::UmapTransform start = ls::umap_transform(layout, known, others, {.epochs = 0});
  Size right_from_the_start = 0;
  for (Size i = 0; i < 597; ++i) {
    const Size label = nearest_label(layout.embedding, 1200, start.embedding, i, digits->labels, false);
    right_from_the_start += label == digits->labels[at(1200 + i)] ? 1 : 0;
  }
  CHECK(right_from_the_start > 500);
  const ls::UmapOptions alone{.seed = 1, .threads = 1};
  CHECK(same_bits(ls::umap_transform(layout, known, others, alone).embedding, moved.embedding));
}

TEST_CASE("hostile rows give a finite layout") {
  const ls::UmapOptions quick{.epochs = 50, .seed = 1};
  SECTION("one, two, three rows") {
    for (const Size n : {1, 2, 3}) {
      CAPTURE(n);
      const auto x = blobs(1, n, 4, 0, 3);
      const ls::Umap found = ls::umap(matrix(x, 4), quick);
      REQUIRE(found.embedding.shape() == ls::Shape{n, 2});
      const float* const y = found.embedding.data<float>();
      for (Size i = 0; i < n; ++i) CHECK(y[2 * i + 1] == 0);  // the origin, or a line
      if (n == 1) CHECK(y[0] == 0);
      for (Size i = 1; i < n; ++i) CHECK(distance(found.embedding, 0, i) > 0.5);
      CHECK(found.warnings.size() == 1);  // fewer rows than n_neighbors
    }
    const std::vector<float> line{0, 9, 4};
    const ls::Tensor layout = ls::umap(matrix(line, 1)).embedding;
    CHECK(distance(layout, 0, 1) > distance(layout, 0, 2));
    CHECK(distance(layout, 0, 1) > distance(layout, 1, 2));
  }
  SECTION("fewer rows than n_neighbors") {
    const auto x = blobs(1, 6, 4, 0, 4);
    const ls::Umap found = ls::umap(matrix(x, 4), {.n_neighbors = 50});
    CHECK(all_finite(found.embedding));
    CHECK(found.neighbors.indices.extent(1) == 5);
    REQUIRE(found.warnings.size() == 1);
    CHECK_THAT(found.warnings[0], ContainsSubstring("exceeds the 5 rows"));
  }
  SECTION("rows that are all equal") {
    const std::vector<float> x(600, 3.5F);
    const ls::Umap found = ls::umap(matrix(x, 2), quick);
    CHECK(all_finite(found.embedding));
    CHECK(distance(found.embedding, 0, 299) > 0);
  }
  SECTION("nine rows of ten equal") {
    auto x = blobs(1, 500, 3, 0, 5);
    for (Size i = 0; i < 450; ++i) std::copy_n(x.begin() + 3, 3, x.begin() + 3 * i);
    CHECK(all_finite(ls::umap(matrix(x, 3), quick).embedding));
  }
  SECTION("an outlier at 1e30, values near zero") {
    auto x = blobs(2, 100, 3, 9, 6);
    x[31] = 1e30F;
    const ls::Umap found = ls::umap(matrix(x, 3), quick);
    CHECK(all_finite(found.embedding));
    for (float& value : x) value *= 1e-38F;
    x[31] = 0;
    CHECK(all_finite(ls::umap(matrix(x, 3), quick).embedding));
  }
  SECTION("one column") {
    std::vector<float> x(400);
    for (Size i = 0; i < 400; ++i) x[at(i)] = static_cast<float>((i * 37) % 400);
    const ls::Umap found = ls::umap(matrix(x, 1), {.seed = 1});
    CHECK(all_finite(found.embedding));
    CHECK(ls::embedding_quality(matrix(x, 1), found.embedding).trustworthiness.value > 0.95);
  }
  SECTION("20,000 columns") {
    const auto x = blobs(3, 10, 20000, 9, 7);
    CHECK(all_finite(ls::umap(matrix(x, 20000), quick).embedding));
  }
  SECTION("rows with NaN") {
    auto x = blobs(2, 30, 3, 20, 8);
    x[at(3 * 7 + 1)] = std::numeric_limits<float>::quiet_NaN();
    x[at(3 * 40)] = -std::numeric_limits<float>::infinity();
    const ls::Error refused = error_of([&] { ls::umap(matrix(x, 3), quick); });
    CHECK(refused.code() == ls::ErrorCode::non_finite);
    CHECK_THAT(refused.what(), ContainsSubstring("row 7, column 1"));
    for (const auto start : {ls::UmapInitialization::spectral, ls::UmapInitialization::pca}) {
      ls::UmapOptions options = quick;
      options.non_finite = ls::NonFiniteRows::drop;
      options.initialization = start;
      const ls::Umap found = ls::umap(matrix(x, 3), options);
      CHECK(found.embedding.shape() == ls::Shape{58, 2});
      CHECK(all_finite(found.embedding));
      CHECK(found.dropped_rows == 2);
      REQUIRE(found.rows.size() == 58);
      CHECK(found.rows[7] == 8);
      CHECK(found.rows[57] == 59);
      auto clean = x;
      clean.erase(clean.begin() + 3 * 40, clean.begin() + 3 * 41);
      clean.erase(clean.begin() + 3 * 7, clean.begin() + 3 * 8);
      CHECK(same_bits(ls::umap(matrix(clean, 3), options).embedding, found.embedding));
      CHECK(same_bits(ls::umap(found.neighbors, options).embedding, found.embedding) ==
            (start == ls::UmapInitialization::spectral));
    }
  }
}

TEST_CASE("a start that does not converge is told, and another taken") {
  // On a long path the smoothest vectors differ by less than float32 sees.
  constexpr Size n = 6000;
  std::vector<float> x(at(n));
  ls::Neighbors path;
  path.indices = ls::Tensor(ls::DType::i32, {n, 2});
  path.distances = ls::Tensor(ls::DType::f32, {n, 2});
  for (Size i = 0; i < n; ++i) {
    x[at(i)] = static_cast<float>(i);
    const Size sides[2] = {i > 0 ? i - 1 : 2, i < n - 1 ? i + 1 : n - 3};
    for (Size j = 0; j < 2; ++j) {
      path.indices.mutable_data<std::int32_t>()[2 * i + j] = static_cast<std::int32_t>(sides[j]);
      path.distances.mutable_data<float>()[2 * i + j] = static_cast<float>(std::abs(i - sides[j]));
    }
  }
  const ls::Umap random = ls::umap(path, {.epochs = 2});
  CHECK(random.initialization == ls::UmapInitialization::random);
  CHECK_THAT(random.initialization_reason, ContainsSubstring("did not converge"));
  REQUIRE(random.warnings.size() == 1);
  CHECK_THAT(random.warnings[0], ContainsSubstring("random in place of spectral"));
  CHECK(all_finite(random.embedding));
  const ls::Umap pca = ls::umap(matrix(x, 1), {.n_neighbors = 3, .epochs = 2});
  CHECK(pca.initialization == ls::UmapInitialization::pca);
  REQUIRE(pca.warnings.size() == 1);
  CHECK_THAT(pca.warnings[0], ContainsSubstring("pca in place of spectral"));
}

TEST_CASE("components of the graph are laid out apart, and said") {
  const auto x = blobs(3, 60, 4, 1000, 9);
  for (const Size dims : {2, 3}) {
    const ls::Umap found = ls::umap(matrix(x, 4), {.n_neighbors = 6, .dimensions = dims, .seed = 1});
    CHECK(found.components == 3);
    const ls::Umap start = ls::umap(matrix(x, 4), {.n_neighbors = 6, .dimensions = dims, .epochs = 0, .seed = 1});
    REQUIRE(found.warnings.size() == 1);
    CHECK_THAT(found.warnings[0], ContainsSubstring("3 components"));
    std::vector<Size> labels(180);
    for (Size i = 0; i < 180; ++i) labels[at(i)] = i / 60;
    CHECK(ls::embedding_quality(matrix(x, 4), found.embedding, labels).label_accuracy.value().value == 1);
    // Of three parts of one size, the first in the middle, each as wide as its share of a square or cube of 10.
    const double width = 10 * std::pow(1.0 / 3, 1 / static_cast<double>(dims));
    std::vector<float> middles;
    for (Size part = 0; part < 3; ++part) {
      for (Size axis = 0; axis < dims; ++axis) {
        float low = start.embedding.data<float>()[60 * part * dims + axis];
        float high = low;
        for (Size i = 60 * part; i < 60 * (part + 1); ++i) {
          low = std::min(low, start.embedding.data<float>()[i * dims + axis]);
          high = std::max(high, start.embedding.data<float>()[i * dims + axis]);
        }
        CHECK(std::abs(static_cast<double>(high - low) - width) < 0.01);
        middles.push_back((low + high) / 2);
      }
    }
    const ls::Tensor places = ls::copy(matrix(middles, dims));
    const double diagonal = width * std::sqrt(static_cast<double>(dims));
    CHECK(distance(places, 0, 1) > diagonal);
    CHECK(distance(places, 0, 2) > diagonal);
    CHECK(distance(places, 1, 2) > diagonal);
  }
}

TEST_CASE("rows start where they are told, and new ones among their neighbours") {
  const auto x = blobs(2, 50, 3, 15, 10);
  std::vector<float> start(200);
  for (Size i = 0; i < 100; ++i) {
    start[at(2 * i)] = i < 50 ? -4.0F : 4.0F;
    start[at(2 * i + 1)] = static_cast<float>(i % 50) / 10;
  }
  start[at(2 * 60)] = std::numeric_limits<float>::quiet_NaN();
  ls::UmapOptions options{.epochs = 0, .initialization = ls::UmapInitialization::given};
  options.initial = matrix(start, 2);
  const ls::Umap found = ls::umap(matrix(x, 3), options);
  const float* const y = found.embedding.data<float>();
  for (Size i = 0; i < 100; ++i) {
    if (i == 60) continue;
    CHECK(y[2 * i] == start[at(2 * i)]);
    CHECK(y[2 * i + 1] == start[at(2 * i + 1)]);
  }
  CHECK(std::abs(y[2 * 60] - 4) < 0.1F);
  CHECK(y[2 * 60 + 1] > 0);
  CHECK(y[2 * 60 + 1] < 5);
}

TEST_CASE("references hold rows where they were, in proportion to their weights") {
  const auto x = blobs(4, 100, 4, 8, 11);
  const ls::Umap before = ls::umap(matrix(x, 4), {.seed = 1});
  const auto moved = [&](std::vector<ls::UmapReference> references, double alignment) {
    ls::UmapOptions options{.initialization = ls::UmapInitialization::given, .seed = 2};
    options.initial = before.embedding;
    options.references = std::move(references);
    options.alignment = alignment;
    const ls::Umap after = ls::umap(matrix(x, 4), options);
    CHECK(after.epochs == (options.references.empty() ? 500 : 60));
    double sum = 0;
    for (Size i = 0; i < 400; ++i) {
      const double dx =
          static_cast<double>(after.embedding.data<float>()[2 * i] - before.embedding.data<float>()[2 * i]);
      const double dy =
          static_cast<double>(after.embedding.data<float>()[2 * i + 1] - before.embedding.data<float>()[2 * i + 1]);
      sum += std::sqrt(dx * dx + dy * dy) / 400;
    }
    return sum;
  };
  const std::vector<float> none(400, 0.0F);
  const std::vector<float> half(400, 0.5F);
  const ls::AnyView none_view = ls::TensorView<float>(none.data(), {400});
  const ls::AnyView half_view = ls::TensorView<float>(half.data(), {400});
  const double free = moved({{before.embedding, none_view, 1}}, 1e-2);
  const double held_half = moved({{before.embedding, half_view, 1}}, 1e-1);
  const double held = moved({{before.embedding, std::nullopt, 1}}, 1e-1);
  const double held_long_ago = moved({{before.embedding, std::nullopt, 4}}, 1e-1);
  CHECK(free > held_half);
  CHECK(held_half > held);
  CHECK(held_long_ago > held);
  CHECK(moved({{before.embedding, std::nullopt, 1}}, 100) < 0.2 * free);
  std::vector<float> gone(800, std::numeric_limits<float>::quiet_NaN());
  CHECK(moved({{matrix(gone, 2), std::nullopt, 1}}, 100) == free);  // nobody was there
}

TEST_CASE("stop and progress") {
  const auto x = blobs(2, 100, 3, 5, 12);
  std::stop_source source;
  ls::UmapOptions options{.epochs = 200, .stop = source.get_token()};
  double last = 0;
  std::string stages;
  options.progress = [&](double fraction, std::string_view stage) {
    CHECK(fraction >= last);
    last = fraction;
    if (stages.find(stage) == std::string::npos) stages += std::string(stage) + ' ';
  };
  ls::umap(matrix(x, 3), options);
  CHECK(last == 1);
  CHECK(stages == "neighbors graph initialization optimization ");
  options.progress = [&](double, std::string_view stage) {
    if (stage == "optimization") source.request_stop();
  };
  const ls::Error stopped = error_of([&] { ls::umap(matrix(x, 3), options); });
  CHECK(stopped.code() == ls::ErrorCode::cancelled);
}

TEST_CASE("bad input is refused with what was found and what is expected") {
  const auto x = blobs(1, 20, 3, 0, 13);
  const auto refusal = [&](const ls::UmapOptions& options) {
    const ls::Error error = error_of([&] { ls::umap(matrix(x, 3), options); });
    CHECK(error.code() == ls::ErrorCode::invalid_argument);
    return std::string(error.what());
  };
  CHECK(refusal({.n_neighbors = 1}) == "umap: n_neighbors is 1; expected 2 or more");
  CHECK(refusal({.dimensions = 4}) == "umap: dimensions is 4; expected 2 or 3");
  CHECK(refusal({.min_dist = 2}) == "umap: min_dist is 2; expected a number from 0 to spread");
  CHECK_THAT(refusal({.spread = std::numeric_limits<double>::quiet_NaN()}), ContainsSubstring("spread is nan"));
  CHECK_THAT(refusal({.epochs = -1}), ContainsSubstring("epochs is -1"));
  CHECK_THAT(refusal({.learning_rate = 0}), ContainsSubstring("learning_rate is 0"));
  CHECK_THAT(refusal({.negative_sample_rate = -2}), ContainsSubstring("negative_sample_rate is -2"));
  CHECK_THAT(refusal({.initialization = ls::UmapInitialization::given}), ContainsSubstring("initial is absent"));
  CHECK_THAT(refusal({.local_connectivity = -1}), ContainsSubstring("local_connectivity is -1"));
  CHECK_THAT(refusal({.set_op_mix_ratio = 1.5}), ContainsSubstring("set_op_mix_ratio is 1.5"));
  CHECK_THAT(refusal({.repulsion_strength = -1}), ContainsSubstring("repulsion_strength is -1"));
  CHECK_THAT(refusal({.a = -1}), ContainsSubstring("a is -1"));
  CHECK_THAT(refusal({.b = 9}), ContainsSubstring("b is 9"));
  ls::UmapOptions options{.initialization = ls::UmapInitialization::given};
  options.initial = matrix(x, 3);
  CHECK_THAT(refusal(options), ContainsSubstring("initial has type float32 and shape [20, 3]"));
  options = {.references = {{matrix(x, 3)}}};
  CHECK_THAT(refusal(options), ContainsSubstring("expected float32 or float64 and [20, 2]"));
  const std::vector<float> positions(40, 0.0F);
  const std::vector<float> weights(20, 1.5F);
  const ls::AnyView heavy = ls::TensorView<float>(weights.data(), {20});
  options = {.references = {{matrix(positions, 2), heavy}}};
  CHECK_THAT(refusal(options), ContainsSubstring("weight of row 0 of a reference is 1.5"));
  options = {.references = {{matrix(positions, 2), std::nullopt, 0}}};
  CHECK_THAT(refusal(options), ContainsSubstring("steps_ago of a reference is 0"));

  CHECK(error_of([&] { ls::umap(matrix(x, 60).reshape({60}).value()); }).code() == ls::ErrorCode::invalid_argument);
  CHECK(error_of([&] { ls::umap(matrix(x, 3).narrow(0, 0, 0)); }).code() == ls::ErrorCode::empty);
  CHECK_THAT(error_of([] { ls::umap_initialization_from_name("pco"); }).what(), ContainsSubstring("\"pco\""));

  ls::Neighbors neighbors = ls::knn(matrix(x, 3), {.k = 4});
  neighbors.indices.mutable_data<std::int32_t>()[9] = 20;
  CHECK_THAT(error_of([&] { ls::umap(neighbors); }).what(), ContainsSubstring("row 2 has the neighbour 20"));
  neighbors.indices.mutable_data<std::int32_t>()[9] = 2;  // itself, which is passed over
  CHECK(all_finite(ls::umap(neighbors, {.epochs = 10}).embedding));
  neighbors.distances.mutable_data<float>()[4] = -1;
  CHECK_THAT(error_of([&] { ls::umap(neighbors); }).what(), ContainsSubstring("row 1 has a neighbour at distance -1"));

  const ls::Umap layout = ls::umap(matrix(x, 3), {.epochs = 5});
  const ls::Error other = error_of([&] { ls::umap_transform(layout, matrix(x, 6), matrix(x, 6)); });
  CHECK(std::string(other.what()) == "umap_transform: the data have 10 rows; expected the 20 of the layout");
}

#ifdef LAYERSCOPE_HEADER_ONLY
// The inner functions have no place in the compiled library's interface.

namespace {

/// What umap-learn was given: neighbours of the reference, the row itself not among them.
ls::Neighbors reference_neighbors(const std::string& k) {
  const auto indices = reference("neighbors" + k)[0];
  const auto distances = reference("distances" + k)[0];
  const Size columns = static_cast<Size>(indices.size()) / 30;
  ls::Neighbors found;
  found.indices = ls::Tensor(ls::DType::i32, {30, columns});
  found.distances = ls::Tensor(ls::DType::f32, {30, columns});
  for (std::size_t i = 0; i < indices.size(); ++i) {
    found.indices.mutable_data<std::int32_t>()[i] = static_cast<std::int32_t>(indices[i]);
    found.distances.mutable_data<float>()[i] = static_cast<float>(distances[i]);
  }
  return found;
}

ls::detail::UmapGraph graph_of(const ls::Neighbors& given, double local_connectivity, double mix) {
  const auto neighbors =
      ls::detail::checked_neighbors(given, {}, given.indices.extent(0), ls::SelfNeighbor::exclude, "umap");
  return ls::detail::join_directions(neighbors, ls::detail::membership_strengths(neighbors, local_connectivity, 2), mix,
                                     2);
}

}  // namespace

TEST_CASE("the fuzzy graph is that of umap-learn") {
  for (const auto& expected : reference("graph")) {
    CAPTURE(expected[0], expected[1], expected[2]);
    const auto given = reference_neighbors(std::to_string(static_cast<Size>(expected[0])));
    const auto graph = graph_of(given, expected[1], expected[2]);
    std::vector<double> dense(900, 0.0);
    for (Size v = 0; v < 30; ++v) {
      for (Size e = graph.begin(v); e < graph.end(v); ++e) {
        dense[at(30 * v + graph.to[at(e)])] += static_cast<double>(graph.weight[at(e)]);
      }
    }
    for (std::size_t i = 0; i < dense.size(); ++i) {
      CAPTURE(i);
      CHECK(std::abs(dense[i] - expected[3 + i]) < 3e-5);  // umap-learn's sums are within 1e-5 of their target
    }
  }
}

TEST_CASE("smooth distances: exp(-excess / sigma) adds up to log2 of the rows in the neighbourhood") {
  const ls::Random random(21);
  for (const Size count : {1, 2, 5, 14, 60}) {
    for (const double scale : {1e-30, 1.0, 1e37}) {
      std::vector<double> d(at(count));
      for (std::size_t i = 0; i < d.size(); ++i) d[i] = scale * (1 + random.uniform(i));
      std::sort(d.begin(), d.end());
      const auto found = ls::detail::smooth_distance(d.data(), count, 1);
      CHECK(found.rho == d[0]);
      if (count < 3) continue;  // one at rho makes log2 of two already
      double sum = 0;
      for (const double value : d) sum += std::exp(-(value - found.rho) / found.sigma);
      CHECK(std::abs(sum - std::log2(static_cast<double>(count) + 1)) < 1e-5);
    }
  }
  const std::vector<double> equal(14, 2.0);
  CHECK(std::abs(ls::detail::smooth_distance(equal.data(), 14, 1).sigma - 2e-3) < 1e-15);  // a thousandth of the mean
  const std::vector<double> zero(14, 0.0);
  CHECK(ls::detail::smooth_distance(zero.data(), 14, 1).sigma == 0);
}

TEST_CASE("components: by size, each vertex once") {
  ls::detail::UmapGraph graph;
  const std::vector<std::pair<int, int>> edges{{1, 4}, {4, 6}, {0, 2}, {6, 7}};
  for (int v = 0; v < 8; ++v) {
    for (const auto& [a, b] : edges) {
      if (a == v || b == v) graph.to.push_back(a == v ? b : a);
    }
    graph.first.push_back(static_cast<Size>(graph.to.size()));
  }
  graph.weight.assign(graph.to.size(), 1.0F);
  const auto found = ls::detail::components_of(graph);
  CHECK(found.first == std::vector<Size>{0, 4, 6, 7, 8});
  CHECK(found.vertices == std::vector<std::int32_t>{1, 4, 6, 7, 0, 2, 3, 5});
  graph.weight[0] = 0.25F;
  graph.weight[1] = 0.25F;
  ls::detail::normalize_and_prune(graph, 0.5F);
  CHECK(graph.to.size() == 6);
}

TEST_CASE("smoothest vectors: those of a path by formula, of others by a dense solver") {
  // The normalised Laplacian of a path of n vertices has the values 1 - cos(pi k / (n - 1)).
  ls::detail::ThreadTeam team(2);
  const auto degrees_of = [](const ls::detail::UmapGraph& graph) {
    std::vector<double> degrees(at(graph.vertices()), 0.0);
    for (Size v = 0; v < graph.vertices(); ++v) {
      for (Size e = graph.begin(v); e < graph.end(v); ++e) degrees[at(v)] += static_cast<double>(graph.weight[at(e)]);
    }
    return degrees;
  };
  ls::detail::UmapGraph path;
  for (int v = 0; v < 100; ++v) {
    if (v > 0) path.to.push_back(v - 1);
    if (v < 99) path.to.push_back(v + 1);
    path.first.push_back(static_cast<Size>(path.to.size()));
  }
  path.weight.assign(path.to.size(), 0.5F);
  const double pi = 3.14159265358979323846;
  for (const auto& found : {ls::detail::dense_spectral_vectors(path, degrees_of(path), 3),
                            ls::detail::SpectralSolver(path, degrees_of(path), 1, team).solve(3, 1e-3, 1000)}) {
    REQUIRE(found.converged);
    for (int k = 1; k <= 3; ++k) CHECK(std::abs(found.values[at(k - 1)] / (1 - std::cos(pi * k / 99)) - 1) < 1e-3);
  }

  const auto x = blobs(4, 150, 5, 3, 14);
  const auto graph = graph_of(ls::knn(matrix(x, 5), {.k = 14}), 1, 1);
  const auto degrees = degrees_of(graph);
  const auto dense = ls::detail::dense_spectral_vectors(graph, degrees, 3);
  const auto found = ls::detail::SpectralSolver(graph, degrees, 1, team).solve(3, 1e-4, 1000);
  REQUIRE(found.converged);
  CHECK(found.residual <= 1e-4);
  for (std::size_t k = 0; k < 3; ++k) {
    double cosine = 0;
    for (std::size_t v = 0; v < 600; ++v) cosine += dense.vectors[k][v] * found.vectors[k][v];
    CHECK(std::abs(cosine) > 1 - 1e-4);
    CHECK(std::abs(found.values[k] / dense.values[k] - 1) < 1e-4);
  }
  CHECK_FALSE(ls::detail::SpectralSolver(graph, degrees, 1, team).solve(3, 1e-4, 3).converged);
}

TEST_CASE("kernels: powers within the error stated, forces as summed in float64") {
  const ls::Random random(31);
  constexpr Size n = 100;
  for (const ls::IsaLevel level : runnable_levels()) {
    CAPTURE(ls::name(level));
    const auto& kernels = ls::detail::umap_kernels(level);
    std::vector<float> x(4096);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(std::exp(140 * random.uniform(i) - 70));
    x[0] = 1;
    std::vector<float> powers(x.size());
    for (const float exponent : {0.5F, 0.895F, 0.95F}) {
      kernels.powers(x.data(), static_cast<Size>(x.size()), exponent, powers.data());
      double worst = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double exact = std::pow(static_cast<double>(x[i]), static_cast<double>(exponent));
        worst = std::max(worst, std::abs(static_cast<double>(powers[i]) / exact - 1));
      }
      CHECK(worst < 2e-5);
    }

    for (const Size dims : {2, 3}) {
      const Size stride = dims == 2 ? 2 : 4;
      std::vector<float> own(at(n * stride));
      for (std::size_t i = 0; i < own.size(); ++i) own[i] = static_cast<float>(6 * random.uniform(i) - 3);
      std::copy_n(own.begin(), stride, own.begin() + stride);  // two rows on one point
      ls::detail::UmapGraph graph;
      std::vector<float> pushes;
      for (Size v = 0; v < n; ++v) {
        // From none to more than are worked on at a time.
        const Size edges = v == 5 ? 700 : v % 40;
        for (Size e = 0; e < edges; ++e) {
          graph.to.push_back(static_cast<std::int32_t>(random.below(at(1000 * v + e), n)));
          graph.weight.push_back(static_cast<float>(random.uniform(at(1000 * v + e))));
        }
        graph.first.push_back(static_cast<Size>(graph.to.size()));
        pushes.push_back(v == 7 ? 0.0F : v == 8 ? 900.0F : static_cast<float>(v % 50));
      }
      const ls::detail::UmapForceJob job{own.data(),
                                         own.data(),
                                         stride,
                                         static_cast<std::uint32_t>(n),
                                         graph.first.data(),
                                         graph.to.data(),
                                         graph.weight.data(),
                                         pushes.data(),
                                         2,
                                         1.577F,
                                         0.895F,
                                         1.5F,
                                         77};
      std::vector<float> gradient(at(n * stride));
      kernels.forces(job, 0, n, gradient.data());
      std::vector<float> part(at(40 * stride));
      kernels.forces(job, 30, 70, part.data());
      CHECK(std::equal(part.begin(), part.end(), gradient.begin() + 30 * stride));
      for (Size v = 0; v < n; ++v) {
        double sum[3] = {};
        const auto add = [&](Size other, bool pulls, double factor) {
          double delta[3] = {};
          double squared = 0;
          for (Size axis = 0; axis < dims; ++axis) {
            delta[axis] =
                static_cast<double>(own[at(v * stride + axis)]) - static_cast<double>(own[at(other * stride + axis)]);
            squared += delta[axis] * delta[axis];
          }
          if (squared == 0) return;
          const double power = std::pow(squared, 0.895);
          const double curve = 1 + 1.577 * power;
          const double force =
              pulls ? -2 * 1.577 * 0.895 * power / squared / curve : 2 * 0.895 * 1.5 / ((0.001 + squared) * curve);
          for (Size axis = 0; axis < dims; ++axis) {
            sum[axis] += factor * std::clamp(force * delta[axis], -4.0, 4.0);
          }
        };
        for (Size e = graph.begin(v); e < graph.end(v); ++e) {
          add(graph.to[at(e)], true, 2 * static_cast<double>(graph.weight[at(e)]));
        }
        const double due = static_cast<double>(pushes[at(v)]);
        const Size samples = std::min<Size>(256, static_cast<Size>(std::ceil(due / 16)) * 16);
        for (Size s = 0; s < samples; ++s) {
          std::uint32_t h =
              ls::detail::umap_row_key(77, static_cast<std::uint64_t>(v)) + static_cast<std::uint32_t>(s) * 0x9E3779B9u;
          h = (h ^ h >> 16) * 0x7FEB352Du;
          h = (h ^ h >> 15) * 0x846CA68Bu;
          h ^= h >> 16;
          add(static_cast<Size>(std::uint64_t{h} * n >> 32), false, due / static_cast<double>(samples));
        }
        for (Size axis = 0; axis < dims; ++axis) {
          CAPTURE(v, axis);
          CHECK(std::abs(static_cast<double>(gradient[at(v * stride + axis)]) - sum[axis]) < 3e-4 * (1 + due));
        }
      }
    }
  }
}

TEST_CASE("negative samples are uniform, and differ by row and epoch") {
  constexpr std::uint32_t bins = 50;
  std::vector<double> counts(bins, 0.0);
  double same = 0;
  for (std::uint64_t row = 0; row < 5000; ++row) {
    const std::uint32_t key = ls::detail::umap_row_key(12, row);
    counts[std::uint64_t{key} * bins >> 32] += 1;
    same += key == ls::detail::umap_row_key(12, row + 1) || key == ls::detail::umap_row_key(13, row) ? 1 : 0;
  }
  double chi_squared = 0;
  for (const double count : counts) chi_squared += (count - 100) * (count - 100) / 100;
  CHECK(chi_squared < 90);  // 49 degrees of freedom: 1 in 4,000 exceeds 89
  CHECK(same == 0);
}
#endif
