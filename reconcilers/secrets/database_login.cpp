// pack() runs on the loop thread in a transaction: it makes the password and seals it into the row.
// apply() runs on a worker, and is only given the parcel.
#include "reconcilers/secrets/database_login.h"

#include "controller/crypto/cipher.h"
#include "controller/crypto/encoding.h"
#include "controller/ports/clock.h"
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

// What the server asks for, and what becomes of the login.
struct LoginParcel final : Parcel {
  std::shared_ptr<const SecretBytes> administrator;  // Null: the server asks for no password.
  std::shared_ptr<const SecretBytes> password;       // Of a login that is made.
  std::int64_t until_ms = 0;                         // Its life, unless it is dropped,
  std::int64_t renew_at_ms = 0;                      // and half of that.
};

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

PostgresAddress server_of(const Step& step) {
  return {step.input->text("url"), step.parcel_as<LoginParcel>().administrator};
}

std::vector<std::string> statements_of(const Row& input, std::string_view column) {
  std::vector<std::string> statements;
  const auto parsed = Json::parse(input.text(column));
  for (const Json& each : parsed.ok() ? parsed.value().items() : std::vector<Json>{}) {
    statements.push_back(each.as_string());
  }
  return statements;
}

// As the scripts after `create` and `renew` take it.
Values life_of(const LoginParcel& parcel) {
  return {{"until_ms", parcel.until_ms}, {"renew_at_ms", parcel.renew_at_ms}};
}

// ---- Packed

// The one that its row has, since its instance may hold it already; else a new one.
Result<SecretBytes> password_of(Secrets& secrets, const Row& input) {
  const Key* key = secrets.keyring.find(input.integer("kek"));
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

// Seals the login into its row, before the server hears of it.
Result<> keep(Secrets& secrets, Database& state, const std::string& script, const Step& step,
              const SecretBytes& password, std::int64_t now_ms) {
  const Row& input = *step.input;
  const std::string username = input.text("username");
  std::string url = login_url(input.text("url"), username, password.view());
  std::string map = Json::object({{"username", Json::string(username)},
                                  {"password", Json::string(password.view())},
                                  {"url", Json::string(url)}})
                        .text();
  const Key& key = secrets.keyring.newest("kek");
  const Values kept = {{"target", step.target},
                       {"sealed", to_base64(seal(key.bytes, map, bound_of(username)))},
                       {"kek", key.id}};
  const AuditLine line{"rowlock",
                       "create",
                       "database/creds/" + input.text("role"),
                       {},
                       "allowed",
                       username,
                       secrets.audit.hash_of(map)};
  wipe(url);
  wipe(map);
  TRY(secrets.audit.append(line, now_ms));
  return state.run(script, kept);
}

Result<std::shared_ptr<LoginParcel>> with_administrator(Secrets& secrets, const Step& step,
                                                        std::int64_t now_ms) {
  auto parcel = std::make_shared<LoginParcel>();
  parcel->administrator =
      TRY(secret_value(secrets, step.input->text("secret"), step.input->text("key"), now_ms));
  return parcel;
}

// What a login takes along that is to live on.
Result<std::shared_ptr<LoginParcel>> with_life(Secrets& secrets, const Step& step,
                                               std::int64_t now_ms) {
  if (!secrets.keyring.is_open()) {
    return secrets.keyring.closed_error();
  }
  auto parcel = TRY(with_administrator(secrets, step, now_ms));
  const std::int64_t ttl_ms = step.input->integer("ttl_ms");
  parcel->until_ms = now_ms + ttl_ms;
  parcel->renew_at_ms = now_ms + ttl_ms / 2;
  return parcel;
}

Packed pack_create(Secrets& secrets, Database& state, const Schema& schema, const Step& step,
                   std::int64_t now_ms) {
  auto parcel = TRY(with_life(secrets, step, now_ms));
  auto password = TRY(password_of(secrets, *step.input));
  TRY(keep(secrets, state, *schema.script("database_login.keep"), step, password, now_ms));
  parcel->password = std::make_shared<const SecretBytes>(std::move(password));
  return {std::move(parcel)};
}

Packed pack_renew(Secrets& secrets, const Step& step, std::int64_t now_ms) {
  return {TRY(with_life(secrets, step, now_ms))};
}

Packed pack_drop(Secrets& secrets, const Step& step, std::int64_t now_ms) {
  if (!secrets.keyring.is_open()) {
    return secrets.keyring.closed_error();
  }
  return {TRY(with_administrator(secrets, step, now_ms))};
}

Packed pack_sweep(Secrets& secrets, const Step& step, std::int64_t now_ms) {
  return {TRY(with_administrator(secrets, step, now_ms))};
}

// ---- Made

// A server that hangs holds up its own logins alone.
std::string lane(const Step& step) { return step.input->text("url") + "/logins"; }
std::string lane_of_looks(const Step& step) { return step.input->text("url") + "/look"; }

// The server goes by the wall clock, as far as it agrees with ours.
std::int64_t end_at_server(const LoginParcel& parcel, World& world) {
  return parcel.until_ms + world.clock().wall_ms() - world.clock().now_ms();
}

Outcome create(const Step& step, World& world) {
  const auto& parcel = step.parcel_as<LoginParcel>();
  PostgresRole role;
  role.name = step.input->text("username");
  role.password = parcel.password;
  role.valid_until_ms = end_at_server(parcel, world);
  role.statements = statements_of(*step.input, "create_statements");
  TRY(world.postgres().create_role(server_of(step), role));
  return Outcome::done(life_of(parcel));
}

Outcome renew(const Step& step, World& world) {
  const auto& parcel = step.parcel_as<LoginParcel>();
  const auto renewed = world.postgres().renew_role(server_of(step), step.input->text("username"),
                                                   end_at_server(parcel, world));
  if (renewed.ok()) return Outcome::done(life_of(parcel));
  Outcome outcome = renewed;
  if (renewed.error().cause == Cause::not_found) outcome.result = "lost";
  return outcome;
}

Outcome drop(const Step& step, World& world) {
  return world.postgres().drop_role(server_of(step), step.input->text("username"),
                                    statements_of(*step.input, "drop_statements"));
}

Outcome sweep(const Step& step, World& world) {
  const auto roles = TRY(world.postgres().roles(server_of(step), step.input->text("prefix")));
  std::vector<Json> names;
  for (const std::string& name : roles) {
    names.push_back(Json::string(name));
  }
  const auto listed = TRY(world.dumps().list(server_of(step)));
  std::vector<Json> databases;
  for (const ServerDatabase& each : listed) {
    databases.push_back(Json::object(
        {{"name", Json::string(each.name)}, {"size_bytes", Json::integer(each.size_bytes)}}));
  }
  return Outcome::done({{"names", Json::array(std::move(names)).text()},
                        {"databases", Json::array(std::move(databases)).text()}});
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

std::vector<Hand> database_login_hands(Secrets& secrets, Database& state, const Schema& schema) {
  return {
      {.step = "create",
       .lane = lane,
       .make = create,
       .pack = std::bind_front(pack_create, std::ref(secrets), std::ref(state), std::ref(schema))},
      {.step = "renew",
       .lane = lane,
       .make = renew,
       .pack = std::bind_front(pack_renew, std::ref(secrets))},
      {.step = "drop",
       .lane = lane,
       .make = drop,
       .pack = std::bind_front(pack_drop, std::ref(secrets))},
  };
}

std::vector<Hand> database_hands(Secrets& secrets) {
  return {{.step = "sweep",
           .lane = lane_of_looks,
           .make = sweep,
           .pack = std::bind_front(pack_sweep, std::ref(secrets))}};
}

}  // namespace rowlock
