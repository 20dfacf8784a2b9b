// A kind that nobody needs, given to the real loop: its .sql and its hands are all that it takes.
// It is planned, tried again, shown in status and why, pruned, and mended after a crash.
#include "controller/controller.h"
#include "tests/controller/hand_executor.h"
#include "tests/schema/plan_world.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>

#include <deque>

using namespace rowlock;

namespace {

// Lamps that are to be lit. One line declares the kind; what it decides is ten lines of facts and
// rules.
constexpr std::string_view kLampSql = R"(-- A lamp is lit, and looked at no more.

-- @kind lamp
--   of:     lamp.name lamp_state.lamp
--   state:  dark lit gone
--   retry:  2 s to 1 min

-- @desired

CREATE TABLE lamp (
  name TEXT PRIMARY KEY NOT NULL,
  oil  TEXT NOT NULL DEFAULT 'good'
);

CREATE TABLE lamp_shade (
  lamp   TEXT NOT NULL REFERENCES lamp (name) ON DELETE CASCADE ON UPDATE CASCADE,
  colour TEXT NOT NULL,
  PRIMARY KEY (lamp, colour)
);

-- @observed

CREATE TABLE lamp_state (
  lamp TEXT PRIMARY KEY NOT NULL,
  lit  INTEGER NOT NULL DEFAULT 0
);

-- @views

CREATE VIEW lamp_fact AS
SELECT l.name, l.name AS target, NULL AS due_at_ms,
       CASE WHEN s.lit = 1 THEN 'lit' ELSE 'dark' END AS state
FROM lamp AS l
LEFT JOIN lamp_state AS s ON s.lamp = l.name
UNION ALL
SELECT s.lamp, s.lamp, NULL, 'gone' FROM lamp_state AS s
WHERE s.lamp NOT IN (SELECT name FROM lamp);

CREATE VIEW lamp_rule (state, step, reason) AS VALUES
  ('dark', 'light',  'it is dark'),
  ('lit',  'none',   ''),
  ('gone', 'forget', 'the row was deleted');

CREATE VIEW lamp_input AS SELECT name AS target, oil FROM lamp;

CREATE VIEW lamp_status AS
SELECT 'lamp' AS kind, l.name,
       CASE WHEN s.lit = 1   THEN 'converged'
            WHEN h.tries > 0 THEN 'failed'
            ELSE                  'converging' END AS state,
       COALESCE(h.detail, '') AS detail, 0 AS since_ms
FROM lamp AS l
LEFT JOIN lamp_state AS s ON s.lamp = l.name
LEFT JOIN retry AS h ON h.kind = 'lamp' AND h.target = l.name;

CREATE VIEW lamp_why AS
SELECT 'lamp' AS kind, h.name, h.target, 'lamp ' || h.target || ': ' || h.detail AS reason,
       h.since_ms
FROM retry AS h
WHERE h.kind = 'lamp';

-- @begin

UPDATE lamp_state SET lit = 0;

-- @prune

DELETE FROM lamp_state WHERE lamp = 'forgotten';

-- @run lamp.light

INSERT OR IGNORE INTO lamp_state (lamp) VALUES (:target);

-- @run lamp.light.revoked

DELETE FROM lamp_state WHERE lamp = :target;

-- @run lamp.light.done

UPDATE lamp_state SET lit = 1 WHERE lamp = :target;

-- @run lamp.forget

DELETE FROM lamp_state WHERE lamp = :target;
)";

std::vector<EmbeddedFile> with_lamps() {
  const auto all = embedded_files();
  std::vector<EmbeddedFile> files(all.begin(), all.end());
  files.push_back({"schema/made_up/lamp.sql", kLampSql});
  return files;
}

struct Harbour {
  std::vector<EmbeddedFile> files = with_lamps();
  Schema schema{files};
  TempFolder folder;
  Home home{folder / "home"};
  bool made = home.create(schema, 1'000'000).ok();
  Database state = open_state(home.state_path(), schema, 1'000'000).value();
  DesiredFile desired{home.desired_path(), schema};
  Shell shell{home.desired_path()};
  PlanWorld world;
  HandExecutor executor;
  int lit = 0;
  Reconcilers reconcilers{{"lamp",
                           {{.step = "light",
                             .lane = [](const Step&) { return "lamps"; },
                             .make = [this](const Step& step, World&) -> Outcome {
                               ++lit;
                               if (step.input->text("oil") == "good") return Outcome::done();
                               return Error{Fault::rejected, Cause::malformed, "bad oil", ""};
                             }}}}};
  Log log{Log::Format::json, std::fopen("/dev/null", "w")};
  std::unique_ptr<Controller> controller;

  Harbour() {
    // Enough rows that one of them may go without an approval.
    shell.run("DELETE FROM node; INSERT INTO lamp (name) VALUES ('a'), ('b'), ('c'), ('d')");
    start();
    settle();
    lit = 0;
  }
  void start() {
    executor.forget();
    controller = std::make_unique<Controller>(
        Controller::Parts{state, schema, desired, reconcilers, world, executor, log, [] {}});
    cr_assert(controller->begin().ok());
  }
  void settle() {
    cr_assert(controller->pass().ok());
    while (executor.make_one()) cr_assert(controller->pass().ok());
  }
  void edit(const std::string& statements) {
    const std::string said = shell.run(statements);
    cr_assert(said.empty(), "%s", said.c_str());
    settle();
  }
  std::string text(const std::string& query) { return text_of(state.scalar(query).value()); }
};

}  // namespace

Test(made_up_kind, is_planned_made_shown_and_forgotten) {
  Harbour harbour;
  cr_assert(harbour.made);

  harbour.edit("INSERT INTO lamp (name) VALUES ('quay')");
  cr_expect(harbour.text("SELECT state FROM status WHERE name = 'quay'") == "converged");
  cr_expect_eq(harbour.lit, 1);

  harbour.edit("UPDATE lamp SET name = 'pier' WHERE name = 'quay'");
  cr_expect(harbour.text("SELECT count(*) FROM lamp_state WHERE lamp IN ('quay', 'pier')") == "1");
}

Test(made_up_kind, that_was_rejected_waits_for_the_edit_and_is_tried_at_once_after_it) {
  Harbour harbour;

  harbour.edit("INSERT INTO lamp (name, oil) VALUES ('quay', 'bad')");
  cr_expect(harbour.text("SELECT state || ' ' || detail FROM status WHERE name = 'quay'") ==
            "failed bad oil; tried again once its row is edited, or with: rowlock retry quay");
  cr_expect(harbour.text("SELECT reason FROM why WHERE name = 'quay'")
                .starts_with("lamp quay: bad oil; tried again once its row is edited"));
  cr_expect(harbour.text("SELECT step FROM plan WHERE name = 'quay'") == "wait");
  harbour.world.pass_time_without_settling(86'400'000);
  harbour.settle();
  cr_expect_eq(harbour.lit, 1, "nothing but an edit can mend it");

  harbour.edit("UPDATE lamp SET oil = 'good' WHERE name = 'quay'");
  cr_expect_eq(harbour.lit, 2);
  cr_expect(harbour.text("SELECT state FROM status WHERE name = 'quay'") == "converged");
  cr_expect(harbour.text("SELECT count(*) FROM retry") == "0");
}

Test(made_up_kind, has_guards_and_cascades_from_a_reference_and_is_mended_after_a_crash) {
  Harbour harbour;

  cr_expect(harbour.shell.run("INSERT INTO lamp_shade VALUES ('quay', 'red')") ==
            "lamp_shade.lamp names no lamp: INSERT INTO lamp first, or correct the name");
  harbour.edit(
      "INSERT INTO lamp (name) VALUES ('quay'); INSERT INTO lamp_shade VALUES ('quay', 'red')");
  harbour.edit("UPDATE lamp SET name = 'pier' WHERE name = 'quay'");
  cr_expect(harbour.text("SELECT lamp FROM lamp_shade") == "pier");

  // What the last controller left is unknown to the next one: all are lit again.
  const int before = harbour.lit;
  harbour.start();
  harbour.settle();
  cr_expect_eq(harbour.lit, before + 5);
  cr_expect(harbour.text("SELECT state FROM status WHERE name = 'pier'") == "converged");

  harbour.edit("DELETE FROM lamp WHERE name = 'pier'");
  cr_expect(harbour.text("SELECT count(*) FROM lamp_shade") == "0");
}

Test(made_up_kind, that_is_taken_back_before_its_turn_leaves_nothing_behind) {
  Harbour harbour;

  harbour.shell.run("INSERT INTO lamp (name) VALUES ('quay')");
  cr_assert(harbour.controller->pass().ok());
  cr_assert(harbour.text("SELECT count(*) FROM lamp_state WHERE lamp = 'quay'") == "1");
  harbour.shell.run("DELETE FROM lamp WHERE name = 'quay'");
  cr_assert(harbour.controller->pass().ok());
  cr_assert(harbour.controller->pass().ok());  // In which it is written down.

  cr_expect(harbour.text("SELECT count(*) FROM lamp_state WHERE lamp = 'quay'") == "0");
  cr_expect(harbour.text("SELECT outcome FROM attempt WHERE target = 'quay'") == "lost");
  while (harbour.executor.make_one()) cr_assert(harbour.controller->pass().ok());
  cr_expect_eq(harbour.lit, 0, "it is not begun after that");
}
