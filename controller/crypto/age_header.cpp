// Reading is strict, since whatever is taken in two writings can be altered without notice: single
// spaces, no empty argument, base64 without padding or spare bits, lines of 64 but for the last.
#include "controller/crypto/age_header.h"

#include "controller/crypto/encoding.h"
#include "controller/crypto/hkdf.h"
#include "controller/crypto/sodium.h"

#include <algorithm>

namespace rowlock {
namespace {

constexpr std::string_view kVersion = "age-encryption.org/v1";
constexpr std::string_view kArmor = "-----BEGIN AGE ENCRYPTED FILE-----";
constexpr std::string_view kStanzaMark = "-> ";
constexpr std::string_view kEndMark = "---";
constexpr std::size_t kLineMax = 64;
constexpr std::size_t kMacBytes = 32;

Error malformed(const std::string& why) {
  return Error{Fault::rejected, Cause::other, "not an age file: " + why, ""};
}

bool starts_with(std::string_view text, std::string_view head) {
  return text.substr(0, head.size()) == head;
}

std::string unpadded(std::string_view bytes) {
  std::string text = to_base64(bytes);
  text.erase(std::min(text.find('='), text.size()));
  return text;
}

Result<std::string> from_unpadded(std::string_view text) {
  if (text.find('=') != std::string_view::npos) return malformed("padding in its header");
  return from_base64(std::string(text) + std::string((4 - text.size() % 4) % 4, '='));
}

// Hands out the header's lines one by one.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text.substr(0, kAgeHeaderBytesMax)) {}

  // False when there is no further whole line.
  bool next(std::string_view& line) {
    const std::size_t end = text_.find('\n', at_);
    if (end == std::string_view::npos) return false;
    began_ = at_;
    line = text_.substr(at_, end - at_);
    at_ = end + 1;
    return true;
  }
  std::size_t began() const { return began_; }  // Where the last line did.
  std::size_t used() const { return at_; }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t began_ = 0;
};

Result<std::vector<std::string>> arguments_of(std::string_view line) {
  std::vector<std::string> arguments;
  while (true) {
    const std::size_t space = line.find(' ');
    const std::string_view argument = line.substr(0, space);
    if (argument.empty() ||
        std::any_of(argument.begin(), argument.end(), [](char c) { return c < 33 || c > 126; })) {
      return malformed("an argument in its header is empty or not ASCII");
    }
    arguments.emplace_back(argument);
    if (space == std::string_view::npos) return arguments;
    line.remove_prefix(space + 1);
  }
}

// The body ends with the first line that is not full, though it be empty.
Result<std::string> body_of(Lines& lines) {
  std::string body;
  std::string_view line;
  while (lines.next(line)) {
    if (line.size() > kLineMax) return malformed("a line of its header is too long");
    const auto bytes = from_unpadded(line);
    if (!bytes.ok()) return malformed("a line of its header is not base64");
    body += bytes.value();
    if (line.size() < kLineMax) return body;
  }
  return malformed("its header is cut off or too long");
}

// Requires: a line that begins with kEndMark.
Result<std::string> mac_in(std::string_view line) {
  line.remove_prefix(kEndMark.size());
  if (starts_with(line, " ")) {
    auto mac = from_unpadded(line.substr(1));
    if (mac.ok() && mac.value().size() == kMacBytes) return mac;
  }
  return malformed("the last line of its header is malformed");
}

std::string printed(const AgeStanza& stanza) {
  std::string text = "->";
  for (const std::string& argument : stanza.arguments) text += " " + argument;
  text += '\n';
  const std::string body = unpadded(stanza.body);
  for (std::size_t at = 0; at <= body.size(); at += kLineMax) {
    text += body.substr(at, kLineMax) + "\n";
  }
  return text;
}

SecretBytes mac_of(std::string_view covered, std::string_view file_key) {
  return hmac_sha256(hkdf_sha256(file_key, "", "header", kMacBytes).view(), covered);
}

}  // namespace

Result<AgeHeader> read_age_header(std::string_view text) {
  Lines lines(text);
  std::string_view line;
  if (starts_with(text, kArmor)) {
    return malformed("it is the armored form (age -a), and only the binary one is read");
  }
  if (!lines.next(line) || line != kVersion) {
    return malformed("it does not begin with " + std::string(kVersion));
  }
  AgeHeader header;
  while (lines.next(line)) {
    if (starts_with(line, kEndMark)) {
      auto mac = mac_in(line);
      if (!mac.ok()) return mac.error();
      if (header.stanzas.empty()) return malformed("it has no recipient");
      header.mac = std::move(mac).value();
      header.covered = text.substr(0, lines.began() + kEndMark.size());
      header.size = lines.used();
      return header;
    }
    if (!starts_with(line, kStanzaMark)) return malformed("a line of its header is malformed");
    auto arguments = TRY(arguments_of(line.substr(kStanzaMark.size())));
    auto body = TRY(body_of(lines));
    header.stanzas.push_back({std::move(arguments), std::move(body)});
  }
  return malformed("its header is cut off or too long");
}

std::string age_header(const std::vector<AgeStanza>& stanzas, std::string_view file_key) {
  std::string text = std::string(kVersion) + "\n";
  for (const AgeStanza& stanza : stanzas) text += printed(stanza);
  text += kEndMark;
  return text + " " + unpadded(mac_of(text, file_key).view()) + "\n";
}

bool is_authentic(const AgeHeader& header, std::string_view file_key) {
  return are_equal(mac_of(header.covered, file_key).view(), header.mac);
}

}  // namespace rowlock
