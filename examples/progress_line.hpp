// How far an epoch is, on stderr: a bar on a terminal, elsewhere a line per tenth.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <string>

class ProgressLine {
 public:
  explicit ProgressLine(std::string title) : title_(std::move(title)) {}
  ~ProgressLine() {
    if (terminal_) std::fputs("\r\033[K", stderr);
  }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(double fraction) {
    const int steps = static_cast<int>(fraction * (terminal_ ? 40 : 10));
    if (steps == shown_) return;
    shown_ = steps;
    if (terminal_) {
      std::fprintf(stderr, "\r%s [%-40s]", title_.c_str(), std::string(static_cast<std::size_t>(steps), '=').c_str());
    } else {
      std::fprintf(stderr, "%s %d %%\n", title_.c_str(), steps * 10);
    }
  }

 private:
  std::string title_;
  bool terminal_ = isatty(STDERR_FILENO) == 1;
  int shown_ = 0;
};
