// The comparison that decides whether a backup is good is difference(): counts and hashes of
// tables, and names of extensions. The versions of those belong to the server.
#include "controller/backup/content.h"

#include "controller/ports/relation_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

namespace rowlock {

namespace {

Json json_of(const TableFacts& table) {
  return Json::object({{"name", Json::string(table.name)},
                       {"rows", Json::integer(table.rows)},
                       {"hash", Json::string(table.hash)}});
}

std::string different_table(const TableFacts& dumped, const TableFacts* restored) {
  if (restored == nullptr) {
    return fmt::format("{} is missing", dumped.name);
  }
  if (restored->rows != dumped.rows) {
    return fmt::format("{} has {} rows, {} were dumped", dumped.name, restored->rows, dumped.rows);
  }
  if (restored->hash != dumped.hash) {
    return fmt::format("{} has other content, in {} rows as dumped", dumped.name, dumped.rows);
  }
  return "";
}

// Without their versions, which are the server's to give: "pgcrypto 1.3" is pgcrypto.
std::vector<std::string> names_of(const std::vector<std::string>& extensions) {
  std::vector<std::string> names;
  for (const std::string& extension : extensions) {
    names.push_back(extension.substr(0, extension.rfind(' ')));
  }
  return names;
}

using Relation = std::pair<std::string, std::string>;

constexpr char kLargeObjects[] = "large objects";
// What makes or fills a table or sequence.
constexpr std::string_view kCounted[] = {"TABLE", "TABLE DATA", "TABLE ATTACH", "SEQUENCE",
                                         "SEQUENCE SET"};

}  // namespace

DatabaseFacts without(DatabaseFacts facts, const std::vector<LeftOut>& left_out, bool has_rows) {
  std::set<Relation> tables;
  std::set<std::string> extensions;
  bool has_large_objects = has_rows;
  for (const LeftOut& each : left_out) {
    if (each.kind == "EXTENSION") {
      extensions.insert(each.name);
    } else if (each.kind.starts_with("BLOB")) {
      has_large_objects = false;
    } else if (std::find(std::begin(kCounted), std::end(kCounted), each.kind) !=
               std::end(kCounted)) {
      tables.insert({each.schema, each.name});
    }
  }
  std::erase_if(facts.tables, [&](const TableFacts& table) {
    return table.name == kLargeObjects ? !has_large_objects
                                       : tables.contains(plain_relation(table.name));
  });
  std::erase_if(facts.extensions, [&](const std::string& extension) {
    return extensions.contains(extension.substr(0, extension.rfind(' ')));
  });
  for (TableFacts& table : facts.tables) {
    if (!has_rows) table = {table.name, 0, ""};
  }
  return facts;
}

Json json_of(const DumpFacts& facts) {
  std::vector<Json> tables;
  for (const TableFacts& table : facts.content.tables) {
    tables.push_back(json_of(table));
  }
  std::vector<Json> extensions;
  for (const std::string& extension : facts.content.extensions) {
    extensions.push_back(Json::string(extension));
  }
  return Json::object({{"server_version", Json::string(facts.content.server_version)},
                       {"lsn", Json::string(facts.content.lsn)},
                       {"size_bytes", Json::integer(facts.content.size_bytes)},
                       {"hash_method", Json::string(facts.content.hash_method)},
                       {"program", Json::string(facts.program)},
                       {"dump_bytes", Json::integer(facts.dump_bytes)},
                       {"dump_ms", Json::integer(facts.dump_ms)},
                       {"tables", Json::array(std::move(tables))},
                       {"extensions", Json::array(std::move(extensions))}});
}

Result<DumpFacts> dump_facts_of(const Json& content) {
  DumpFacts facts;
  facts.content.server_version = content["server_version"].as_string();
  facts.content.lsn = content["lsn"].as_string();
  facts.content.size_bytes = content["size_bytes"].as_integer();
  facts.content.hash_method = content["hash_method"].as_string();
  facts.program = content["program"].as_string();
  facts.dump_bytes = content["dump_bytes"].as_integer();
  facts.dump_ms = content["dump_ms"].as_integer();
  if (!content["tables"].is_array() || facts.content.hash_method.empty()) {
    return Error{Fault::rejected, Cause::other,
                 "its manifest does not say which tables were dumped", ""};
  }
  for (const Json& table : content["tables"].items()) {
    facts.content.tables.push_back(
        {table["name"].as_string(), table["rows"].as_integer(-1), table["hash"].as_string()});
  }
  for (const Json& extension : content["extensions"].items()) {
    facts.content.extensions.push_back(extension.as_string());
  }
  return facts;
}

std::string difference(const DatabaseFacts& dumped, const DatabaseFacts& restored) {
  CHECK(dumped.hash_method == restored.hash_method);
  std::map<std::string, const TableFacts*> there;
  for (const TableFacts& table : restored.tables) {
    there[table.name] = &table;
  }
  for (const TableFacts& table : dumped.tables) {
    const auto found = there.find(table.name);
    const std::string differs =
        different_table(table, found == there.end() ? nullptr : found->second);
    if (!differs.empty()) return differs;
    there.erase(found);
  }
  if (!there.empty()) {
    return there.begin()->first + " is there, and was not dumped";
  }
  if (names_of(dumped.extensions) != names_of(restored.extensions)) {
    return fmt::format("it has the extensions {}, dumped were {}",
                       fmt::join(restored.extensions, ", "), fmt::join(dumped.extensions, ", "));
  }
  return "";
}

}  // namespace rowlock
