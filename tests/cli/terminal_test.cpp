// Colours and exit codes.
#include "controller/cli/terminal/terminal.h"

#include "controller/base/exit_code.h"

#include <criterion/criterion.h>

#include <cstdlib>

using rowlock::Cause;
using rowlock::Error;
using rowlock::Fault;

Test(cli_terminal, no_color_wins_over_force_which_wins_over_the_terminal) {
  struct Case {
    const char* no_color;
    const char* force;
    const char* term;
    bool is_terminal;
    bool wants;
  };
  const Case cases[] = {
      {"", "", "xterm", true, true},    {"", "", "xterm", false, false},
      {"", "", "dumb", true, false},    {"1", "", "xterm", true, false},
      {"1", "1", "xterm", true, false}, {"", "1", "dumb", false, true},
      {"", "0", "xterm", false, false},
  };
  unsetenv("FORCE_COLOR");
  for (const Case& each : cases) {
    setenv("NO_COLOR", each.no_color, 1);
    setenv("CLICOLOR_FORCE", each.force, 1);
    setenv("TERM", each.term, 1);

    cr_expect(rowlock::wants_colour(each.is_terminal) == each.wants,
              "NO_COLOR=%s CLICOLOR_FORCE=%s TERM=%s terminal=%d", each.no_color, each.force,
              each.term, each.is_terminal);
  }
}

Test(cli_terminal, an_error_ends_in_the_code_that_scripts_expect) {
  const auto code = [](Fault fault, Cause cause) {
    return rowlock::exit_code_of(Error{fault, cause, "", ""});
  };

  cr_expect(code(Fault::rejected, Cause::other) == 1);
  cr_expect(code(Fault::rejected, Cause::not_found) == 1);
  cr_expect(code(Fault::transient, Cause::unreachable) == 69);
  cr_expect(code(Fault::transient, Cause::other) == 75);
  cr_expect(code(Fault::rejected, Cause::denied) == 77);
  cr_expect(code(Fault::broken, Cause::other) == 78);
}
