// A header is taken in one writing alone, and a file opens to the same in whatever pieces it comes:
// to what was sealed in the seeds, since nobody can change a file without notice. The same bytes as
// a file of identities and as a recipient are taken or refused.
#include "controller/base/check.h"
#include "controller/crypto/age.h"
#include "controller/crypto/age_header.h"
#include "controller/crypto/age_x25519.h"
#include "tests/fuzz/keys.h"
#include "tests/fuzz/targets.h"

namespace rowlock {

namespace {

constexpr std::string_view kSealed = "what was sealed\n";

std::string opened_in_pieces(const SecretBytes& identity, std::string_view bytes) {
  std::size_t used = 0;
  auto reader = AgeReader::open(identity, bytes, used);
  if (!reader.ok()) return "";
  AgeReader age = std::move(reader).value();
  std::string plain;
  for (std::string_view rest = bytes.substr(used); !rest.empty();) {
    const std::string_view piece = rest.substr(0, 7);
    rest.remove_prefix(piece.size());
    const auto read = age.read(piece);
    if (!read.ok()) return "";
    plain += read.value();
  }
  const auto last = age.finish();
  return last.ok() ? plain + last.value() : "";
}

}  // namespace

void fuzz_age(std::string_view bytes) {
  const auto header = read_age_header(bytes);
  if (header.ok()) {
    const AgeHeader& read = header.value();
    CHECK(read.size <= bytes.size() && read.size <= kAgeHeaderBytesMax);
    const std::string again = age_header(read.stanzas, std::string(kAgeKeyBytes, 'k'));
    CHECK(again.size() == read.size && again.starts_with(read.covered));
  }
  const SecretBytes identity(kFuzzIdentity);
  const auto whole = age_decrypt(identity, bytes);
  CHECK(!whole.ok() || whole.value().view() == kSealed);
  CHECK(opened_in_pieces(identity, bytes) == (whole.ok() ? kSealed : ""));

  const auto identities = read_age_identities(bytes);
  CHECK(!identities.ok() || !identities.value().empty());
  CHECK(check_age_recipient(first_line(bytes).first).ok() ==
        read_age_recipient(first_line(bytes).first).ok());
}

}  // namespace rowlock
