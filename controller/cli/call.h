// What a verb is given when it is called, and what it may need of the home and of the controller:
// that is said once, where the verb is declared (verbs.h), looked after in one place, and handed
// over here.
#pragma once

#include "controller/base/exit_code.h"
#include "controller/base/result.h"
#include "controller/cli/controller_client.h"
#include "controller/cli/terminal/terminal.h"
#include "controller/store/database.h"
#include "controller/store/home.h"
#include "controller/store/schema.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace rowlock {

// What has to be there before a verb begins; several are joined by |. What is missing is an error
// that says what to do, and the verb is not called.
enum class Needs : unsigned {
  nothing = 0,
  home = 1,             // One that this user may read.
  state = 2 | home,     // call.state()
  editable = 4 | home,  // A desired.db that this user may write.
  edit = 8 | editable,  // call.desired()
  answers = 16,         // call.controller(), to look only: whatever would change something stops
                        // the program before it is sent.
  controller =
      32 | 16,  // call.controller(), for anything. Whether one runs shows when it is asked.
};
constexpr Needs operator|(Needs one, Needs other) {
  return static_cast<Needs>(static_cast<unsigned>(one) | static_cast<unsigned>(other));
}
constexpr bool is_among(Needs one, Needs all) { return (one | all) == all; }

// What keeps this user from using the home: none there, or no permission. `edits` asks whether
// desired.db may be written; without it, only state.db has to be there.
std::optional<Error> obstacle_at(const Home& home, bool edits);

// state.db for reading, as Call::meet() opens it. What cannot be opened is an error that ends in
// kExitConfiguration, unless trying again may help.
Result<Database> opened_state(const Home& home, const Schema& schema);

// Belongs to one thread. What it refers to outlives it.
class Call {
 public:
  Call(const Home& at, const Schema& by, const Terminal& to, std::string origin)
      : home(at), schema(by), terminal(to), home_origin(std::move(origin)) {}

  const Home& home;
  const Schema& schema;
  const Terminal& terminal;
  std::string home_origin;  // "--home", "ROWLOCK_HOME" or "default".

  // Opens what is needed and not open yet; before the verb begins, and so that it need not.
  Result<> meet(Needs needs);

  // Each requires that the verb said to need it.
  Database& state() const { return open(state_); }  // state.db, for reading.
  Database& desired() const {
    return open(desired_);
  }  // desired.db, with state.db attached and
     // the views of an edit.
  const ControllerClient& controller() const { return open(controller_); }

  // The text of a script of the schema. Requires: there is one of that name.
  const std::string& script(std::string_view name) const { return script_in(schema, name); }
  static const std::string& script_in(const Schema& schema, std::string_view name);

 private:
  template <typename Part>
  static Part& open(std::optional<Part>& part) {
    CHECK(part.has_value());
    return *part;
  }

  // What a verb does with them does not change the call.
  mutable std::optional<Database> state_;
  mutable std::optional<Database> desired_;
  mutable std::optional<ControllerClient> controller_;
};

}  // namespace rowlock
