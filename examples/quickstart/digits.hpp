// A data set that needs no download: digits drawn with a pen that is never held twice the same way.
#pragma once

#include <layerscope/core/random.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "maps.hpp"

struct Digits {
  Maps images;  // [n, 1, 28, 28], paper 0, ink 1
  std::vector<std::int64_t> labels;
};

/// A piece of an ellipse in the unit square, y downwards, angles in degrees; a straight line has its ends instead.
struct Stroke {
  enum { line, arc } kind;
  float a, b, c, d;  // line: x0, y0, x1, y1; arc: centre x, y and radii
  float from = 0, to = 360;

  std::array<float, 2> at(float t) const {
    if (kind == line) return {a + t * (c - a), b + t * (d - b)};
    const float angle = (from + t * (to - from)) * 0.017453293f;
    return {a + c * std::cos(angle), b + d * std::sin(angle)};
  }
};

inline const std::array<std::vector<Stroke>, 10> digit_strokes{{
    {{Stroke::arc, .50f, .50f, .25f, .38f}},
    {{Stroke::line, .36f, .27f, .55f, .12f}, {Stroke::line, .55f, .12f, .55f, .88f}},
    {{Stroke::arc, .50f, .34f, .24f, .22f, -170, 40},
     {Stroke::line, .68f, .48f, .26f, .88f},
     {Stroke::line, .26f, .88f, .76f, .88f}},
    {{Stroke::arc, .47f, .31f, .22f, .19f, -150, 90}, {Stroke::arc, .47f, .69f, .26f, .19f, -90, 150}},
    {{Stroke::line, .58f, .12f, .23f, .62f},
     {Stroke::line, .23f, .62f, .79f, .62f},
     {Stroke::line, .62f, .38f, .62f, .90f}},
    {{Stroke::line, .71f, .13f, .35f, .13f},
     {Stroke::line, .35f, .13f, .32f, .46f},
     {Stroke::arc, .48f, .64f, .24f, .24f, -130, 140}},
    {{Stroke::arc, .50f, .66f, .23f, .22f}, {Stroke::arc, .63f, .62f, .36f, .50f, 180, 260}},
    {{Stroke::line, .25f, .14f, .75f, .14f}, {Stroke::line, .75f, .14f, .42f, .88f}},
    {{Stroke::arc, .50f, .31f, .19f, .18f}, {Stroke::arc, .50f, .69f, .24f, .20f}},
    {{Stroke::arc, .50f, .34f, .23f, .22f}, {Stroke::arc, .37f, .38f, .36f, .50f, 0, 80}},
}};

/// The distance from (x, y) to the line between p and q.
inline float distance(float x, float y, const std::array<float, 2>& p, const std::array<float, 2>& q) {
  const float dx = q[0] - p[0], dy = q[1] - p[1];
  const float t = std::clamp(((x - p[0]) * dx + (y - p[1]) * dy) / (dx * dx + dy * dy + 1e-12f), 0.0f, 1.0f);
  return std::hypot(x - p[0] - t * dx, y - p[1] - t * dy);
}

/// Draws one digit: turned, slanted, stretched and shifted a little, with a pen of some width, on noisy paper.
inline void draw_digit(const std::vector<Stroke>& strokes, const layerscope::Random& random, float* pixels, int side) {
  std::uint64_t drawn = 0;
  const auto between = [&](double low, double high) {
    return static_cast<float>(low + (high - low) * random.uniform(drawn++));
  };
  const float turn = between(-0.5, 0.5), slant = between(-0.4, 0.4);
  const float width = between(0.6, 1.05), height = between(0.65, 1.05);
  const float right = between(-0.1, 0.1), down = between(-0.1, 0.1);
  const float pen = between(0.025, 0.06), noise = between(0.05, 0.3);
  const auto place = [&](std::array<float, 2> p) -> std::array<float, 2> {
    const float x = (p[0] - 0.5f) * width + (0.5f - p[1]) * slant, y = (p[1] - 0.5f) * height;
    return {0.5f + right + x * std::cos(turn) - y * std::sin(turn),
            0.5f + down + x * std::sin(turn) + y * std::cos(turn)};
  };

  std::vector<std::array<std::array<float, 2>, 2>> segments;
  for (const Stroke& stroke : strokes) {
    const int pieces = stroke.kind == Stroke::line ? 1 : 14;
    for (int i = 0; i < pieces; ++i) {
      const float n = static_cast<float>(pieces), t = static_cast<float>(i);
      segments.push_back({place(stroke.at(t / n)), place(stroke.at((t + 1) / n))});
    }
  }
  for (int row = 0; row < side; ++row) {
    for (int column = 0; column < side; ++column) {
      const float size = static_cast<float>(side);
      const float x = (static_cast<float>(column) + 0.5f) / size, y = (static_cast<float>(row) + 0.5f) / size;
      float nearest = 1;
      for (const auto& [p, q] : segments) nearest = std::min(nearest, distance(x, y, p, q));
      const float ink = std::clamp(0.5f + (pen - nearest) * size, 0.0f, 1.0f);  // one pixel of soft edge
      pixels[row * side + column] = std::clamp(ink + between(-noise, noise), 0.0f, 1.0f);
    }
  }
}

/// `count` digits, as many of each class. The same seed gives the same pixels.
inline Digits draw_digits(int count, std::uint64_t seed) {
  Digits digits{Maps(count, 1, 28), std::vector<std::int64_t>(static_cast<std::size_t>(count))};
  for (int i = 0; i < count; ++i) {
    const auto label = static_cast<std::size_t>(i % 10);
    draw_digit(digit_strokes[label], layerscope::Random(seed, static_cast<std::uint64_t>(i)),
               digits.images.values.row(i).data(), digits.images.side);
    digits.labels[static_cast<std::size_t>(i)] = static_cast<std::int64_t>(label);
  }
  return digits;
}
