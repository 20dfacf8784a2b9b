// Reading a day of changes and packing it takes longer than the loop may stand still.
#include "reconcilers/history/history.h"

#include "controller/history/change_pack.h"

namespace rowlock {
namespace {

std::string lane(const Step&) { return "history"; }

Outcome pack(const Step& step, const std::string& state_path, const Schema& schema) {
  Database state = TRY(Database::open(state_path, Database::Mode::read_only));
  const auto pack = TRY(pack_changes(state, schema, step.input->integer("first_revision"),
                                     step.input->integer("newest")));
  return Outcome::done({{"first_revision", pack.first_revision},
                        {"last_revision", pack.last_revision},
                        {"day", pack.day},
                        {"last_at_ms", pack.last_at_ms},
                        {"changes", pack.changes},
                        {"plain_bytes", pack.plain_bytes},
                        {"packed", pack.packed}});
}

}  // namespace

std::vector<Hand> history_hands(const std::string& state_path, const Schema& schema) {
  return {{.step = "pack", .lane = lane, .make = [state_path, &schema](const Step& step, World&) {
             return pack(step, state_path, schema);
           }}};
}

}  // namespace rowlock
