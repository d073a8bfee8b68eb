// The one exception type of layerscope, and the codes that tell its causes apart.
#pragma once

#include <layerscope/config.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace layerscope::inline LAYERSCOPE_ABI {

enum class ErrorCode : std::uint8_t {
  invalid_argument,  ///< an option or a shape that the function cannot take
  empty,             ///< a tensor without elements, where at least one is needed
  non_finite,        ///< NaN or infinity, where the policy given refuses it
  unsupported,       ///< an element type, device or file feature that is not handled
  too_large,         ///< a size beyond a documented cap, or an extent product beyond 64 bits
  io,                ///< a file operation failed; the message names the path and the cause
  format,            ///< a file that is not what it claims to be; the message names file, offset and reason
  closed,            ///< a recorder or sink used after close()
  cancelled,         ///< a stop was requested through the stop token
};

/// Short stable name of a code, for example "invalid_argument".
constexpr const char* name(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_argument: return "invalid_argument";
    case ErrorCode::empty: return "empty";
    case ErrorCode::non_finite: return "non_finite";
    case ErrorCode::unsupported: return "unsupported";
    case ErrorCode::too_large: return "too_large";
    case ErrorCode::io: return "io";
    case ErrorCode::format: return "format";
    case ErrorCode::closed: return "closed";
    case ErrorCode::cancelled: return "cancelled";
  }
  return "unknown";
}

/// What every function of layerscope throws on misuse or failure, apart from std::bad_alloc.
/// The message names the thing, the value found and the value expected: "pca: components 5 exceeds the 3 columns
/// given".
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}

  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace layerscope::inline LAYERSCOPE_ABI
