// An accessor that computes what it returns.
// expected: layerscope: the accessor of this mdspan computes its elements
#include <layerscope/adapters/mdspan.hpp>

#include <cstddef>

struct Mapping {
  int operator()(int i) const { return i; }
  bool is_strided() const { return true; }
  int stride(std::size_t) const { return 1; }
};
struct Doubled {
#ifdef WRONG
  using reference = float;
  float access(const float* p, std::size_t i) const {
    return 2 * p[i];
  }
#else
  using reference = const float&;
  const float& access(const float* p, std::size_t i) const {
    return p[i];
  }
#endif
};
struct Span {
  using element_type = const float;
  using index_type = int;
  using rank_type = std::size_t;
  using reference = Doubled::reference;
  using data_handle_type = const float*;
  using mapping_type = Mapping;
  static constexpr rank_type rank() { return 1; }
  int extent(rank_type) const { return 4; }
  const float* data_handle() const { return nullptr; }
  Mapping mapping() const { return {}; }
  Doubled accessor() const { return {}; }
};

void f(const Span& x) {
  layerscope::view(x);
}
