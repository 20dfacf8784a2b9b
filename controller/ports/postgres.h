// The port to PostgreSQL servers, for logins of a bounded life.
//
// Protocol. create_role → renew_role, any number of times → drop_role, each on a connection of its
// own that ends with the call. Thread-safe. No call leaves half a role behind: each is one
// transaction, but for ending sessions, which comes first.
#pragma once

#include "controller/base/result.h"
#include "controller/crypto/secret_bytes.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace rowlock {

// A server as an administrator reaches it.
struct PostgresAddress {
  std::string url;  // postgresql://USER@HOST:PORT/DATABASE, without a password.
  std::shared_ptr<const SecretBytes> password;  // Null: none is needed.
};

// A role of a bounded life, made for one instance.
struct PostgresRole {
  std::string name;                             // Of a-z, 0-9 and '_'.
  std::shared_ptr<const SecretBytes> password;  // Of letters and digits.
  std::int64_t valid_until_ms = 0;
  // What makes it, or makes an end of it; {{name}}, {{password}} and {{expiration}} are filled in.
  // The password is filled in as a SCRAM verifier, so that no log of the server ever has it.
  std::vector<std::string> statements;
};

class Postgres {
 public:
  virtual ~Postgres() = default;

  // In one transaction. A role of that name that is there is made anew.
  virtual Result<> create_role(const PostgresAddress& server, const PostgresRole& role) = 0;

  // Moves the end of its life. Cause::not_found when there is no such role.
  virtual Result<> renew_role(const PostgresAddress& server, const std::string& name,
                              std::int64_t valid_until_ms) = 0;

  // Ends its sessions, runs the statements if there are any, drops what it owns in this database,
  // and then it. One that is not there counts as dropped.
  virtual Result<> drop_role(const PostgresAddress& server, const std::string& name,
                             const std::vector<std::string>& statements) = 0;

  // The roles whose names begin so.
  virtual Result<std::vector<std::string>> roles(const PostgresAddress& server,
                                                 const std::string& prefix) = 0;
};

}  // namespace rowlock
