// What of a dump is restored, by its table of contents alone.
#include "controller/adapters/postgres/postgres_selection.h"

#include <criterion/criterion.h>

#include <string>

using namespace rowlock;

namespace {

using Objects = std::vector<ArchivedObject>;
using Names = std::vector<std::string>;

// As pg_dump has them, each after what it needs.
const Objects kBefore = {{2, "EXTENSION", "", "pg_cron", {}},
                         {3, "COMMENT", "", "EXTENSION pg_cron", {2}},
                         {4, "FUNCTION", "public", "four(integer)", {}},
                         {10, "TABLE", "public", "pupil", {}},
                         {11, "SEQUENCE", "public", "pupil_id_seq", {}},
                         {12, "SEQUENCE OWNED BY", "public", "pupil_id_seq", {10, 11}},
                         {13, "TABLE", "public", "mark", {}},
                         {14, "VIEW", "public", "best", {10}},
                         {15, "DEFAULT", "public", "pupil id", {10, 11}}};
const Objects kData = {{30, "TABLE DATA", "public", "pupil", {10}},
                       {31, "TABLE DATA", "public", "mark", {13}},
                       {32, "SEQUENCE SET", "public", "pupil_id_seq", {11}}};
const Objects kAfter = {{40, "CONSTRAINT", "public", "pupil pupil_pkey", {10}},
                        {41, "INDEX", "public", "pupil_four", {4, 10}, "public.pupil"},
                        {42, "FK CONSTRAINT", "public", "mark mark_pupil_fkey", {10, 13, 40}}};

Objects all_of_it() {
  Objects all = kBefore;
  all.insert(all.end(), kData.begin(), kData.end());
  all.insert(all.end(), kAfter.begin(), kAfter.end());
  return all;
}

// The numbers in a list.
std::string numbers(const std::string& list) {
  std::string result;
  for (const char c : list) result += c == ';' ? ' ' : c == '\n' ? ' ' : c;
  std::string::size_type at = 0;
  while ((at = result.find("  ")) != std::string::npos) result.erase(at, 1);
  return result;
}

void expect_list(const PostgresSelection& selection, const std::string& list,
                 const std::string& expected) {
  cr_expect(numbers(list) == expected + " ", "'%s' in place of '%s '", numbers(list).c_str(),
            expected.c_str());
  cr_expect(selection.unknown_names().empty());
}

}  // namespace

Test(postgres_selection, what_is_left_out_takes_along_what_needs_it) {
  RestoreOrder order;
  order.without = {"public.pupil", "pg_cron"};
  PostgresSelection selection(order);

  expect_list(selection, selection.take("dump", all_of_it()), "4 11 13 31 32");

  const LeftOut& first = selection.left_out().front();
  cr_expect(first.object() == "EXTENSION pg_cron" && first.reason == "it was to be left out");
  cr_expect(selection.left_out()[1].reason == "it needs pg_cron, which was to be left out");
}

Test(postgres_selection, a_kind_before_the_name_means_that_one_alone) {
  RestoreOrder order;
  order.without = {"TABLE DATA public.pupil", "public.four"};
  PostgresSelection selection(order);

  expect_list(selection, selection.take("dump", all_of_it()), "2 3 10 11 12 13 14 15 31 32 40 42");
}

Test(postgres_selection, what_is_asked_for_alone_comes_with_what_it_needs) {
  RestoreOrder order;
  order.only = {"public.pupil"};
  PostgresSelection selection(order);

  // Not `mark`, nor what ties that to it, nor the view; its index brings its function.
  expect_list(selection, selection.take("dump", all_of_it()), "4 10 11 12 15 30 32 40 41");

  for (const LeftOut& each : selection.left_out()) {
    cr_expect(each.is_beside_it == (each.kind != "FK CONSTRAINT" && each.kind != "VIEW"), "%s",
              each.object().c_str());
  }
}

// Rows have numbers of their own there.
Test(postgres_selection, a_dump_in_parts_is_chosen_from_in_the_same_way) {
  RestoreOrder order;
  order.without = {"public.pupil"};
  PostgresSelection selection(order);
  expect_list(selection, selection.take("before", kBefore), "2 3 4 11 13");
  expect_list(selection,
              selection.take("data.1", {{4, "TABLE DATA", "public", "mark", {7}},
                                        {5, "SEQUENCE SET", "public", "pupil_id_seq", {8}}}),
              "4 5");
  cr_expect(selection.take("data.2", {{13, "TABLE DATA", "public", "pupil", {2}}}).empty());
  cr_expect(selection.take("after", kAfter).empty());
}

Test(postgres_selection, what_is_known_covers_what_needs_it_and_what_is_unknown_is_said) {
  RestoreOrder order;
  order.known = {"public.pupil", "public.nobody_needs"};
  order.without = {"public.nothing"};
  PostgresSelection selection(order);
  (void)selection.take("dump", all_of_it());

  cr_expect(selection.entry("dump", 42).known_as == "public.pupil");
  cr_expect(selection.entry("dump", 31).known_as.empty());
  cr_expect(selection.entry("dump", 30).object() == "TABLE DATA public.pupil");
  cr_expect(selection.unknown_names() == Names{"public.nothing"});
}
