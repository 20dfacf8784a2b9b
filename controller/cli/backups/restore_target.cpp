// Checked before anything is opened: a mistyped --replace must cost nothing.
#include "controller/cli/backups/restore_target.h"

#include "controller/base/percent.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <utility>

namespace rowlock {

namespace {

constexpr std::size_t kNameBytesMax = 63;  // A server cuts off the rest.
constexpr char kExample[] = "--into postgresql://USER@HOST:PORT/NAME";

Error misused(std::string message, std::string hint) {
  return {Fault::rejected, Cause::other, std::move(message), std::move(hint)};
}

}  // namespace

Result<std::string> target_of(const RestoreOptions& options) {
  const std::string& url = options.into;
  const std::size_t host = url.find("://");
  const std::size_t query = std::min(url.find('?'), url.size());
  const std::size_t slash =
      host == std::string::npos ? query : std::min(url.find('/', host + 3), query);
  if (!url.starts_with("postgres") || slash + 1 >= query) {
    return misused(fmt::format("--into is not the URL of a database: '{}'", url), kExample);
  }
  const std::size_t at = url.substr(0, query).find('@', host);
  if (at != std::string::npos && url.substr(host + 3, at - host - 3).find(':') < at) {
    return misused("--into must have no password in it, where everybody could read it",
                   fmt::format("{}, and --secret, or with --from --password-file", kExample));
  }
  const auto decoded = percent_decoded(url.substr(slash + 1, query - slash - 1));
  if (!decoded.has_value()) {
    return misused(fmt::format("the name of the database in --into cannot be decoded: '{}'", url),
                   "write % as %25, and a blank as %20");
  }
  const std::string& database = *decoded;
  if (database.size() > kNameBytesMax) {
    return misused(fmt::format("'{}' is too long for the name of a database", database),
                   "use 1 to 63 bytes");
  }
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

std::string name_aside(const std::string& database, std::int64_t when_s) {
  const std::string tail = fmt::format("_before_{}", when_s);
  std::size_t size = std::min(database.size(), kNameBytesMax - tail.size());
  while (size > 0 && size < database.size() && (database[size] & 0xc0) == 0x80) --size;
  return database.substr(0, size) + tail;
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
