// Signing uses the newest identity key, verifying takes any that is kept: so a token outlives the
// rotation of keys.
#include "controller/secrets/identity.h"

#include "controller/crypto/cipher.h"
#include "controller/crypto/encoding.h"

#include <fmt/format.h>

namespace rowlock {

namespace {

constexpr std::size_t kIdBytes = 16;

Json strings(std::initializer_list<std::string_view> values) {
  std::vector<Json> items;
  for (const std::string_view value : values) {
    items.push_back(Json::string(value));
  }
  return Json::array(std::move(items));
}

}  // namespace

const std::string& Identities::script(std::string_view name) const {
  const std::string* text = schema_.script(name);
  CHECK(text != nullptr);
  return *text;
}

Result<SignedIdentity> Identities::sign(std::int64_t instance, std::int64_t now_ms) {
  if (!keyring_.is_open()) {
    return keyring_.closed_error();
  }
  const auto rows = TRY(state_.query(script("identity.of_instance"), {{"instance", instance}}));
  if (rows.empty()) {
    return Error{Fault::rejected, Cause::not_found,
                 fmt::format("instance {} is not kept any more: it gets no identity", instance),
                 ""};
  }
  const Row& row = rows.front();
  const std::int64_t ahead_ms = row.integer("wall_ahead_ms");
  const std::int64_t now_s = (now_ms + ahead_ms) / 1000;
  const std::int64_t expires_s = (now_ms + ahead_ms + row.integer("identity_ttl_ms")) / 1000;
  const Json claims = Json::object({
      {"iss", Json::string(row.text("issuer"))},
      {"sub",
       Json::string(fmt::format("{}:{}:{}", row.text("site"), row.text("job"), row.text("name")))},
      {"aud", Json::string(row.text("audience"))},
      {"iat", Json::integer(now_s)},
      {"nbf", Json::integer(now_s)},
      {"exp", Json::integer(expires_s)},
      {"jti", Json::string(to_hex(random_bytes(kIdBytes)))},
      {"rowlock_job", Json::string(row.text("job"))},
      {"rowlock_home", Json::string(row.text("home"))},
  });
  return SignedIdentity{JwtSigner(keyring_.newest("identity").bytes).sign(claims),
                        expires_s * 1000 - ahead_ms};
}

std::vector<Json> Identities::public_keys() const {
  std::vector<Json> keys;
  for (auto key = keyring_.keys().rbegin(); key != keyring_.keys().rend(); ++key) {
    if (key->purpose == "identity") {
      keys.push_back(JwtSigner(key->bytes).public_key());
    }
  }
  return keys;
}

Result<Jwt> Identities::verify(std::string_view token) const {
  if (!keyring_.is_open()) {
    return keyring_.closed_error();
  }
  auto keys = JwtKeys::of(public_keys());
  return keys.ok() ? keys.value().verify(token) : Result<Jwt>(keys.error());
}

Result<Json> Identities::key_set() const {
  if (!keyring_.is_open()) {
    return keyring_.closed_error();
  }
  return Json::object({{"keys", Json::array(public_keys())}});
}

Result<Json> Identities::discovery() {
  const auto rows = TRY(state_.query(script("identity.setting")));
  CHECK(!rows.empty());
  const std::string issuer = rows.front().text("issuer");
  return Json::object({
      {"issuer", Json::string(issuer)},
      {"jwks_uri", Json::string(issuer + std::string(kKeysPath))},
      {"response_types_supported", strings({"id_token"})},
      {"subject_types_supported", strings({"public"})},
      {"id_token_signing_alg_values_supported", strings({"EdDSA"})},
  });
}

}  // namespace rowlock
