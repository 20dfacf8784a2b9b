// The files of one delivery, made from the spec of its job and from what the store holds.
#pragma once

#include "controller/base/json.h"
#include "controller/ports/secret_folders.h"
#include "controller/secrets/secrets.h"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace rowlock {

// One delivery at work. Everything it reads is in the audit log and in the ledger before it is
// used. Requires: within a transaction of the caller's.
class DeliveryFiles {
 public:
  // `input` is a row of delivery_input, `needs` those of delivery_need for the same instance.
  DeliveryFiles(Secrets& secrets, Database& state, const Schema& schema, const Row& input,
                const std::vector<Row>& needs, std::int64_t now_ms);

  // Files of their own, the environment, and those made from templates; without the identity.
  Result<std::vector<SecretFile>> make();

  // The versions that are in them: [["path", version], …].
  std::string uses() const;

 private:
  // Of a secret, at the version that a need with this key and on_change names.
  Result<Json> map_of(const std::string& path, const std::string& key,
                      const std::string& on_change);
  Result<Json> login_of(const std::string& path);
  Result<SecretBytes> value_of(const std::string& path, const std::string& key,
                               const std::string& on_change);
  Result<SecretFile> file_of(const Json& file);
  Result<SecretFile> rendered(const Json& form);
  std::string addresses_of(const std::string& job, const std::string& port) const;

  Secrets& secrets_;
  Database& state_;
  const Schema& schema_;
  const Row& input_;
  const std::vector<Row>& needs_;
  std::int64_t now_ms_;
  Actor actor_;
  std::map<std::pair<std::string, std::int64_t>, Json> maps_;
};

// `value` as it may stand where a template says: escape is none, json or shell.
std::string escaped(std::string_view value, const std::string& escape);

}  // namespace rowlock
