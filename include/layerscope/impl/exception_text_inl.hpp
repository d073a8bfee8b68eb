// What the exception being handled says, whatever its type.
#pragma once

#include <layerscope/core/error.hpp>

#include <exception>
#include <string>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// The exception being handled as an Error; io stands for what had no code. Call it inside a catch block.
inline Error current_error() {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const std::exception& error) {
    return Error(ErrorCode::io, error.what());
  } catch (...) {
    return Error(ErrorCode::io, "an exception that is no std::exception");
  }
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
