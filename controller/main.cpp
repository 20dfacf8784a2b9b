// The command line: parses, then calls one function per verb.
#include "controller/base/text.h"
#include "controller/base/time.h"
#include "controller/base/version.h"
#include "controller/cli/opened.h"
#include "controller/cli/run.h"
#include "controller/cli/verbs.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <deque>
#include <functional>

namespace rowlock {
namespace {

// What a verb needs of the home before it begins.
enum class Needs { nothing, home, editable_home };

// What the command line said. Options write here while they are parsed.
struct Arguments {
  std::string home;
  TerminalOptions terminal;
  StatusOptions status;
  PlanOptions plan;
  WhyOptions why;
  SqlOptions sql;
  WaitOptions wait;
  ApplyOptions apply;
  EventsOptions events;
  ExportOptions exported;
  RevertOptions revert;
  RunOptions run;
  std::int64_t timeout_ms = 5 * 60'000;  // Of apply and wait.
  bool reverts_all = false;
  std::vector<std::string> revert_what;  // JOB [REVISION], or [REVISION] with --all.
};

struct Verb {
  CLI::App* parser;
  Needs needs;
  std::function<Result<int>(const Call&)> call;
};

class CommandLine {
 public:
  CommandLine();
  int main(int count, char** words);

 private:
  CLI::App* verb(const char* name, const char* summary, const char* example, Needs needs,
                 std::function<Result<int>(const Call&)> call);
  void add_common(CLI::App& parser);
  void add_looking_verbs();
  void add_export();
  void add_writing_verbs();
  void add_timeout(CLI::App* parser);
  int call(const Verb& verb);
  int misused(const std::vector<std::string>& words, const CLI::ParseError& error);
  std::optional<std::string> unknown_verb(const std::vector<std::string>& words) const;
  void read_revert_words();

  CLI::App parser_{"Keeps containers as the rows of desired.db say."};
  Arguments said_;
  std::deque<Verb> verbs_;
};

CommandLine::CommandLine() {
  parser_.name("rowlock");
  parser_.require_subcommand(1);
  parser_.set_version_flag("--version", "rowlock " + std::string(version()));
  parser_.footer("rowlock VERB --help tells more. Start with: rowlock init --home DIR");
  add_common(parser_);
  add_looking_verbs();
  add_export();
  add_writing_verbs();
}

void CommandLine::add_common(CLI::App& parser) {
  parser.add_option("--home", said_.home, "folder of desired.db and state.db (or ROWLOCK_HOME)")
      ->type_name("DIR");
  parser.add_flag("--json", said_.terminal.wants_json, "one JSON document; errors are JSON too");
  parser.add_flag("--plain", said_.terminal.wants_plain, "tab-separated, as when piped");
  parser.add_flag("--no-color", said_.terminal.wants_no_colour, "no colours");
}

CLI::App* CommandLine::verb(const char* name, const char* summary, const char* example, Needs needs,
                            std::function<Result<int>(const Call&)> call) {
  CLI::App* parser = parser_.add_subcommand(name, summary);
  parser->footer(fmt::format("Example:\n  {}", example));
  add_common(*parser);
  verbs_.push_back({parser, needs, std::move(call)});
  return parser;
}

void CommandLine::add_timeout(CLI::App* parser) {
  const auto take = [this](const std::string& text) {
    auto parsed = parse_duration(text);
    if (!parsed.ok()) {
      throw CLI::ValidationError("--timeout", parsed.error().message);
    }
    said_.timeout_ms = parsed.value();
  };
  parser->add_option_function<std::string>("--timeout", take, "give up after this (default 5m)")
      ->type_name("TIME");
}

void CommandLine::add_looking_verbs() {
  verb("status", "How everything stands", "rowlock status --json", Needs::home,
       [this](const Call& call) { return status(call, said_.status); })
      ->add_flag("--exit-code", said_.status.wants_exit_code, "2 when not all is converged");
  verb("plan", "What Rowlock does next", "rowlock plan --detailed-exitcode", Needs::home,
       [this](const Call& call) { return plan(call, said_.plan); })
      ->add_flag("--detailed-exitcode", said_.plan.wants_exit_code, "2 when there is a step");
  verb("why", "Every reason that is in the way of something", "rowlock why web", Needs::home,
       [this](const Call& call) { return why(call, said_.why); })
      ->add_option("NAME", said_.why.name, "a job, a node or desired.db")
      ->required();
  CLI::App* events_parser =
      verb("events", "What happened, newest last", "rowlock events -f", Needs::home,
           [this](const Call& call) { return events(call, said_.events); });
  events_parser->add_flag("-f,--follow", said_.events.follows,
                          "go on until Ctrl-C; with --json one object a line");
  events_parser->add_option("--limit", said_.events.limit, "how many at first (default 50)")
      ->check(CLI::NonNegativeNumber);
  CLI::App* wait_parser =
      verb("wait", "Until what was written is so", "rowlock wait web --timeout 2m", Needs::home,
           [this](const Call& call) {
             said_.wait.timeout_ms = said_.timeout_ms;
             return wait(call, said_.wait);
           });
  wait_parser->add_option("NAME", said_.wait.name, "a job or a node; all when left out");
  add_timeout(wait_parser);
  verb("doctor", "What Rowlock needs of this machine, and whether it has it", "rowlock doctor",
       Needs::nothing, [](const Call& call) { return doctor(call); });
  verb("version", "Which Rowlock this is", "rowlock version", Needs::nothing,
       [](const Call& call) { return print_version(call); });
}

void CommandLine::add_export() {
  CLI::App* parser =
      verb("export", "The routes for another proxy: traefik or cloudflared", "", Needs::home,
           [this](const Call& call) { return export_routes(call, said_.exported); });
  parser->add_option("TARGET", said_.exported.target, "traefik or cloudflared")->required();
  parser->add_option("--format", said_.exported.format, "of cloudflared: yaml (default) or json")
      ->check(CLI::IsMember({"yaml", "json"}));
  parser->footer(
      "traefik: the JSON of its HTTP provider, with the instances that are ready. Traefik reads\n"
      "  it every 5 s and takes it up to 2 s later, and Rowlock cannot see its requests: set\n"
      "  proxy.release_delay_ms to 8000, so that an instance is kept until Traefik knows that\n"
      "  it leaves.\n"
      "cloudflared: the rules of a tunnel that leads to Rowlock's own proxy; --format json is the\n"
      "  body for the API.\n"
      "Examples:\n"
      "  rowlock export traefik > routes.new && mv routes.new routes.json\n"
      "  (cat tunnel.yml; rowlock export cloudflared) > config.yml");
}

void CommandLine::add_writing_verbs() {
  verb("init", "Make a home", "rowlock init --home ~/rowlock", Needs::nothing,
       [](const Call& call) { return init(call); });
  verb("upgrade", "Bring desired.db up to this version, after a copy", "rowlock upgrade",
       Needs::editable_home, [](const Call& call) { return upgrade(call); });
  verb("run", "Run the controller", "rowlock run --home ~/rowlock", Needs::nothing,
       [this](const Call& call) { return Result<int>(run(call.home, said_.run)); })
      ->add_option("--log-format", said_.run.log_format, "json, text, or auto: by terminal")
      ->check(CLI::IsMember({"json", "text", "auto"}));
  verb("sql", "SQL on desired.db; the views answer for uncommitted edits too",
       "rowlock sql \"BEGIN; UPDATE job SET count = 3; SELECT * FROM plan; ROLLBACK\"",
       Needs::editable_home, [this](const Call& call) { return sql(call, said_.sql); })
      ->add_option("STATEMENT", said_.sql.statements, "read from stdin when left out");
  CLI::App* apply_parser =
      verb("apply", "Files of SQL as one edit of desired.db", "rowlock apply web.sql --wait",
           Needs::editable_home, [this](const Call& call) {
             said_.apply.timeout_ms = said_.timeout_ms;
             return apply(call, said_.apply);
           });
  apply_parser->add_option("FILE", said_.apply.files, "- for stdin")->required();
  apply_parser->add_flag("--dry-run", said_.apply.is_dry_run, "show the plan, write nothing");
  apply_parser->add_flag("--wait", said_.apply.waits, "until it is so");
  add_timeout(apply_parser);
  CLI::App* revert_parser =
      verb("revert", "Put rows of desired.db back as they were", "rowlock revert web 4",
           Needs::editable_home, [this](const Call& call) { return revert(call, said_.revert); });
  revert_parser->add_option("JOB", said_.revert_what, "and a REVISION; else before its last change")
      ->type_name("[REVISION]")
      ->expected(0, 2);
  revert_parser->add_flag("--all", said_.reverts_all,
                          "all tables; makes desired.db anew when it cannot be read");
  revert_parser->add_flag("-y,--yes", said_.revert.is_agreed, "do not ask");
}

// JOB [REVISION], or [REVISION] with --all.
void CommandLine::read_revert_words() {
  std::vector<std::string> words = said_.revert_what;
  if (!said_.reverts_all) {
    if (words.empty()) {
      throw CLI::RequiredError("JOB or --all");
    }
    said_.revert.job = words.front();
    words.erase(words.begin());
  }
  if (words.empty()) {
    return;
  }
  std::int64_t revision = 0;
  const std::string& text = words.front();
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), revision);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || words.size() > 1) {
    throw CLI::ValidationError("REVISION", fmt::format("'{}' is not a revision's number", text));
  }
  said_.revert.revision = revision;
}

// The first word that stands where a verb should, if there is no such verb.
std::optional<std::string> CommandLine::unknown_verb(const std::vector<std::string>& words) const {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--home") {
      ++i;
    } else if (!words[i].starts_with('-')) {
      const bool is_known = std::any_of(verbs_.begin(), verbs_.end(), [&](const Verb& verb) {
        return verb.parser->get_name() == words[i];
      });
      return is_known ? std::nullopt : std::optional<std::string>(words[i]);
    }
  }
  return std::nullopt;
}

int CommandLine::misused(const std::vector<std::string>& words, const CLI::ParseError& error) {
  TerminalOptions options;
  options.wants_json = std::find(words.begin(), words.end(), "--json") != words.end();
  const Terminal terminal(options);
  Error usage{Fault::rejected, Cause::other, error.what(), "see `rowlock --help`"};
  for (const Verb& verb : verbs_) {
    if (verb.parser->parsed()) {
      usage.hint = fmt::format("see `rowlock {} --help`", verb.parser->get_name());
    }
  }
  if (const auto unknown = unknown_verb(words)) {
    std::vector<std::string> names;
    for (const Verb& verb : verbs_) {
      names.push_back(verb.parser->get_name());
    }
    const auto near = nearest(*unknown, names);
    usage.message = fmt::format("there is no verb '{}'", *unknown);
    usage.hint = near ? fmt::format("did you mean `rowlock {}`?", *near) : usage.hint;
  } else if (words.empty()) {
    usage.message = "say what to do";
    usage.hint = "`rowlock --help` lists the verbs; `rowlock init` makes a home to begin with";
  }
  return terminal.fail(usage, kExitUsage);
}

int CommandLine::call(const Verb& verb) {
  const Terminal terminal(said_.terminal);
  const Home home = Home::at(said_.home);
  const char* variable = std::getenv("ROWLOCK_HOME");
  const Schema schema;
  const std::string origin = !said_.home.empty()                        ? "--home"
                             : variable != nullptr && *variable != '\0' ? "ROWLOCK_HOME"
                                                                        : "default";
  if (verb.needs != Needs::nothing) {
    if (const auto obstacle = obstacle_at(home, verb.needs == Needs::editable_home)) {
      return terminal.fail(obstacle->error, obstacle->exit_code);
    }
  }
  auto ended = verb.call({home, schema, terminal, origin});
  return ended.ok() ? ended.value() : terminal.fail(ended.error());
}

int CommandLine::main(int count, char** words) {
  const std::vector<std::string> given(words + 1, words + count);
  try {
    parser_.parse(count, words);
    if (parser_.got_subcommand("revert")) {
      read_revert_words();
    }
  } catch (const CLI::CallForHelp& help) {
    return parser_.exit(help);
  } catch (const CLI::CallForVersion& asked) {
    return parser_.exit(asked);
  } catch (const CLI::ParseError& error) {
    return misused(given, error);
  }
  for (const Verb& verb : verbs_) {
    if (verb.parser->parsed()) {
      return call(verb);
    }
  }
  UNREACHABLE();
}

}  // namespace
}  // namespace rowlock

int main(int count, char** words) { return rowlock::CommandLine().main(count, words); }
