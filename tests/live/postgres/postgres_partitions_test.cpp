// Rows that land in another partition than they came from: where one lies may hang on numbers that
// every server gives anew, and the table is the same all the same.
#include "tests/live/postgres/postgres_dump_rig.h"

#include <criterion/criterion.h>

#include <string>
#include <vector>

using namespace rowlock;

namespace {

std::string hash_of(const DatabaseFacts& facts, const std::string& table) {
  for (const TableFacts& each : facts.tables) {
    if (each.name == table) return std::to_string(each.rows) + " " + each.hash;
  }
  return "";
}

// The names of an enum's values are hashed by numbers of the server's.
const std::vector<std::string> kMoods = {
    "CREATE TYPE mood AS ENUM ('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h')",
    "CREATE TABLE rows AS SELECT m::mood AS k, n, m::text || n AS t "
    "FROM unnest(enum_range(NULL::mood)) AS m, generate_series(1, 50) AS n"};

std::vector<std::string> leaves(const std::string& table, int count) {
  std::vector<std::string> statements;
  for (int i = 0; i < count; ++i) {
    statements.push_back("CREATE TABLE " + table + "_" + std::to_string(i) + " PARTITION OF " +
                         table + " FOR VALUES WITH (MODULUS " + std::to_string(count) +
                         ", REMAINDER " + std::to_string(i) + ")");
  }
  return statements;
}

}  // namespace

Test(live_postgres_partitions, rows_may_come_back_in_other_partitions, .timeout = 120) {
  PostgresDumpRig c;
  c.run(kMoods);
  c.run({"CREATE TABLE moods (t text, k mood, n int) PARTITION BY HASH (k)"});
  c.run(leaves("moods", 4));
  c.run({"INSERT INTO moods (k, n, t) SELECT * FROM rows"});

  const DatabaseFacts dumped = c.comes_back();

  const DatabaseFacts copy = c.facts("copy");
  bool has_moved = false;
  for (int i = 0; i < 4; ++i) {
    const std::string leaf = "public.moods_" + std::to_string(i);
    has_moved = has_moved || hash_of(dumped, leaf) != hash_of(copy, leaf);
  }
  cr_expect(has_moved, "no row has moved: the test proves nothing");
}

Test(live_postgres_partitions, of_every_form_come_back, .timeout = 120) {
  PostgresDumpRig c;
  c.run(kMoods);
  c.run({"CREATE DOMAIN moods AS mood", "CREATE TYPE pair AS (k mood, n int)",
         "CREATE TABLE arrays (k mood[], n int) PARTITION BY HASH (k)",
         "CREATE TABLE pairs (p pair, n int) PARTITION BY HASH (p)",
         "CREATE TABLE domains (k moods, n int) PARTITION BY HASH (k)"});
  for (const char* table : {"arrays", "pairs", "domains"}) c.run(leaves(table, 3));
  c.run({"INSERT INTO arrays SELECT ARRAY[k, NULL], n FROM rows",
         "INSERT INTO pairs SELECT ROW(k, n)::pair, n FROM rows",
         "INSERT INTO domains SELECT k, n FROM rows",
         // A tree of three levels, with a column that one leaf has elsewhere.
         "CREATE TABLE tree (n int, k mood, t text) PARTITION BY RANGE (n)",
         "CREATE TABLE tree_low PARTITION OF tree FOR VALUES FROM (0) TO (20) "
         "PARTITION BY LIST (k)",
         "CREATE TABLE tree_low_ab PARTITION OF tree_low FOR VALUES IN ('a', 'b') "
         "PARTITION BY HASH (k)",
         "CREATE TABLE tree_low_rest PARTITION OF tree_low DEFAULT",
         "CREATE TABLE tree_high (t text, gone int, k mood, n int)",
         "ALTER TABLE tree_high DROP COLUMN gone",
         "ALTER TABLE tree ATTACH PARTITION tree_high FOR VALUES FROM (20) TO (100)"});
  c.run(leaves("tree_low_ab", 2));
  c.run({"INSERT INTO tree SELECT n, k, t FROM rows",
         // By hash at the top, and a leaf that was let go again.
         "CREATE TABLE top (n int, k mood) PARTITION BY HASH (k)"});
  c.run(leaves("top", 3));
  c.run({"ALTER TABLE top DETACH PARTITION top_2",
         "CREATE TABLE top_below PARTITION OF top FOR VALUES WITH (MODULUS 3, REMAINDER 2) "
         "PARTITION BY LIST (k)",
         "CREATE TABLE top_below_all PARTITION OF top_below DEFAULT",
         "INSERT INTO top SELECT n, k FROM rows", "INSERT INTO top_2 VALUES (1, 'a')",
         "CREATE TABLE none (k mood) PARTITION BY HASH (k)"});

  const DatabaseFacts facts = c.comes_back();

  cr_expect(hash_of(facts, "public.top_2").starts_with("1 "));
  cr_expect(hash_of(facts, "public.tree_high").starts_with("248 "));
}

// What lies elsewhere is not dumped, and nothing is written there.
Test(live_postgres_partitions, with_one_that_lies_elsewhere_come_back, .timeout = 120) {
  PostgresDumpRig c;
  c.run(kMoods);
  c.run({"CREATE FOREIGN DATA WRAPPER none", "CREATE SERVER far FOREIGN DATA WRAPPER none",
         "CREATE TABLE listed (k mood, n int) PARTITION BY LIST (k)",
         "CREATE TABLE listed_a PARTITION OF listed FOR VALUES IN ('a')",
         "CREATE FOREIGN TABLE listed_b PARTITION OF listed FOR VALUES IN ('b') SERVER far",
         "INSERT INTO listed SELECT k, n FROM rows WHERE k = 'a'"});

  const DatabaseFacts facts = c.comes_back();

  cr_expect(hash_of(facts, "public.listed_a").starts_with("50 "));
  cr_expect(hash_of(facts, "public.listed_b").empty());
}

Test(live_postgres_partitions, a_row_that_is_missing_or_another_is_seen, .timeout = 120) {
  PostgresDumpRig c;
  c.run(kMoods);
  c.run({"CREATE TABLE moods (t text, k mood, n int) PARTITION BY HASH (k)"});
  c.run(leaves("moods", 4));
  c.run({"INSERT INTO moods (k, n, t) SELECT * FROM rows"});
  const DatabaseFacts dumped = c.comes_back();

  c.run({"UPDATE moods SET t = 'another' WHERE n = 7 AND k = 'a'"}, "copy");
  cr_expect(difference(dumped, c.facts("copy")) ==
                "public.moods has other content, in 400 rows as dumped",
            "%s", difference(dumped, c.facts("copy")).c_str());
  c.run({"DELETE FROM moods WHERE n = 7 AND k = 'a'"}, "copy");
  cr_expect(difference(dumped, c.facts("copy")) == "public.moods has 399 rows, 400 were dumped",
            "%s", difference(dumped, c.facts("copy")).c_str());
  c.run({"DROP TABLE moods_3"}, "copy");
  cr_expect(difference(dumped, c.facts("copy")) == "public.moods_3 is missing", "%s",
            difference(dumped, c.facts("copy")).c_str());
}
