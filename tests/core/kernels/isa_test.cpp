#include "support/catch.hpp"

#include <layerscope/core/kernels/isa.hpp>

#include <cstdlib>
#include <string>
#include <string_view>

using layerscope::IsaLevel;

TEST_CASE("the level in use is one that the processor supports") {
  CHECK(layerscope::isa_level() <= layerscope::supported_isa_level());
  if (const char* cap = std::getenv("LAYERSCOPE_ISA"); cap != nullptr && std::string_view(cap) == "sse2") {
    CHECK(layerscope::isa_level() <= IsaLevel::sse2);
  }
#ifdef __x86_64__
  CHECK(layerscope::supported_isa_level() >= IsaLevel::sse2);
#endif
}

#ifdef LAYERSCOPE_HEADER_ONLY
TEST_CASE("LAYERSCOPE_ISA caps the level and never raises it") {
  using layerscope::detail::capped_isa_level;
  CHECK(capped_isa_level(IsaLevel::avx512, nullptr) == IsaLevel::avx512);
  CHECK(capped_isa_level(IsaLevel::avx512, "avx2") == IsaLevel::avx2);
  CHECK(capped_isa_level(IsaLevel::avx2, "avx512") == IsaLevel::avx2);
  CHECK(capped_isa_level(IsaLevel::avx2, "sse2") == IsaLevel::sse2);
  CHECK(capped_isa_level(IsaLevel::avx2, "portable") == IsaLevel::portable);
  CHECK(capped_isa_level(IsaLevel::avx2, "") == IsaLevel::avx2);
  CHECK(capped_isa_level(IsaLevel::avx2, "AVX") == IsaLevel::avx2);
}
#endif

TEST_CASE("levels have the names that LAYERSCOPE_ISA takes") {
  CHECK(std::string(name(IsaLevel::portable)) == "portable");
  CHECK(std::string(name(IsaLevel::sse2)) == "sse2");
  CHECK(std::string(name(IsaLevel::avx2)) == "avx2");
  CHECK(std::string(name(IsaLevel::avx512)) == "avx512");
}
