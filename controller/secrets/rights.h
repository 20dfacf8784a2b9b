// The rows of state.db that give rights are believed only as they were accepted or made. Of what is
// copied from desired.db (policy, job_policy, trust, api) the head of the audit log has a keyed
// hash for each table; of tokens the sum of one for each row, so that one which was revoked, used
// up or fetched cannot be put back. They are read again when another connection has written to
// state.db, and at no other time: a request costs one look at PRAGMA data_version.
//
// What this does not hold against: all of an older state.db put back, and bytes of the file that
// were changed behind SQLite's back while it runs, until it starts again or verifies the log.
#pragma once

#include "controller/base/result.h"
#include "controller/secrets/audit.h"
#include "controller/secrets/keyring.h"
#include "controller/store/database.h"
#include "controller/store/schema.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

class Rights {
 public:
  Rights(Database& state, const Schema& schema, const Keyring& keyring, AuditLog& audit)
      : state_(state), schema_(schema), keyring_(keyring), audit_(audit) {}

  // All rows in force are those of desired.db: what they are now is what they are to be. Within the
  // transaction that made them so.
  Result<> accepted();

  // The keys were made or given: what was accepted while they were sealed is written down, and what
  // was never written down before. Within the caller's transaction.
  Result<> opened();

  // Done when the rows are what they were; else broken, with a sentence that says what gives no
  // rights and what mends it. Done while the store is sealed: nothing is given then.
  Result<> require_policies();
  Result<> require_tokens();

  // In the transaction that wrote the token's row: another mac. `before` is "" for a new row.
  Result<> token_signed(const std::string& hash, const std::string& before, const std::string& mac);
  // Ends every token, whoever wrote its row. Requires: open.
  Result<> end_tokens();

  // Before a pass, outside any transaction: says in rows what gives no rights. True when the rows
  // of desired.db are to be taken over anew.
  Result<bool> follow(std::int64_t now_ms);

  // Reads everything again. Adds a sentence for each thing that is not as it was written.
  Result<> verify(std::vector<std::string>& findings);

 private:
  Result<std::string> hashes_of_policies();
  Result<> compare_policies();
  Result<> compare_tokens();
  Result<std::string> sum_of_tokens(bool& is_back);
  Result<std::string> add_gone(std::string sum, bool& is_back);
  Result<> take_gone_out();
  Result<bool> tell(const std::string& of, const Result<>& found, std::int64_t now_ms);
  std::string share_of(const std::string& hash, const std::string& mac) const;
  const std::string& script(std::string_view name) const;

  Database& state_;
  const Schema& schema_;
  const Keyring& keyring_;
  AuditLog& audit_;
  // The data_version as of which they are known to be true; what this connection writes since then
  // goes through the calls above.
  std::optional<std::int64_t> policies_known_at_;
  std::optional<std::int64_t> tokens_known_at_;
};

}  // namespace rowlock
