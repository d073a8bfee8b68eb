// A layout without strides.
// expected: layerscope: the layout of this mdspan has no strides
#include <layerscope/adapters/mdspan.hpp>

#include <cstddef>

struct Mapping {
  int operator()(int i) const { return i; }
  bool is_strided() const { return true; }
#ifndef WRONG
  int stride(std::size_t) const {
    return 1;
  }
#endif
};
struct Plain {
  const float& access(const float* p, std::size_t i) const { return p[i]; }
};
struct Span {
  using element_type = const float;
  using index_type = int;
  using rank_type = std::size_t;
  using reference = const float&;
  using data_handle_type = const float*;
  using mapping_type = Mapping;
  static constexpr rank_type rank() { return 1; }
  int extent(rank_type) const { return 4; }
  const float* data_handle() const { return nullptr; }
  Mapping mapping() const { return {}; }
  Plain accessor() const { return {}; }
};

void f(const Span& x) {
  layerscope::view(x);
}
