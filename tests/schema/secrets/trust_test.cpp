// Issuers that are trusted, and the keys by which their tokens are verified.
#include "tests/conformance/key_sets_suite.h"
#include "tests/schema/plan_world.h"

#include <criterion/criterion.h>

using rowlock::PlanWorld;

namespace {

constexpr const char* kInsert =
    "INSERT INTO trust (name, issuer, audience, claims, keys) "
    "VALUES ('ci', 'https://ci', 'us', '{\"sub\":\"*\"}', '/etc/ci')";

}  // namespace

Test(trust, keys_are_read_at_once_and_again_every_five_minutes) {
  PlanWorld world;
  world.fake_key_sets().set("/etc/ci", rowlock::key_set_of(1));
  world.sql(kInsert);
  world.settle();

  cr_expect(world.text("SELECT keys FROM trust_keys") == rowlock::key_set_of(1));
  world.fake_key_sets().set("/etc/ci", rowlock::key_set_of(2));
  world.pass_time(290000);
  cr_expect(world.text("SELECT keys FROM trust_keys") == rowlock::key_set_of(1));
  world.pass_time(20000);
  cr_expect(world.text("SELECT keys FROM trust_keys") == rowlock::key_set_of(2));
  cr_expect(world.text("SELECT state, detail FROM status WHERE kind = 'trust'") ==
            "converged|2 keys of https://ci");
}

Test(trust, keys_that_cannot_be_read_are_told_and_the_last_good_ones_stay) {
  PlanWorld world;
  world.sql(kInsert);
  world.settle();
  cr_expect(world.text("SELECT state FROM status WHERE kind = 'trust'") == "failed");
  cr_expect(world.text("SELECT reason FROM why WHERE name = 'ci'").find("it is not there") !=
            std::string::npos);

  world.fake_key_sets().set("/etc/ci", rowlock::key_set_of(1));
  world.pass_time(5000);
  cr_expect(world.text("SELECT state FROM status WHERE kind = 'trust'") == "converged");
}

Test(trust, keys_of_another_source_are_none_of_its) {
  PlanWorld world;
  world.fake_key_sets().set("/etc/ci", rowlock::key_set_of(1));
  world.sql(kInsert);
  world.settle();

  world.sql("UPDATE trust SET keys = '/etc/other'");
  world.settle();
  cr_expect(world.text("SELECT keys FROM trust_keys").empty());
  world.sql("DELETE FROM trust");
  world.settle();
  cr_expect_eq(world.number("SELECT count(*) FROM trust_keys"), 0);
}
