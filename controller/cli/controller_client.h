// What a verb asks of the controller of the home, over HOME/rowlock.sock, and how its refusals
// read. Who asks: root and the owner of the home are known by the socket itself and may do
// everything; anybody else shows a token.
#pragma once

#include "controller/base/json.h"
#include "controller/store/home.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rowlock {

class ControllerClient {
 public:
  enum class Access {
    reads,   // GET and LIST; anything else stops the program before it is sent: a dry run.
    writes,  // Anything.
  };

  // Requires: the home outlives this.
  explicit ControllerClient(const Home& home, Access access) : home_(&home), access_(access) {}

  // What the controller answered with a status below 300; null when it said nothing. `path` is
  // percent-encoded, `body` JSON. Errors: kExitUnreachable when no controller runs, kExitPermission
  // when this user may not (Cause::denied), a hint when the store is sealed, otherwise the
  // controller's own sentences; Cause::not_found for a 404.
  Result<Json> ask(const std::string& method, const std::string& path, std::string_view body = "",
                   const std::string& content_type = "") const;

  // The same for a body that is there.
  Result<Json> ask(const std::string& method, const std::string& path, const Json& body) const;

 private:
  const Home* home_;
  Access access_;
};

// The environment's token, for somebody who is or is not the operator. VAULT_TOKEN counts last, and
// for others alone: an operator has it for another store.
Result<std::string> token_of_environment(bool is_operator);

// The error that an answer of 300 and above amounts to. `body` may be anything.
Error refusal_of(int status, std::string_view body);

// "/v1/secret/data/db/prod" for the path of a secret; `part`: data, metadata, delete, ….
std::string secret_address(std::string_view part, std::string_view path);

// A span of time as Vault's interface takes it: "28800s".
std::string duration_text(std::int64_t duration_ms);

}  // namespace rowlock
