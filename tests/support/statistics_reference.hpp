// The inputs and the values of tests/reference/statistics.py.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

inline std::vector<double> statistics_case(const std::string& name) {
  std::vector<double> x(10000);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double u = static_cast<double>((i * 2654435761u) % 4294967296u) / 4294967296.0;
    const double steep = 4.0 * (u - 0.5);
    if (name == "uniform") x[i] = u - 0.5;
    if (name == "cubed") x[i] = static_cast<float>(steep * steep * steep);
    if (name == "relu") x[i] = u > 0.5 ? static_cast<float>(u - 0.5) : 0.0;
    if (name == "offset") x[i] = 1e9 + u;
    if (name == "tiny") x[i] = u * 1e-300;
    if (name == "huge") x[i] = (u - 0.5) * 1e300;
    if (name == "integers") x[i] = static_cast<double>(static_cast<int>(u * 200.0));
    if (name == "constant") x[i] = 2.5;
    if (name == "tenths") x[i] = static_cast<double>(i % 11) / 10.0;
  }
  return x;
}

/// The words of every line that begins with `kind`, without it.
inline std::vector<std::vector<std::string>> statistics_reference(const std::string& kind) {
  std::ifstream file(LAYERSCOPE_TESTS_DIR "/reference/statistics.txt");
  std::vector<std::vector<std::string>> result;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word != kind) continue;
    result.emplace_back();
    while (words >> word) result.back().push_back(word);
  }
  return result;
}

/// Reads the hexadecimal floats of the reference.
inline double exact_number(const std::string& word) {
  return std::strtod(word.c_str(), nullptr);
}
