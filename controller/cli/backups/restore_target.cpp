// Checked before anything is opened: a mistyped --replace must cost nothing.
#include "controller/cli/backups/restore_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <utility>

namespace rowlock {

namespace {

constexpr char kExample[] = "--into postgresql://USER@HOST:PORT/NAME";

Error misused(std::string message, std::string hint) {
  return {Fault::rejected, Cause::other, std::move(message), std::move(hint)};
}

}  // namespace

Result<std::string> target_of(const RestoreOptions& options) {
  const std::string& url = options.into;
  const std::size_t host = url.find("://");
  const std::size_t query = std::min(url.find('?'), url.size());
  const std::size_t slash = url.rfind('/', query);
  if (!url.starts_with("postgres") || host == std::string::npos || slash < host + 3 ||
      slash + 1 == query) {
    return misused(fmt::format("--into is not the URL of a database: '{}'", url), kExample);
  }
  const std::size_t at = url.substr(0, query).find('@', host);
  if (at != std::string::npos && url.substr(host + 3, at - host - 3).find(':') < at) {
    return misused("--into must have no password in it, where everybody could read it",
                   fmt::format("{}, and --secret, or with --from --password-file", kExample));
  }
  std::string database = url.substr(slash + 1, query - slash - 1);
  if (!options.replaces.empty() && options.replaces != database) {
    return misused(fmt::format("--replace names '{}', --into '{}'", options.replaces, database),
                   "both must name the database that is put aside");
  }
  if (options.replaces == "postgres") {
    return misused("the server is reached by the database postgres, which cannot be put aside",
                   "restore into another name");
  }
  return database;
}

std::vector<std::string> sections_of(const RestoreOptions& options) {
  std::vector<std::string> sections;
  std::istringstream words(options.sections);
  for (std::string word; std::getline(words, word, ',');) sections.push_back(word);
  return sections;
}

Result<> check_selection(const RestoreOptions& options) {
  bool has_before = options.sections.empty();
  for (const std::string& section : sections_of(options)) {
    if (section != "before" && section != "data" && section != "after") {
      return misused(fmt::format("--section has '{}' in it", section),
                     "any of before, data and after, such as --section before,data");
    }
    has_before = has_before || section == "before";
  }
  if (!has_before) {
    return misused(
        "--section lacks 'before', without which nothing is there to be filled",
        "--section before,data; what comes later can be restored by hand, as RESTORE.txt "
        "in the backup says");
  }
  if (options.is_single_transaction && options.keeps_going) {
    return misused("a single transaction cannot go on after an error",
                   "leave out --single-transaction or --keep-going");
  }
  return Done{};
}

}  // namespace rowlock
