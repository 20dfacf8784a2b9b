// Taking over a change of desired.db: copied into the same-named tables of state.db in one
// transaction, as a numbered revision with a change for every row, or refused whole with every
// reason.
#pragma once

#include "controller/store/database.h"
#include "controller/store/desired_file.h"
#include "controller/store/schema.h"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace rowlock {

struct Violation {
  std::string table_name;
  std::string row_key;
  std::string message;
};

struct Acceptance {
  std::int64_t revision = 0;          // The new revision; 0: nothing was accepted.
  std::int64_t changes = 0;           // Rows that it changed.
  std::vector<Violation> violations;  // Why it was refused; empty when it was not.
  // Why the file cannot be read just now, as while another program holds it; "": it was. Ask again.
  std::string held = {};
};

class Acceptor {
 public:
  // Requires: `state` was opened by open_state() and outlives this.
  // `taken`: called within the transaction after which every row in force is as the file has it.
  Acceptor(Database& state, const Schema& schema, std::function<Result<>()> taken = {});

  // Compares the file with what is in force, and takes it over or refuses it. An unreadable file is
  // a refusal too. An error means that state.db could not be written: nothing has changed.
  Result<Acceptance> accept(DesiredFile& file, std::int64_t now_ms);

 private:
  // One desired table, with the scripts of schema/kernel/accept.sql filled in for it.
  struct Table {
    std::string name;
    std::vector<std::string> columns;
    std::vector<std::string> key;
    std::vector<std::string> json;  // The columns whose CHECK asks for JSON.
    std::string remove;             // One row of incoming_NAME, by its key.
    std::string differences;
    std::string brake;
    std::string take;
  };

  Result<> prepare();
  Result<Table> table_of(const TableText& text);
  Result<std::vector<Violation>> copy_in(const std::map<std::string, TableRows>& incoming);
  Result<> copy_table(const Table& table, const TableRows& rows, std::vector<Violation>& unfit);
  // A row that the table does not take is in `unfit` afterwards, with the reason.
  Result<> insert_row(const Table& table, const std::string& insert, const Row& row,
                      std::vector<Violation>& unfit);
  Result<> insert_rows(const Table& table, const std::vector<std::string>& there,
                       const std::vector<const Row*>& rows, std::vector<Violation>& unfit);
  Result<std::vector<Violation>> violations(std::int64_t revision, std::int64_t now_ms);
  Result<Acceptance> refuse(std::vector<Violation> violations, std::int64_t now_ms);
  Result<Acceptance> take(const std::map<std::string, TableRows>& incoming, std::int64_t now_ms);

  Database& state_;
  const Schema& schema_;
  std::function<Result<>()> taken_;
  std::vector<Table> tables_;
  // What the incoming tables hold: the rows of the last change that was accepted. Only what differs
  // from them is copied and compared. Empty: nothing yet.
  std::map<std::string, TableRows> held_;
  // The data_version of state.db then: another one says that rows may have been changed by others.
  std::int64_t held_at_ = 0;
  // Tables with other rows than that, in the change at hand; those after this rowid are new to it.
  std::map<std::string, std::int64_t> differing_;
};

}  // namespace rowlock
