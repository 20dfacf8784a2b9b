// What a verb needs is opened here, in one place, before the verb begins.
#include "controller/cli/call.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace rowlock {
namespace {

Error no_permission(const std::string& path) {
  return {Fault::rejected, Cause::denied, fmt::format("{}: {}", path, std::strerror(errno)),
          "run this as the user or as a member of the group that owns the home"};
}

// A file that is there but cannot be used is not the fault of what was asked.
Error as_configuration(Error error) {
  if (error.fault == Fault::rejected) {
    error.fault = Fault::broken;
  }
  return error;
}

Result<Database> opened_for_edit(const Home& home, const Schema& schema) {
  auto opened = open_for_what_if(home, schema);
  if (opened.ok()) {
    return opened;
  }
  Error error = as_configuration(opened.error());
  if (access(home.desired_path().c_str(), F_OK) != 0) {
    error.message = home.desired_path() + " is not there";
    error.hint = "put it back, or make it anew from the rows in force: `rowlock revert --all`";
  }
  return error;
}

}  // namespace

std::optional<Error> obstacle_at(const Home& home, bool edits) {
  if (access(home.folder().c_str(), R_OK | X_OK) != 0 && errno == EACCES) {
    return no_permission(home.folder());
  }
  if (access(home.state_path().c_str(), R_OK) != 0 && errno == EACCES) {
    return no_permission(home.state_path());
  }
  if (auto known = home.check_state(); !known.ok()) {
    return as_configuration(known.error());
  }
  if (edits && access(home.desired_path().c_str(), R_OK | W_OK) != 0 &&
      (errno == EACCES || errno == EROFS)) {
    return no_permission(home.desired_path());
  }
  return std::nullopt;
}

Result<Database> opened_state(const Home& home, const Schema& schema) {
  auto opened = open_state_for_reading(home, schema);
  return opened.ok() ? std::move(opened) : as_configuration(opened.error());
}

Result<> Call::meet(Needs needs) {
  if (is_among(Needs::home, needs)) {
    if (const auto obstacle = obstacle_at(home, is_among(Needs::editable, needs))) {
      return *obstacle;
    }
  }
  if (is_among(Needs::state, needs) && !state_) {
    state_.emplace(TRY(opened_state(home, schema)));
  }
  if (is_among(Needs::edit, needs) && !desired_) {
    desired_.emplace(TRY(opened_for_edit(home, schema)));
  }
  if (is_among(Needs::answers, needs)) {
    controller_.emplace(home, is_among(Needs::controller, needs) ? ControllerClient::Access::writes
                                                                 : ControllerClient::Access::reads);
  }
  return Done{};
}

const std::string& Call::script_in(const Schema& schema, std::string_view name) {
  const std::string* text = schema.script(name);
  CHECK(text != nullptr);
  return *text;
}

}  // namespace rowlock
