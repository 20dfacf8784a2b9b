// The function of RFC 7396 section 2, written down.
#include "controller/secrets/merge_patch.h"

#include <algorithm>

namespace rowlock {

Json merged(const Json& target, const Json& patch) {
  if (!patch.is_object()) {
    return patch;
  }
  std::vector<std::pair<std::string, Json>> members;
  for (const auto& [name, value] : target.members()) {
    if (patch[name].is_null()) {
      const auto all = patch.members();
      const bool is_named = std::any_of(all.begin(), all.end(), [&key = name](const auto& member) {
        return member.first == key;
      });
      if (!is_named) {
        members.emplace_back(name, value);
      }
      continue;
    }
    members.emplace_back(name, merged(value, patch[name]));
  }
  for (const auto& [name, value] : patch.members()) {
    if (!value.is_null() && target[name].is_null()) {
      members.emplace_back(name, merged(Json(), value));
    }
  }
  return Json::object(std::move(members));
}

}  // namespace rowlock
