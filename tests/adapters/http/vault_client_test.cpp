// What is taken over from a Vault arrives as it was there, or not at all.
#include "controller/adapters/http/vault_client.h"

#include "tests/adapters/http/scripted_server.h"

#include <criterion/criterion.h>

using namespace rowlock;

namespace {

Result<std::optional<Json>> newest_of(const std::string& answer) {
  ScriptedServer server([&](const std::string&) { return with_status(200, "", answer); });
  VaultAddress address;
  address.url = server.url("");
  return VaultClient(address).newest("secret", "db/x");
}

}  // namespace

Test(vault_client, numbers_arrive_as_they_are_there, .timeout = 60) {
  const auto map = newest_of(R"({"data":{"data":{"a":12345678901234567890,"b":1.0,"c":1e999}}})");

  cr_assert(map.ok(), "%s", map.ok() ? "" : map.error().message.c_str());
  cr_assert(map.value().has_value());
  cr_expect(map.value()->text() == R"({"a":12345678901234567890,"b":1.0,"c":1e999})");
}

Test(vault_client, an_answer_that_cannot_be_read_is_not_taken_for_nothing, .timeout = 60) {
  for (const char* answer : {R"({"data":{"data":{"a":"hunter2","a":"hunter3"}}})", "<html>"}) {
    const auto map = newest_of(answer);

    cr_assert(!map.ok(), "%s", answer);
    cr_expect(map.error().message.find("cannot be read") != std::string::npos, "%s",
              map.error().message.c_str());
    cr_expect(map.error().message.find("hunter") == std::string::npos);
  }
}
