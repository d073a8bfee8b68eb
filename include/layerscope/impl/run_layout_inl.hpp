// Where the files of a run lie: <directory>/<name>/<kind>-<step>, each name a safe path component.
#pragma once

#include <layerscope/core/format.hpp>
#include <layerscope/core/naming.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace layerscope::inline LAYERSCOPE_ABI::detail {

inline constexpr std::string_view manifest_name = "manifest.json";

/// "000012", "n000012" for negative steps, more digits where needed.
inline std::string step_text(std::int64_t step) {
  std::string digits = to_text(step);
  const bool negative = digits.front() == '-';
  if (negative) digits.erase(0, 1);
  if (digits.size() < 6) digits.insert(0, 6 - digits.size(), '0');
  return negative ? "n" + digits : digits;
}

/// Which path components belong to which names. encode_component() tells all names apart but long ones, of which it
/// keeps a hash, and a run may have been written by another version: whoever comes second gets a suffix.
class ComponentOwners {
 public:
  /// The component of `name` below `parent`, the same on every call.
  std::string claim(const std::string& parent, const std::string& name) {
    std::string component = encode_component(name);
    // A layer may be called as the manifest, or as a broken one that was put aside.
    if (parent.empty() && component.starts_with(manifest_name)) component.replace(0, 1, "%6D");
    for (int suffix = 1;; ++suffix) {
      std::string candidate = suffix == 1 ? component : component + "-" + to_text(suffix);
      if (claim_as(parent, candidate, name)) return candidate;
    }
  }

  /// Notes that `component` belongs to `name`; false when it belongs to another.
  bool claim_as(const std::string& parent, const std::string& component, const std::string& name) {
    return owners_.try_emplace(parent + "/" + component, name).first->second == name;
  }

 private:
  std::map<std::string, std::string> owners_;
};

/// Where one artifact goes: a folder below the run, and the beginning of its files' names.
struct ArtifactPlace {
  std::string folder;  ///< one component
  std::string stem;    ///< a component once an extension is appended

  ArtifactPlace(ComponentOwners& owners, const std::string& name, const std::string& kind, std::int64_t step)
      : folder(owners.claim("", name)), stem(owners.claim(folder, kind) + "-" + step_text(step)) {}
};

/// `directory` without what a joined path would double.
inline std::string joined(const std::string& directory, std::string_view relative) {
  std::string path = directory;
  if (!path.empty() && path.back() != '/') path += '/';
  return path += relative;
}

}  // namespace layerscope::inline LAYERSCOPE_ABI::detail
