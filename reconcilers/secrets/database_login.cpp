// pack() runs on the loop thread in a transaction: it makes the password and seals it into the row.
// apply() runs on a worker, and is only given the parcel.
#include "reconcilers/secrets/database_login.h"

#include "controller/crypto/cipher.h"
#include "controller/crypto/encoding.h"
#include "controller/ports/database_dumps.h"
#include "controller/ports/postgres.h"
#include "controller/ports/secret_folders.h"
#include "controller/ports/world.h"
#include "controller/secrets/secret_value.h"

#include <fmt/format.h>

namespace rowlock {

namespace {

constexpr std::size_t kPasswordLength = 24;
constexpr std::string_view kLetters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

// What a parcel holds, in this order.
constexpr std::size_t kAdministrator = 0;  // Empty: the server asks for no password.
constexpr std::size_t kPassword = 1;

std::string bound_of(const std::string& username) { return "login/" + username; }

SecretBytes made_password() {
  // Of more values than there are letters those beyond are left out, or some would come more often.
  constexpr std::size_t kFairBelow = 256 / kLetters.size() * kLetters.size();
  SecretBytes password(kPasswordLength);
  for (std::size_t at = 0; at < kPasswordLength;) {
    const auto drawn = static_cast<unsigned char>(random_bytes(1).front());
    if (drawn < kFairBelow) {
      password.data()[at++] = static_cast<unsigned char>(kLetters[drawn % kLetters.size()]);
    }
  }
  return password;
}

// The administrator's password, from the store.
Result<SecretFile> administrator_of(Secrets& secrets, const Row& input, std::int64_t now_ms) {
  auto password = TRY(secret_value(secrets, input.text("secret"), input.text("key"), now_ms));
  SecretFile file;
  file.name = "administrator";
  file.content = std::move(password);
  return file;
}

PostgresAddress address_of(const Step& step) {
  CHECK(step.parcel != nullptr);
  const SecretBytes& password = step.parcel->files.at(kAdministrator).content;
  return {step.input->text("url"),
          password.empty() ? nullptr : std::shared_ptr<const SecretBytes>(step.parcel, &password)};
}

std::vector<std::string> statements_of(const Row& input, std::string_view column) {
  std::vector<std::string> statements;
  const auto parsed = Json::parse(input.text(column));
  for (const Json& each : parsed.ok() ? parsed.value().items() : std::vector<Json>{}) {
    statements.push_back(each.as_string());
  }
  return statements;
}

std::int64_t value_of(const Parcel& parcel, std::string_view name) {
  for (const auto& [known, value] : parcel.values) {
    if (known == name) return std::get<std::int64_t>(value);
  }
  UNREACHABLE();
}

}  // namespace

std::string login_url(const std::string& url, const std::string& username,
                      std::string_view password) {
  const std::size_t begin = url.find("://") + 3;
  const std::size_t end = std::min(url.find_first_of("/?", begin), url.size());
  const std::size_t at = url.rfind('@', end);
  const std::size_t host = at == std::string::npos || at < begin ? begin : at + 1;
  return fmt::format("{}{}:{}@{}", url.substr(0, begin), username, password, url.substr(host));
}

// ---- Logins -------------------------------------------------------------------------------------

// A server that hangs holds up its own logins alone.
std::string DatabaseLogins::lane(const Step& step) const {
  return step.input->text("url") + "/logins";
}

// The one that its row has, since its instance may hold it already; else a new one.
Result<SecretBytes> DatabaseLogins::password_of(const Row& input) const {
  const Key* key = secrets_.keyring.find(input.integer("kek"));
  if (input.text("sealed").empty() || key == nullptr) {
    return made_password();
  }
  const auto sealed = TRY(from_base64(input.text("sealed")));
  const auto opened = TRY(open_seal(key->bytes, sealed, bound_of(input.text("username"))));
  const auto map = TRY(Json::parse(opened.view()));
  std::string text = map["password"].as_string();
  SecretBytes password(text);
  wipe(text);
  return password;
}

Result<> DatabaseLogins::keep(const Step& step, const SecretBytes& password,
                              std::int64_t now_ms) const {
  const Row& input = *step.input;
  const std::string username = input.text("username");
  std::string url = login_url(input.text("url"), username, password.view());
  std::string map = Json::object({{"username", Json::string(username)},
                                  {"password", Json::string(password.view())},
                                  {"url", Json::string(url)}})
                        .text();
  const Key& key = secrets_.keyring.newest("kek");
  const Values kept = {{"target", step.target},
                       {"sealed", to_base64(seal(key.bytes, map, bound_of(username)))},
                       {"kek", key.id}};
  const AuditLine line{"rowlock",
                       "create",
                       "database/creds/" + input.text("role"),
                       {},
                       "allowed",
                       username,
                       secrets_.audit.hash_of(map)};
  wipe(url);
  wipe(map);
  if (auto logged = secrets_.audit.append(line, now_ms); !logged.ok()) {
    return logged;
  }
  return state_.run(*schema_.script("database_login.keep"), kept);
}

Result<std::shared_ptr<const Parcel>> DatabaseLogins::pack(const Step& step,
                                                           std::int64_t now_ms) const {
  if (!secrets_.keyring.is_open()) {
    return secrets_.keyring.closed_error();
  }
  auto administrator = TRY(administrator_of(secrets_, *step.input, now_ms));
  auto parcel = std::make_shared<Parcel>();
  parcel->files.push_back(std::move(administrator));
  if (step.step == "create") {
    auto password = TRY(password_of(*step.input));
    TRY(keep(step, password, now_ms));
    SecretFile file;
    file.name = "password";
    file.content = std::move(password);
    parcel->files.push_back(std::move(file));
  }
  if (step.step != "drop") {
    const std::int64_t ttl_ms = step.input->integer("ttl_ms");
    parcel->values = {{"until_ms", now_ms + ttl_ms}, {"renew_at_ms", now_ms + ttl_ms / 2}};
  }
  return std::shared_ptr<const Parcel>(std::move(parcel));
}

Outcome DatabaseLogins::apply(const Step& step, World& world) const {
  Postgres& postgres = world.postgres();
  const PostgresAddress server = address_of(step);
  const std::string username = step.input->text("username");
  if (step.step == "drop") {
    const auto dropped =
        postgres.drop_role(server, username, statements_of(*step.input, "drop_statements"));
    return dropped.ok() ? Outcome::done() : Outcome::of(dropped.error());
  }
  const std::int64_t until_ms = value_of(*step.parcel, "until_ms");
  if (step.step == "renew") {
    const auto renewed = postgres.renew_role(server, username, until_ms);
    if (renewed.ok()) return Outcome::done(step.parcel->values);
    Outcome outcome = Outcome::of(renewed.error());
    if (renewed.error().cause == Cause::not_found) outcome.result = "lost";
    return outcome;
  }
  CHECK(step.step == "create");
  PostgresRole role;
  role.name = username;
  role.password =
      std::shared_ptr<const SecretBytes>(step.parcel, &step.parcel->files.at(kPassword).content);
  role.valid_until_ms = until_ms;
  role.statements = statements_of(*step.input, "create_statements");
  const auto made = postgres.create_role(server, role);
  return made.ok() ? Outcome::done(step.parcel->values) : Outcome::of(made.error());
}

// ---- Databases ----------------------------------------------------------------------------------

std::string Databases::lane(const Step& step) const { return step.input->text("url") + "/look"; }

Result<std::shared_ptr<const Parcel>> Databases::pack(const Step& step, std::int64_t now_ms) const {
  auto administrator = TRY(administrator_of(secrets_, *step.input, now_ms));
  auto parcel = std::make_shared<Parcel>();
  parcel->files.push_back(std::move(administrator));
  return std::shared_ptr<const Parcel>(std::move(parcel));
}

Outcome Databases::apply(const Step& step, World& world) const {
  const auto roles = world.postgres().roles(address_of(step), step.input->text("prefix"));
  if (!roles.ok()) {
    return Outcome::of(roles.error());
  }
  std::vector<Json> names;
  for (const std::string& name : roles.value()) {
    names.push_back(Json::string(name));
  }
  const auto listed = world.dumps().list(address_of(step));
  if (!listed.ok()) {
    return Outcome::of(listed.error());
  }
  std::vector<Json> databases;
  for (const ServerDatabase& each : listed.value()) {
    databases.push_back(Json::object(
        {{"name", Json::string(each.name)}, {"size_bytes", Json::integer(each.size_bytes)}}));
  }
  return Outcome::done({{"names", Json::array(std::move(names)).text()},
                        {"databases", Json::array(std::move(databases)).text()}});
}

}  // namespace rowlock
