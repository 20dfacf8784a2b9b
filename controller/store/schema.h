// The SQL of schema/ and migrations/, taken apart by its markers. Every file of schema/ tells the
// whole story of one kind in sections that begin with a line of their own:
//
//   -- @kind NAME  what it declares of itself; see kind_text.h
//   -- @desired    tables that a person writes; made in desired.db, and again in state.db for the
//   accepted copy
//   -- @guard      triggers that keep a person's edits right; in desired.db alone
//   -- @observed   tables that Rowlock writes, in state.db
//   -- @views      facts, rules, plan, status, why; the same text serves state.db and, as TEMP
//   views, `rowlock sql`
//   -- @fill       rows that are the same for everybody; written whenever state.db is opened for
//   writing
//   -- @wake       TEMP triggers that note in `dirty` which names to plan again after a row was
//   changed
//   -- @begin      what a new controller takes for unknown, run before its first pass
//   -- @prune      what is old enough to go, run once a minute
//   -- @first      rows of a new desired.db
//   -- @once TABLE rows that ask for something once, and may all go when it is done
//   -- @run NAME   what is run for a step or an outcome, with values as :name
#pragma once

#include "controller/store/embedded.h"
#include "controller/store/kind_text.h"
#include "controller/store/reference_text.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

struct TableText {
  std::string name;
  std::string sql;  // "CREATE TABLE name (…)", comments included.
};

struct Migration {
  std::int64_t version;  // Counts from 1.
  std::string_view name;
  std::string_view sql;
};

class Schema {
 public:
  // What is inside the binary, or files like those (for tests).
  explicit Schema(std::span<const EmbeddedFile> files = embedded_files());

  const std::vector<TableText>& desired_tables() const { return desired_; }
  const std::vector<TableText>& observed_tables() const { return observed_; }
  const std::vector<Migration>& migrations() const { return migrations_; }
  const std::string& indexes() const { return indexes_; }  // Of the observed tables.
  const std::string& guard() const { return guard_; }
  const std::string& fill() const { return fill_; }
  const std::string& wake() const { return wake_; }

  const std::string& first() const { return first_; }

  // By name.
  const std::vector<KindText>& kinds() const { return kinds_; }

  // The columns of desired tables that name rows of another one.
  const std::vector<Reference>& references() const { return references_; }

  // All that is made of a kind's declaration and written in its file, as it is in use; empty when
  // there is no such kind.
  std::string text_of_kind(std::string_view kind) const;

  // Every view, as "CREATE VIEW …" or, for temporary ones, "CREATE TEMP VIEW …", with those that
  // unite the kinds: plan, status, why and violation_now.
  std::string views(bool temporary) const;
  const std::vector<std::string>& view_names() const { return view_names_; }

  // The script of that name, or nothing when the schema has none.
  const std::string* script(std::string_view name) const;
  const std::map<std::string, std::string, std::less<>>& scripts() const { return scripts_; }

 private:
  void take(std::string_view marker, const std::string& text);
  void take_tables(const std::string& text, std::vector<TableText>& tables);
  void take_views(const std::string& text);
  void expand_kinds();
  void expand_references();
  void fill_naming(const std::string& table);
  std::vector<std::string> world_steps(const std::string& kind) const;

  std::vector<TableText> desired_;
  std::vector<TableText> observed_;
  std::vector<Migration> migrations_;
  std::vector<std::string> view_names_;
  std::string indexes_;
  std::string guard_;
  std::string views_;
  std::string fill_;
  std::string wake_;
  std::string first_;
  std::vector<KindText> kinds_;
  std::vector<Reference> references_;
  std::map<std::string, std::string, std::less<>> files_;  // Text of a kind's file, by the kind.
  std::map<std::string, std::string, std::less<>> scripts_;
};

}  // namespace rowlock
