// The parts of std::mdspan that its interface consists of, for compilers without <mdspan>: extents known at run time,
// the three layouts of C++23 and a padded one.
#pragma once

#include <array>
#include <cstddef>
#include <utility>

namespace mini {

using std::array;

template <class Index, std::size_t n>
class dextents {
 public:
  using index_type = Index;
  using rank_type = std::size_t;
  template <class... I>
  explicit constexpr dextents(I... values) : values_{static_cast<Index>(values)...} {}
  static constexpr rank_type rank() noexcept { return n; }
  constexpr Index extent(rank_type r) const noexcept { return values_[r]; }

 private:
  std::array<Index, n> values_;
};

/// A mapping by strides, which a layout fills in.
template <class Layout, class Extents>
class strided_mapping {
 public:
  using extents_type = Extents;
  using index_type = typename Extents::index_type;
  using rank_type = typename Extents::rank_type;
  using layout_type = Layout;
  using strides_type = std::array<index_type, Extents::rank()>;

  explicit constexpr strided_mapping(const Extents& e) : strided_mapping(e, Layout::strides(e)) {}
  constexpr strided_mapping(const Extents& e, const strides_type& s) : extents_(e), strides_(s) {}
  constexpr const Extents& extents() const noexcept { return extents_; }
  template <class... I>
  constexpr index_type operator()(I... i) const noexcept {
    const std::array<index_type, Extents::rank()> index{static_cast<index_type>(i)...};
    index_type offset = 0;
    for (rank_type r = 0; r < Extents::rank(); ++r) {
      offset = static_cast<index_type>(offset + index[r] * strides_[r]);
    }
    return offset;
  }
  static constexpr bool is_always_strided() noexcept { return true; }
  static constexpr bool is_strided() noexcept { return true; }
  constexpr index_type stride(rank_type r) const noexcept requires(Extents::rank() > 0) { return strides_[r]; }

 private:
  Extents extents_;
  strides_type strides_;
};

struct layout_right {
  template <class E>
  using mapping = strided_mapping<layout_right, E>;
  template <class E>
  static constexpr auto strides(const E& e) {
    std::array<typename E::index_type, E::rank()> s{};
    typename E::index_type step = 1;
    for (std::size_t r = E::rank(); r-- > 0; step = static_cast<typename E::index_type>(step * e.extent(r)))
      s[r] = step;
    return s;
  }
};
struct layout_left {
  template <class E>
  using mapping = strided_mapping<layout_left, E>;
  template <class E>
  static constexpr auto strides(const E& e) {
    std::array<typename E::index_type, E::rank()> s{};
    typename E::index_type step = 1;
    for (std::size_t r = 0; r < E::rank(); step = static_cast<typename E::index_type>(step * e.extent(r++)))
      s[r] = step;
    return s;
  }
};
/// layout_left with columns of a multiple of `padding` elements, as layout_left_padded of C++26.
template <std::size_t padding>
struct layout_left_padded {
  template <class E>
  using mapping = strided_mapping<layout_left_padded, E>;
  template <class E>
  static constexpr auto strides(const E& e) {
    std::array<typename E::index_type, E::rank()> s{};
    std::size_t step = 1;
    for (std::size_t r = 0; r < E::rank(); ++r) {
      s[r] = static_cast<typename E::index_type>(step);
      const auto extent = static_cast<std::size_t>(e.extent(r));
      step *= r == 0 ? (extent + padding - 1) / padding * padding : extent;
    }
    return s;
  }
};
struct layout_stride {
  template <class E>
  using mapping = strided_mapping<layout_stride, E>;
};

template <class T>
struct default_accessor {
  using offset_policy = default_accessor;
  using element_type = T;
  using reference = T&;
  using data_handle_type = T*;
  constexpr T& access(T* p, std::size_t i) const noexcept { return p[i]; }
  constexpr T* offset(T* p, std::size_t i) const noexcept { return p + i; }
};

template <class T, class Extents, class Layout = layout_right, class Accessor = default_accessor<T>>
class mdspan {
 public:
  using extents_type = Extents;
  using layout_type = Layout;
  using accessor_type = Accessor;
  using mapping_type = typename Layout::template mapping<Extents>;
  using element_type = T;
  using index_type = typename Extents::index_type;
  using rank_type = typename Extents::rank_type;
  using data_handle_type = typename Accessor::data_handle_type;
  using reference = typename Accessor::reference;

  constexpr mdspan(data_handle_type p, const Extents& e) : p_(p), map_(e) {}
  constexpr mdspan(data_handle_type p, const mapping_type& m) : p_(p), map_(m) {}
  static constexpr rank_type rank() noexcept { return Extents::rank(); }
  constexpr index_type extent(rank_type r) const noexcept { return map_.extents().extent(r); }
  constexpr const data_handle_type& data_handle() const noexcept { return p_; }
  constexpr const mapping_type& mapping() const noexcept { return map_; }
  constexpr const accessor_type& accessor() const noexcept { return accessor_; }

 private:
  data_handle_type p_;
  mapping_type map_;
  [[no_unique_address]] accessor_type accessor_{};
};

}  // namespace mini
