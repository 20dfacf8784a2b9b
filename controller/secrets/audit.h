// The audit log: one line for every access to a secret, allowed or denied, in the same transaction
// as the access itself, which is answered only once that is synced. Each line is chained to the one
// before by a keyed hash, and audit_head holds where the chain ends and the sum of the digests of
// all secret rows: an edit, a deletion, a swap or a truncation by other hands is found.
#pragma once

#include "controller/base/result.h"
#include "controller/secrets/keyring.h"
#include "controller/store/database.h"
#include "controller/store/schema.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

struct AuditLine {
  std::string actor;
  std::string operation;
  std::string path;
  std::optional<std::int64_t> version;
  std::string outcome = "allowed";  // allowed | denied | failed
  std::string detail;
  std::string value;  // What hash_of() says of what is released or written; "" when nothing is.
};

// What the head of the log holds for rights.h: "" in one that was written before there was such.
struct AuditProofs {
  std::string rights;
  std::string tokens;
};

struct AuditReport {
  std::int64_t lines = 0;             // That the log has, ever,
  std::int64_t segmented = 0;         // and up to which one they stand in segments.
  std::int64_t rows = 0;              // Of secrets.
  std::vector<std::string> findings;  // Sentences; empty when all is as it was written.
  static constexpr std::size_t kFindingsMax = 100;
};

class AuditLog {
 public:
  AuditLog(Database& state, const Schema& schema, const Keyring& keyring)
      : state_(state), schema_(schema), keyring_(keyring) {}

  // Requires of all: the keyring is open; of those that write: a transaction of the caller's.

  // The first head, when the keys are made.
  Result<> begin();

  Result<> append(const AuditLine& line, std::int64_t now_ms);

  // Makes the digest of a row of a secret table (secret, secret_version, secret_config) fit again
  // after it was written: `key` says which row, as :path and :version. Part of the same
  // transaction.
  Result<> row_written(const std::string& table, const Values& key);
  // To be called before a row is deleted.
  Result<> row_leaves(const std::string& table, const Values& key);
  // Whether the row is as it was written.
  Result<bool> row_is_true(const std::string& table, const Values& key);
  // Broken with a sentence when it is not. To be called before a row is changed: row_written()
  // would make what other hands wrote into it true.
  Result<> require_true(const std::string& table, const Values& key);
  // After the rows of keyring were changed.
  Result<> keys_written();

  // Of a head that is true, else broken.
  Result<AuditProofs> proofs();
  Result<> prove(const AuditProofs& proofs);

  // For `value`: a keyed hash, so that equal values can be told, and nothing else.
  std::string hash_of(std::string_view value) const;

  // Reads everything and compares. Does not write.
  Result<AuditReport> verify();
  // What does the same on whatever thread calls it: it opens the file anew, reads it as of one
  // moment and has the key to itself. May outlive this.
  std::function<Result<AuditReport>()> verification() const;

 private:
  struct Head;
  Result<Head> read_head();
  Result<Head> head();
  Result<std::string> hash_of_keys();
  Result<> write_head(const Head& head);
  std::string mac_of(const Head& head) const;
  std::string digest_of(const std::string& table, const Row& row) const;
  Result<> verify_lines(const Head& head, AuditReport& report);
  Result<> verify_rows(const Head& head, AuditReport& report);
  Result<> verify_counts(AuditReport& report);
  Result<> change_sum(const std::string& out, const std::string& in, int rows);
  std::string hash_of_line(const std::string& before, const Row& line) const;
  const std::string& script(std::string_view name) const;

  Database& state_;
  const Schema& schema_;
  const Keyring& keyring_;
};

}  // namespace rowlock
