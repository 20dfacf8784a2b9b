// Who may do what: asked of the rows of `policy` by the script policy.capabilities of
// schema/secrets/policy.sql, where the rules are.
#pragma once

#include "controller/base/result.h"
#include "controller/secrets/rights.h"
#include "controller/secrets/secret_store.h"
#include "controller/store/database.h"
#include "controller/store/schema.h"

#include <set>
#include <string>
#include <string_view>

namespace rowlock {

class Policies {
 public:
  Policies(Database& state, const Schema& schema, Rights& rights)
      : state_(state), schema_(schema), rights_(rights) {}

  // create, read, update, patch, delete, list: those that the actor has for the secret at `path` (a
  // folder ends in a slash). Empty: none, or denied. Broken: rows that decide were changed by other
  // hands.
  Result<std::set<std::string>> capabilities(const Actor& actor, std::string_view path);

  // Done when the actor has it; else rejected with a sentence that names the policies it has and
  // the row that would help.
  Result<> require(const Actor& actor, const std::string& capability, std::string_view path);

 private:
  Database& state_;
  const Schema& schema_;
  Rights& rights_;
};

}  // namespace rowlock
