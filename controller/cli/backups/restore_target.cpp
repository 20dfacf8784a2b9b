// Checked before anything is opened: a mistyped --replace must cost nothing.
#include "controller/cli/backups/restore_target.h"

#include <fmt/format.h>

#include <algorithm>
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

}  // namespace rowlock
