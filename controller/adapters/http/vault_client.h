// Reading from a Vault that runs somewhere (or whatever else speaks its version 2 key/value
// interface), to take its secrets over. It can send GET and nothing else.
#pragma once

#include "controller/base/json.h"
#include "controller/base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rowlock {

// As Vault's own client takes it from the environment.
struct VaultAddress {
  std::string url;         // VAULT_ADDR: http://…, https://…, or unix:///path/of/a/socket
  std::string token;       // VAULT_TOKEN
  std::string name_space;  // VAULT_NAMESPACE
  std::string ca_file;     // VAULT_CACERT; empty: what the machine trusts.

  // Rejected when VAULT_ADDR is not set, or is none of these.
  static Result<VaultAddress> of_environment();
};

class VaultClient {
 public:
  static constexpr std::int64_t kTimeoutMs = 30'000;
  static constexpr std::size_t kAnswerBytesMax = 16 * 1024 * 1024;

  explicit VaultClient(VaultAddress address) : address_(std::move(address)) {}

  // What lies directly under a folder ("" or "db/"): names, and folders with a slash at the end.
  // Empty when there is none.
  Result<std::vector<std::string>> list(const std::string& mount, const std::string& folder) const;

  // The map of the newest version that is neither deleted nor destroyed; nothing when there is
  // none.
  Result<std::optional<Json>> newest(const std::string& mount, const std::string& path) const;

 private:
  struct Reply {
    long status = 0;
    Json body;
  };
  Result<Reply> get(const std::string& path) const;
  Error refusal(const Reply& reply, const std::string& path) const;

  VaultAddress address_;
};

}  // namespace rowlock
