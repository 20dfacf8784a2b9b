// The age file format, version 1 (age-encryption.org/v1), with X25519 recipients: what `age -d -i`
// opens, and what `age -r` made. The header names a file key wrapped for each recipient; the
// payload is ChaCha20-Poly1305 in chunks of 64 KiB.
#pragma once

#include "controller/base/result.h"
#include "controller/crypto/secret_bytes.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

// Rejected unless it is one X25519 recipient: age1….
Result<> check_age_recipient(std::string_view recipient);

// The recipients of those identities that open the file, each age1…, in their order. `text` as for
// AgeReader::open(); an empty list when it is none of theirs.
Result<std::vector<std::string>> age_opened_by(const SecretBytes& identities,
                                               std::string_view text);

// Encrypts a stream: what it returns, in order, is the file.
class AgeWriter {
 public:
  // Rejected when a recipient is none, there is none at all, or there are more than 100.
  static Result<AgeWriter> to(const std::vector<std::string>& recipients);

  std::string header();                       // To be written first.
  std::string write(std::string_view plain);  // What is ready to be written; may be empty.
  std::string finish();                       // The rest. Nothing may be called after.

 private:
  AgeWriter() = default;
  std::string sealed_chunk(bool is_last);
  std::string header_;
  SecretBytes payload_key_;
  std::string buffer_;  // A chunk that is not known yet not to be the last.
  std::uint64_t chunk_ = 0;
};

// Decrypts a stream, chunk by chunk: nothing is given out that was not authenticated.
class AgeReader {
 public:
  // `identities` is the text of an identity file: lines AGE-SECRET-KEY-1…, comments, blank lines.
  // `text` begins the file and holds its whole header at least, for which 64 KiB are always enough.
  // `used` says how much of it that was: what follows is for read(). Cause::denied when it is none
  // of theirs, or they are none.
  static Result<AgeReader> open(const SecretBytes& identities, std::string_view text,
                                std::size_t& used);

  // What can be told by now; may be empty. After an error every further call is one.
  Result<std::string> read(std::string_view sealed);
  Result<std::string> finish();  // The rest. Rejected when the file was cut off.

 private:
  AgeReader() = default;
  Result<> open_chunk(bool is_last, std::string& plain);
  SecretBytes file_key_;
  SecretBytes payload_key_;  // Empty until the nonce, with which the payload begins, was read.
  std::string buffer_;       // The nonce, then a chunk that is not known yet not to be the last.
  std::uint64_t chunk_ = 0;
  bool is_broken_ = false;
};

// Small files as a whole.
Result<std::string> age_encrypt(const std::vector<std::string>& recipients, std::string_view plain);
Result<SecretBytes> age_decrypt(const SecretBytes& identities, std::string_view file);

}  // namespace rowlock
