// JSON in both directions. The format's number is looked at before anything else, so that a newer
// backup is refused by its number and not by some member that is unknown.
#include "controller/backup/backup_manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace rowlock {
namespace {

constexpr std::int64_t kFormat = 1;
constexpr std::size_t kHashLetters = 64;

Error refusal(const std::string& why) {
  return Error{Fault::rejected, Cause::other, "the backup file's " + why, ""};
}

bool is_integer(const Json& value) { return value.text() == std::to_string(value.as_integer()); }

// An object of just these members.
Result<> check_members(const std::string& what, const Json& value,
                       std::initializer_list<const char*> names) {
  if (!value.is_object()) return refusal(what + " is no object");
  for (const char* name : names) {
    if (value[name].is_null()) return refusal(fmt::format("{} lacks {}", what, name));
  }
  for (const auto& [name, member] : value.members()) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      return refusal(what + " has a member that is not known here");
    }
  }
  return Done{};
}

Json json_of(const BackupHeader& header) {
  return Json::object({{"format", Json::integer(kFormat)},
                       {"id", Json::string(header.id)},
                       {"home", Json::string(header.home)},
                       {"policy", Json::string(header.policy)},
                       {"kind", Json::string(header.kind)},
                       {"source", Json::string(header.source)},
                       {"reason", Json::string(header.reason)},
                       {"rowlock", Json::string(header.rowlock)},
                       {"started_at_ms", Json::integer(header.started_at_ms)}});
}

Result<BackupHeader> header_in(const Json& json) {
  // Before all else: what a later format has in it is not for us to judge.
  if (json.is_object() && is_integer(json["format"]) && json["format"].as_integer() > kFormat) {
    Error error = refusal(fmt::format("format is {}, this rowlock reads up to {}",
                                      json["format"].as_integer(), kFormat));
    error.hint = "use the newer rowlock that made it, or follow its RESTORE.txt";
    return error;
  }
  TRY(check_members(
      "header", json,
      {"format", "id", "home", "policy", "kind", "source", "reason", "rowlock", "started_at_ms"}));
  for (const auto& [name, value] : json.members()) {
    const bool is_number = name == "format" || name == "started_at_ms";
    if (is_number ? !is_integer(value) : !value.is_string()) {
      return refusal(fmt::format("header has a {} of another type", name));
    }
  }
  if (json["format"].as_integer() != kFormat) return refusal("format is none");
  BackupHeader header;
  header.id = json["id"].as_string();
  header.home = json["home"].as_string();
  header.policy = json["policy"].as_string();
  header.kind = json["kind"].as_string();
  header.source = json["source"].as_string();
  header.reason = json["reason"].as_string();
  header.rowlock = json["rowlock"].as_string();
  header.started_at_ms = json["started_at_ms"].as_integer();
  if (header.id.empty()) return refusal("header has an empty id");
  if (header.kind != "postgres" && header.kind != "home") {
    return refusal("header has a kind that is neither postgres nor home");
  }
  return header;
}

bool is_hash(const std::string& text) {
  return text.size() == kHashLetters && std::all_of(text.begin(), text.end(), [](char each) {
           return (each >= '0' && each <= '9') || (each >= 'a' && each <= 'f');
         });
}

Result<MemberFacts> facts_in(const Json& json) {
  TRY(check_members("list of members in its manifest", json, {"name", "size_bytes", "sha256"}));
  MemberFacts facts{json["name"].as_string(), json["size_bytes"].as_integer(-1),
                    json["sha256"].as_string()};
  if (facts.name.empty() || facts.size_bytes < 0 || !is_integer(json["size_bytes"]) ||
      !is_hash(facts.sha256)) {
    return refusal("list of members in its manifest has one of another form");
  }
  return facts;
}

Result<Json> parsed(const std::string& what, std::string_view text) {
  auto json = Json::parse(text);
  if (!json.ok()) return refusal(fmt::format("{} cannot be read: {}", what, json.error().message));
  return json;
}

}  // namespace

std::string text_of(const BackupHeader& header) { return json_of(header).text() + "\n"; }

Result<BackupHeader> read_header(std::string_view text) {
  const auto json = TRY(parsed("header", text));
  return header_in(json);
}

std::string text_of(const BackupManifest& manifest) {
  std::vector<Json> members;
  for (const MemberFacts& facts : manifest.members) {
    members.push_back(Json::object({{"name", Json::string(facts.name)},
                                    {"size_bytes", Json::integer(facts.size_bytes)},
                                    {"sha256", Json::string(facts.sha256)}}));
  }
  return Json::object({{"backup", json_of(manifest.header)},
                       {"content", manifest.content},
                       {"members", Json::array(std::move(members))}})
             .text() +
         "\n";
}

Result<BackupManifest> read_manifest(std::string_view text) {
  const auto json = TRY(parsed("manifest", text));
  TRY(check_members("manifest", json, {"backup", "content", "members"}));
  auto header = TRY(header_in(json["backup"]));
  BackupManifest manifest{std::move(header), json["content"], {}};
  if (!manifest.content.is_object()) return refusal("manifest has a content that is no object");
  if (!json["members"].is_array()) return refusal("manifest has no list of members");
  for (const Json& each : json["members"].items()) {
    auto facts = TRY(facts_in(each));
    manifest.members.push_back(std::move(facts));
  }
  return manifest;
}

}  // namespace rowlock
