// The one place that asks the environment how to print: NO_COLOR, the width, whether stdout is a
// terminal. All below it is pure.
#include "controller/cli/terminal/terminal.h"

#include "controller/base/exit_code.h"
#include "controller/base/time.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace rowlock {
namespace {

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

std::size_t terminal_width() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    return size.ws_col;
  }
  const char* columns = std::getenv("COLUMNS");
  return columns != nullptr ? static_cast<std::size_t>(std::strtoul(columns, nullptr, 10)) : 0;
}

Terminal::Form form_of(const TerminalOptions& options) {
  if (options.wants_json) {
    return Terminal::Form::json;
  }
  return !options.wants_plain && isatty(STDOUT_FILENO) == 1 ? Terminal::Form::table
                                                            : Terminal::Form::tsv;
}

std::string json_member(std::string_view name, const std::string& text) {
  return fmt::format("\"{}\":{}", name, json_text(Value(text)));
}

}  // namespace

int exit_code_of(const Error& error) {
  if (error.cause == Cause::unreachable) {
    return kExitUnreachable;
  }
  if (error.cause == Cause::denied) {
    return kExitPermission;
  }
  switch (error.fault) {
    case Fault::transient: return kExitBusy;
    case Fault::rejected: return kExitFailed;
    case Fault::broken: return kExitConfiguration;
  }
  UNREACHABLE();
}

bool wants_colour(bool is_terminal) {
  if (is_set("NO_COLOR")) {
    return false;
  }
  for (const char* variable : {"CLICOLOR_FORCE", "FORCE_COLOR"}) {
    if (is_set(variable) && std::string_view(std::getenv(variable)) != "0") {
      return true;
    }
  }
  const char* kind = std::getenv("TERM");
  return is_terminal && kind != nullptr && std::string_view(kind) != "dumb";
}

Terminal::Terminal(const TerminalOptions& options)
    : form_(form_of(options)),
      is_coloured_(!options.wants_no_colour && wants_colour(isatty(STDOUT_FILENO) == 1)),
      reads_person_(isatty(STDIN_FILENO) == 1),
      shows_progress_(form_ != Form::json && !options.wants_plain && isatty(STDERR_FILENO) == 1),
      width_(terminal_width()) {}

TableLook Terminal::look(bool is_old) const {
  return {width_, is_coloured_, is_old, system_now_ms()};
}

void Terminal::show(const Table& table, bool is_old) const {
  switch (form_) {
    case Form::table: return print(table_text(table, look(is_old)));
    case Form::tsv: return print(tsv_text(table));
    case Form::json: return print(json_text(table) + "\n");
  }
}

Result<> Terminal::check_is_private() const {
  struct stat out {};
  if (::fstat(STDOUT_FILENO, &out) != 0 || !S_ISREG(out.st_mode) ||
      (out.st_mode & (S_IRGRP | S_IROTH)) == 0) {
    return Done{};
  }
  return Error{Fault::rejected, Cause::denied,
               fmt::format("the output goes to a file that others can read (mode {:04o}), and "
                           "would hold a secret",
                           out.st_mode & 07777U),
               "run `umask 077` and remove that file first, or `chmod 600` it"};
}

void Terminal::print(std::string_view text) const {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void Terminal::note(std::string_view sentence) const {
  if (!is_json()) {
    std::fflush(stdout);
    fmt::print(stderr, "{}\n", printable_lines(sentence));
  }
}

int Terminal::fail(const Error& error) const { return fail(error, exit_code_of(error)); }

int Terminal::fail(const Error& error, int code) const {
  std::fflush(stdout);
  if (is_json()) {
    fmt::print(stderr, "{{{},{}}}\n", json_member("error", error.message),
               json_member("hint", error.hint));
    return code;
  }
  fmt::print(stderr, "rowlock: {}\n", printable_lines(error.message));
  if (!error.hint.empty()) {
    fmt::print(stderr, "  hint: {}\n", printable_lines(error.hint));
  }
  return code;
}

bool Terminal::confirms(std::string_view question) const {
  fmt::print(stderr, "{} [y/N] ", question);
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

}  // namespace rowlock
