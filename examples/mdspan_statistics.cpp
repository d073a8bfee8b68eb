// A class with the interface of mdspan, column-major with padded columns. std::mdspan itself needs <mdspan>, of C++23.
#include <layerscope/adapters/mdspan.hpp>
#include <layerscope/layerscope.hpp>

#include <cstddef>
#include <vector>

namespace ls = layerscope;

struct Padded {
  using element_type = const double;
  using index_type = int;
  using rank_type = std::size_t;
  using reference = const double&;
  using data_handle_type = const double*;
  struct mapping_type {
    int operator()(int row, int column) const { return row + 4 * column; }
    bool is_strided() const { return true; }
    int stride(rank_type axis) const { return axis == 0 ? 1 : 4; }
  };
  struct accessor_type {
    const double& access(const double* p, std::size_t i) const { return p[i]; }
  };
  static constexpr rank_type rank() { return 2; }
  int extent(rank_type axis) const { return axis == 0 ? 3 : 2; }
  const double* data_handle() const { return data; }
  mapping_type mapping() const { return {}; }
  accessor_type accessor() const { return {}; }
  const double* data;
};

int main() {
  const std::vector<double> memory{1, 2, 3, -99, 4, 5, 6, -99};  // three rows, two columns, a gap after each
  return ls::statistics(ls::view(Padded{memory.data()})).mean() == 3.5 ? 0 : 1;
}
