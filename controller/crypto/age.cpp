// The payload: a nonce of 16 bytes, from which and the file key comes the payload's key, then the
// chunks. Each is sealed with its number and whether it is the last as the nonce, so that none can
// be left out, moved or put at the end. That is why a full chunk waits until it is known whether
// anything follows.
#include "controller/crypto/age.h"

#include "controller/base/check.h"
#include "controller/crypto/age_header.h"
#include "controller/crypto/age_x25519.h"
#include "controller/crypto/bech32.h"
#include "controller/crypto/cipher.h"
#include "controller/crypto/hkdf.h"
#include "controller/crypto/sodium.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace rowlock {
namespace {

constexpr std::size_t kRecipientsMax = 100;
constexpr std::size_t kPayloadNonceBytes = 16;
constexpr std::size_t kChunkBytes = 64 * 1024;
constexpr std::size_t kTagBytes = crypto_aead_chacha20poly1305_ietf_ABYTES;
constexpr std::size_t kSealedChunkBytes = kChunkBytes + kTagBytes;

using ChunkNonce = std::array<unsigned char, crypto_aead_chacha20poly1305_ietf_NPUBBYTES>;

// 11 bytes of number, big-endian, and one that is 1 for the last chunk.
ChunkNonce nonce_of(std::uint64_t chunk, bool is_last) {
  ChunkNonce nonce = {};
  nonce.back() = is_last ? 1 : 0;
  for (std::size_t at = nonce.size() - 2; chunk > 0; --at, chunk >>= 8) {
    nonce[at] = static_cast<unsigned char>(chunk & 0xff);
  }
  return nonce;
}

SecretBytes payload_key(const SecretBytes& file_key, std::string_view nonce) {
  return hkdf_sha256(file_key.view(), nonce, "payload", crypto_aead_chacha20poly1305_ietf_KEYBYTES);
}

// Moves as much as fits from the front of `from`.
void fill(std::string& buffer, std::size_t size_max, std::string_view& from) {
  const std::size_t count = std::min(size_max - buffer.size(), from.size());
  buffer.append(from.substr(0, count));
  from.remove_prefix(count);
}

Error unreadable(const std::string& why) {
  return Error{Fault::rejected, Cause::other, "age file: " + why, ""};
}

// By these identities: another one may open it.
Error denied(Error error) {
  error.cause = Cause::denied;
  return error;
}

Error altered() { return unreadable("it is cut off or was altered"); }

}  // namespace

Result<> check_age_recipient(std::string_view recipient) {
  TRY(read_age_recipient(recipient));
  return Done{};
}

Result<std::vector<std::string>> age_opened_by(const SecretBytes& identities,
                                               std::string_view text) {
  auto known = TRY(read_age_identities(identities.view()));
  const auto header = TRY(read_age_header(text));
  std::vector<std::string> recipients;
  for (AgeIdentity& identity : known) {
    std::vector<AgeIdentity> one;
    one.push_back(std::move(identity));
    if (unwrapped(header.stanzas, one).ok()) recipients.push_back(to_bech32("age", one[0].point));
  }
  return recipients;
}

Result<AgeWriter> AgeWriter::to(const std::vector<std::string>& recipients) {
  if (recipients.empty()) {
    return Error{Fault::rejected, Cause::other, "no age recipient to encrypt for", ""};
  }
  if (recipients.size() > kRecipientsMax) {
    return Error{Fault::rejected, Cause::other,
                 "more than " + std::to_string(kRecipientsMax) + " age recipients", ""};
  }
  const SecretBytes file_key = SecretBytes::random(kAgeKeyBytes);
  std::vector<AgeStanza> stanzas;
  for (const std::string& recipient : recipients) {
    const auto point = TRY(read_age_recipient(recipient));
    stanzas.push_back(wrapped_for(point, file_key));
  }
  const std::string nonce = random_bytes(kPayloadNonceBytes);
  AgeWriter writer;
  writer.header_ = age_header(stanzas, file_key.view()) + nonce;
  writer.payload_key_ = payload_key(file_key, nonce);
  writer.buffer_.reserve(kChunkBytes);  // So that it never grows and leaves plaintext behind.
  return writer;
}

std::string AgeWriter::header() { return header_; }

std::string AgeWriter::write(std::string_view plain) {
  std::string sealed;
  while (buffer_.size() + plain.size() > kChunkBytes) {
    fill(buffer_, kChunkBytes, plain);
    sealed += sealed_chunk(false);
  }
  buffer_.append(plain);
  return sealed;
}

std::string AgeWriter::finish() {
  std::string sealed = sealed_chunk(true);
  wipe(buffer_);
  payload_key_ = SecretBytes();
  return sealed;
}

std::string AgeWriter::sealed_chunk(bool is_last) {
  CHECK(!payload_key_.empty());
  const ChunkNonce nonce = nonce_of(chunk_++, is_last);
  std::string sealed(buffer_.size() + kTagBytes, '\0');
  crypto_aead_chacha20poly1305_ietf_encrypt(bytes_of(sealed), nullptr, bytes_of(buffer_),
                                            buffer_.size(), nullptr, 0, nullptr, nonce.data(),
                                            payload_key_.data());
  buffer_.clear();
  return sealed;
}

Result<AgeReader> AgeReader::open(const SecretBytes& identities, std::string_view text,
                                  std::size_t& used) {
  const auto known = read_age_identities(identities.view());
  if (!known.ok()) return denied(known.error());
  const auto header = TRY(read_age_header(text));
  auto file_key = unwrapped(header.stanzas, known.value());
  if (!file_key.ok()) return denied(file_key.error());
  if (!is_authentic(header, file_key.value().view())) {
    return unreadable("its header was altered");
  }
  AgeReader reader;
  reader.file_key_ = std::move(file_key).value();
  used = header.size;
  return reader;
}

Result<std::string> AgeReader::read(std::string_view sealed) {
  if (is_broken_) return altered();
  if (payload_key_.empty()) {
    fill(buffer_, kPayloadNonceBytes, sealed);
    if (buffer_.size() < kPayloadNonceBytes) return std::string();
    payload_key_ = payload_key(file_key_, buffer_);
    buffer_.clear();
  }
  std::string plain;
  plain.reserve(buffer_.size() + sealed.size());
  while (buffer_.size() + sealed.size() > kSealedChunkBytes) {
    fill(buffer_, kSealedChunkBytes, sealed);
    const auto opened = open_chunk(false, plain);
    if (!opened.ok()) {
      wipe(plain);
      return opened.error();
    }
  }
  buffer_.append(sealed);
  return plain;
}

Result<std::string> AgeReader::finish() {
  if (is_broken_) return altered();
  if (payload_key_.empty() || buffer_.size() < kTagBytes) return unreadable("it is cut off");
  if (buffer_.size() == kTagBytes && chunk_ > 0) {
    // Nobody writes it so; were it taken, one text would have two files.
    return unreadable("its last chunk is empty");
  }
  std::string plain;
  TRY(open_chunk(true, plain));
  is_broken_ = true;  // Nothing may follow.
  return plain;
}

// Requires: the buffer holds a tag at least.
Result<> AgeReader::open_chunk(bool is_last, std::string& plain) {
  const ChunkNonce nonce = nonce_of(chunk_++, is_last);
  const std::size_t began = plain.size();
  plain.resize(began + buffer_.size() - kTagBytes);
  is_broken_ = crypto_aead_chacha20poly1305_ietf_decrypt(
                   bytes_of(plain) + began, nullptr, nullptr, bytes_of(std::string_view(buffer_)),
                   buffer_.size(), nullptr, 0, nonce.data(), payload_key_.data()) != 0;
  if (is_broken_) return altered();
  buffer_.clear();
  return Done{};
}

Result<std::string> age_encrypt(const std::vector<std::string>& recipients,
                                std::string_view plain) {
  AgeWriter writer = TRY(AgeWriter::to(recipients));
  std::string file = writer.header();
  file += writer.write(plain);
  return file + writer.finish();
}

Result<SecretBytes> age_decrypt(const SecretBytes& identities, std::string_view file) {
  std::size_t used = 0;
  AgeReader reader = TRY(AgeReader::open(identities, file, used));
  std::string plain = TRY(reader.read(file.substr(used)));
  auto last = reader.finish();
  if (!last.ok()) {
    wipe(plain);
    return last.error();
  }
  std::string rest = std::move(last).value();
  SecretBytes whole(plain.size() + rest.size());
  std::copy(plain.begin(), plain.end(), whole.data());
  std::copy(rest.begin(), rest.end(), whole.data() + plain.size());
  wipe(plain);
  wipe(rest);
  return whole;
}

}  // namespace rowlock
