// Catch2 2.13 or 3, whichever is installed: tests include this and nothing of Catch2 itself.
// In both, write Catch::Approx, Catch::Matchers::WithinAbs and Catch::Matchers::WithinRel.
#pragma once

#if __has_include(<catch2/catch_test_macros.hpp>) && !defined(LAYERSCOPE_TESTS_CATCH2_HEADER)
#include <catch2/catch_approx.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <catch2/matchers/catch_matchers_predicate.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <catch2/matchers/catch_matchers_vector.hpp>
#else
#include <catch2/catch.hpp>
namespace Catch {
using Detail::Approx;
}
namespace Catch::Matchers {
/// The name that Catch2 3 gives to the substring matcher.
inline auto ContainsSubstring(const std::string& text) {
  return Contains(text);
}
}  // namespace Catch::Matchers
#endif
