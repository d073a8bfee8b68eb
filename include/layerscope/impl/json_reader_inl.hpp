// Reads JSON that nobody vouches for, in the two forms that are needed: as a tree, and as events for a format of one
// fixed shape. Both are strict (RFC 8259: no comments, no invalid UTF-8, no numbers beyond a double), and both refuse
// to nest deeper than max_json_depth. The tree is our own: nlohmann/json takes memory in its destructor, and where
// there is none the process ends. With the cap a plain recursive destructor will do.
#pragma once

#include <layerscope/core/error.hpp>
#include <layerscope/core/format.hpp>
#include <layerscope/core/parallel.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

/// Arrays and objects within one another; "[[1]]" has two levels.
inline constexpr int max_json_depth = 64;

/// nlohmann/json takes a NUL for the end of the text and leaves unread whatever follows it.
inline constexpr const char* nul_in_json = "not JSON: it holds a NUL";

inline std::string too_deep_json() {
  return "nested deeper than " + to_text(max_json_depth) + " levels";
}

/// Walks a text and remembers how far the parser has come, for the offsets in errors.
class JsonCursor {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  JsonCursor(const char* at, const char** farthest) : at_(at), farthest_(farthest) {}
  reference operator*() const { return *at_; }
  JsonCursor& operator++() {
    *farthest_ = ++at_;
    return *this;
  }
  JsonCursor operator++(int) {
    const JsonCursor before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const JsonCursor& a, const JsonCursor& b) { return a.at_ == b.at_; }

 private:
  const char* at_;
  const char** farthest_;
};

/// Completes `Handler`, which takes the events of nlohmann/json's SAX interface apart from parse_error, and whose
/// refuse(reason) must throw.
template <class Handler>
class CappedJsonHandler : public Handler {
 public:
  using Handler::Handler;

  bool start_object(std::size_t size) {
    enter();
    return Handler::start_object(size);
  }
  bool start_array(std::size_t size) {
    enter();
    return Handler::start_array(size);
  }
  bool end_object() {
    --depth_;
    return Handler::end_object();
  }
  bool end_array() {
    --depth_;
    return Handler::end_array();
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& error) {
    Handler::refuse(std::string("not JSON: ") + error.what());
    return false;
  }

 private:
  void enter() {
    if (depth_ == max_json_depth) Handler::refuse(too_deep_json());
    ++depth_;
  }

  int depth_ = 0;
};

/// Hands `text` to the handler event by event; neither a tree nor recursion is built. `farthest` is kept at the byte
/// that the parser has come to.
template <class Handler>
void parse_json_events(std::string_view text, CappedJsonHandler<Handler>& handler, const char** farthest) {
  const std::size_t nul = text.find('\0');
  *farthest = text.data() + (nul == std::string_view::npos ? 0 : nul);
  if (nul != std::string_view::npos) handler.refuse(nul_in_json);
  const JsonCursor first(text.data(), farthest);
  const JsonCursor last(text.data() + text.size(), farthest);
  if (!nlohmann::json::sax_parse(first, last, &handler)) handler.refuse("not JSON");
}

struct JsonMember;

/// One value and what is in it. Objects keep the order of the text.
struct JsonValue {
  using Array = std::vector<JsonValue>;
  using Object = std::vector<JsonMember>;
  std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string, Array, Object>
      value;  // null at first

  template <class T>
  const T* get_if() const noexcept {
    return std::get_if<T>(&value);
  }
  bool is(std::string_view text) const noexcept {
    const auto* const string = get_if<std::string>();
    return string != nullptr && *string == text;
  }
  /// A whole number of 64 bits with sign.
  std::optional<std::int64_t> integer() const noexcept {
    if (const auto* const number = get_if<std::int64_t>()) return *number;
    const auto* const number = get_if<std::uint64_t>();
    if (number == nullptr || *number > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
    return static_cast<std::int64_t>(*number);
  }
  std::optional<double> number() const noexcept {
    if (const auto* const number = get_if<double>()) return *number;
    if (const auto* const number = get_if<std::int64_t>()) return static_cast<double>(*number);
    if (const auto* const number = get_if<std::uint64_t>()) return static_cast<double>(*number);
    return std::nullopt;
  }
  /// The member of that name, the last of several; null without one and for what is no object.
  const JsonValue* find(std::string_view key) const noexcept;
};

struct JsonMember {
  std::string key;
  JsonValue value;
};

inline const JsonValue* JsonValue::find(std::string_view key) const noexcept {
  const auto* const object = get_if<Object>();
  if (object == nullptr) return nullptr;
  for (auto member = object->rbegin(); member != object->rend(); ++member) {
    if (member->key == key) return &member->value;
  }
  return nullptr;
}

/// Builds a tree of events. Depth is the number of arrays and objects around a value.
class JsonTreeBuilder {
 public:
  using Json = nlohmann::json;
  /// Whether the value of a member is wanted.
  using WantMember = FunctionRef<bool(int depth, const std::string& key)>;
  /// Told of an array or object that is complete; whether it is to stay in the tree.
  using KeepValue = FunctionRef<bool(int depth, const JsonValue& value)>;

  JsonTreeBuilder(WantMember want, KeepValue keep) : want_(want), keep_(keep) {}

  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(Json::number_integer_t value) { return add(std::int64_t{value}); }
  bool number_unsigned(Json::number_unsigned_t value) { return add(std::uint64_t{value}); }
  bool number_float(Json::number_float_t value, const Json::string_t&) { return add(value); }
  bool string(Json::string_t& value) { return add(std::move(value)); }
  bool binary(Json::binary_t&) { return add(nullptr); }  // JSON has none
  bool start_object(std::size_t) { return open(JsonValue::Object()); }
  bool start_array(std::size_t) { return open(JsonValue::Array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(Json::string_t& key) {
    if (skipped_ > 0) return true;
    open_.back().wanted = want_(static_cast<int>(open_.size()), key);
    open_.back().key = std::move(key);
    return true;
  }
  [[noreturn]] void refuse(const std::string& reason) const { throw Error(ErrorCode::format, reason); }

  JsonValue& root() noexcept { return root_; }

 private:
  struct Container {
    JsonValue value;
    std::string key;  ///< of the member that comes next
    bool wanted = true;
  };

  template <class T>
  bool open(T container) {
    if (skipped_ > 0 || (!open_.empty() && !open_.back().wanted)) {
      ++skipped_;
      return true;
    }
    open_.push_back({{std::move(container)}, {}, true});
    return true;
  }
  bool close() {
    if (skipped_ > 0) {
      if (--skipped_ == 0) open_.back().wanted = true;
      return true;
    }
    JsonValue done = std::move(open_.back().value);
    open_.pop_back();
    if (keep_(static_cast<int>(open_.size()), done)) put(std::move(done));
    return true;
  }
  template <class T>
  bool add(T value) {
    if (skipped_ > 0) return true;
    if (!open_.empty() && !std::exchange(open_.back().wanted, true)) return true;
    put({std::move(value)});
    return true;
  }
  void put(JsonValue value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (auto* const array = std::get_if<JsonValue::Array>(&open_.back().value.value)) {
      array->push_back(std::move(value));
    } else {
      std::get<JsonValue::Object>(open_.back().value.value).push_back({std::move(open_.back().key), std::move(value)});
    }
  }

  WantMember want_;
  KeepValue keep_;
  std::vector<Container> open_;
  int skipped_ = 0;  ///< levels within a member that is not wanted
  JsonValue root_;
};

/// The tree of `text` without the members that are not wanted and the values not to keep; both are borrowed. Throws
/// Error(format), and what the functions throw.
inline JsonValue parse_json(std::string_view text, JsonTreeBuilder::WantMember want, JsonTreeBuilder::KeepValue keep) {
  CappedJsonHandler<JsonTreeBuilder> builder(want, keep);
  const char* farthest = nullptr;
  parse_json_events(text, builder, &farthest);
  return std::move(builder.root());
}

inline JsonValue parse_json(std::string_view text) {
  return parse_json(
      text, [](int, const std::string&) { return true; }, [](int, const JsonValue&) { return true; });
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
