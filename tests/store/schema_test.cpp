// Taking the SQL files apart by their markers.
#include "controller/store/schema.h"

#include <criterion/criterion.h>

using rowlock::EmbeddedFile;
using rowlock::Schema;

namespace {

constexpr EmbeddedFile kBoat = {"schema/boat.sql", R"(-- A story, which is nobody's section.

-- @desired

-- What it is for.
CREATE TABLE boat (
  name TEXT PRIMARY KEY,  -- phrase; with a semicolon
  oars INTEGER
);

-- @guard

CREATE TRIGGER boat_guard BEFORE INSERT ON boat BEGIN SELECT 1; END;

-- @observed

CREATE TABLE voyage (
  boat TEXT
) WITHOUT ROWID;
CREATE UNIQUE INDEX voyage_by_boat ON voyage (boat) WHERE boat <> '';

-- @views

CREATE VIEW boat_fact AS
SELECT name FROM boat;
CREATE VIEW boat_plan AS
SELECT 'boat' AS kind, name, name AS target, 'row' AS step, '' AS reason, NULL AS due_at_ms
FROM boat_fact;

-- @fill

INSERT INTO voyage VALUES ('x');

-- @run boat.row

UPDATE voyage SET boat = :target;

-- @run boat.row.done

DELETE FROM voyage;
)"};
constexpr EmbeddedFile kFirst = {"migrations/0001_first.sql", "CREATE TABLE home (id);"};
constexpr EmbeddedFile kSecond = {"migrations/0002_second.sql", "ALTER TABLE home ADD COLUMN x;"};

}  // namespace

Test(schema, a_file_is_taken_apart_by_its_markers) {
  const EmbeddedFile files[] = {kBoat, kFirst, kSecond};

  const Schema schema(files);

  cr_assert_eq(schema.desired_tables().size(), 1);
  cr_expect(schema.desired_tables()[0].name == "boat");
  cr_expect(schema.desired_tables()[0].sql ==
            "CREATE TABLE boat (\n  name TEXT PRIMARY KEY,  -- phrase; with a semicolon\n  oars "
            "INTEGER\n);\n");
  cr_expect(schema.observed_tables()[0].name == "voyage");
  cr_expect(schema.observed_tables()[0].sql.ends_with(") WITHOUT ROWID;\n"));
  cr_expect(
      schema.indexes() ==
          "CREATE UNIQUE INDEX IF NOT EXISTS voyage_by_boat ON voyage (boat) WHERE boat <> '';\n",
      "%s", schema.indexes().c_str());
  cr_expect(schema.guard().find("CREATE TRIGGER boat_guard") != std::string::npos);
  cr_expect(schema.fill().find("INSERT INTO voyage") != std::string::npos);
  cr_expect(schema.wake().empty());
  cr_expect_eq(schema.migrations().size(), 2);
  cr_expect_eq(schema.migrations()[1].version, 2);
}

Test(schema, scripts_are_found_by_name) {
  const EmbeddedFile files[] = {kBoat};

  const Schema schema(files);

  cr_assert(schema.script("boat.row") != nullptr);
  cr_expect(schema.script("boat.row")->find("UPDATE voyage") != std::string::npos);
  cr_expect(schema.script("boat.row")->find("DELETE") == std::string::npos);
  cr_expect(schema.script("boat.sink") == nullptr);
}

Test(schema, the_views_of_all_kinds_are_united_and_can_be_temporary) {
  const EmbeddedFile files[] = {kBoat};
  const Schema schema(files);

  const std::string views = schema.views(false);
  const std::string temporary = schema.views(true);

  cr_expect(views.find("CREATE VIEW plan AS\nSELECT kind, name, target, step, reason, due_at_ms "
                       "FROM boat_plan;") != std::string::npos,
            "%s", views.c_str());
  cr_expect(temporary.find("CREATE VIEW") == std::string::npos);
  cr_expect(temporary.find("CREATE TEMP VIEW boat_fact") != std::string::npos);
}

Test(schema, the_embedded_one_has_the_tables_that_people_write) {
  const Schema schema;

  for (const char* wanted : {"job", "job_env", "job_port", "job_check", "job_mount",
                             "job_constraint", "node", "invariant", "approval"}) {
    bool found = false;
    for (const auto& table : schema.desired_tables()) {
      found = found || table.name == wanted;
    }
    cr_expect(found, "%s", wanted);
  }
}
