// Restores: a row in, a database on a fake server out, and never less than there was.
#include "tests/schema/backups/backed_world.h"

using namespace rowlock;

namespace {

using Names = std::vector<std::string>;

// With one verified backup, and a way to ask for it.
struct Restored : Backed {
  Restored() { run_policy(); }

  void ask(const std::string& database, const std::string& columns = "",
           const std::string& values = "") {
    sql(fmt::format(
        "INSERT INTO restore (name, policy, into_url{}) VALUES ('r', 'nightly', '{}'{})", columns,
        url(database), values));
    settle();
  }
  std::string run() { return text("SELECT state FROM restore_run"); }
  std::string scratch() { return "rowlock_" + text("SELECT id FROM home") + "_restore_r"; }
  std::string why() { return text("SELECT detail FROM status WHERE kind = 'restore'"); }
  FakeDumps::Rows pupils(const std::string& database) {
    const auto tables = fake_dumps.tables(kServer, database);
    return tables.has_value() ? tables->at("public.pupil") : FakeDumps::Rows{};
  }
  // Once the run is in that state.
  void delete_row_when(const std::string& state) {
    after_step = [this, state] {
      if (run() == state) sql("DELETE FROM restore");
    };
  }
  bool is_forgotten() {
    return text("SELECT count(*) FROM restore_run") == "0" &&
           text("SELECT count(*) FROM status WHERE kind = 'restore'") == "0";
  }
  std::string violations() { return text("SELECT message FROM violation_now"); }
};

const FakeDumps::Rows kPupils = {"ann", "ben", "cid"};

}  // namespace

Test(restore, a_lost_database_is_what_it_was) {
  Restored world;
  world.fake_dumps.remove_database(kServer, "school");
  world.ask("school");

  expect_is("done", world.run());
  cr_expect(world.databases() == Names{"school"});
  cr_expect(world.pupils("school") == kPupils);
  expect_is("converged", world.text("SELECT state FROM status WHERE kind = 'restore'"));

  // Asked for once, it is made once.
  world.fake_dumps.remove_database(kServer, "school");
  world.next_day(2);
  cr_expect(world.pupils("school").empty());
}

Test(restore, what_is_there_is_refused_before_anything_is_made) {
  Restored world;
  world.fake_dumps.put_rows(kServer, "school", "public.pupil", {"dora"});
  world.ask("school");

  expect_is("failed", world.run());
  expect_in("has a database school already", world.why());
  cr_expect(world.databases() == Names{"school"});
  cr_expect(world.pupils("school") == FakeDumps::Rows{"dora"});
}

Test(restore, one_that_is_there_is_put_aside_when_that_is_said_word_for_word) {
  Restored world;
  world.fake_dumps.put_rows(kServer, "school", "public.pupil", {"dora"});
  world.sql(
      "INSERT INTO restore (name, policy, into_url, \"into\", confirm) VALUES ('x', "
      "'nightly', '" +
      Backed::url("school") + "', 'existing', 'yes')");
  expect_in("set confirm = 'replace school'", world.violations());
  world.sql("DELETE FROM restore");

  world.ask("school", ", \"into\", confirm", ", 'existing', 'replace school'");
  expect_is("done", world.run());
  cr_expect(world.databases() == (Names{"school", "school_before_r"}));
  cr_expect(world.pupils("school") == kPupils);
  cr_expect(world.pupils("school_before_r") == FakeDumps::Rows{"dora"});
}

Test(restore, a_name_that_its_url_encodes_is_meant_as_the_server_writes_it) {
  Restored world;
  world.fake_dumps.put_database(kServer, "My App ü%", {{"public.pupil", {"dora"}}});
  world.ask("My%20App%20%c3%BC%25");
  expect_in("has a database My App ü% already", world.why());
  world.sql("DELETE FROM restore");
  world.settle();

  world.sql(
      "INSERT INTO restore (name, policy, into_url, \"into\", confirm) VALUES ('x', 'nightly', '" +
      Backed::url("My%20App%20%C3%BC%25") + "', 'existing', 'replace My%20App%20%C3%BC%25')");
  expect_in("set confirm = 'replace My App ü%'", world.violations());
  world.sql("UPDATE restore SET confirm = 'replace My App ü%'");
  world.settle();

  expect_is("done", world.run());
  cr_expect(world.databases() == (Names{"My App ü%", "My App ü%_before_x", "school"}));
  cr_expect(world.pupils("My App ü%_before_x") == FakeDumps::Rows{"dora"});
  expect_in("one that was there is now called My App ü%_before_x", world.why());
}

Test(restore, no_way_to_write_postgres_puts_it_aside) {
  Restored world;
  for (const std::string name : {"postgres", "%70ostgres", "p%6Fstgr%65s?sslmode=disable"}) {
    world.sql(
        "INSERT INTO restore (name, policy, into_url, \"into\", confirm) VALUES ('x', 'nightly', "
        "'" +
        Backed::url(name) + "', 'existing', 'replace postgres')");
    expect_in("puts the database postgres aside", world.violations());
    world.sql("DELETE FROM restore");
  }
}

Test(restore, a_name_of_63_bytes_is_put_aside_under_one_that_fits) {
  Restored world;
  const std::string name = std::string(61, 'x') + "ü";
  world.fake_dumps.put_database(kServer, name, {{"public.pupil", {"dora"}}});
  const std::string reason = "r234567890123456789012345678901234567890";
  world.sql(fmt::format(
      "INSERT INTO restore (name, policy, into_url, \"into\", confirm) VALUES ('{}', 'nightly', "
      "'{}', 'existing', 'replace {}')",
      reason, Backed::url(name), name));
  world.settle();

  expect_is("done", world.run());
  const std::string aside = std::string(15, 'x') + "_before_" + reason;
  cr_expect(aside.size() == 63);
  cr_expect(world.pupils(name) == kPupils);
  cr_expect(world.pupils(aside) == FakeDumps::Rows{"dora"});
  expect_in(aside, world.why());
}

Test(restore, a_name_that_no_server_keeps_is_refused_before_anything_is_made) {
  Restored world;
  world.sql("INSERT INTO restore (name, policy, into_url) VALUES ('x', 'nightly', '" +
            Backed::url(std::string(60, 'x') + "%C3%BC%C3%BC") + "')");
  expect_in("whose name is over 63 bytes", world.violations());
}

Test(restore, one_that_cannot_take_its_name_leaves_nothing) {
  Restored world;
  // Somebody makes it between the look and the renaming.
  world.fake_dumps.set_faults([&](const std::string& call, const std::string&) {
    if (call == "rename") world.after_step = nullptr;
    return FaultPlan::none;
  });
  world.after_step = [&] {
    if (world.run() == "restored") world.fake_dumps.put_database(kServer, "other", {});
  };
  world.ask("other");

  expect_is("failed", world.run());
  cr_expect(world.databases() == (Names{"other", "school"}));
  cr_expect(world.fake_dumps.tables(kServer, "other")->empty());
}

Test(restore, what_one_has_chosen_is_not_deleted_before_it_is_restored) {
  Restored world;
  world.sql(
      "UPDATE backup_policy SET keep_last = 1, keep_daily = 0, keep_weekly = 0, "
      "keep_monthly = 0 WHERE name = 'nightly'");
  world.settle();
  world.fake_dumps.set_faults([&](const std::string& call, const std::string& database) {
    return call == "restore" && database == world.scratch() ? FaultPlan::fail_before
                                                            : FaultPlan::none;
  });
  world.ask("other");
  world.next_day();
  expect_is("verified verified", world.states());
  world.fake_dumps.set_faults(nullptr);
  world.wait_out();
  expect_is("done", world.run());
  world.settle();
  expect_is("expired verified", world.states());
}

Test(restore, what_is_no_backup_and_no_moment_is_said_to_be_so) {
  Restored world;
  world.ask("other", ", backup", ", 'yesterday'");
  expect_is("failed", world.run());
  expect_in("'yesterday' is neither a backup of policy nightly nor a moment such as", world.why());
}

Test(restore, what_is_refused_ends_it_or_is_left_out_and_named) {
  Restored world;
  world.fake_dumps.set_refused("public.mark");
  world.ask("other");
  expect_is("failed", world.run());
  expect_in("the server refuses TABLE public.mark", world.why());

  world.sql("DELETE FROM restore");
  world.settle();
  world.ask("other", ", keep_going", ", 1");
  expect_is("done", world.run());
  expect_in("with 1 object left out", world.why());
  expect_in("restore r left out TABLE public.mark: a function does not exist",
            world.text("SELECT reason FROM why WHERE name = 'r'"));
  cr_expect(world.pupils("other") == kPupils);

  world.sql("DELETE FROM restore");
  world.settle();
  expect_is("0", world.text("SELECT count(*) FROM restore_left_out"));
}

Test(restore, a_part_that_is_asked_for_is_compared_alone) {
  Restored world;
  world.ask("other", ", \"only\"", R"(, '["public.pupil"]')");
  expect_is("done", world.run());
  expect_is("", world.text("SELECT group_concat(object) FROM restore_left_out"));
  cr_expect(world.fake_dumps.tables(kServer, "other")->size() == 1);
}

Test(restore, what_makes_no_sense_is_refused_by_its_table) {
  Restored world;
  const auto refused = [&](const std::string& column, const std::string& value) {
    return !world.rows()
                .run(fmt::format("INSERT INTO restore (name, policy, into_url, {}) VALUES ('x', "
                                 "'nightly', '{}', {})",
                                 column, Backed::url("other"), value),
                     {})
                .ok();
  };
  cr_expect(refused("sections", R"('["data"]')"));
  cr_expect(refused("search_path", "'a''b'"));
  cr_expect(refused("\"without\"", "'public.pupil'"));
  cr_expect(refused("keep_going, single_transaction", "1, 1"));
  cr_expect(!refused("search_path", "'app, public'"));
}

Test(restore, what_one_says_that_has_begun_cannot_be_changed) {
  Restored world;
  world.ask("other");
  expect_is("done", world.run());
  expect_is("", world.violations());

  world.sql("UPDATE restore SET into_url = replace(into_url, 'other', 'another')");
  expect_in("restore r has begun, and what it says cannot be changed any more", world.violations());
  world.settle();
  cr_expect(world.databases() == (Names{"other", "school"}));

  // Of one that an earlier Rowlock made, nobody knows what it said.
  world.sql("UPDATE restore_run SET asked = ''");
  expect_is("", world.violations());
}

Test(restore, what_was_made_for_a_row_that_is_deleted_half_way_is_discarded) {
  Restored world;
  world.delete_row_when("restored");
  world.ask("other");

  cr_expect(world.databases() == Names{"school"});
  cr_expect(world.is_forgotten());
  expect_is("the row was deleted half-way",
            world.text("SELECT detail FROM event WHERE kind = 'restore' AND what = 'failed'"));

  // One that was cut off while it was restored, whatever its server does meanwhile.
  Restored other;
  bool is_away = false;
  other.fake_dumps.set_faults([&](const std::string& call, const std::string&) {
    if (call == "restore") {
      other.sql("DELETE FROM restore");
      is_away = true;
      return FaultPlan::lose_answer;
    }
    return is_away && call == "drop" ? FaultPlan::unreachable : FaultPlan::none;
  });
  other.ask("other");
  cr_expect(other.databases() == (Names{other.scratch(), "school"}));
  other.wait_out();
  cr_expect(other.databases() == (Names{other.scratch(), "school"}));
  expect_in("the row was deleted half-way: what was made", other.why());
  is_away = false;
  other.wait_out();
  cr_expect(other.databases() == Names{"school"});
  cr_expect(other.is_forgotten());
}

Test(restore, for_a_row_that_is_deleted_before_anything_was_made_no_server_is_asked) {
  Restored world;
  const std::size_t calls = world.fake_dumps.calls().size();
  world.delete_row_when("chosen");
  world.ask("other");

  cr_expect(world.is_forgotten());
  cr_expect_eq(world.fake_dumps.calls().size(), calls);
}

Test(restore, a_server_that_does_not_come_back_is_not_waited_for_for_ever) {
  Restored world;
  world.after_step = [&] {
    if (world.run() != "restored") return;
    world.sql("DELETE FROM restore");
    world.fake_dumps.set_away(kServer);
  };
  world.ask("other");
  for (int minute = 0; minute < 120; ++minute) {
    world.pass_time_without_settling(60'000);
    world.settle();
  }

  cr_expect(world.is_forgotten());
  expect_in("DROP DATABASE " + world.scratch() + " on the server of " + Backed::url("other"),
            world.text("SELECT detail FROM event WHERE what = 'left behind'"));
}

Test(restore, faults_on_the_way_are_outlived) {
  for (const char* call : {"list", "drop", "restore", "facts", "rename"}) {
    for (const FaultPlan plan :
         {FaultPlan::fail_before, FaultPlan::unreachable, FaultPlan::lose_answer}) {
      Restored world;
      bool is_over = false;
      world.fake_dumps.set_faults([&](const std::string& made, const std::string&) {
        return made == call && !std::exchange(is_over, true) ? plan : FaultPlan::none;
      });
      world.ask("again");
      world.wait_out();

      expect_is("done", world.run());
      cr_expect(is_over, "%s was never called", call);
      cr_expect(world.databases() == (Names{"again", "school"}), "%s", call);
      cr_expect(world.pupils("again") == kPupils);
    }
  }
}

Test(restore, what_an_earlier_try_left_is_dropped_first) {
  Restored world;
  world.fake_dumps.put_database(kServer, world.scratch(), {});
  world.ask("again");

  expect_is("done", world.run());
  cr_expect(world.databases() == (Names{"again", "school"}));
}

Test(restore, what_cannot_be_had_is_said) {
  Restored world;
  world.ask("again", ", backup", ", 'nightly-of-never'");
  expect_is("failed", world.run());
  expect_in("'nightly-of-never' is neither a backup of policy nightly nor a moment", world.why());

  Backed other;
  other.insert_policy();
  other.sql("INSERT INTO restore (name, policy, into_url) VALUES ('r', 'nightly', '" +
            Backed::url("again") + "')");
  other.turn();
  expect_in("has no verified backup", other.text("SELECT detail FROM restore_run"));
  other.sql("INSERT INTO restore (name, policy, into_url) VALUES ('s', 'daily', '" +
            Backed::url("again") + "')");
  expect_in("of which there is no backup", other.text("SELECT message FROM violation_now"));
}

Test(restore, a_moment_means_the_last_one_before_it) {
  Restored world;
  world.next_day(2);
  const std::string second = world.text("SELECT name FROM backup WHERE id = 2");
  world.ask("again", ", backup",
            ", '" +
                world.text("SELECT datetime(taken_at_ms / 1000 + 60, 'unixepoch') FROM backup "
                           "WHERE id = 2") +
                "'");
  expect_is(second, world.text("SELECT b.name FROM restore_run AS r JOIN backup AS b ON b.id = "
                               "r.backup"));
  expect_is("done", world.run());
}

Test(restore, a_spoiled_backup_is_found_before_one_statement_runs) {
  Restored world;
  world.flip_newest();
  world.ask("again");

  expect_is("failed", world.run());
  for (const std::string& call : world.fake_dumps.calls()) {
    cr_expect(call != "restore " + world.scratch());
  }
  cr_expect(world.databases() == Names{"school"});
}
