#include <layerscope/algorithms/embedding_quality.hpp>
#include <layerscope/algorithms/tsne.hpp>
#include <layerscope/core/finite.hpp>
#include <layerscope/core/random.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/error.hpp"
#include "support/tables.hpp"

namespace ls = layerscope;
using layerscope_test::error_of;

namespace {

constexpr float no_number = std::numeric_limits<float>::quiet_NaN();

/// Normal numbers around `clouds` centres, which lie `apart` from each other.
ls::Tensor clouds(std::int64_t n, std::int64_t d, std::int64_t count = 1, double apart = 10) {
  ls::Tensor x(ls::DType::f32, {n, d});
  float* out = x.mutable_data<float>();
  const ls::Random random(3);
  for (std::int64_t i = 0; i < n * d; ++i) {
    const bool shifted = i % d == i / d % count % d;
    out[i] = static_cast<float>(random.normal(static_cast<std::uint64_t>(i)) + (shifted ? apart : 0));
  }
  return x;
}

ls::Tensor layout_of(std::int64_t n, int dimensions, double spread) {
  ls::Tensor y(ls::DType::f32, {n, dimensions});
  for (std::int64_t i = 0; i < y.size(); ++i) {
    y.mutable_data<float>()[i] = static_cast<float>(spread * ls::Random(9).normal(static_cast<std::uint64_t>(i)));
  }
  return y;
}

bool same_bits(const ls::Tensor& a, const ls::Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

void check_finite(const ls::Tsne& found) {
  for (std::int64_t i = 0; i < found.embedding.size(); ++i) {
    if (!ls::is_finite(found.embedding.data<float>()[i])) FAIL("entry " << i << " is not finite");
  }
  CHECK(ls::is_finite(found.kl));
}

/// A dense P by its definition: bisection in double, symmetrised.
std::vector<double> dense_affinities(const ls::Neighbors& neighbors, double perplexity) {
  const std::int64_t n = neighbors.indices.extent(0), k = neighbors.indices.extent(1);
  std::vector<double> p(static_cast<std::size_t>(n * n), 0.0);
  for (std::int64_t i = 0; i < n; ++i) {
    const float* const d = neighbors.distances.data<float>() + i * k;
    const std::int32_t* const to = neighbors.indices.data<std::int32_t>() + i * k;
    std::vector<double> row(static_cast<std::size_t>(k));
    double low = 0, high = 1e6;
    for (int step = 0; step < 200; ++step) {
      const double beta = (low + high) / 2;
      double sum = 0, entropy = 0;
      for (std::size_t j = 0; j < row.size(); ++j) {
        row[j] = std::exp(-beta * (std::pow(static_cast<double>(d[j]), 2) - std::pow(static_cast<double>(d[0]), 2)));
        sum += row[j];
      }
      for (double& value : row) {
        value /= sum;
        if (value > 0) entropy -= value * std::log(value);
      }
      (entropy > std::log(perplexity) ? low : high) = beta;
    }
    for (std::size_t j = 0; j < row.size(); ++j) {
      p[static_cast<std::size_t>(i * n + to[j])] += row[j] / (2 * static_cast<double>(n));
      p[static_cast<std::size_t>(to[j] * n + i)] += row[j] / (2 * static_cast<double>(n));
    }
  }
  return p;
}

/// KL(P‖Q) of a layout, and its gradient, by their definitions.
std::pair<double, std::vector<double>> divergence(const std::vector<double>& p, const ls::Tensor& layout) {
  const std::int64_t n = layout.extent(0), width = layout.extent(1);
  const float* const y = layout.data<float>();
  const auto near = [&](std::int64_t i, std::int64_t j) {
    double square = 1;
    for (std::int64_t c = 0; c < width; ++c) {
      square += std::pow(static_cast<double>(y[i * width + c]) - static_cast<double>(y[j * width + c]), 2);
    }
    return 1 / square;
  };
  double z = 0, kl = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < n; ++j) z += i == j ? 0 : near(i, j);
  }
  std::vector<double> gradient(static_cast<std::size_t>(n * width), 0.0);
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      if (i == j) continue;
      const double q = near(i, j), affinity = p[static_cast<std::size_t>(i * n + j)];
      if (affinity > 0) kl += affinity * std::log(affinity * z / q);
      for (std::int64_t c = 0; c < width; ++c) {
        gradient[static_cast<std::size_t>(i * width + c)] +=
            4 * (affinity - q / z) * q *
            (static_cast<double>(y[i * width + c]) - static_cast<double>(y[j * width + c]));
      }
    }
  }
  return {kl, std::move(gradient)};
}

double relative_error(const std::vector<double>& found, const std::vector<double>& expected) {
  double error = 0, power = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    error += std::pow(found[i] - expected[i], 2);
    power += std::pow(expected[i], 2);
  }
  return std::sqrt(error / power);
}

}  // namespace

TEST_CASE("tsne: the divergence and the first step are those of the definition") {
  constexpr std::int64_t n = 211;
  const ls::Tensor x = clouds(n, 7, 3, 4);
  const ls::Neighbors neighbors = ls::knn(x.view(), {.k = 36});
  const std::vector<double> p = dense_affinities(neighbors, 12);
  for (const int dimensions : {2, 3}) {
    const ls::Tensor y = layout_of(n, dimensions, 3);
    const auto [kl, gradient] = divergence(p, y);
    ls::TsneOptions options;
    options.dimensions = dimensions;
    options.perplexity = 12;
    options.initial = y;
    options.repulsion = ls::TsneRepulsion::exact;
    CHECK(ls::TsneState(neighbors, options).result().kl == Catch::Approx(kl).epsilon(1e-5));
    // A rate at which a step is large beside the rounding of positions.
    options.early_iterations = 0;
    options.learning_rate = 100;
    ls::TsneState state(neighbors, options);
    state.run(1);
    const ls::Tensor after = state.result().embedding;
    std::vector<double> found, expected;
    for (std::int64_t i = 0; i < y.size(); ++i) {
      const double slope = gradient[static_cast<std::size_t>(i)];
      found.push_back(static_cast<double>(after.data<float>()[i]) - static_cast<double>(y.data<float>()[i]));
      expected.push_back(-100 * (slope > 0 ? 1.2 : 0.8) * slope / 4);  // gains begin at 1
    }
    CHECK(relative_error(found, expected) < 1e-4);
  }
}

TEST_CASE("tsne: the tree and the grid come near the sum over all pairs") {
  constexpr std::int64_t n = 2000;
  const ls::Tensor x = clouds(n, 5);
  const ls::Neighbors neighbors = ls::knn(x.view(), {.k = 30});
  const auto first_step = [&](ls::TsneRepulsion repulsion, const ls::Tensor& initial) {
    ls::TsneOptions options;
    options.dimensions = static_cast<int>(initial.extent(1));
    options.perplexity = 10;
    options.initial = initial;
    options.early_iterations = 0;
    options.learning_rate = 1;
    options.repulsion = repulsion;
    // Neighbours all at one place, the point itself: what is left is repulsion.
    ls::Neighbors apart = neighbors;
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < 30; ++j)
        apart.indices.mutable_data<std::int32_t>()[i * 30 + j] = static_cast<std::int32_t>(i);
    }
    ls::TsneState state(apart, options);
    state.run(1);
    const ls::Tsne found = state.result();
    CHECK(found.interpolated_iterations == (repulsion == ls::TsneRepulsion::interpolation));
    CHECK(found.tree_iterations == (repulsion == ls::TsneRepulsion::tree));
    std::vector<double> step;
    for (std::int64_t i = 0; i < initial.size(); ++i) {
      step.push_back(static_cast<double>(found.embedding.data<float>()[i]) -
                     static_cast<double>(initial.data<float>()[i]));
    }
    return step;
  };
  for (const double spread : {0.0001, 0.01, 1.0, 20.0}) {
    CAPTURE(spread);
    const ls::Tensor plane = layout_of(n, 2, spread), space = layout_of(n, 3, spread);
    const auto exact = first_step(ls::TsneRepulsion::exact, plane);
    CHECK(relative_error(first_step(ls::TsneRepulsion::tree, plane), exact) < 0.03);
    CHECK(relative_error(first_step(ls::TsneRepulsion::interpolation, plane), exact) < 0.025);
    CHECK(relative_error(first_step(ls::TsneRepulsion::tree, space), first_step(ls::TsneRepulsion::exact, space)) <
          0.02);
  }
}

TEST_CASE("tsne: the same bits for any number of threads, and in any number of runs") {
  const ls::Tensor x = clouds(500, 6, 4);
  for (const auto& [dimensions, repulsion] : {std::pair{2, ls::TsneRepulsion::exact},
                                              {2, ls::TsneRepulsion::tree},
                                              {2, ls::TsneRepulsion::interpolation},
                                              {3, ls::TsneRepulsion::exact},
                                              {3, ls::TsneRepulsion::tree},
                                              {2, ls::TsneRepulsion::automatic}}) {
    CAPTURE(ls::name(repulsion), dimensions);
    ls::TsneOptions options;
    options.dimensions = dimensions;
    options.repulsion = repulsion;
    options.iterations = 50;
    options.threads = 1;
    const ls::Tsne one = ls::tsne(x.view(), options);
    for (const int threads : {2, 8}) {
      options.threads = threads;
      const ls::Tsne many = ls::tsne(x.view(), options);
      CHECK(same_bits(one.embedding, many.embedding));
      CHECK(one.kl == many.kl);
    }
    ls::TsneState state(x.view(), options);
    CHECK(state.iterations() == 50);
    state.run(3);
    CHECK(state.iteration() == 3);
    const ls::Tsne early = state.result();  // looking does not disturb
    CHECK(early.iterations == 3);
    state.run(40);
    state.run(1000);
    CHECK(state.iteration() == 50);
    CHECK(same_bits(state.result().embedding, one.embedding));
  }
}

TEST_CASE("tsne: as good as scikit-learn on iris and handwritten digits") {
  std::ifstream file(LAYERSCOPE_TESTS_DIR "/reference/tsne.txt");
  REQUIRE(file);
  std::string line;
  std::getline(file, line);
  int compared = 0;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string set;
    int dimensions = 0;
    double kl = 0, trustworthiness = 0, accuracy = 0;
    REQUIRE(words >> set >> dimensions >> kl >> trustworthiness >> accuracy);
    CAPTURE(set, dimensions);
    std::optional<layerscope_test::LabelledRows> rows;
    if (set == "optdigits") rows = layerscope_test::optdigits();
#ifdef LAYERSCOPE_WITH_ZLIB
    if (set == "iris") rows = layerscope_test::iris();
#endif
    if (!rows) continue;
    ls::TsneOptions options;
    options.dimensions = dimensions;
    const ls::Tsne found = ls::tsne(rows->x.view(), options);
    const ls::EmbeddingQuality quality = ls::embedding_quality(rows->x.view(), found.embedding.view(), rows->labels);
    CHECK(found.kl <
          kl * (set == "iris" ? 1.1 : 1.005));  // the minima that scikit-learn finds of 150 rows differ by 7 %
    CHECK(quality.trustworthiness.value > trustworthiness - 0.01);
    CHECK(quality.label_accuracy->value > accuracy - 0.01);
    ++compared;
  }
  if (compared < 3) WARN(compared << " of 3 layouts compared");
}

TEST_CASE("tsne: anchors hold points where they were, and new rows start among their neighbours") {
  const ls::Tensor x = clouds(400, 6, 4);
  const ls::Tsne before = ls::tsne(x.view());
  ls::TsneOptions options;
  options.anchors = ls::convert(before.embedding, ls::DType::f32);
  options.anchor_strength = 0;
  const auto moved = [&](const ls::Tsne& now) {
    double sum = 0;
    for (std::int64_t i = 0; i < now.embedding.size(); ++i) {
      const float anchor = options.anchors->data<float>()[i];
      if (!ls::is_finite(anchor)) continue;
      sum += std::pow(static_cast<double>(now.embedding.data<float>()[i]) - static_cast<double>(anchor), 2);
    }
    return std::sqrt(sum / 400);
  };
  ls::TsneState start(x.view(), options);
  CHECK(start.iterations() == 100);
  CHECK(same_bits(start.result().embedding, before.embedding));
  const double free = moved(ls::tsne(x.view(), options));
  options.anchor_strength = 1;
  const double held = moved(ls::tsne(x.view(), options));
  options.anchor_strength = 50;
  const double fixed = moved(ls::tsne(x.view(), options));
  CHECK(held < free);
  CHECK(fixed < 0.2 * free);

  // By weights, every second row is let go: the others stay.
  ls::Tensor weights(ls::DType::f32, {400});
  for (std::int64_t i = 0; i < 400; i += 2) weights.mutable_data<float>()[i] = 1;
  options.anchor_weights = weights;
  const ls::Tensor half = ls::tsne(x.view(), options).embedding;
  double distance[2] = {};
  for (std::int64_t i = 0; i < 800; ++i) {
    distance[i / 2 % 2] +=
        std::abs(static_cast<double>(half.data<float>()[i]) - static_cast<double>(before.embedding.data<float>()[i]));
  }
  CHECK(distance[0] < 0.3 * distance[1]);
  options.anchor_weights.reset();

  for (std::int64_t i = 0; i < 20; ++i) options.anchors->mutable_data<float>()[i] = no_number;  // rows 0 to 9
  const ls::Tensor placed = ls::TsneState(x.view(), options).result().embedding;
  for (std::int64_t i = 0; i < 10; ++i) {  // each lands among its own cloud, whose mean is nearest
    std::array<double, 4> distances{};
    for (std::size_t cloud = 0; cloud < 4; ++cloud) {
      double mean[2] = {};
      for (std::int64_t j = 12 + static_cast<std::int64_t>(cloud); j < 400; j += 4) {
        for (std::int64_t c = 0; c < 2; ++c)
          mean[c] += static_cast<double>(before.embedding.data<float>()[j * 2 + c]) / 97;
      }
      distances[cloud] = std::hypot(static_cast<double>(placed.data<float>()[i * 2]) - mean[0],
                                    static_cast<double>(placed.data<float>()[i * 2 + 1]) - mean[1]);
    }
    CHECK(std::min_element(distances.begin(), distances.end()) - distances.begin() == i % 4);
  }
  for (std::int64_t i = 0; i < 800; ++i) options.anchors->mutable_data<float>()[i] = no_number;
  check_finite(ls::tsne(x.view(), options));
}

TEST_CASE("tsne: hostile rows give a finite layout") {
  const auto lay_out = [](const ls::Tensor& x, ls::TsneOptions options = {}) {
    options.iterations = 300;
    const ls::Tsne found = ls::tsne(x.view(), options);
    CHECK(found.embedding.extent(0) == x.extent(0));
    check_finite(found);
    return found;
  };
  SECTION("none but equal ones") {
    lay_out(ls::Tensor(ls::DType::f32, {300, 5}));
    ls::TsneOptions tree;
    tree.repulsion = ls::TsneRepulsion::tree;
    lay_out(ls::Tensor(ls::DType::f32, {300, 5}), tree);
  }
  SECTION("nine in ten equal") {
    ls::Tensor x = clouds(500, 4);
    std::fill_n(x.mutable_data<float>(), 450 * 4, 1.0F);
    for (const auto repulsion :
         {ls::TsneRepulsion::automatic, ls::TsneRepulsion::tree, ls::TsneRepulsion::interpolation}) {
      ls::TsneOptions options;
      options.repulsion = repulsion;
      lay_out(x, options);
    }
  }
  SECTION("one of them at 1e30") {
    ls::Tensor x = clouds(300, 4);
    x.mutable_data<float>()[7] = 1e30F;
    lay_out(x);
  }
  SECTION("few of them") {
    for (const std::int64_t n : {1, 2, 3, 4}) {
      for (const int dimensions : {2, 3}) {
        ls::TsneOptions options;
        options.dimensions = dimensions;
        const ls::Tsne found = lay_out(clouds(n, 3), options);
        if (n == 1) {
          CHECK(found.embedding.data<float>()[0] == 0);
          CHECK(found.kl == 0);
        } else {
          CHECK(found.perplexity == 1 + (n > 4 ? 1 : 0));
          REQUIRE_FALSE(found.warnings.empty());
          CHECK_THAT(found.warnings.front(), Catch::Matchers::ContainsSubstring("perplexity 30 needs 90 neighbours"));
        }
      }
    }
  }
  SECTION("far clouds, one column, and many columns") {
    lay_out(clouds(300, 3, 3, 1e6));
    lay_out(clouds(300, 1));
    lay_out(clouds(60, 20000));
  }
  SECTION("an initial layout of a billion units") {
    ls::TsneOptions options;
    options.initial = layout_of(300, 2, 1e8);
    for (const auto repulsion :
         {ls::TsneRepulsion::automatic, ls::TsneRepulsion::tree, ls::TsneRepulsion::interpolation}) {
      options.repulsion = repulsion;
      lay_out(clouds(300, 3), options);
    }
  }
}

TEST_CASE("tsne: rows with NaN are refused, or left out and numbered") {
  ls::Tensor x = clouds(120, 4, 3);
  x.mutable_data<float>()[5 * 4 + 1] = no_number;
  x.mutable_data<float>()[77 * 4] = std::numeric_limits<float>::infinity();
  CHECK(error_of([&] { ls::tsne(x.view()); }).code() == ls::ErrorCode::non_finite);
  ls::TsneOptions options;
  options.non_finite = ls::NonFiniteRows::drop;
  options.iterations = 50;
  const ls::Tsne found = ls::tsne(x.view(), options);
  CHECK(found.dropped_rows == 2);
  REQUIRE(found.rows.size() == 118);
  CHECK(found.rows[5] == 6);
  CHECK(found.rows[117] == 119);
  check_finite(found);
  // As if they had never been there.
  ls::Tensor rest(ls::DType::f32, {118, 4});
  for (std::size_t i = 0; i < 118; ++i) {
    std::copy_n(x.data<float>() + found.rows[i] * 4, 4, rest.mutable_data<float>() + i * 4);
  }
  CHECK(same_bits(ls::tsne(rest.view(), options).embedding, found.embedding));
}

TEST_CASE("tsne: options out of range are refused by name") {
  const ls::Tensor x = clouds(50, 4);
  const auto refused = [&](auto change, const std::string& text) {
    ls::TsneOptions options;
    change(options);
    const ls::Error error = error_of([&] { ls::tsne(x.view(), options); });
    CHECK(error.code() == ls::ErrorCode::invalid_argument);
    CHECK_THAT(error.what(), Catch::Matchers::ContainsSubstring(text));
  };
  refused([](ls::TsneOptions& o) { o.dimensions = 4; }, "dimensions 4; expected 2 or 3");
  refused([](ls::TsneOptions& o) { o.perplexity = 0.5; }, "perplexity 0.5; expected at least 1");
  refused([](ls::TsneOptions& o) { o.perplexity = static_cast<double>(no_number); }, "perplexity");
  refused([](ls::TsneOptions& o) { o.iterations = -1; }, "iterations -1; expected at least 0");
  refused([](ls::TsneOptions& o) { o.early_iterations = -2; }, "early_iterations -2");
  refused([](ls::TsneOptions& o) { o.early_exaggeration = 0; }, "early_exaggeration 0");
  refused([](ls::TsneOptions& o) { o.exaggeration = 0; }, "exaggeration 0");
  refused([](ls::TsneOptions& o) { o.learning_rate = 0; }, "learning_rate 0; expected more than 0");
  refused([](ls::TsneOptions& o) { o.angle = 1.5; }, "angle 1.5; expected more than 0 and at most 1");
  refused([](ls::TsneOptions& o) { o.anchor_strength = -1; }, "anchor_strength -1");
  refused([](ls::TsneOptions& o) { o.initial = layout_of(49, 2, 1); },
          "initial layout of shape [49, 2]; expected (50, 2)");
  refused([](ls::TsneOptions& o) { o.anchors = layout_of(50, 3, 1); }, "anchors of shape [50, 3]; expected (50, 2)");
  refused(
      [](ls::TsneOptions& o) {
        o.anchors = layout_of(50, 2, 1);
        o.anchor_weights = layout_of(50, 2, 1);
      },
      "anchor_weights of shape [50, 2]; expected [50]");
  refused(
      [](ls::TsneOptions& o) {
        o.anchors = layout_of(50, 2, 1);
        o.anchor_weights = ls::Tensor(ls::DType::f32, {50});
        o.anchor_weights->mutable_data<float>()[7] = -1;
      },
      "anchor_weights has -1 in row 7");
  refused([](ls::TsneOptions& o) { o.initial = layout_of(50, 2, 1e12); }, "expected numbers up to 1e9 in magnitude");
  refused(
      [](ls::TsneOptions& o) {
        o.initial = layout_of(50, 2, 1);
        o.initial->mutable_data<float>()[7] = no_number;
      },
      "in row 3");
  refused(
      [](ls::TsneOptions& o) {
        o.dimensions = 3;
        o.repulsion = ls::TsneRepulsion::interpolation;
      },
      "interpolation in 3 dimensions");
  CHECK(error_of([] { ls::tsne(ls::Tensor(ls::DType::f32, {0, 3}).view()); }).code() == ls::ErrorCode::empty);
  CHECK(error_of([] { ls::tsne(ls::Tensor(ls::DType::f32, {3}).view()); }).code() == ls::ErrorCode::invalid_argument);
  ls::Neighbors wrong = ls::knn(x.view());
  wrong.indices.mutable_data<std::int32_t>()[4] = 50;
  CHECK_THAT(error_of([&] { ls::tsne(wrong); }).what(), Catch::Matchers::ContainsSubstring("neighbour 50 of row 0"));
  wrong.distances = ls::Tensor();
  CHECK(error_of([&] { ls::tsne(wrong); }).code() == ls::ErrorCode::invalid_argument);
  for (const auto repulsion : {ls::TsneRepulsion::automatic, ls::TsneRepulsion::exact, ls::TsneRepulsion::tree,
                               ls::TsneRepulsion::interpolation}) {
    CHECK(ls::tsne_repulsion_from_name(ls::name(repulsion)) == repulsion);
  }
  CHECK_THAT(error_of([] { ls::tsne_repulsion_from_name("fast"); }).what(),
             Catch::Matchers::ContainsSubstring("\"fast\""));
}

TEST_CASE("tsne: can be stopped and told about, and goes on after a stop") {
  const ls::Tensor x = clouds(60, 3);
  std::stop_source source;
  ls::TsneOptions options;
  options.iterations = 40;
  options.stop = source.get_token();
  std::vector<double> told;
  options.progress = [&](double done, std::string_view) {
    told.push_back(done);
    if (told.size() == 10) source.request_stop();
  };
  ls::TsneState state(x.view(), options);
  CHECK(error_of([&] { state.run(40); }).code() == ls::ErrorCode::cancelled);
  CHECK(state.iteration() == 10);
  CHECK(std::is_sorted(told.begin(), told.end()));
  check_finite(state.result());
}
