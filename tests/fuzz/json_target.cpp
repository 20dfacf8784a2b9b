// What was read is written so that it reads as the same again; and the second line, as a merge
// patch, changes nothing more when it is applied twice.
#include "controller/base/check.h"
#include "controller/base/json.h"
#include "controller/base/utf8.h"
#include "controller/secrets/merge_patch.h"
#include "tests/fuzz/targets.h"

namespace rowlock {

namespace {

// Asks each value for everything that it could be.
void read_all(const Json& json) {
  (void)json.as_integer();
  (void)json.as_number();
  (void)json.as_boolean();
  CHECK(utf8_first_fault(json.as_string()) == std::string_view::npos);
  for (const Json& item : json.items()) read_all(item);
  for (const auto& [name, member] : json.members()) {
    CHECK(json[name].text() == member.text());
    read_all(member);
  }
}

void check_written(const Json& json) {
  const auto again = Json::parse(json.text());
  CHECK(again.ok());
  // From then on to the letter; -0.0 comes back as 0.
  const std::string text = again.value().text();
  CHECK(Json::parse(text).value().text() == text);
}

}  // namespace

void fuzz_json(std::string_view bytes) {
  const auto whole = Json::parse(bytes);
  if (whole.ok()) {
    read_all(whole.value());
    check_written(whole.value());
  }
  const auto [head, rest] = first_line(bytes);
  const auto target = Json::parse(head);
  const auto patch = Json::parse(rest);
  if (!target.ok() || !patch.ok()) return;
  const Json once = merged(target.value(), patch.value());
  CHECK(merged(once, patch.value()).text() == once.text());
}

}  // namespace rowlock
