// No rule is in here: the script says what an actor may do, and this adds the sentence that tells
// somebody who may not which row would help.
#include "controller/secrets/policies.h"

#include <fmt/format.h>

namespace rowlock {

namespace {

constexpr const char* kAll[] = {"create", "read", "update", "patch", "delete", "list"};

std::set<std::string> parts_of(const std::string& list) {
  std::set<std::string> parts;
  for (std::size_t begin = 0; begin < list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    parts.insert(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

}  // namespace

Result<std::set<std::string>> Policies::capabilities(const Actor& actor, std::string_view path) {
  if (actor.is_operator) {
    return std::set<std::string>(std::begin(kAll), std::end(kAll));
  }
  TRY(rights_.require_policies());
  const std::string* script = schema_.script("policy.capabilities");
  CHECK(script != nullptr);
  const auto rows =
      TRY(state_.query(*script, {{"policies", actor.policies}, {"path", std::string(path)}}));
  if (rows.empty()) {
    return std::set<std::string>();
  }
  std::set<std::string> found = parts_of(rows.front().text("capabilities"));
  return found.contains("deny") ? std::set<std::string>() : found;
}

Result<> Policies::require(const Actor& actor, const std::string& capability,
                           std::string_view path) {
  const auto found = TRY(capabilities(actor, path));
  if (found.contains(capability)) {
    return Done{};
  }
  return Error{
      Fault::rejected, Cause::other,
      fmt::format("{} may not {} {}: none of its policies {} allows that", actor.name, capability,
                  path, actor.policies),
      fmt::format("INSERT INTO policy (name, path, capabilities) VALUES ('NAME', '{}', '{}')", path,
                  capability)};
}

}  // namespace rowlock
