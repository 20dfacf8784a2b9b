// The parts that a dump and a restore are made of, without a server: the table of contents of a
// dump, the script of roles, and sums of hashes.
#include "controller/adapters/postgres/postgres_archive.h"
#include "controller/adapters/postgres/postgres_content.h"
#include "controller/adapters/postgres/postgres_globals.h"
#include "controller/adapters/postgres/postgres_parts.h"

#include <criterion/criterion.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

using namespace rowlock;

namespace {

// Writes what pg_dump writes, of any version of its format.
class Archive {
 public:
  explicit Archive(int minor, int entries, const std::string& made_by = "15.16 (Debian)")
      : minor_(minor) {
    bytes = std::string("PGDMP\x01", 6) + static_cast<char>(minor) + '\0' + '\4' + '\x08' + '\1';
    if (minor >= 15) {
      bytes += '\0';
    } else {
      number(-1);
    }
    for (int i = 0; i < 7; ++i) number(i);
    for (const std::string& each : {std::string("app"), std::string("15.16"), made_by}) text(each);
    number(entries);
  }

  void entry(const std::string& kind, const std::string& schema, const std::string& name,
             const std::string& statement) {
    number(1);
    number(0);
    for (const std::string& each : {std::string("1259"), std::string("16384"), name, kind}) {
      text(each);
    }
    number(2);
    for (const std::string& each : {statement, std::string("DROP"), std::string()}) text(each);
    text(schema);
    none();
    if (minor_ >= 14) none();
    if (minor_ >= 16) number('r');
    for (const char* each : {"postgres", "false", "7", "8"}) text(each);
    none();
    bytes += '\1' + std::string(8, 'o');
  }

  std::string bytes;

 private:
  void number(std::int64_t value) {
    bytes += value < 0 ? '\1' : '\0';
    for (int i = 0; i < 4; ++i) {
      bytes += static_cast<char>(((value < 0 ? -value : value) >> (8 * i)) & 0xff);
    }
  }
  void text(const std::string& value) {
    number(static_cast<std::int64_t>(value.size()));
    bytes += value;
  }
  void none() { number(-1); }

  int minor_;
};

constexpr char kCreate[] =
    "CREATE DATABASE \"ENCODING = x\" WITH TEMPLATE = template0 ENCODING = 'UTF8' "
    "LOCALE_PROVIDER = icu LOCALE = 'de''AT' TABLESPACE = fast;\n";

}  // namespace

Test(postgres_archive, what_it_begins_with_is_read_in_pieces_of_any_size) {
  for (const int minor : {12, 13, 14, 15, 16}) {
    Archive archive(minor, 4);
    archive.entry("ENCODING", "", "ENCODING", "SET client_encoding = 'UTF8';\n");
    archive.entry("DATABASE", "", "app", kCreate);
    archive.entry("SEQUENCE SET", "public", "it's",
                  "SELECT pg_catalog.setval('public.\"it''s\"', 42, "
                  "true);\n");
    archive.entry("SEQUENCE SET", "public", "fresh",
                  "SELECT pg_catalog.setval('public.fresh', -1, false);\n");
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, archive.bytes.size() + 99}) {
      const std::string all = archive.bytes + std::string(100, 'x');
      PostgresArchive read;
      for (std::size_t at = 0; at < all.size(); at += piece) read.take(all.substr(at, piece));

      cr_expect(read.is_done() && !read.is_strange(), "1.%d in pieces of %zu", minor, piece);
      cr_expect(read.major() == 15);
      cr_expect(read.database_options() ==
                " ENCODING = 'UTF8' LOCALE_PROVIDER = icu LOCALE = 'de''AT'");
      cr_assert(read.sequences().size() == 2);
      cr_expect(read.sequences()[0].name == "it's" && read.sequences()[0].last_value == "42" &&
                read.sequences()[0].is_called);
      cr_expect(read.sequences()[1].last_value == "-1" && !read.sequences()[1].is_called);
    }
  }
}

Test(postgres_archive, what_is_cut_off_or_none_is_not_taken_for_one) {
  Archive archive(14, 1);
  archive.entry("SEQUENCE SET", "public", "s", "SELECT pg_catalog.setval('public.s', 1, true);\n");
  for (std::size_t size = 0; size < archive.bytes.size(); ++size) {
    PostgresArchive read;
    read.take(archive.bytes.substr(0, size));
    cr_expect(!read.is_done() && read.sequences().empty(), "%zu bytes", size);
  }
  std::string odd = archive.bytes;
  odd[6] = 99;
  for (const std::string& bytes : {std::string("-- PostgreSQL database dump\n"), odd,
                                   std::string("PGDMP\x01\x0e\0\x7f\x08\1", 11)}) {
    PostgresArchive read;
    read.take(bytes);
    cr_expect(read.is_strange() && read.sequences().empty());
  }
  // Whatever a byte is changed to, it is read to an end.
  for (std::size_t at = 0; at < archive.bytes.size(); ++at) {
    for (const char c : {'\0', '\x7f', '\xff'}) {
      std::string changed = archive.bytes + std::string(64, 'x');
      changed[at] = c;
      PostgresArchive read;
      read.take(changed);
      cr_expect(read.sequences().size() <= 1);
    }
  }
}

Test(postgres_globals, statements_end_outside_of_quotes_alone) {
  const std::vector<std::string> expected = {"CREATE ROLE \"a;\"\"b\"",
                                             "ALTER ROLE x PASSWORD 'p;''q'", "SELECT E'\\';'"};
  cr_expect(statements_of("-- a comment; and more\n\\restrict key\nCREATE ROLE \"a;\"\"b\";\n"
                          "ALTER ROLE x PASSWORD 'p;''q';\n\nSELECT E'\\';'; half") == expected);
  cr_expect(statements_of("").empty() && statements_of("'open;").empty());
}

Test(postgres_globals, only_roles_that_are_missing_are_made) {
  const std::string script =
      "CREATE ROLE postgres;\nALTER ROLE postgres WITH SUPERUSER PASSWORD 'x';\n"
      "CREATE ROLE \"Odd \"\"one\"\"\";\nALTER ROLE \"Odd \"\"one\"\"\" WITH LOGIN;\n"
      "ALTER ROLE \"Odd \"\"one\"\"\" IN DATABASE app SET work_mem TO '8MB';\n"
      "COMMENT ON ROLE \"Odd \"\"one\"\"\" IS 'odd';\nCOMMENT ON ROLE postgres IS 'x';\n"
      "CREATE TABLESPACE fast LOCATION '/fast';\nDROP ROLE postgres;\n"
      "GRANT postgres TO \"Odd \"\"one\"\"\" WITH ADMIN OPTION GRANTED BY postgres;\n"
      "GRANT \"Odd \"\"one\"\"\" TO postgres GRANTED BY postgres;\n";
  const std::vector<std::string> expected = {
      "CREATE ROLE \"Odd \"\"one\"\"\"", "ALTER ROLE \"Odd \"\"one\"\"\" WITH LOGIN",
      "COMMENT ON ROLE \"Odd \"\"one\"\"\" IS 'odd'",
      "GRANT postgres TO \"Odd \"\"one\"\"\" WITH ADMIN OPTION"};

  cr_expect(missing_role_statements(script, {"postgres"}) == expected);
  cr_expect(missing_role_statements(script, {"postgres", "Odd \"one\""}).empty());
}

Test(postgres_content, sums_of_any_length_come_to_the_same_in_any_pieces) {
  const auto sum = [](const std::vector<std::string>& numbers) {
    ContentSum total;
    for (const std::string& each : numbers) total.add(each);
    return total.hex();
  };

  cr_expect(sum({}) == "0000000000000000");
  cr_expect(sum({"-1"}) == "ffffffffffffffff");
  cr_expect(sum({"18446744073709551617"}) == "0000000000000001");
  cr_expect(sum({"-3308018623376999674926", "3308018623376999674927"}) == "0000000000000001");
}

Test(postgres_content, a_row_of_any_width_is_hashed_within_bounds) {
  std::vector<HashedColumn> columns;
  for (int i = 0; i < 1600; ++i) {
    columns.push_back({"c" + std::to_string(i), "integer", "int4", "int4out"});
  }
  int depth = 0;
  int deepest = 0;
  for (const char c : row_hash_expression(columns)) {
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    deepest = std::max(deepest, depth);
  }
  cr_expect(depth == 0 && deepest < 200, "%d", deepest);
}

Test(postgres_parts, no_part_is_larger_than_it_must_be_and_the_first_takes_the_rest) {
  const std::vector<PostgresPartTable> tables = {
      {"a", {}, 10}, {"b", {"b_id_seq"}, 70}, {"c", {}, 30}, {"d", {}, 40}, {"e", {}, 50}};
  const auto names = [](const std::vector<PostgresPart>& parts) {
    std::string text;
    for (const PostgresPart& part : parts) {
      for (const PostgresPartTable& table : part) text += table.name;
      text += ' ';
    }
    return text;
  };

  cr_expect(names(shared_out(tables, 0, 1)) == "bedca ");
  cr_expect(names(shared_out(tables, 0, 3)) == "b ea dc ");
  cr_expect(names(shared_out(tables, 1000, 3)) == " ba edc " ||
                names(shared_out(tables, 1000, 3)) == " bc eda ",
            "%s", names(shared_out(tables, 1000, 3)).c_str());
  cr_expect(names(shared_out({{"a", {}, 1}}, 0, 4)) == "a ");
  cr_expect(names(shared_out({{"a", {}, 1}}, 9, 4)) == " a ");
  cr_expect(names(shared_out({}, 0, 4)) == " ");

  const std::vector<PostgresPart> parts = {{{"a", {}, 9}}, {{"b", {"b_id_seq"}, 7}, {"c", {}, 1}}};
  using Options = std::vector<std::string>;
  cr_expect(options_of(parts, 0) ==
            Options({"--section=data", "--exclude-table-data=b", "--exclude-table-data=c"}));
  cr_expect(options_of(parts, 1) ==
            Options({"--section=data", "--table=b", "--exclude-table-data=b_id_seq", "--table=c"}));
}
