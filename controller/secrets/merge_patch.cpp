// The function of RFC 7396 section 2, written down. Strangers send patches: it takes time in
// proportion to both.
#include "controller/secrets/merge_patch.h"

#include <map>

namespace rowlock {

Json merged(const Json& target, const Json& patch) {
  if (!patch.is_object()) {
    return patch;
  }
  std::map<std::string, Json> members;
  for (const auto& [name, value] : target.members()) {
    members.emplace(name, value);
  }
  for (const auto& [name, value] : patch.members()) {
    if (value.is_null()) {
      members.erase(name);
    } else {
      Json& member = members[name];
      member = merged(member, value);
    }
  }
  return Json::object({members.begin(), members.end()});
}

}  // namespace rowlock
