// What is in a database, as a manifest has it, and what counts as equal.
#include "controller/backup/content.h"

#include <criterion/criterion.h>

using namespace rowlock;

namespace {

DumpFacts some_facts() {
  DumpFacts facts;
  facts.content.server_version = "15.16";
  facts.content.lsn = "0/1A2B3C4";
  facts.content.size_bytes = 9'000'000'000;
  facts.content.hash_method = "columns-1";
  facts.content.tables = {{"public.mark", 2, "aa"}, {"public.\"Odd \\ name\"", 0, "00"}};
  facts.content.extensions = {"pgcrypto 1.3", "plpgsql 1.0"};
  facts.content.left_out = {"public.mark"};
  facts.program = "pg_dump 15.16";
  facts.dump_bytes = 5'000'000'000;
  return facts;
}

}  // namespace

Test(content, comes_back_from_a_manifest_as_it_was) {
  const DumpFacts facts = some_facts();
  const auto read = dump_facts_of(json_of(facts));
  cr_assert(read.ok());

  cr_expect(json_of(read.value()).text() == json_of(facts).text());
  cr_expect(difference(facts.content, read.value().content).empty());
  cr_expect(!dump_facts_of(Json::object({})).ok());
}

Test(content, what_was_left_out_is_compared_on_neither_side) {
  const DatabaseFacts dumped = some_facts().content;
  DatabaseFacts restored = dumped;
  restored.tables = {{"public.mark", 2, "aa"}};
  restored.extensions = {"plpgsql 1.0"};
  std::vector<LeftOut> left_out = {{"TABLE DATA", "public", "Odd \\ name", "", "", false},
                                   {"EXTENSION", "", "pgcrypto", "", "", false}};
  const auto differs = [&](bool has_rows) {
    return difference(without(dumped, left_out, has_rows), without(restored, left_out, has_rows));
  };

  cr_expect(differs(true).empty(), "%s", differs(true).c_str());
  restored.tables[0].rows = 0;
  cr_expect(!differs(true).empty());
  cr_expect(differs(false).empty());
  left_out.pop_back();
  cr_expect(!differs(true).empty());
}

Test(content, every_difference_is_one_sentence) {
  const DatabaseFacts dumped = some_facts().content;
  DatabaseFacts other = dumped;
  other.tables[0].rows = 3;
  cr_expect(difference(dumped, other) == "public.mark has 3 rows, 2 were dumped");
  other = dumped;
  other.tables[0].hash = "ab";
  cr_expect(difference(dumped, other) == "public.mark has other content, in 2 rows as dumped");
  other = dumped;
  other.tables.erase(other.tables.begin());
  cr_expect(difference(dumped, other) == "public.mark is missing");
  cr_expect(difference(other, dumped) == "public.mark is there, and was not dumped");
  other = dumped;
  other.extensions.pop_back();
  cr_expect(!difference(dumped, other).empty());
}

// Their versions are the server's to give: a newer one restores a good backup.
Test(content, an_extension_of_another_version_is_no_difference) {
  const DatabaseFacts dumped = some_facts().content;
  DatabaseFacts other = dumped;
  other.extensions[0] = "pgcrypto 1.4";
  other.server_version = "16.1";
  other.lsn = "0/0";
  other.size_bytes = 1;

  cr_expect(difference(dumped, other).empty());
}

// A manifest that was written before partitions counted together has what is needed for that.
Test(content, partitions_count_together_in_any_manifest) {
  const auto manifest = Json::parse(
      R"({"hash_method": "columns-1", "extensions": [], "tables": [
          {"name": "public.low", "rows": 3, "hash": "ffffffffffffffff"},
          {"name": "public.high", "rows": 1, "hash": "0000000000000003"},
          {"name": "public.other", "rows": 1, "hash": "05"}]})");
  cr_assert(manifest.ok());
  const auto read = dump_facts_of(manifest.value());
  cr_assert(read.ok());
  const DatabaseFacts& dumped = read.value().content;
  DatabaseFacts restored = dumped;
  restored.tables = {{"public.high", 4, "0000000000000002", "public.all"},
                     {"public.low", 0, "0000000000000000", "public.all"},
                     {"public.other", 1, "05"}};
  cr_expect(difference(dumped, restored).empty(), "%s", difference(dumped, restored).c_str());

  restored.tables[1].rows = 1;
  cr_expect(difference(dumped, restored) == "public.all has 5 rows, 4 were dumped");
  restored.tables[1] = {"public.low", 0, "0000000000000001", "public.all"};
  cr_expect(difference(dumped, restored) == "public.all has other content, in 4 rows as dumped");
  restored.tables.erase(restored.tables.begin() + 1);
  cr_expect(difference(dumped, restored) == "public.low is missing");
}

// Which names need quotes is said otherwise by servers of other versions and settings.
Test(content, quotes_make_no_other_name) {
  const DatabaseFacts dumped = some_facts().content;
  DatabaseFacts other = dumped;
  other.tables[0].name = "\"public\".\"mark\"";
  other.tables[1].name = "\"public\".\"Odd \\ name\"";
  cr_expect(difference(dumped, other).empty(), "%s", difference(dumped, other).c_str());
  cr_expect(difference(other, dumped).empty());

  other.tables[0].name = "\"public.mark\"";
  cr_expect(difference(dumped, other) == "public.mark is missing");
  other.tables[0].name = "public.\"mark\"\"\"";
  cr_expect(difference(dumped, other) == "public.mark is missing");
}
