// The comparison that decides whether a backup is good is difference(): counts and hashes of
// tables, and names of extensions. The versions of those belong to the server, and so does where a
// partitioned table puts a row: the hash of an enum's value hangs on a number that each server
// gives anew. So partitions must all be there, and count together.
#include "controller/backup/content.h"

#include "controller/ports/relation_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
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

Json json_of(const std::vector<std::string>& names) {
  std::vector<Json> texts;
  for (const std::string& name : names) {
    texts.push_back(Json::string(name));
  }
  return Json::array(std::move(texts));
}

std::string different_table(const TableFacts& dumped, const TableFacts& restored) {
  if (restored.rows != dumped.rows) {
    return fmt::format("{} has {} rows, {} were dumped", dumped.name, restored.rows, dumped.rows);
  }
  if (restored.hash != dumped.hash) {
    return fmt::format("{} has other content, in {} rows as dumped", dumped.name, dumped.rows);
  }
  return "";
}

// A name with each of its parts in quotes: which parts need them is said otherwise by servers of
// other versions, and by one with quote_all_identifiers.
std::string in_quotes(const std::string& name) {
  std::string result;
  bool is_quoted = false;  // As it stands there.
  bool is_begin = true;    // Of a part.
  for (const char c : name) {
    if (is_begin && c != '"') result += '"';
    if (c == '"') is_quoted = !is_quoted;
    is_begin = c == '.' && !is_quoted;
    if (is_begin && !result.ends_with('"')) result += '"';
    result += c;
  }
  return result.ends_with('"') ? result : result + '"';
}

void add(const TableFacts& part, TableFacts& whole) {
  const std::uint64_t sum = std::strtoull(whole.hash.c_str(), nullptr, 16) +
                            std::strtoull(part.hash.c_str(), nullptr, 16);
  whole.rows += part.rows;
  whole.hash = fmt::format("{:016x}", sum);
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
  return Json::object({{"server_version", Json::string(facts.content.server_version)},
                       {"lsn", Json::string(facts.content.lsn)},
                       {"size_bytes", Json::integer(facts.content.size_bytes)},
                       {"hash_method", Json::string(facts.content.hash_method)},
                       {"program", Json::string(facts.program)},
                       {"dump_bytes", Json::integer(facts.dump_bytes)},
                       {"dump_ms", Json::integer(facts.dump_ms)},
                       {"tables", Json::array(std::move(tables))},
                       {"left_out", json_of(facts.content.left_out)},
                       {"extensions", json_of(facts.content.extensions)}});
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
  for (const Json& table : content["left_out"].items()) {
    facts.content.left_out.push_back(table.as_string());
  }
  return facts;
}

std::string difference(const DatabaseFacts& dumped, const DatabaseFacts& restored) {
  CHECK(dumped.hash_method == restored.hash_method);
  std::map<std::string, const TableFacts*> there;
  for (const TableFacts& table : restored.tables) {
    there[in_quotes(table.name)] = &table;
  }
  std::map<std::string, std::pair<TableFacts, TableFacts>> wholes;
  for (const TableFacts& table : dumped.tables) {
    const auto found = there.find(in_quotes(table.name));
    if (found == there.end()) return fmt::format("{} is missing", table.name);
    const TableFacts& copy = *found->second;
    there.erase(found);
    if (copy.part_of.empty()) {
      if (auto differs = different_table(table, copy); !differs.empty()) return differs;
      continue;
    }
    auto& [was, is] = wholes[copy.part_of];
    was.name = copy.part_of;
    add(table, was);
    add(copy, is);
  }
  if (!there.empty()) {
    return there.begin()->second->name + " is there, and was not dumped";
  }
  for (const auto& [name, whole] : wholes) {
    if (auto differs = different_table(whole.first, whole.second); !differs.empty()) return differs;
  }
  if (names_of(dumped.extensions) != names_of(restored.extensions)) {
    return fmt::format("it has the extensions {}, dumped were {}",
                       fmt::join(restored.extensions, ", "), fmt::join(dumped.extensions, ", "));
  }
  return "";
}

}  // namespace rowlock
