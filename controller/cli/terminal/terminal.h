// Where a verb's answer goes: data to stdout, everything else to stderr. Knows whether a person
// reads along, and so which of the three forms rows take.
#pragma once

#include "controller/base/result.h"
#include "controller/cli/terminal/table.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

struct TerminalOptions {
  bool wants_json = false;
  bool wants_plain = false;
  bool wants_no_colour = false;
};

class Terminal {
 public:
  enum class Form { table, tsv, json };

  // Looks at stdout, stderr and the environment.
  explicit Terminal(const TerminalOptions& options);

  Form form() const { return form_; }
  bool is_json() const { return form_ == Form::json; }
  bool is_table() const { return form_ == Form::table; }
  bool is_coloured() const { return is_coloured_; }
  bool reads_person() const { return reads_person_; }      // stdin is a terminal.
  bool shows_progress() const { return shows_progress_; }  // stderr is one, and not JSON.
  std::size_t width() const { return width_; }             // 0: unknown.

  // How tables look here. `is_old` marks the states of a controller that does not run.
  TableLook look(bool is_old = false) const;

  // Rows, in the form at hand.
  void show(const Table& table, bool is_old = false) const;
  // Rejected when stdout is a file that others than its owner can read. Before a secret is printed,
  // and before one is made that is shown once.
  Result<> check_is_private() const;
  // Text for stdout, as it is.
  void print(std::string_view text) const;
  // A sentence beside the data; not in JSON mode, which has no place for it.
  void note(std::string_view sentence) const;
  // `rowlock: <sentence>` and its hint, on stderr. Returns the code for it.
  int fail(const Error& error) const;
  int fail(const Error& error, int code) const;

  // Whether the person at the terminal says yes. Requires: reads_person().
  bool confirms(std::string_view question) const;

 private:
  Form form_;
  bool is_coloured_;
  bool reads_person_;
  bool shows_progress_;
  std::size_t width_;
};

// NO_COLOR wins over CLICOLOR_FORCE and FORCE_COLOR, which win over what the terminal is.
bool wants_colour(bool is_terminal);

// The code for an error that a verb gave back (controller/base/exit_code.h).
int exit_code_of(const Error& error);

}  // namespace rowlock
