// What follows when a step has ended. The attempt is finished last: what an observation saw is not
// taken from a step that ends in the same moment.
#include "controller/outcome.h"

#include "controller/base/utf8.h"

#include <fmt/format.h>

#include <algorithm>

namespace rowlock {

Outcome Outcome::of(const Error& error) {
  const std::string detail =
      error.hint.empty() ? error.message : error.message + " (" + error.hint + ")";
  Kind kind = Kind::broken;
  switch (error.fault) {
    case Fault::transient: kind = Kind::transient; break;
    case Fault::rejected: kind = Kind::rejected; break;
    case Fault::broken: kind = Kind::broken; break;
  }
  Outcome outcome(kind, std::string(name_of(kind)), detail, {});
  outcome.is_mendable = error.cause != Cause::malformed;
  return outcome;
}

std::string_view name_of(Outcome::Kind kind) {
  switch (kind) {
    case Outcome::Kind::done: return "done";
    case Outcome::Kind::transient: return "transient";
    case Outcome::Kind::rejected: return "rejected";
    case Outcome::Kind::broken: return "broken";
  }
  UNREACHABLE();
}

std::vector<std::string> scripts_after(const std::string& kind, const std::string& step,
                                       const Outcome& outcome) {
  const bool has_failed = outcome.kind != Outcome::Kind::done;
  std::vector<std::string> names;
  if (has_failed) names.push_back(fmt::format("{}.{}.failed", kind, step));
  names.push_back(fmt::format("{}.{}.{}", kind, step, outcome.result));
  names.push_back(fmt::format("{}.{}", kind, outcome.result));
  names.push_back(fmt::format("{}.{}", kind, name_of(outcome.kind)));
  if (has_failed) names.push_back(kind + ".failed");
  return names;
}

namespace {

const std::string* script_after(const Schema& schema, const Step& step, const Outcome& outcome) {
  for (const std::string& name : scripts_after(step.kind, step.step, outcome)) {
    if (const std::string* script = schema.script(name); script != nullptr) {
      return script;
    }
  }
  return nullptr;
}

}  // namespace

Values as_text(Values values) {
  for (auto& [name, value] : values) {
    auto* text = std::get_if<std::string>(&value);
    if (text == nullptr) continue;
    if (utf8_first_fault(*text) != std::string::npos) *text = utf8_sanitised(*text);
    std::replace(text->begin(), text->end(), '\0', ' ');
  }
  return values;
}

Result<> record_outcome(Database& state, const Schema& schema, const Step& step,
                        const Outcome& outcome, std::int64_t started_at_ms, std::int64_t now_ms) {
  Values values = {{"kind", step.kind},
                   {"name", step.name},
                   {"target", step.target},
                   {"step", step.step},
                   {"reason", step.reason},
                   {"now_ms", now_ms},
                   {"started_at_ms", started_at_ms},
                   {"outcome", std::string(name_of(outcome.kind))},
                   {"detail", outcome.detail},
                   {"mendable", std::int64_t{outcome.is_mendable}}};
  values.insert(values.end(), outcome.values.begin(), outcome.values.end());
  values = as_text(std::move(values));
  const bool has_failed = outcome.kind != Outcome::Kind::done;
  const std::string* own = script_after(schema, step, outcome);
  CHECK(own != nullptr || has_failed);
  if (has_failed) TRY(state.run(*schema.script("retry.note"), values));
  TRY(state.run(own != nullptr ? *own : *schema.script("retry.event"), values));
  if (!has_failed) TRY(state.run(*schema.script("retry.over"), values));
  return state.run(*schema.script("attempt.finish"), values);
}

Result<> record_revoked(Database& state, const Schema& schema, const Step& step,
                        std::int64_t now_ms) {
  const Values values = {{"kind", step.kind}, {"target", step.target}, {"now_ms", now_ms}};
  const std::string* undo = schema.script(fmt::format("{}.{}.revoked", step.kind, step.step));
  if (undo != nullptr) TRY(state.run(*undo, values));
  return state.run(*schema.script("attempt.revoke"), values);
}

}  // namespace rowlock
