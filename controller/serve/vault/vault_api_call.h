// What the parts of the Vault-like interface share: a request on its way to whoever answers it, the
// answer, and the table of who answers what. Each vault_api_AREA.cpp has the rows of its area.
#pragma once

#include "controller/base/json.h"
#include "controller/secrets/secrets.h"
#include "controller/serve/http_server.h"
#include "controller/serve/vault/quotas.h"
#include "controller/store/database.h"
#include "controller/store/schema.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

struct VaultParts {
  Secrets& secrets;
  Database& state;
  const Schema& schema;
  Quotas& quotas;
};

struct VaultCall {
  const HttpRequest& request;
  std::string path;  // What stands where the route has '*': "db/prod".
  Json body = Json::object({});
  Actor actor;
  std::optional<Token> token;  // Absent: the operator, or nobody where anyone may ask.
  std::string token_text;
  std::int64_t now_ms = 0;
};

struct VaultReply {
  int status = 200;
  // JSON texts, the members of the envelope of the same names.
  std::string data = "null";
  std::string auth = "null";
  std::string wrap_info = "null";
  std::string whole;     // If any: the body as it is, without an envelope.
  std::string accessor;  // Of the token inside, if it is given one.

  // Of one that is not what was asked for: what was written meanwhile is undone.
  bool is_failure = false;
  bool is_denied = false;
  std::vector<std::string> errors;
  std::string detail;               // For the audit log.
  std::int64_t retry_after_ms = 0;  // 0: nothing is said of it.

  // If any: what makes the reply, on a thread of its own once the transaction has ended. It holds
  // nothing of the call, and is called once.
  std::function<VaultReply()> later;
};

// Root or the user whose home it is, at the unix socket.
bool is_of_operator(const HttpRequest& request);

// Who may ask at all; what of, is decided by policies.
enum class VaultAccess {
  anyone,
  holder,  // Of a token; the operator needs none.
  operator_only,
};

// What the audit log hears of it from the interface. The engine writes its own lines.
enum class VaultAudit {
  nothing,
  failures,
  all,
};

struct VaultRoute {
  std::string_view method;  // GET, POST (PUT means the same), PATCH, DELETE, LIST, HEAD
  std::string_view
      pattern;  // Under /v1/, or from the root when it begins with a slash; '*': the rest
  VaultAccess access = VaultAccess::holder;
  VaultAudit audit = VaultAudit::failures;
  std::string_view operation;  // As the audit log calls it.
  VaultReply (*answer)(const VaultParts& parts, const VaultCall& call) = nullptr;
};

std::span<const VaultRoute> vault_kv_routes();
std::span<const VaultRoute> vault_kv_metadata_routes();
std::span<const VaultRoute> vault_sys_routes();
std::span<const VaultRoute> vault_seal_routes();
std::span<const VaultRoute> vault_auth_routes();
std::span<const VaultRoute> vault_wrapping_routes();
std::span<const VaultRoute> vault_identity_routes();

}  // namespace rowlock
