// The command line of story_attention.
#pragma once

#include <layerscope/core/format.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

struct Arguments {
  std::string data;                          ///< directory of stories260K.safetensors and tok512.bin
  std::string out = "runs/story_attention";  ///< directory of the snapshots and the .npy files
  std::int64_t tokens = 256;                 ///< generated at most, 2 to 512
};

inline constexpr std::string_view usage = "usage: story_attention --data DIR [--tokens N] [--out DIR]";

/// Throws std::invalid_argument saying what is wrong.
inline Arguments parse_arguments(int argc, const char* const* argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const auto text = [&]() -> std::string {
      if (++i == argc || *argv[i] == '\0') throw std::invalid_argument(option + ": value missing");
      return argv[i];
    };
    if (option == "--data") {
      arguments.data = text();
    } else if (option == "--out") {
      arguments.out = text();
    } else if (option == "--tokens") {
      const std::string value = text();
      if (!layerscope::from_text(value, arguments.tokens) || arguments.tokens < 2 || arguments.tokens > 512) {
        throw std::invalid_argument(option + ": " + value + " given; expected a whole number from 2 to 512");
      }
    } else {
      throw std::invalid_argument(option + ": unknown option; " + std::string(usage));
    }
  }
  if (arguments.data.empty()) throw std::invalid_argument("--data: missing; " + std::string(usage));
  return arguments;
}
