// Values of reference programs: lines `<what> <numbers>` of a file that a script in tests/reference/ writes.
#pragma once

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace layerscope_test {

inline std::map<std::string, std::vector<double>> reference_values(const std::string& file_name) {
  std::map<std::string, std::vector<double>> all;
  std::ifstream file(LAYERSCOPE_TESTS_DIR "/reference/" + file_name);
  std::string line;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string what;
    words >> what;
    for (double value = 0; words >> value;) all[what].push_back(value);
  }
  REQUIRE(!all.empty());
  return all;
}

}  // namespace layerscope_test
