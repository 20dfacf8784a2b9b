// The name in --into, as its server writes it, and the name that one of that name is put aside by.
#include "controller/cli/backups/restore_target.h"

#include <criterion/criterion.h>

#include <string>

using namespace rowlock;

namespace {

std::string name_in(const std::string& url, const std::string& replaces = "") {
  RestoreOptions options;
  options.into = url;
  options.replaces = replaces;
  const auto name = target_of(options);
  return name.ok() ? name.value() : "!" + name.error().message;
}

}  // namespace

Test(restore_target, a_name_is_decoded) {
  cr_expect(name_in("postgresql://a@h:1/app") == "app");
  cr_expect(name_in("postgresql://a@/My%20App?host=/run/postgresql") == "My App");
  cr_expect(name_in("postgresql://a@h/a%2Fb%25") == "a/b%");
  cr_expect(name_in("postgresql://a@h/My%20App", "My App") == "My App");
  cr_expect(name_in("postgresql://a@h/My%20App", "My%20App").starts_with("!--replace names"));
  cr_expect(name_in("postgresql://a@h/100%").find("cannot be decoded") != std::string::npos);
  cr_expect(name_in("postgresql://a@h/").starts_with("!--into is not"));
  cr_expect(name_in("postgresql://a@h").starts_with("!--into is not"));
  cr_expect(name_in("app").starts_with("!--into is not"));
}

Test(restore_target, the_database_postgres_stays_however_it_is_written) {
  for (const char* url : {"postgresql://a@h/postgres", "postgresql://a@h/%70ostgres"}) {
    cr_expect(name_in(url, "postgres").find("cannot be put aside") != std::string::npos, "%s", url);
  }
}

Test(restore_target, a_name_fits_into_63_bytes) {
  const std::string most(63, 'x');
  cr_expect(name_in("postgresql://a@h/" + most) == most);
  cr_expect(name_in("postgresql://a@h/" + most + "x").find("is too long") != std::string::npos);
  cr_expect(name_in("postgresql://a@h/" + most.substr(1) + "%C3%BC").starts_with("!"));

  cr_expect(name_aside("app", 1795618654) == "app_before_1795618654");
  cr_expect(name_aside(most, 1795618654) == most.substr(0, 45) + "_before_1795618654");
  const std::string odd = std::string(44, 'x') + "üüüüüüüüü";
  cr_expect(name_aside(odd, 1795618654) == std::string(44, 'x') + "_before_1795618654");
}
