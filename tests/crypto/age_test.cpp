// Against the stock age: what one wrote the other reads, whatever the size.
#include "controller/crypto/age.h"

#include "controller/crypto/cipher.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>

#include <cstdlib>
#include <optional>
#include <sstream>

using namespace rowlock;

namespace {

constexpr std::size_t kChunk = 65536;
const std::vector<std::size_t> kSizes = {0,          1,          kChunk - 1,     kChunk,
                                         kChunk + 1, 2 * kChunk, 2 * kChunk + 1, 200000};

// A key pair that age-keygen made, and the stock age in a folder.
class StockAge {
 public:
  StockAge() {
    cr_assert(run("age-keygen -o " + identity_path()), "is age installed?");
    std::istringstream lines(identity());
    for (std::string line; std::getline(lines, line);) {
      const std::string mark = "# public key: ";
      if (line.rfind(mark, 0) == 0) recipient_ = line.substr(mark.size());
    }
  }

  std::string identity_path() const { return folder_ / "identity"; }
  std::string identity() const { return contents(identity_path()); }
  SecretBytes secret() const { return SecretBytes(identity()); }
  const std::string& recipient() const { return recipient_; }

  std::string encrypt(const std::string& plain, const std::string& options) const {
    write(folder_ / "plain", plain);
    cr_assert(run("age " + options + " -o " + (folder_ / "file") + " " + (folder_ / "plain")));
    return contents(folder_ / "file");
  }
  // Empty when it refuses.
  std::optional<std::string> decrypt(const std::string& file) const {
    write(folder_ / "file", file);
    if (!run("age -d -i " + identity_path() + " -o " + (folder_ / "out") + " " +
             (folder_ / "file"))) {
      return std::nullopt;
    }
    return contents(folder_ / "out");
  }

 private:
  static bool run(const std::string& command) {
    return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
  }

  TempFolder folder_;
  std::string recipient_;
};

// In pieces of `size`.
Result<std::string> read_in_pieces(const SecretBytes& identities, const std::string& file,
                                   std::size_t size) {
  std::size_t used = 0;
  auto opened = AgeReader::open(identities, file, used);
  if (!opened.ok()) return opened.error();
  AgeReader reader = std::move(opened).value();
  std::string plain;
  for (std::size_t at = used; at < file.size(); at += size) {
    const auto read = reader.read(std::string_view(file).substr(at, size));
    if (!read.ok()) return read.error();
    plain += read.value();
  }
  const auto rest = reader.finish();
  if (!rest.ok()) return rest.error();
  return plain + rest.value();
}

std::string written_in_pieces(const std::string& recipient, const std::string& plain,
                              std::size_t size) {
  auto opened = AgeWriter::to({recipient});
  cr_assert(opened.ok());
  AgeWriter writer = std::move(opened).value();
  std::string file = writer.header();
  for (std::size_t at = 0; at < plain.size(); at += size)
    file += writer.write(plain.substr(at, size));
  return file + writer.finish();
}

}  // namespace

Test(crypto_age, the_stock_age_reads_what_we_write) {
  const StockAge stock;
  for (const std::size_t size : kSizes) {
    const std::string plain = random_bytes(size);
    const auto file = age_encrypt({stock.recipient()}, plain);
    cr_assert(file.ok());
    cr_expect(stock.decrypt(file.value()) == plain, "%zu", size);
    cr_expect(age_decrypt(stock.secret(), file.value()).value().view() == plain, "%zu", size);
  }
}

Test(crypto_age, we_read_what_the_stock_age_writes) {
  const StockAge stock;
  for (const std::size_t size : kSizes) {
    const std::string plain = random_bytes(size);
    const std::string file = stock.encrypt(plain, "-r " + stock.recipient());
    const auto opened = age_decrypt(stock.secret(), file);
    cr_expect(opened.ok() && opened.value().view() == plain, "%zu", size);
  }
}

Test(crypto_age, the_number_of_a_chunk_takes_more_than_one_byte) {
  const StockAge stock;
  const std::string plain = random_bytes(257 * kChunk + 1);

  const auto file = age_encrypt({stock.recipient()}, plain);
  cr_expect(stock.decrypt(file.value()) == plain);
  const auto theirs = age_decrypt(stock.secret(), stock.encrypt(plain, "-r " + stock.recipient()));
  cr_expect(theirs.ok() && theirs.value().view() == plain);
}

Test(crypto_age, a_stream_may_come_in_pieces_of_any_size) {
  const StockAge stock;
  for (const std::size_t size : kSizes) {
    const std::string plain = random_bytes(size);
    const std::string file = stock.encrypt(plain, "-r " + stock.recipient());
    for (const std::size_t piece : {std::size_t{97}, std::size_t{4096}, kChunk, kChunk + 16,
                                    kChunk + 17, std::size_t{1000000}}) {
      const auto read = read_in_pieces(stock.secret(), file, piece);
      cr_expect(read.ok() && read.value() == plain, "%zu in pieces of %zu", size, piece);
      const std::string ours = written_in_pieces(stock.recipient(), plain, piece);
      const auto opened = age_decrypt(stock.secret(), ours);
      cr_expect(opened.ok() && opened.value().view() == plain, "%zu by %zu", size, piece);
    }
  }
  const std::string small = stock.encrypt("plain", "-r " + stock.recipient());
  cr_expect(read_in_pieces(stock.secret(), small, 1).value() == "plain");
}

Test(crypto_age, each_of_several_recipients_can_open_the_file) {
  const StockAge first;
  const StockAge second;
  const StockAge stranger;
  const std::string theirs =
      first.encrypt("plain", "-r " + first.recipient() + " -r " + second.recipient());
  const std::string ours = age_encrypt({first.recipient(), second.recipient()}, "plain").value();

  for (const std::string& file : {theirs, ours}) {
    cr_expect(first.decrypt(file) == "plain" && second.decrypt(file) == "plain");
    cr_expect(age_decrypt(first.secret(), file).value().view() == "plain");
    cr_expect(age_decrypt(second.secret(), file).value().view() == "plain");
    const auto refused = age_decrypt(stranger.secret(), file);
    cr_assert(!refused.ok());
    cr_expect(refused.error().message == "none of the identities opens the age file");
  }
}

Test(crypto_age, an_identity_file_may_hold_several_with_comments) {
  const StockAge stock;
  const StockAge other;
  const std::string file = age_encrypt({stock.recipient()}, "plain").value();
  const SecretBytes both(other.identity() + "\n  \r\n# and\r\n" + stock.identity());

  cr_expect(age_decrypt(both, file).value().view() == "plain");
  const std::string last_line = stock.identity().substr(stock.identity().rfind("AGE-"));
  const std::string bare = last_line.substr(0, last_line.find('\n'));
  cr_expect(age_decrypt(SecretBytes(bare), file).value().view() == "plain");
  cr_expect(age_decrypt(SecretBytes(bare + "\r\n"), file).value().view() == "plain");
}

Test(crypto_age, text_that_holds_no_identity_is_refused_by_its_line) {
  const std::string file = age_encrypt({StockAge().recipient()}, "plain").value();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "identities: no line AGE-SECRET-KEY-1…"},
      {"# only a comment\n", "identities: no line AGE-SECRET-KEY-1…"},
      {"# one\n\nhunter2\n", "identities, line 3: not an age identity"},
      {"-----BEGIN OPENSSH PRIVATE KEY-----", "identities, line 1: not an age identity"},
      {"AGE-PLUGIN-YUBIKEY-1XXX", "identities, line 1: an identity of a plugin"},
      {"AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEY",
       "identities, line 1: not an age identity: a character is wrong"},
      {"age-secret-key-1gfpyysjzgfpyysjzgfpyysjzgfpyysjzgfpyysjzgfpyysjzgfpq4egaex",
       "identities, line 1: not an age identity"},
      {"age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj",
       "identities, line 1: not an age identity"},
  };
  for (const auto& [text, message] : cases) {
    const auto opened = age_decrypt(SecretBytes(text), file);
    cr_assert(!opened.ok(), "%s", text.c_str());
    cr_expect(opened.error().message == message, "%s", opened.error().message.c_str());
  }
  std::string many;
  for (int i = 0; i < 101; ++i) {
    many += "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX\n";
  }
  cr_expect(age_decrypt(SecretBytes(many), file).error().message == "identities: more than 100");
}

Test(crypto_age, a_recipient_is_checked_before_anything_is_encrypted) {
  const std::string good = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "it is cut off"},
      {good.substr(0, good.size() - 1), "a character is wrong"},
      {good + " ", "cannot be in it"},
      {"AGE1ZVKYG2LQZRAA2LNJVQEJ32NKUU0UES2S82HZRYE869XEEXVN73EQUNUJWJ", "X25519"},
      {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN", "an SSH key"},
      {"AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX",
       "a secret identity"},
      {"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "spare bits"},
      {"age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqar9jk6", "X25519"},
      // A point of order 1: whatever is encrypted for it, everybody can open.
      {"age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z", "everybody"},
  };
  cr_expect(check_age_recipient(good).ok());
  for (const auto& [recipient, reason] : cases) {
    const auto checked = check_age_recipient(recipient);
    cr_assert(!checked.ok(), "%s", recipient.c_str());
    cr_expect(checked.error().message.find(reason) != std::string::npos, "%s",
              checked.error().message.c_str());
    cr_expect(!age_encrypt({good, recipient}, "plain").ok());
  }
  cr_expect(!age_encrypt({}, "plain").ok());
  cr_expect(age_encrypt(std::vector<std::string>(100, good), "plain").ok());
  cr_expect(!age_encrypt(std::vector<std::string>(101, good), "plain").ok());
}
