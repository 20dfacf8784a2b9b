// The audit log rotates by the loop itself; whatever other hands do to a segment is found and
// named.
#include "controller/secrets/audit.h"
#include "tests/controller/boat.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

using namespace rowlock;

namespace {

const Actor kOperator{"user 0", "[]", true};
constexpr std::int64_t kDayMs = 86'400'000;

// A home whose audit log has 9,000 lines, of which as many as can move into segments.
struct Rotated : Boat {
  explicit Rotated(int audit_days = 400) {
    cr_assert(state.run("PRAGMA synchronous=OFF").ok());
    cr_assert(
        shell
            .run(fmt::format("INSERT INTO retention (audit_lines, audit_days) VALUES (500, {})",
                             audit_days))
            .empty());
    cr_assert(state.run("BEGIN").ok());
    cr_assert(secrets.seal.begin(world.time.ms).ok());
    cr_assert(secrets.seal.init(1, 1, kOperator, world.time.ms).ok());
    add_lines(9000);
    cr_assert(state.run("COMMIT").ok());
  }
  void add_lines(int count) {
    for (int i = 0; i < count; ++i) {
      cr_assert(secrets.audit
                    .append({"user 0", "read", fmt::format("app/{}", i), {}, "allowed", "", "x"},
                            world.time.ms)
                    .ok());
    }
  }
  void go_on() {
    start();
    for (int i = 0; i < 20; ++i) {
      world.time.ms += 1000;
      settle();
    }
  }
  std::string findings() {
    const auto report = secrets.audit.verify();
    cr_assert(report.ok(), "%s", report.ok() ? "" : report.error().message.c_str());
    std::string all;
    for (const std::string& finding : report.value().findings) all += finding + "\n";
    return all;
  }
  std::string segments() { return text("SELECT group_concat(number) FROM audit_segment"); }
};

}  // namespace

Test(audit_segment, old_lines_move_into_segments_and_all_is_as_it_was_written) {
  Rotated boat;
  cr_assert(boat.findings().empty(), "%s", boat.findings().c_str());

  boat.go_on();

  cr_expect(boat.segments() == "1,2,3,4", "%s", boat.segments().c_str());
  cr_expect(boat.text("SELECT min(seq) || ' ' || max(seq) FROM audit") == "8001 9001", "%s",
            boat.text("SELECT min(seq) || ' ' || max(seq) FROM audit").c_str());
  cr_expect(boat.findings().empty(), "%s", boat.findings().c_str());
  boat.add_lines(5);
  cr_expect(boat.findings().empty(), "%s", boat.findings().c_str());
}

Test(audit_segment, whatever_other_hands_do_to_one_is_found) {
  Rotated boat;
  boat.go_on();
  cr_assert(boat.state
                .run("DROP TRIGGER audit_is_not_edited; DROP TRIGGER audit_is_not_cut;"
                     "DROP TRIGGER audit_segment_is_not_edited")
                .ok());

  struct Harm {
    const char* text;
    const char* named;
  };
  constexpr Harm kHarms[] = {
      {"DELETE FROM audit_segment WHERE number = 1", "segment 1 of the audit log is missing"},
      {"DELETE FROM audit_segment WHERE number = 3", "segment 3 of the audit log is missing"},
      {"DELETE FROM audit_segment WHERE number = 4", "segment 4 of the audit log is missing"},
      {"DELETE FROM audit_segment", ""},
      {"DELETE FROM audit_archive", ""},
      {"DELETE FROM audit_segment; DELETE FROM audit_archive",
       "line 1 of the audit log is missing"},
      {"UPDATE audit_segment SET packed = (SELECT s.packed FROM audit_segment AS s WHERE s.number "
       "= 3) WHERE number = 2",
       "segment 2 of the audit log is not what was written"},
      {"UPDATE audit_segment SET number = -1 WHERE number = 2; UPDATE audit_segment SET number = 2 "
       "WHERE number = 3; UPDATE audit_segment SET number = 3 WHERE number = -1",
       "segment 2 of the audit log is not what was written"},
      {"UPDATE audit_segment SET last_at_ms = 0 WHERE number = 2", "segment 2"},
      {"UPDATE audit_archive SET first_number = 2; DELETE FROM audit_segment WHERE number = 1",
       "audit_archive is not what was written"},
      {"UPDATE audit_archive SET last_number = 3; DELETE FROM audit_segment WHERE number = 4",
       "audit_archive is not what was written"},
      {"UPDATE audit_archive SET last_number = 9223372036854775807", "audit_archive"},
      {"INSERT INTO audit_segment SELECT 5, first_seq, last_seq, last_at_ms, hash_before, hash, "
       "mac_before, packed, mac FROM audit_segment WHERE number = 4",
       "there are 5 segments"},
      {"UPDATE audit SET path = 'x' WHERE seq = 8500", "line 8500"},
  };
  for (const Harm& harm : kHarms) {
    cr_assert(boat.state.run("SAVEPOINT trial").ok());
    cr_assert(boat.state.run(harm.text).ok(), "%s", harm.text);
    const std::string found = boat.findings();
    cr_expect(!found.empty() && found.find(harm.named) != std::string::npos, "%s: %s", harm.text,
              found.c_str());
    cr_assert(boat.state.run("ROLLBACK TO trial; RELEASE trial").ok());
  }
  cr_expect(boat.findings().empty());
}

Test(audit_segment, a_line_that_was_changed_is_not_signed) {
  Rotated boat;
  cr_assert(
      boat.state.run("DROP TRIGGER audit_is_not_edited; UPDATE audit SET path = 'x' WHERE seq = 77")
          .ok());

  boat.go_on();

  cr_expect(boat.text("SELECT count(*) FROM audit_segment") == "0");
  cr_expect(boat.text("SELECT count(*) FROM audit") == "9001");
  const std::string said = boat.text("SELECT detail FROM status WHERE kind = 'audit'");
  cr_expect(said.find("line 77 of the audit log") != std::string::npos, "%s", said.c_str());
}

Test(audit_segment, lines_leave_the_table_for_a_segment_alone) {
  Rotated boat;
  boat.go_on();

  cr_expect(!boat.state.run("DELETE FROM audit WHERE seq = 9000").ok());
  cr_expect(!boat.state.run("UPDATE audit_segment SET packed = ''").ok());
}

Test(audit_segment, the_oldest_go_and_the_rest_is_as_it_was_written) {
  Rotated boat(10);
  boat.go_on();
  boat.world.time.ms += 11 * kDayMs;

  boat.go_on();
  boat.go_on();

  cr_expect(boat.segments() == "4", "%s: the newest stays", boat.segments().c_str());
  cr_expect(boat.findings().empty(), "%s", boat.findings().c_str());
}

// The controller is killed before a step, after it, and before what it made is written down.
Test(audit_segment, a_crash_at_any_moment_of_a_rotation_loses_nothing) {
  Rotated boat;
  boat.start();
  for (int i = 0; i < 60; ++i) {
    boat.world.time.ms += 1000;
    boat.pass();
    cr_assert(boat.findings().empty(), "after pass %d: %s", i, boat.findings().c_str());
    if (i % 3 == 0) boat.start();
    if (i % 2 == 0) boat.executor.make_one();
  }

  boat.go_on();

  cr_expect(boat.segments() == "1,2,3,4", "%s", boat.segments().c_str());
  cr_expect(boat.findings().empty(), "%s", boat.findings().c_str());
}
