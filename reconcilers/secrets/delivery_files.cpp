// The spec of a job says which files there are and what is in each; make() walks it. Whatever
// version is read is noted, for the ledger.
#include "reconcilers/secrets/delivery_files.h"

#include "controller/crypto/cipher.h"
#include "controller/crypto/encoding.h"
#include "controller/ports/container_runtime.h"

#include <fmt/format.h>

#include <cstdlib>

namespace rowlock {

namespace {

constexpr std::string_view kLogins = "database/creds/";

// Text as it is, anything else as JSON.
std::string text_of(const Json& value) {
  return value.is_string() ? value.as_string() : value.text();
}

SecretFile file_like(const Json& form, std::string_view content) {
  SecretFile file;
  file.name = form["name"].as_string();
  file.content = SecretBytes(content);
  file.mode = static_cast<int>(std::strtol(form["mode"].as_string("0444").c_str(), nullptr, 8));
  const std::string owner = form["owner"].as_string("0:0");
  file.user = std::atoi(owner.c_str());
  file.group = std::atoi(owner.substr(owner.find(':') + 1).c_str());
  return file;
}

// A NUL would begin another variable; and the kernel takes no longer one (MAX_ARG_STRLEN).
Result<> check_variable(const SecretFile& variable) {
  constexpr std::size_t kBytesMax = 128 * 1024;
  const std::string_view value = variable.content.view();
  if (value.find('\0') == std::string_view::npos &&
      variable.name.size() + value.size() + 2 <= kBytesMax) {
    return Done{};
  }
  return Error{Fault::rejected, Cause::other,
               "the secret for " + variable.name +
                   " cannot be an environment variable: it is over " + "128 KB or has a NUL in it",
               "give it as a file, or write another version"};
}

}  // namespace

std::string escaped(std::string_view value, const std::string& escape) {
  if (escape == "json") {
    const std::string quoted = Json::string(value).text();
    return quoted.substr(1, quoted.size() - 2);
  }
  std::string text;
  for (const char c : value) {
    text += escape == "shell" && c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return text;
}

DeliveryFiles::DeliveryFiles(Secrets& secrets, Database& state, const Schema& schema,
                             const Row& input, const std::vector<Row>& needs, std::int64_t now_ms)
    : secrets_(secrets),
      state_(state),
      schema_(schema),
      input_(input),
      needs_(needs),
      now_ms_(now_ms),
      actor_{"instance " + input.text("folder"), input.text("policies"), false} {}

Result<Json> DeliveryFiles::login_of(const std::string& path) {
  const std::string role = path.substr(kLogins.size());
  const auto rows = TRY(state_.query(*schema_.script("database_login.sealed"),
                                     {{"instance", input_.integer("instance")}, {"role", role}}));
  const Error absent{Fault::transient, Cause::not_found, "the login " + path + " is not made yet",
                     ""};
  if (rows.empty()) {
    return absent;
  }
  const Row& row = rows.front();
  const Key* key = secrets_.keyring.find(row.integer("kek"));
  const auto sealed = from_base64(row.text("sealed"));
  if (key == nullptr || !sealed.ok()) {
    return absent;
  }
  const auto opened = TRY(open_seal(key->bytes, sealed.value(), "login/" + row.text("username")));
  const AuditLine line{actor_.name,
                       "read",
                       path,
                       {},
                       "allowed",
                       row.text("username"),
                       secrets_.audit.hash_of(opened.view())};
  TRY(secrets_.audit.append(line, now_ms_));
  return Json::parse(opened.view());
}

Result<Json> DeliveryFiles::map_of(const std::string& path, const std::string& key,
                                   const std::string& on_change) {
  std::int64_t version = 0;
  for (const Row& need : needs_) {
    if (need.text("path") == path && need.text("key") == key &&
        need.text("on_change") == on_change) {
      version = need.integer("wanted");
    }
  }
  if (const auto known = maps_.find({path, version}); known != maps_.end()) {
    return known->second;
  }
  TRY(secrets_.policies.require(actor_, "read", path));
  if (path.starts_with(kLogins)) {
    auto login = login_of(path);
    if (login.ok()) {
      maps_.emplace(std::pair(path, version), login.value());
    }
    return login;
  }
  const auto read = TRY(secrets_.store.read(path, version, actor_, now_ms_));
  if (!read.is_live) {
    return Error{Fault::transient, Cause::not_found,
                 fmt::format("version {} of secret {} is deleted", version, path), ""};
  }
  auto parsed = Json::parse(read.data.view());
  if (!parsed.ok()) {
    return parsed.error();
  }
  const Values held = {{"instance", input_.integer("instance")},
                       {"path", path},
                       {"version", version},
                       {"now_ms", now_ms_}};
  TRY(state_.run(*schema_.script("delivery.hold"), held));
  maps_.emplace(std::pair(path, version), parsed.value());
  return parsed;
}

Result<SecretBytes> DeliveryFiles::value_of(const std::string& path, const std::string& key,
                                            const std::string& on_change) {
  const auto map = TRY(map_of(path, key, on_change));
  const Json value = key.empty() ? map : map[key];
  if (value.is_null()) {
    return Error{Fault::transient, Cause::not_found,
                 fmt::format("secret {} has no key '{}'", path, key), ""};
  }
  std::string text = text_of(value);
  SecretBytes bytes(text);
  wipe(text);
  return bytes;
}

Result<SecretFile> DeliveryFiles::file_of(const Json& file) {
  const auto value = TRY(
      value_of(file["path"].as_string(), file["key"].as_string(), file["on_change"].as_string()));
  return file_like(file, value.view());
}

std::string DeliveryFiles::addresses_of(const std::string& job, const std::string& port) const {
  const auto services = Json::parse(input_.text("services"));
  for (const Json& service : services.ok() ? services.value().items() : std::vector<Json>{}) {
    const std::vector<Json> cells = service.items();
    if (cells.at(0).as_string() == job && cells.at(1).as_string() == port) {
      return cells.at(2).as_string();
    }
  }
  return "";
}

Result<SecretFile> DeliveryFiles::rendered(const Json& form) {
  std::string text;
  for (const Json& piece : form["pieces"].items()) {
    const std::vector<Json> call = piece["call"].items();
    if (call.size() == 3 && call[0].as_string() == "secret") {
      auto value =
          value_of(call[1].as_string(), call[2].as_string(), form["on_change"].as_string());
      if (!value.ok()) {
        wipe(text);
        return value.error();
      }
      text += escaped(value.value().view(), form["escape"].as_string());
    } else if (call.size() == 3) {
      text += escaped(addresses_of(call[1].as_string(), call[2].as_string()),
                      form["escape"].as_string());
    }
    text += piece["text"].as_string();
  }
  SecretFile file = file_like(form, text);
  wipe(text);
  return file;
}

Result<std::vector<SecretFile>> DeliveryFiles::make() {
  const auto parsed = Json::parse(input_.text("body"));
  const Json secrets = parsed.ok() ? parsed.value()["secrets"] : Json();
  std::vector<SecretFile> files;
  std::string environment;
  for (const Json& file : secrets["files"].items()) {
    auto made = file_of(file);
    if (!made.ok()) {
      wipe(environment);
      return made.error();
    }
    if (file["as"].as_string() != "env") {
      files.push_back(std::move(made).value());
      continue;
    }
    if (auto fits = check_variable(made.value()); !fits.ok()) {
      wipe(environment);
      return fits.error();
    }
    environment += made.value().name + "=" + std::string(made.value().content.view());
    environment += '\0';
  }
  for (const Json& form : secrets["templates"].items()) {
    auto made = rendered(form);
    if (!made.ok()) {
      wipe(environment);
      return made.error();
    }
    files.push_back(std::move(made).value());
  }
  if (!environment.empty()) {
    files.push_back({kEnvironmentFile, SecretBytes(environment), 0444, 0, 0});
    wipe(environment);
  }
  return files;
}

std::string DeliveryFiles::uses() const {
  std::vector<Json> uses;
  for (const auto& [use, map] : maps_) {
    uses.push_back(Json::array({Json::string(use.first), Json::integer(use.second)}));
  }
  return Json::array(std::move(uses)).text();
}

}  // namespace rowlock
