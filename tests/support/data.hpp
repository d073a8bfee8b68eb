// Real data that tests read in place; see docs of the CMake variable LAYERSCOPE_DATA_DIR.
#pragma once

#include <sys/stat.h>

#include <cstdlib>
#include <optional>
#include <string>

#include "support/catch.hpp"

#ifndef LAYERSCOPE_DATA_DIR
#define LAYERSCOPE_DATA_DIR ""
#endif

namespace layerscope_test {

/// The path of a file of the data directory. Where it is absent the test must return: a visible warning says that it
/// was skipped, and with the environment variable CI set it fails instead.
inline std::optional<std::string> data_file(const std::string& name) {
  const std::string path = std::string(LAYERSCOPE_DATA_DIR) + "/" + name;
  struct stat found;
  if (LAYERSCOPE_DATA_DIR[0] != '\0' && stat(path.c_str(), &found) == 0) return path;
  const char* const ci = std::getenv("CI");
  if (ci != nullptr && ci[0] != '\0') FAIL("needs " << name << " below LAYERSCOPE_DATA_DIR");
  WARN("skipped: needs " << name << " below LAYERSCOPE_DATA_DIR");
  return std::nullopt;
}

}  // namespace layerscope_test
