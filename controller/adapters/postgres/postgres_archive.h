// The beginning of a dump in pg_dump's custom format: its table of contents, read as it passes.
//
// A sequence is no part of a snapshot: what a dump has of it is what pg_dump saw when it looked. So
// what a restore will make of sequences is known from the dump alone. And it says how its database
// was made, in words that CREATE DATABASE understands.
//
// The format:
// https://github.com/postgres/postgres/blob/master/src/bin/pg_dump/pg_backup_archiver.c, ReadHead()
// and ReadToc().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

struct ArchivedSequence {
  std::string schema;
  std::string name;
  std::string last_value;
  bool is_called = false;
};

// An entry of the table of contents, as `pg_restore --list` has it.
struct ArchivedObject {
  std::int64_t number = 0;
  std::string kind;                 // TABLE DATA
  std::string schema;               // Empty: it is in none.
  std::string name;                 // f(integer); of what belongs to a table: "pupil pupil_pkey".
  std::vector<std::int64_t> needs;  // Numbers, of entries of the same member.
  std::string table = {};           // Of an index: what it is on, as SQL writes it.
};

class PostgresArchive {
 public:
  // `keeps_objects`: whether objects() are wanted.
  explicit PostgresArchive(bool keeps_objects = false) : keeps_objects_(keeps_objects) {}

  // The next bytes. None are kept of what follows the table of contents.
  void take(std::string_view bytes);

  // Whether there is nothing more to learn from it.
  bool is_done() const { return state_ != State::reading; }
  // Whether it is of a form that is not known here, or no dump at all: nothing of it is to be used.
  bool is_strange() const { return state_ == State::strange; }
  bool has_database() const { return !create_database_.empty(); }

  int major() const;  // Of the pg_dump that made it; 0 when not known yet.
  const std::vector<ArchivedSequence>& sequences() const { return sequences_; }
  // All that is made or filled by pg_restore, each after what it needs.
  const std::vector<ArchivedObject>& objects() const { return objects_; }
  // The beginning of the dump, table of contents and all, so that its sessions look for names in
  // `path`; empty when it says nothing of that. Requires: is_done() with these bytes.
  std::string with_search_path(const std::string& beginning, const std::string& path) const;
  // What stands behind the name in its CREATE DATABASE, as far as it says how text is encoded and
  // compared: "ENCODING = 'UTF8' LOCALE = 'C.UTF-8'".
  std::string database_options() const;
  // Statements that give another database what belongs to the dumped one itself and to nothing in
  // it: its owner, grants, comment, and what ALTER DATABASE and ALTER ROLE IN DATABASE have set.
  // `name` as SQL writes it.
  std::string database_script(const std::string& name) const;

 private:
  enum class State { reading, done, strange };
  class Cursor;

  bool read_head(Cursor& cursor);
  bool read_entry(Cursor& cursor);
  struct Entry {
    std::string kind;
    std::string schema;
    std::string name;
    std::string statement;
    std::string owner;
    std::int64_t number = 0;
    std::vector<std::int64_t> needs;
  };
  void learn(Entry entry);

  bool keeps_objects_;
  State state_ = State::reading;
  std::size_t entry_at_ = 0;        // Where in the dump the entry that is read begins.
  std::size_t search_path_at_ = 0;  // Of the statement, its length before it; 0: there is none.
  std::size_t search_path_end_ = 0;
  std::string kept_;  // What is not understood yet.
  bool has_head_ = false;
  int version_ = 0;  // Of the format: 114 is 1.14.
  std::size_t int_bytes_ = 0;
  std::size_t offset_bytes_ = 0;
  std::int64_t entries_left_ = 0;
  std::string made_by_;
  std::string create_database_;
  std::string database_owner_;
  std::string database_statements_;
  std::vector<ArchivedSequence> sequences_;
  std::vector<ArchivedObject> objects_;
};

}  // namespace rowlock
