// Databases with everything in them that PostgreSQL has: what is said of a dump is what a restore
// of it holds, and another content is never taken for the same.
#include "tests/live/postgres/postgres_dump_rig.h"

#include <criterion/criterion.h>

#include <map>
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

}  // namespace

Test(live_postgres_dump_content, values_of_every_type_come_back, .timeout = 120) {
  PostgresDumpRig c;
  c.run({"CREATE TYPE mood AS ENUM ('sad', 'glad')", "CREATE TYPE pair AS (a int, b text)",
         "CREATE DOMAIN short AS char(5)", "CREATE DOMAIN shorter AS short",
         "CREATE DOMAIN moods AS mood", "CREATE DOMAIN numbers AS int[]",
         "CREATE DOMAIN flag AS bool", "CREATE DOMAIN word AS text CHECK (value <> 'x')",
         "CREATE DOMAIN pairs AS pair",
         "CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', "
         "deterministic = false)",
         "CREATE TABLE every (i2 int2, i4 int4, i8 int8, b bool, t text, v varchar(9), c char(7), "
         "u uuid, ts timestamp, tz timestamptz, d date, ti time, ttz timetz, iv interval, "
         "f4 float4, f8 float8, n numeric, j json, jb jsonb, x xml, p point, r int4range, "
         "mr int8multirange, a int[], ta text[][], e mood, pa pair, ea mood[], bits bit(3), "
         "vb varbit, by bytea, ip inet, ci cidr, mac macaddr, m money, o oid, rc regclass, "
         "na name, ch \"char\", tv tsvector, tq tsquery, jp jsonpath, ds short, dss shorter, "
         "dm moods, dn numbers, df flag, dw word, dp pairs, poly polygon, lsn pg_lsn, "
         "ic text COLLATE any_case, bp bpchar)",
         "INSERT INTO every SELECT -1, 2147483647, -9223372036854775808, true, E'a\\nb\\\\''\"', "
         "'nine', 'c', gen_random_uuid(), '-infinity', 'infinity', '5874897-12-31', '24:00', "
         "'12:00+05:30', '1 mon -3 days 00:00:01.5', 'NaN', '-0', '1.000', '{ \"a\" : 1}', "
         "'{\"a\": 1.0}', '<a/>', '(1,NaN)', '[1,4)', '{[1,2),[5,9)}', '{1,NULL,3}', "
         "'{{a,\"b,c\"},{NULL,\"\"}}', 'glad', '(1,\"x,y\")', '{sad,glad}', '101', '1', "
         "'\\x00ff', '::1/64', '10.0.0.0/8', '08:00:2b:01:02:03', '12.34', 4711, 'every', 'name', "
         "'c', 'a b:3A', 'a & b', '$.a', 'ab', 'abc', 'sad', '{7,8}', false, 'w', '(2,z)', "
         "'((0,0),(1,1))', '0/16B3748', 'Ab', 'x  '",
         "INSERT INTO every DEFAULT VALUES", "INSERT INTO every DEFAULT VALUES",
         "INSERT INTO every (f4, f8, n, ts, d) VALUES ('-Infinity', 1e-310, 'Infinity', "
         "'4713-01-01 BC', '-infinity')"});

  cr_expect(hash_of(c.comes_back(), "public.every").starts_with("4 "));
}

// Equal to SQL, or of the same parts, and yet another content.
Test(live_postgres_dump_content, what_differs_is_never_taken_for_the_same, .timeout = 120) {
  PostgresDumpRig c;
  c.run(
      {"CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', "
       "deterministic = false)",
       "CREATE TABLE t (a text, b text, n numeric, f float8, i interval, x text COLLATE any_case, "
       "l text[], p bpchar, k int)"});
  std::map<std::string, std::string> seen;
  const std::vector<std::string> contents = {
      "VALUES ('a', 'b', 1, 0, '1 mon', 'x', '{a}', 'p', 1), "
      "('c', 'd', 1, 0, '1 mon', 'x', '{a}', 'p', 2)",
      // Two values change places.
      "VALUES ('c', 'b', 1, 0, '1 mon', 'x', '{a}', 'p', 1), "
      "('a', 'd', 1, 0, '1 mon', 'x', '{a}', 'p', 2)",
      "VALUES ('b', 'a', 1, 0, '1 mon', 'x', '{a}', 'p', 1), "
      "('c', 'd', 1, 0, '1 mon', 'x', '{a}', 'p', 2)",
      "VALUES ('a', 'b', 1.0, 0, '1 mon', 'x', '{a}', 'p', 1), "
      "('c', 'd', 1, 0, '1 mon', 'x', '{a}', 'p', 2)",
      "VALUES ('a', 'b', 1, '-0', '1 mon', 'x', '{a}', 'p', 1), "
      "('c', 'd', 1, 0, '1 mon', 'x', '{a}', 'p', 2)",
      "VALUES ('a', 'b', 1, 0, '30 days', 'x', '{a}', 'p', 1), "
      "('c', 'd', 1, 0, '1 mon', 'x', '{a}', 'p', 2)",
      "VALUES ('a', 'b', 1, 0, '1 mon', 'X', '{a}', 'p', 1), "
      "('c', 'd', 1, 0, '1 mon', 'x', '{a}', 'p', 2)",
      "VALUES ('a', 'b', 1, 0, '1 mon', 'x', '[2:2]={a}', 'p', 1), "
      "('c', 'd', 1, 0, '1 mon', 'x', '{a}', 'p', 2)",
      "VALUES ('a', 'b', 1, 0, '1 mon', 'x', '{a}', 'p ', 1), "
      "('c', 'd', 1, 0, '1 mon', 'x', '{a}', 'p', 2)",
      "VALUES ('a', NULL, 1, 0, '1 mon', 'x', '{a}', 'p', 1), "
      "('c', 'd', 1, 0, '1 mon', 'x', '{a}', 'p', 2)",
      "VALUES (NULL, 'a', 1, 0, '1 mon', 'x', '{a}', 'p', 1), "
      "('c', 'd', 1, 0, '1 mon', 'x', '{a}', 'p', 2)",
      "VALUES ('a', '', 1, 0, '1 mon', 'x', '{a}', 'p', 1), "
      "('c', 'd', 1, 0, '1 mon', 'x', '{a}', 'p', 2)",
      // The same row twice, or another one twice.
      "VALUES ('a', 'b', 1, 0, '1 mon', 'x', '{a}', 'p', 1), "
      "('a', 'b', 1, 0, '1 mon', 'x', '{a}', 'p', 1)",
      "VALUES ('c', 'd', 1, 0, '1 mon', 'x', '{a}', 'p', 2), "
      "('c', 'd', 1, 0, '1 mon', 'x', '{a}', 'p', 2)"};
  for (const std::string& content : contents) {
    c.run({"TRUNCATE t", "INSERT INTO t " + content});
    const std::string hash = hash_of(c.facts("app"), "public.t");
    cr_expect(seen.emplace(hash, content).second, "%s is as %s", content.c_str(),
              seen[hash].c_str());
  }

  c.run({"TRUNCATE t", "INSERT INTO t " + contents[0]});
  const std::string forth = hash_of(c.facts("app"), "public.t");
  c.run({"CREATE TABLE u AS SELECT * FROM t", "TRUNCATE t",
         "INSERT INTO t SELECT * FROM u ORDER BY k DESC"});
  cr_expect(hash_of(c.facts("app"), "public.t") == forth);
}

Test(live_postgres_dump_content, tables_of_every_kind_come_back, .timeout = 120) {
  PostgresDumpRig c;
  c.run({"CREATE SCHEMA \"Odd \"\"schema\"\"\"",
         "CREATE TABLE \"Odd \"\"schema\"\"\".\"a'b \\ ü\n;--\" (\"Ü 'x' \"\"\" int, \"select\" "
         "text)",
         "INSERT INTO \"Odd \"\"schema\"\"\".\"a'b \\ ü\n;--\" VALUES (1, 'one'), (2, NULL)",
         "CREATE TABLE nothing ()",
         "INSERT INTO nothing DEFAULT VALUES",
         "INSERT INTO nothing DEFAULT VALUES",
         "CREATE TABLE empty (n int)",
         "CREATE TABLE dropped (a int, gone text, b int)",
         "INSERT INTO dropped VALUES (1, 'x', 2)",
         "ALTER TABLE dropped DROP COLUMN gone",
         "ALTER TABLE dropped ADD COLUMN later int DEFAULT 9",
         "CREATE TABLE sums (a int, b int GENERATED ALWAYS AS (a * 2) STORED)",
         "INSERT INTO sums SELECT generate_series(1, 10)",
         "CREATE TABLE parts (k int, t text) PARTITION BY RANGE (k)",
         "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100)",
         "CREATE TABLE parts_2 (t text, k int)",
         "ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (100) TO (200)",
         "INSERT INTO parts SELECT n, 'n' || n FROM generate_series(0, 199) AS n",
         "CREATE TABLE mother (a int, b text)",
         "CREATE TABLE child (c int, b text, a int)",
         "ALTER TABLE child INHERIT mother",
         "INSERT INTO mother VALUES (1, 'm')",
         "INSERT INTO child VALUES (2, 'c', 3)",
         "CREATE UNLOGGED TABLE quick AS SELECT generate_series(1, 5) AS n",
         "CREATE MATERIALIZED VIEW seen AS SELECT count(*) AS n FROM quick",
         "INSERT INTO quick VALUES (6)",
         "CREATE VIEW shown AS SELECT * FROM quick",
         "CREATE TEMP TABLE gone (n int)",
         "CREATE TABLE secret (n int)",
         "ALTER TABLE secret ENABLE ROW LEVEL SECURITY",
         "ALTER TABLE secret FORCE ROW LEVEL SECURITY",
         "INSERT INTO secret VALUES (1)",
         "CREATE FOREIGN DATA WRAPPER none",
         "CREATE SERVER far FOREIGN DATA WRAPPER none",
         "CREATE FOREIGN TABLE away (n int) SERVER far"});
  std::string wide = "CREATE TABLE wide (c0 int";
  for (int i = 1; i < 1000; ++i) wide += ", c" + std::to_string(i) + " int";
  c.run({wide + ")", "INSERT INTO wide (c0, c63, c64, c999) VALUES (1, 2, 3, 4)"});

  const DatabaseFacts facts = c.comes_back();

  cr_expect(facts.tables.size() == 12, "%zu", facts.tables.size());
  cr_expect(hash_of(facts, "public.nothing").starts_with("2 "));
  cr_expect(hash_of(facts, "public.mother").starts_with("1 "));
  cr_expect(hash_of(facts, "public.secret").starts_with("1 "));
  cr_expect(hash_of(facts, "public.parts_2").starts_with("100 "));
}

Test(live_postgres_dump_content, sequences_and_large_objects_come_back, .timeout = 120) {
  PostgresDumpRig c;
  c.run({"CREATE SEQUENCE fresh", "CREATE SEQUENCE \"Used 'x'\" INCREMENT -3 MAXVALUE 100 START 50",
         "SELECT nextval('\"Used ''x''\"')",
         "CREATE TABLE t (i bigserial, j int GENERATED ALWAYS AS "
         "IDENTITY)",
         "INSERT INTO t SELECT FROM generate_series(1, 7)", "SELECT setval('fresh', 5, false)",
         "SELECT lo_from_bytea(1, '')", "SELECT lo_from_bytea(2, 'two')",
         // One with a hole, one of more pieces than one, one that fills a piece.
         "SELECT lo_create(3)", "SELECT lo_put(3, 100000, 'end')",
         "SELECT lo_from_bytea(4, convert_to(repeat('x', 3000000), 'UTF8'))",
         "SELECT lo_from_bytea(5, convert_to(repeat('x', 1048576), 'UTF8'))"});

  const DatabaseFacts facts = c.comes_back();

  cr_expect(hash_of(facts, "public.fresh") == "1 5 next");
  cr_expect(hash_of(facts, "public.\"Used 'x'\"") == "1 50 called");
  cr_expect(hash_of(facts, "public.t_j_seq") == "1 7 called");
  const std::string before = hash_of(facts, "large objects");
  cr_expect(before.starts_with("5 "));
  c.run({"SELECT lo_put(4, 2500000, 'y')"});
  cr_expect(hash_of(c.facts("app"), "large objects") != before);
}

Test(live_postgres_dump_content, extensions_come_back, .timeout = 120) {
  PostgresDumpRig c;
  c.run({"CREATE EXTENSION pgcrypto", "CREATE EXTENSION hstore", "CREATE EXTENSION citext",
         "CREATE EXTENSION ltree", "CREATE EXTENSION cube",
         "CREATE TABLE t (h hstore, c citext, l ltree, k cube, x text)",
         "INSERT INTO t VALUES ('a=>1, b=>NULL', 'Word', 'a.b', '(1,2)', crypt('x', gen_salt('bf', "
         "4)))",
         // Anybody's cast to text is not what a dump goes by.
         "CREATE FUNCTION same(cube) RETURNS text LANGUAGE sql AS 'SELECT ''same''::text'",
         "CREATE CAST (cube AS text) WITH FUNCTION same(cube)"});

  const DatabaseFacts facts = c.comes_back();

  cr_expect(facts.extensions.size() == 6, "%zu", facts.extensions.size());
  c.run({"UPDATE t SET k = '(1,3)'"});
  cr_expect(hash_of(c.facts("app"), "public.t") != hash_of(facts, "public.t"));
}

Test(live_postgres_dump_content, an_empty_database_comes_back, .timeout = 120) {
  PostgresDumpRig c;

  cr_expect(c.comes_back("other").tables.empty());
}

Test(live_postgres_dump_content, encoding_and_locale_come_back, .timeout = 120) {
  PostgresDumpRig c;
  c.run(
      {"CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'",
       "CREATE DATABASE icu TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-AT' LOCALE 'C'"});
  c.run({"CREATE TABLE t AS SELECT 'ü' AS t"}, "icu");
  const std::string how =
      "SELECT encoding || ' ' || datcollate || ' ' || datctype || ' ' || datlocprovider || ' ' || "
      "coalesce(daticulocale, '') FROM pg_database WHERE datname = ";

  for (const std::string& database : {std::string("latin"), std::string("icu")}) {
    c.comes_back(database);
    const std::string was = c.rig.ask(how + "'" + database + "'");
    const std::string is = c.rig.ask(how + "'copy'");
    cr_expect(was == is, "%s, not %s", is.c_str(), was.c_str());
    cr_assert(c.dumps.drop(c.address("postgres"), "copy").ok());
  }
}
