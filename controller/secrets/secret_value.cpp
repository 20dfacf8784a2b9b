// The rest of Rowlock reads secrets through here, so that each such reading has its line in the
// audit log, under the name `rowlock`.
#include "controller/secrets/secret_value.h"

#include <fmt/format.h>

namespace rowlock {

Result<std::shared_ptr<const SecretBytes>> secret_value(Secrets& secrets, const std::string& path,
                                                        const std::string& key,
                                                        std::int64_t now_ms) {
  if (path.empty()) {
    return std::shared_ptr<const SecretBytes>();
  }
  if (!secrets.keyring.is_open()) {
    return secrets.keyring.closed_error();
  }
  const std::string put = "rowlock secret put " + path;
  auto read = secrets.store.read(path, 0, Actor{"rowlock", "[]", true}, now_ms);
  if (!read.ok()) {
    Error error = read.error();
    if (error.cause == Cause::not_found && error.hint.empty()) error.hint = put;
    return error;
  }
  if (!read.value().is_live) {
    return Error{Fault::rejected, Cause::not_found, "secret " + path + " is deleted", put};
  }
  const auto map = Json::parse(read.value().data.view());
  const Json value = map.ok() ? map.value()[key] : Json();
  if (!value.is_string()) {
    return Error{Fault::rejected, Cause::not_found,
                 fmt::format("secret {} has no text under the key '{}'", path, key), put};
  }
  std::string text = value.as_string();
  auto bytes = std::make_shared<const SecretBytes>(text);
  wipe(text);
  return bytes;
}

Result<std::shared_ptr<const SecretBytes>> secret_of(Secrets& secrets, const Row& row,
                                                     const std::string& name, std::int64_t now_ms) {
  return secret_value(secrets, row.text(name + "_secret"), row.text(name + "_key"), now_ms);
}

}  // namespace rowlock
