// Where others find the keys that verify the identities of instances (OpenID Connect Discovery
// 1.0). Public, and the same for everybody.
#include "controller/serve/vault/vault_api_call.h"
#include "controller/serve/vault/vault_api_reply.h"

namespace rowlock {

namespace {

VaultReply read_discovery(const VaultParts& parts, const VaultCall&) {
  const auto document = parts.secrets.identities.discovery();
  return document.ok() ? reply_with_whole(document.value()) : failed(document.error());
}

VaultReply read_keys(const VaultParts& parts, const VaultCall&) {
  const auto keys = parts.secrets.identities.key_set();
  return keys.ok() ? reply_with_whole(keys.value()) : failed(keys.error());
}

constexpr VaultAccess kAnyone = VaultAccess::anyone;
constexpr VaultAudit kNothing = VaultAudit::nothing;

constexpr VaultRoute kRoutes[] = {
    {"GET", "/.well-known/openid-configuration", kAnyone, kNothing, "", read_discovery},
    {"GET", "/.well-known/jwks.json", kAnyone, kNothing, "", read_keys},
    {"GET", "identity/oidc/.well-known/openid-configuration", kAnyone, kNothing, "",
     read_discovery},
    {"GET", "identity/oidc/.well-known/keys", kAnyone, kNothing, "", read_keys},
};

}  // namespace

std::span<const VaultRoute> vault_identity_routes() { return kRoutes; }

}  // namespace rowlock
