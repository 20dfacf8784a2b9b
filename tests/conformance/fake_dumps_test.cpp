// The fake databases against the suite that a real server passes.
#include "tests/fakes/fake_dumps.h"

#include "tests/conformance/dumps_suite.h"
#include "tests/fakes/memory_members.h"

#include <criterion/criterion.h>

#include <atomic>
#include <string>

using namespace rowlock;

namespace {

constexpr char kServer[] = "postgresql://postgres@db:5432";

PostgresAddress address_of(const std::string& database) {
  return {std::string(kServer) + "/" + database, nullptr};
}

}  // namespace

Test(fake_dumps, behave_like_every_server) {
  FakeDumps fake;
  fake.put_database(kServer, "postgres", {});
  DumpsFixture fixture;
  fixture.server = address_of("postgres");
  fixture.address_of = address_of;
  fixture.url_of_none = "postgresql://postgres@nowhere:5432/app";
  fixture.make = [&](const std::string& database) {
    fake.put_database(kServer, database,
                      {{"public.pupil", FakeDumps::Rows(500, "pupil")},
                       {"public.nobody", {}},
                       {"public.pupil_id_seq", {"500 called"}},
                       {"large objects", {"large"}}});
  };
  fixture.change_one_row = [&](const std::string& database) {
    FakeDumps::Rows rows(500, "pupil");
    rows[6] = "Another";
    fake.put_rows(kServer, database, "public.pupil", rows);
  };
  fixture.open_session = [&](const std::string& database) { fake.open_session(kServer, database); };
  fixture.query = "SELECT count(*) FROM pupil";
  fixture.answer = "500";
  fixture.change = "DELETE FROM pupil RETURNING id";

  check_dumps(fake, fixture);
}

Test(fake_dumps, fail_as_they_are_told_to) {
  const std::atomic<bool> never{false};
  FakeDumps fake;
  fake.put_database(kServer, "postgres", {});
  fake.put_database(kServer, "app", {{"public.pupil", {"one", "two"}}});
  const RestoreOrder order{address_of("postgres"), "copy"};
  MemoryMembers members;

  fake.set_broken(kServer, "app");
  cr_expect(!fake.dump({address_of("app")}, 1, members, never).ok() && members.is_open);
  fake.set_broken(kServer, "app", false);
  members = {};
  const auto dumped = fake.dump({address_of("app")}, 1, members, never);
  cr_assert(dumped.ok());

  fake.set_faults([](const std::string& call, const std::string&) {
    return call == "restore" ? FaultPlan::lose_answer : FaultPlan::none;
  });
  const auto lost = fake.restore(order, "", dump_of(source_of(members.member("dump"))), never);
  cr_expect(!lost.ok() && lost.error().cause == Cause::deadline);
  cr_expect(fake.tables(kServer, "copy") == fake.tables(kServer, "app"));
  cr_assert(fake.drop(order.server, "copy").ok());

  fake.set_faults({});
  fake.set_loses_rows(true);
  cr_assert(fake.restore(order, "", dump_of(source_of(members.member("dump"))), never).ok());
  const auto restored = fake.facts(address_of("copy"), never);
  cr_assert(restored.ok());
  cr_expect(restored.value().tables[0].rows == dumped.value().content.tables[0].rows - 1);
}
