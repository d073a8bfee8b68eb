// What a method of `layerscope embed` is given, and what it hands back.
#pragma once

#include <layerscope/core/tensor.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common.hpp"
#include "rows.hpp"

namespace tool {

struct EmbedArguments {
  std::string in;
  std::string method = "pca";
  int dims = 2;
  std::string labels;  ///< empty: none
  int threads = 0;
  std::uint64_t seed = 0;
  std::string out;  ///< empty: not written; so for the two below
  std::string png;
  std::string report;
  // What some methods take; absent: not given.
  std::optional<std::int64_t> pca;  ///< components that the rows are reduced to first
  std::optional<std::string> metric;
  std::optional<std::int64_t> neighbors;
  std::optional<double> min_dist;
  std::optional<std::int64_t> epochs;
  std::optional<double> perplexity;
  std::optional<int> iterations;
  std::optional<std::string> repulsion;
};

/// The options given that only some methods take.
inline std::vector<std::string> special_options(const EmbedArguments& arguments) {
  std::vector<std::string> given;
  if (arguments.pca) given.emplace_back("--pca");
  if (arguments.metric) given.emplace_back("--metric");
  if (arguments.neighbors) given.emplace_back("--neighbors");
  if (arguments.min_dist) given.emplace_back("--min-dist");
  if (arguments.epochs) given.emplace_back("--epochs");
  if (arguments.perplexity) given.emplace_back("--perplexity");
  if (arguments.iterations) given.emplace_back("--iterations");
  if (arguments.repulsion) given.emplace_back("--repulsion");
  return given;
}

struct EmbedLayout {
  layerscope::Tensor coordinates;  ///< [n, dims]
  std::string axis;                ///< what an axis is, before its number; empty where axes mean nothing
  Json fields;                     ///< what the method adds to the report
  Json seconds;                    ///< of each stage
  std::vector<std::string> warnings;
};

}  // namespace tool
