// A wrapped key is sealed by ChaCha20-Poly1305 with a nonce of zeros: the key that seals it is used
// just once.
#include "controller/crypto/age_x25519.h"

#include "controller/base/check.h"
#include "controller/crypto/bech32.h"
#include "controller/crypto/encoding.h"
#include "controller/crypto/hkdf.h"
#include "controller/crypto/sodium.h"

#include <algorithm>
#include <optional>

namespace rowlock {
namespace {

constexpr std::string_view kType = "X25519";
constexpr std::string_view kPassphraseType = "scrypt";
constexpr std::string_view kPurpose = "age-encryption.org/v1/X25519";
constexpr std::size_t kPointBytes = crypto_scalarmult_BYTES;
constexpr std::size_t kWrappedBytes = kAgeKeyBytes + crypto_aead_chacha20poly1305_ietf_ABYTES;
constexpr unsigned char kZeroNonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES] = {};
constexpr std::size_t kIdentitiesMax = 100;

Error rejected(const std::string& message, const std::string& hint = "") {
  return Error{Fault::rejected, Cause::other, message, hint};
}

// Requires: 32 bytes.
std::string point_of(const SecretBytes& secret) {
  std::string point(kPointBytes, '\0');
  crypto_scalarmult_base(bytes_of(point), secret.data());
  return point;
}

// What the owners of both keys can compute, and nobody else. Nothing when the point is one of the
// few with which everybody could.
std::optional<SecretBytes> shared_by(const SecretBytes& secret, std::string_view point) {
  SecretBytes shared(kPointBytes);
  if (crypto_scalarmult(shared.data(), secret.data(), bytes_of(point)) != 0) return std::nullopt;
  return shared;
}

SecretBytes wrapping_key(const SecretBytes& shared, std::string_view ephemeral,
                         std::string_view recipient) {
  const std::string salt = std::string(ephemeral) + std::string(recipient);
  return hkdf_sha256(shared.view(), salt, kPurpose, crypto_aead_chacha20poly1305_ietf_KEYBYTES);
}

// The identity in a line, or why there is none.
Result<AgeIdentity> read_identity(std::string_view line) {
  if (line.substr(0, 11) == "AGE-PLUGIN-") {
    return rejected("an identity of a plugin", "give one that age-keygen made");
  }
  if (line.substr(0, 15) != "AGE-SECRET-KEY-") {
    return rejected("not an age identity", "an identity begins with AGE-SECRET-KEY-1");
  }
  auto decoded = from_bech32(line);
  if (!decoded.ok()) return rejected("not an age identity: " + decoded.error().message);
  Bech32 read = std::move(decoded).value();
  if (read.name != "AGE-SECRET-KEY-" || read.bytes.size() != crypto_scalarmult_SCALARBYTES) {
    return rejected("not an age identity of X25519");
  }
  std::string point = point_of(read.bytes);
  return AgeIdentity{std::move(read.bytes), std::move(point)};
}

// Nothing when the stanza is for somebody else.
std::optional<SecretBytes> opened(const AgeStanza& stanza, std::string_view ephemeral,
                                  const AgeIdentity& identity, const SecretBytes& shared) {
  const SecretBytes key = wrapping_key(shared, ephemeral, identity.point);
  SecretBytes file_key(kAgeKeyBytes);
  if (crypto_aead_chacha20poly1305_ietf_decrypt(
          file_key.data(), nullptr, nullptr, bytes_of(std::string_view(stanza.body)),
          stanza.body.size(), nullptr, 0, kZeroNonce, key.data()) != 0) {
    return std::nullopt;
  }
  return file_key;
}

Result<std::string> ephemeral_of(const AgeStanza& stanza) {
  if (stanza.arguments.size() == 2 && stanza.body.size() == kWrappedBytes) {
    const std::string& text = stanza.arguments[1];
    auto point = from_base64(text + "=");  // 32 bytes take one.
    if (point.ok() && point.value().size() == kPointBytes) return point;
  }
  return rejected("not an age file: a recipient of type X25519 is malformed");
}

bool has_type(const std::vector<AgeStanza>& stanzas, std::string_view type) {
  return std::any_of(stanzas.begin(), stanzas.end(),
                     [type](const AgeStanza& stanza) { return stanza.arguments.front() == type; });
}

// Why nothing was opened.
Error none_opens(const std::vector<AgeStanza>& stanzas) {
  if (has_type(stanzas, kPassphraseType)) {
    return rejected("the age file is encrypted with a passphrase, not for a recipient");
  }
  if (!has_type(stanzas, kType))
    return rejected("the age file is for recipients of another kind than age1…");
  return rejected("none of the identities opens the age file",
                  "it needs the identity of one of the recipients it was encrypted for");
}

}  // namespace

Result<std::string> read_age_recipient(std::string_view text) {
  if (text.substr(0, 4) == "ssh-") {
    return rejected("not an age recipient: an SSH key",
                    "give an age1… recipient: age-keygen makes one");
  }
  if (text.substr(0, 15) == "AGE-SECRET-KEY-") {
    return rejected("not an age recipient: a secret identity",
                    "give the age1… of it: age-keygen -y prints it");
  }
  const auto decoded = from_bech32(text);
  if (!decoded.ok()) {
    return rejected("not an age recipient: " + decoded.error().message,
                    "a recipient is age1 and 58 more characters");
  }
  if (decoded.value().name != "age" || decoded.value().bytes.size() != kPointBytes) {
    return rejected("not an age recipient of X25519", "a recipient is age1 and 58 more characters");
  }
  std::string point(decoded.value().bytes.view());
  if (!shared_by(SecretBytes::random(kPointBytes), point)) {
    return rejected("not an age recipient: everybody could open what is encrypted for it");
  }
  return point;
}

Result<std::vector<AgeIdentity>> read_age_identities(std::string_view text) {
  std::vector<AgeIdentity> identities;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = line.substr(0, line.find_last_not_of(" \t\r") + 1);
    if (line.empty() || line.front() == '#') continue;
    auto identity = read_identity(line);
    if (!identity.ok()) {
      return rejected(
          "identities, line " + std::to_string(number) + ": " + identity.error().message,
          identity.error().hint);
    }
    identities.push_back(std::move(identity).value());
    if (identities.size() > kIdentitiesMax) {
      return rejected("identities: more than " + std::to_string(kIdentitiesMax));
    }
  }
  if (identities.empty()) return rejected("identities: no line AGE-SECRET-KEY-1…");
  return identities;
}

AgeStanza wrapped_for(std::string_view point, const SecretBytes& file_key) {
  CHECK(file_key.size() == kAgeKeyBytes);
  const SecretBytes secret = SecretBytes::random(crypto_scalarmult_SCALARBYTES);
  const std::string ephemeral = point_of(secret);
  const auto shared = shared_by(secret, point);
  CHECK(shared.has_value());
  const SecretBytes key = wrapping_key(*shared, ephemeral, point);
  std::string body(kWrappedBytes, '\0');
  crypto_aead_chacha20poly1305_ietf_encrypt(bytes_of(body), nullptr, file_key.data(),
                                            file_key.size(), nullptr, 0, nullptr, kZeroNonce,
                                            key.data());
  std::string printed = to_base64(ephemeral);
  printed.pop_back();  // The padding.
  return {{std::string(kType), printed}, body};
}

Result<SecretBytes> unwrapped(const std::vector<AgeStanza>& stanzas,
                              const std::vector<AgeIdentity>& identities) {
  // A passphrase beside recipients would let whoever knows it forge a file from any of them.
  if (stanzas.size() > 1 && has_type(stanzas, kPassphraseType)) {
    return rejected("not an age file: a passphrase is not its only recipient");
  }
  for (const AgeStanza& stanza : stanzas) {
    if (stanza.arguments.front() != kType) continue;
    const auto ephemeral = TRY(ephemeral_of(stanza));
    for (const AgeIdentity& identity : identities) {
      const auto shared = shared_by(identity.secret, ephemeral);
      if (!shared) return rejected("not an age file: a recipient of type X25519 is malformed");
      auto file_key = opened(stanza, ephemeral, identity, *shared);
      if (file_key) return std::move(*file_key);
    }
  }
  return none_opens(stanzas);
}

}  // namespace rowlock
