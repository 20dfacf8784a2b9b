// The queries that say what a database holds. They must choose the same tables and columns as
// pg_dump does, or a good backup would be told to differ from what it was made of.
#include "controller/adapters/postgres/postgres_content.h"

#include "controller/adapters/postgres/postgres_text.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <string_view>
#include <utility>

namespace rowlock {

namespace {

constexpr int kOldestServer = 110000;    // The first with hashes of 64 bits.
constexpr int kFirstGenerated = 120000;  // With columns that are worked out.
constexpr int kFirstExactFloats = 120000;
constexpr int kFirstPageScans = 140000;  // That read only the pages they are asked for.
// A table is read in pieces of so many pages, so that a server that stands still is noticed: 1 GiB.
constexpr std::int64_t kPieceOfPages = 131072;
constexpr std::size_t kLockedAtOnce = 500;
constexpr int kTriesMax = 10;  // Against tables that come and go meanwhile.
constexpr std::int64_t kOneDayMs = 86'400'000;
constexpr char kNoRight[] = "42501";
constexpr char kNoFunction[] = "42883";
// What a statement says that names what has just been dropped, renamed or altered by others.
constexpr std::string_view kChanged[] = {"42P01", "42703", "3F000", "42704",
                                         "42809", "40P01", "XX000"};

// What values look like as text must not depend on how somebody has set up the server, and the
// rights of policies must not hide rows. Compiling would take longer than it saves.
constexpr char kSettings[] =
    "SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; "
    "SET bytea_output = 'hex'; SET lc_monetary = 'C'; SET xmloption = content; "
    "SET row_security = off; SET jit = off; SET extra_float_digits = ";

// As pg_dump chooses them: nothing temporary, nothing of the system's, nothing of an extension's
// but what its configuration tables say that users have put in. Views, also those that are kept,
// are made anew from tables; foreign tables are elsewhere; a partitioned table has no rows of its
// own. A right is unknown, and neither had nor not, to a table that has just been dropped. A
// standby has no rows of unlogged tables.
constexpr char kTables[] =
    "SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name, c.relkind, "
    "CASE WHEN row_security_active(c.oid) THEN 't' ELSE 'f' END, "
    "CASE WHEN has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE') "
    "IS NOT FALSE THEN 't' ELSE 'f' END, "
    "coalesce(config.condition, ''), "
    "CASE WHEN am.amname = 'heap' THEN pg_relation_size(c.oid) "
    "/ current_setting('block_size')::int8 ELSE 0 END, n.nspname, c.relname, "
    "coalesce((WITH RECURSIVE above (oid) AS ("
    "SELECT i.inhparent FROM pg_inherits AS i WHERE c.relispartition AND i.inhrelid = c.oid "
    "UNION ALL SELECT i.inhparent FROM above "
    "JOIN pg_class AS p ON p.oid = above.oid AND p.relispartition "
    "JOIN pg_inherits AS i ON i.inhrelid = p.oid) "
    "SELECT quote_ident(tn.nspname) || '.' || quote_ident(t.relname) FROM above "
    "JOIN pg_class AS t ON t.oid = above.oid AND NOT t.relispartition "
    "JOIN pg_namespace AS tn ON tn.oid = t.relnamespace), ''), "
    "CASE WHEN pg_is_in_recovery() AND c.relpersistence = 'u' THEN 't' ELSE 'f' END "
    "FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "LEFT JOIN pg_am AS am ON am.oid = c.relam "
    "LEFT JOIN pg_depend AS member ON member.classid = 'pg_class'::regclass "
    "AND member.objid = c.oid AND member.objsubid = 0 "
    "AND member.refclassid = 'pg_extension'::regclass AND member.deptype = 'e' "
    "LEFT JOIN LATERAL (SELECT e.extcondition[array_position(e.extconfig, c.oid)] AS condition "
    "FROM pg_extension AS e WHERE e.oid = member.refobjid AND c.oid = ANY (e.extconfig)) AS config "
    "ON true "
    "WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't' "
    "AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' "
    "AND (member.objid IS NULL OR config.condition IS NOT NULL) "
    "ORDER BY n.nspname, c.relname";

// What queries read of a table is as the transaction sees it; what those functions say is as it is
// now. A table that was rewritten meanwhile would look empty, and one of the same name be another.
// The name of a column that is gone is refused.
constexpr char kUnlikeNow[] =
    "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) "
    "FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "WHERE c.oid = ANY ($1::oid[]) AND ("
    "to_regclass(quote_ident(n.nspname) || '.' || quote_ident(c.relname)) "
    "IS DISTINCT FROM c.oid::regclass "
    "OR pg_relation_filenode(c.oid) IS DISTINCT FROM nullif(c.relfilenode, 0) "
    "OR EXISTS (SELECT FROM pg_attribute AS a "
    "WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
    "AND has_column_privilege(c.oid, a.attname, 'SELECT') IS NULL)) LIMIT 1";

// Whose large objects this user has no right to, as far as can be told by queries.
constexpr char kForeignLargeObjects[] =
    "SELECT m.oid, pg_get_userbyid(m.lomowner), count(*) OVER () FROM pg_largeobject_metadata AS m "
    "WHERE NOT pg_has_role(m.lomowner, 'USAGE') "
    "AND NOT EXISTS (SELECT FROM aclexplode(m.lomacl) AS a WHERE a.privilege_type = 'SELECT' "
    "AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE'))) ORDER BY m.oid LIMIT 20";

// By name: their order is another one after a restore of a table that inherits.
constexpr char kColumnsBegin[] =
    "SELECT quote_ident(a.attname), format_type(base.oid, -1), "
    "CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN t.typname::text ELSE '' END, "
    "quote_ident(pn.nspname) || '.' || quote_ident(p.proname), "
    "CASE WHEN base.typmod > 0 THEN 't' ELSE 'f' END "
    "FROM pg_attribute AS a CROSS JOIN LATERAL ("
    "WITH RECURSIVE chain (oid, typmod, depth) AS (SELECT a.atttypid, a.atttypmod, 0 UNION ALL "
    "SELECT d.typbasetype, d.typtypmod, chain.depth + 1 FROM chain "
    "JOIN pg_type AS d ON d.oid = chain.oid WHERE d.typtype = 'd') "
    "SELECT oid, typmod FROM chain ORDER BY depth DESC LIMIT 1) AS base "
    "JOIN pg_type AS t ON t.oid = base.oid JOIN pg_proc AS p ON p.oid = t.typoutput "
    "JOIN pg_namespace AS pn ON pn.oid = p.pronamespace "
    "WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ";
constexpr char kColumnsEnd[] = "ORDER BY a.attname COLLATE \"C\"";

// Each in pieces of 1 MiB, since one may be larger than any value can be; one with a hole is read
// as if there were zeros, as pg_dump does.
constexpr char kLargeObjectHashes[] =
    "SELECT count(*), coalesce(sum(hashint8extended(content.hash, hashoidextended(m.oid, 0))), 0) "
    "FROM pg_largeobject_metadata AS m CROSS JOIN LATERAL ("
    "WITH RECURSIVE piece (number, bytes) AS (SELECT 0::int8, lo_get(m.oid, 0, 1048576) UNION ALL "
    "SELECT number + 1, lo_get(m.oid, (number + 1) * 1048576, 1048576) FROM piece "
    "WHERE length(bytes) = 1048576) "
    "SELECT hashtextextended(sum(hashtextextended(encode(bytes, 'hex') COLLATE \"C\", number))"
    "::text COLLATE \"C\", 0) AS hash FROM piece) AS content";

std::int64_t number(const std::string& text) { return std::strtoll(text.c_str(), nullptr, 10); }

}  // namespace

Result<PostgresContent::Rows> PostgresContent::ask(const std::string& text,
                                                   const std::vector<std::string>& values) {
  auto answer = TRY(connection_.ask(text, values));
  if (answer.is_refused()) {
    const std::string& sqlstate = answer.refusal.sqlstate;
    Error error = refused(answer.refusal, connection_.user());
    error.hint = "";
    if (sqlstate == kNoRight) {
      error.hint =
          "let the user of database.url read all of that database: GRANT pg_read_all_data "
          "TO \"" +
          connection_.user() + "\"";
    } else if (std::find(std::begin(kChanged), std::end(kChanged), sqlstate) !=
               std::end(kChanged)) {
      error.fault = Fault::transient;
      error.cause = Cause::not_found;
    } else if (sqlstate == kNoFunction) {
      // The planner puts the text of simple functions in their place; not of those with settings.
      error.hint =
          "a function in an index of that table names no schema: ALTER FUNCTION its_name SET "
          "search_path = public, or whatever schema it means";
    } else if (error.fault == Fault::rejected) {
      error.hint = "see the server's log";
    }
    return error;
  }
  if (answer.has_more_rows) {
    return Error{Fault::rejected, Cause::other, "the database has too many tables",
                 "split it into several databases"};
  }
  return std::move(answer).rows;
}

Result<> PostgresContent::begin(int helpers) {
  if (connection_.server_version() < kOldestServer) {
    return Error{Fault::rejected, Cause::other, "the server is older than PostgreSQL 11",
                 "upgrade it"};
  }
  const bool is_exact = connection_.server_version() >= kFirstExactFloats;
  TRY(ask(std::string(kSettings) + (is_exact ? "1" : "3") +
          "; SET max_parallel_workers_per_gather = " + std::to_string(helpers)));
  for (int tries = 1;; ++tries) {
    const auto held = hold_tables();
    if (held.ok() || held.error().cause != Cause::not_found) return held;
    if (tries == kTriesMax) {
      return Error{Fault::transient, Cause::other,
                   "tables are dropped, renamed or altered faster than they can be locked, the "
                   "last time: " +
                       held.error().message,
                   "move backup_policy.schedule to a quieter time"};
    }
    TRY(ask("ROLLBACK"));
  }
}

// Between its first query and its last lock others may change what it has listed.
Result<> PostgresContent::hold_tables() {
  tables_.clear();
  names_.clear();
  TRY(ask("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"));
  if (const auto listed = list_tables(); !listed.ok()) return listed;
  if (const auto locked = lock_tables(); !locked.ok()) return locked;
  if (const auto same = expect_unchanged(); !same.ok()) return same;
  if (const auto read = read_sequences(); !read.ok()) return read;
  return expect_large_objects();
}

Result<> PostgresContent::list_tables() {
  const auto rows = TRY(ask(kTables));
  for (const PostgresRow& row : rows) {
    const std::string shown = postgres_line(row[1]);
    if (row[4] != "t") {
      return Error{Fault::rejected, Cause::denied,
                   "the user " + connection_.user() + " may not read " + shown,
                   "GRANT pg_read_all_data TO \"" + connection_.user() + "\""};
    }
    if (row[3] == "t") {
      return Error{
          Fault::rejected, Cause::denied,
          "row-level security hides rows of " + shown + " from the user " + connection_.user(),
          "ALTER ROLE \"" + connection_.user() + "\" BYPASSRLS, or use its owner"};
    }
    const bool has_pages = connection_.server_version() >= kFirstPageScans;
    tables_.push_back({row[0], row[1], row[2].front(), row[5], has_pages ? number(row[6]) : 0,
                       row[9], row[10] == "t"});
    names_[{row[7], row[8]}] = row[1];
  }
  return Done{};
}

std::string PostgresContent::name_of(const std::string& schema, const std::string& name) const {
  const auto found = names_.find({schema, name});
  return found == names_.end() ? "" : found->second;
}

Result<> PostgresContent::lock_tables() {
  std::string names;
  std::size_t count = 0;
  for (std::size_t i = 0; i < tables_.size(); ++i) {
    if (tables_[i].kind != 'S') {
      names += (count == 0 ? "" : ", ") + tables_[i].name;
      ++count;
    }
    if (count == 0 || (count < kLockedAtOnce && i + 1 < tables_.size())) continue;
    TRY(ask("LOCK TABLE ONLY " + names + " IN ACCESS SHARE MODE"));
    names.clear();
    count = 0;
  }
  return Done{};
}

// Nobody can be kept from dropping one. That of an unlogged table begins anew where it is restored.
Result<> PostgresContent::read_sequences() {
  std::string queries;
  std::size_t count = 0;
  for (std::size_t i = 0; i < tables_.size(); ++i) {
    const Table& table = tables_[i];
    if (table.kind == 'S') {
      queries += (count == 0 ? "SELECT " : " UNION ALL SELECT ") + std::to_string(i);
      queries += table.is_left_out
                     ? ", seqstart, false FROM pg_sequence WHERE seqrelid = " + table.oid
                     : ", last_value, is_called FROM " + table.name;
      ++count;
    }
    if (count == 0 || (count < kLockedAtOnce && i + 1 < tables_.size())) continue;
    const auto states = TRY(ask(queries));
    for (const PostgresRow& row : states) {
      tables_[static_cast<std::size_t>(number(row[0]))].state =
          sequence_state(row[1], row[2] == "t");
    }
    queries.clear();
    count = 0;
  }
  return Done{};
}

Result<> PostgresContent::expect_unchanged() {
  std::string oids;
  for (const Table& table : tables_) {
    if (table.kind != 'S') oids += (oids.empty() ? "" : ",") + table.oid;
  }
  const auto changed = TRY(ask(kUnlikeNow, {"{" + oids + "}"}));
  if (changed.empty()) return Done{};
  return Error{Fault::transient, Cause::not_found,
               postgres_line(changed.front().front()) +
                   " was dropped, renamed, truncated or altered before it was locked",
               ""};
}

// Servers differ in who may read them all, so one is tried.
Result<> PostgresContent::expect_large_objects() {
  const auto foreign = TRY(ask(kForeignLargeObjects));
  if (foreign.empty()) return Done{};
  const std::string first = foreign.front()[0];
  const auto read = TRY(connection_.ask("SELECT lo_get(" + first + ", 0, 1)"));
  if (!read.is_refused()) return Done{};
  if (read.refusal.sqlstate != kNoRight) return refused(read.refusal, connection_.user());
  std::string all;
  for (const PostgresRow& row : foreign) all += (all.empty() ? "" : ", ") + row[0];
  const std::string& count = foreign.front()[2];
  const std::string to = "\"" + connection_.user() + "\"";
  return Error{Fault::rejected, Cause::denied,
               "the user " + connection_.user() + " may not read the large object " + first +
                   " of " + postgres_line(foreign.front()[1]) +
                   (count == "1" ? "" : ", nor " + count + " together"),
               "as a superuser there: GRANT SELECT ON LARGE OBJECT " + all + " TO " + to +
                   "; or, for all that there are and will be: ALTER ROLE " + to +
                   " SET lo_compat_privileges = on"};
}

Result<std::string> PostgresContent::export_snapshot() {
  const auto name = TRY(ask("SELECT pg_export_snapshot()"));
  return name.front().front();
}

Result<DatabaseFacts> PostgresContent::read() {
  DatabaseFacts facts;
  facts.hash_method = kContentHashMethod;
  TRY(read_database(facts));
  for (const Table& table : tables_) {
    if (table.kind == 'p') continue;
    if (table.is_left_out) facts.left_out.push_back(table.name);
    auto read = table.kind == 'S' ? TableFacts{table.name, 1, table.state} : read_table(table);
    if (!read.ok()) {
      Error error = read.error();
      error.message = postgres_line(table.name) + ": " + error.message;
      return error;
    }
    facts.tables.push_back(std::move(read).value());
  }
  TRY(read_large_objects(facts));
  std::sort(facts.tables.begin(), facts.tables.end(),
            [](const TableFacts& left, const TableFacts& right) { return left.name < right.name; });
  return facts;
}

Result<> PostgresContent::read_database(DatabaseFacts& facts) {
  facts.server_version = connection_.version_text();
  const auto place =
      TRY(ask("SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() "
              "ELSE pg_current_wal_lsn() END, pg_database_size(current_database())"));
  facts.lsn = place.front()[0];
  facts.size_bytes = number(place.front()[1]);
  const auto extensions =
      TRY(ask("SELECT extname || ' ' || extversion FROM pg_extension ORDER BY extname"));
  for (const PostgresRow& row : extensions) facts.extensions.push_back(row.front());
  return Done{};
}

Result<TableFacts> PostgresContent::read_table(const Table& table) {
  TableFacts facts{table.name, 0, ContentSum().hex(), table.part_of};
  if (table.is_left_out) return facts;
  const auto hashed = TRY(columns(table));
  const std::string sum = "SELECT count(*), coalesce(sum(" + row_hash_expression(hashed) +
                          "), 0) FROM ONLY " + table.name + " " + table.condition;
  const bool is_whole = table.pages <= kPieceOfPages || !table.condition.empty();
  ContentSum total;
  for (std::int64_t page = 0; page == 0 || (!is_whole && page < table.pages);
       page += kPieceOfPages) {
    std::string piece = sum;
    if (!is_whole) {
      piece += "WHERE ctid >= '(" + std::to_string(page) + ",0)'";
      // Nothing that this transaction sees can lie behind those pages, but for the last piece.
      if (page + kPieceOfPages < table.pages) {
        piece += " AND ctid < '(" + std::to_string(page + kPieceOfPages) + ",0)'";
      }
    }
    const auto row = TRY(ask(piece));
    facts.rows += number(row.front()[0]);
    total.add(row.front()[1]);
  }
  facts.hash = total.hex();
  return facts;
}

Result<std::vector<HashedColumn>> PostgresContent::columns(const Table& table) {
  const bool may_be_generated = connection_.server_version() >= kFirstGenerated;
  const auto rows = TRY(ask(std::string(kColumnsBegin) +
                                (may_be_generated ? "AND a.attgenerated = '' " : "") + kColumnsEnd,
                            {table.oid}));
  std::vector<HashedColumn> result;
  for (const PostgresRow& row : rows) {
    result.push_back({row[0], row[1], row[2], row[3], row[4] == "t"});
  }
  return result;
}

Result<> PostgresContent::read_large_objects(DatabaseFacts& facts) {
  const auto any = TRY(ask("SELECT count(*) FROM pg_largeobject_metadata"));
  if (any.front().front() == "0") return Done{};
  // Nothing tells how far it has come.
  if (const auto patient = connection_.set_statement_ms(kOneDayMs); !patient.ok()) return patient;
  const auto row = ask(kLargeObjectHashes);
  if (!row.ok()) {
    Error error = row.error();
    error.message = "large objects: " + error.message;
    return error;
  }
  ContentSum total;
  total.add(row.value().front()[1]);
  facts.tables.push_back({kLargeObjects, number(row.value().front()[0]), total.hex()});
  return Done{};
}

}  // namespace rowlock
