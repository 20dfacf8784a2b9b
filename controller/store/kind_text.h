// What every kind of resource would repeat by hand, made from the line in which it declares itself:
//
//   -- @kind trust
//   --   of:     trust.name trust_keys.trust     the columns that name it
//   --   state:  unread old fresh gone           a fact, and what it can be
//   --   retry:  2 s to 5 min                    how late a failed step is tried again
//
// Also `looks: STEP …`, steps that only look: they are made again anyway, so that their failures
// are not noted; and `beside: STEP …`, changes of rows that are made while a step is under way. A
// column of `of:` may carry a condition: `instance.job(delivers)` names it only where that column
// is not 0.
//
// Of it come the table KIND_case (the rules with every '*' written out) and its filling, the views
// KIND_domain, KIND_plan and KIND_name, and the triggers that wake a name when a row that names it
// changes. What a kind decides, KIND_fact and KIND_rule, is written by hand: people read it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rowlock {

// A column whose values are names of a kind.
struct NamingColumn {
  std::string table;  // Empty: the name is always the same, `column`.
  std::string column;
  std::string condition;  // A column of the table that is 0 where it names nothing; or empty.
};

struct KindText {
  std::string name;
  std::vector<NamingColumn> of;
  std::vector<std::pair<std::string, std::vector<std::string>>> facts;  // In order.
  std::int64_t retry_from_ms = 0;  // 0: none of its steps touches the world.
  std::int64_t retry_to_ms = 0;
  std::vector<std::string> looks;
  std::vector<std::string> beside;
};

// Reads what follows `-- @kind `, with its continuation lines. Stops the program when it makes no
// sense: it is a part of the program.
KindText kind_of(std::string_view declaration);

// CREATE TABLE KIND_case.
std::string case_table(const KindText& kind);

// CREATE VIEW KIND_domain, KIND_plan and KIND_name. A kind that touches the world has steps that
// are under way for a while.
std::string kind_views(const KindText& kind, bool touches_the_world);

// What fills KIND_case, and the row of the table `kind`.
std::string kind_fill(const KindText& kind);

// TEMP triggers for all kinds together: a change of a row that names something wakes that name, and
// the table `named` remembers which kinds have it.
std::string naming_wakes(const std::vector<KindText>& kinds);

}  // namespace rowlock
