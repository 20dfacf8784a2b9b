// Logging in with a signed token (JWT) instead of a password: an instance shows its identity, or
// somebody whom a row of `trust` believes shows what their own issuer signed. Both are given a
// token of ours for it. What happens is in the audit log, allowed or denied.
#pragma once

#include "controller/base/result.h"
#include "controller/secrets/audit.h"
#include "controller/secrets/identity.h"
#include "controller/secrets/tokens.h"
#include "controller/store/database.h"
#include "controller/store/schema.h"

#include <cstdint>
#include <string>

namespace rowlock {

struct LoggedIn {
  MadeToken made;
  std::string role;     // The job, or the row of `trust`.
  std::string subject;  // What the claim sub says.
};

class Logins {
 public:
  static constexpr std::int64_t kInstanceTtlMs = 60LL * 60 * 1000;
  // A trusted token may be renewed, but no longer than this.
  static constexpr std::int64_t kTrustedEndMs = 24LL * 60 * 60 * 1000;

  Logins(Database& state, const Schema& schema, const Keyring& keyring, AuditLog& audit,
         Rights& rights, Identities& identities, Tokens& tokens)
      : state_(state),
        schema_(schema),
        keyring_(keyring),
        audit_(audit),
        rights_(rights),
        identities_(identities),
        tokens_(tokens) {}

  // `role`: a job or a row of `trust`; may be left out where the token says enough. Leaves a line
  // in the audit log when it succeeds; when it does not, that is the caller's to write, after what
  // was written is undone. Rejected with a sentence that says what is wrong with the token. Within
  // a transaction of the caller's.
  Result<LoggedIn> log_in(const std::string& role, const std::string& jwt, std::int64_t now_ms);

 private:
  Result<LoggedIn> log_in_instance(const std::string& role, const std::string& jwt,
                                   std::int64_t now_ms);
  Result<LoggedIn> log_in_trusted(const std::string& role, const std::string& issuer,
                                  const std::string& jwt, std::int64_t now_ms);
  Result<Row> trust_row(const std::string& role, const std::string& issuer);
  Result<Json> believed(const Row& trust, const std::string& jwt, std::int64_t now_ms);
  Result<std::vector<Row>> query(std::string_view script, const Values& values);

  Database& state_;
  const Schema& schema_;
  const Keyring& keyring_;
  AuditLog& audit_;
  Rights& rights_;
  Identities& identities_;
  Tokens& tokens_;
};

}  // namespace rowlock
