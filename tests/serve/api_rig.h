// The Vault-like interface on a state.db of its own, asked without any network. The clock is the
// test's.
#pragma once

#include "controller/secrets/secrets.h"
#include "controller/serve/vault/vault_api.h"
#include "tests/store/files.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace rowlock {

struct Reply {
  int status = 0;
  std::string text;
  Json body;

  std::string error(std::size_t number = 0) const;  // "" when there are not so many.
  Json data() const { return body["data"]; }
};

class ApiRig {
 public:
  static constexpr std::int64_t kStartMs = 1'800'000'000'000;

  // With keys, made and open, unless `is_made` is false.
  explicit ApiRig(bool is_made = true);

  // A statement that fails ends the test.
  void sql(const std::string& statements);
  std::string value(const std::string& query);

  // A policy for the path, and a token of a person who has it.
  std::string token_for(const std::string& path, const std::string& capabilities);

  // A running instance of the job, both of which are made if they are not there.
  std::int64_t instance(const std::string& job, const std::string& name);
  std::string identity(std::int64_t instance);

  // As the operator, over the unix socket.
  Reply ask(const std::string& method, const std::string& path, const std::string& body = "");
  // Over loopback, with a token or with none.
  Reply ask_with(const std::string& token, const std::string& method, const std::string& path,
                 const std::string& body = "");
  Reply ask(HttpRequest request);
  static HttpRequest request(const std::string& method, const std::string& path,
                             const std::string& body);

  Reply log_in(const std::string& role, const std::string& jwt);

  // What was recovered when the keys were made.
  std::vector<std::string> shares;
  std::string unseal_key;

  std::int64_t now_ms = kStartMs;
  TempFolder folder;
  Schema schema;
  Database state;
  Secrets secrets;
  VaultApi api;
};

}  // namespace rowlock
