// The command line: parses, then calls one function per verb.
#include "controller/base/text.h"
#include "controller/base/time.h"
#include "controller/base/version.h"
#include "controller/cli/backups/backup_verbs.h"
#include "controller/cli/opened.h"
#include "controller/cli/secrets/secret_verbs.h"
#include "controller/cli/verbs.h"
#include "controller/service/run.h"

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
  RetryOptions retry;
  SchemaOptions schema;
  SqlOptions sql;
  WaitOptions wait;
  ApplyOptions apply;
  EventsOptions events;
  ExportOptions exported;
  RevertOptions revert;
  RunOptions run;
  SecretArguments secrets;
  BackupArguments backups;
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
                 std::function<Result<int>(const Call&)> call) {
    return verb_under(parser_, name, summary, example, needs, std::move(call));
  }
  CLI::App* verb_under(CLI::App& under, const char* name, const char* summary, const char* example,
                       Needs needs, std::function<Result<int>(const Call&)> call);
  void add_common(CLI::App& parser);
  void add_looking_verbs();
  void add_export();
  void add_run();
  void add_writing_verbs();
  void add_timeout(CLI::App* parser);
  int call(const Verb& verb);
  int misused(const std::vector<std::string>& words, const CLI::ParseError& error);
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
  add_backup_verbs(parser_, said_.backups,
                   [this](CLI::App& under, const char* name, const char* summary,
                          const char* example, BackupVerbNeeds needs, auto call) {
                     return verb_under(under, name, summary, example,
                                       needs == BackupVerbNeeds::nothing ? Needs::nothing
                                       : needs == BackupVerbNeeds::home  ? Needs::home
                                                                         : Needs::editable_home,
                                       std::move(call));
                   });
  add_secret_verbs(parser_, said_.secrets,
                   [this](CLI::App& under, const char* name, const char* summary,
                          const char* example, bool reads_home, auto call) {
                     return verb_under(under, name, summary, example,
                                       reads_home ? Needs::home : Needs::nothing, std::move(call));
                   });
}

void CommandLine::add_common(CLI::App& parser) {
  parser.add_option("--home", said_.home, "folder of desired.db and state.db (or ROWLOCK_HOME)")
      ->type_name("DIR");
  parser.add_flag("--json", said_.terminal.wants_json, "one JSON document; errors are JSON too");
  parser.add_flag("--plain", said_.terminal.wants_plain, "tab-separated, as when piped");
  parser.add_flag("--no-color", said_.terminal.wants_no_colour, "no colours");
}

// Without a call it is no verb of its own, and holds others.
CLI::App* CommandLine::verb_under(CLI::App& under, const char* name, const char* summary,
                                  const char* example, Needs needs,
                                  std::function<Result<int>(const Call&)> call) {
  CLI::App* parser = under.add_subcommand(name, summary);
  parser->footer(fmt::format("Example:\n  {}", example));
  add_common(*parser);
  if (call) {
    verbs_.push_back({parser, needs, std::move(call)});
  }
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
  verb("retry", "Try again at once what has failed", "rowlock retry web", Needs::home,
       [this](const Call& call) { return retry(call, said_.retry); })
      ->add_option("NAME", said_.retry.name, "a job, a policy, a database …")
      ->required();
  verb("schema", "How a kind of resource is decided: its rows, facts and rules",
       "rowlock schema trust", Needs::nothing,
       [this](const Call& call) { return print_schema(call, said_.schema); })
      ->add_option("KIND", said_.schema.kind, "lists them when left out");
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

void CommandLine::add_run() {
  CLI::App* parser =
      verb("run", "Run the controller", "rowlock run --home ~/rowlock", Needs::nothing,
           [this](const Call& call) { return Result<int>(run(call.home, said_.run)); });
  parser->add_option("--log-format", said_.run.log_format, "json, text, or auto: by terminal")
      ->check(CLI::IsMember({"json", "text", "auto"}));
  parser
      ->add_option("--unseal-key-file", said_.run.unseal.key_file,
                   "open the secret store with the key in this file (or ROWLOCK_UNSEAL_KEY_FILE)")
      ->type_name("FILE");
  parser
      ->add_option("--unseal-age-identity", said_.run.unseal.age_identity,
                   "with HOME/unseal.age and this age identity")
      ->type_name("FILE");
  parser
      ->add_option("--unseal-command", said_.run.unseal.command,
                   "with the key that this command prints")
      ->type_name("COMMAND");
}

void CommandLine::add_writing_verbs() {
  verb("init", "Make a home", "rowlock init --home ~/rowlock", Needs::nothing,
       [](const Call& call) { return init(call); });
  verb("upgrade", "Bring desired.db up to this version, after a copy", "rowlock upgrade",
       Needs::editable_home, [](const Call& call) { return upgrade(call); });
  add_run();
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

// What was typed to reach this verb: "secret put".
std::string full_name(const CLI::App& parser) {
  const CLI::App* parent = parser.get_parent();
  const bool is_top = parent == nullptr || parent->get_parent() == nullptr;
  return (is_top ? "" : full_name(*parent) + " ") + parser.get_name();
}

// Where the words leave what is known: the innermost verb that they name, and the first word after
// it that should be a verb of its own and is none.
struct Unknown {
  const CLI::App* under;
  std::string word;  // Empty: every word is known.
};

std::vector<const CLI::App*> verbs_under(const CLI::App& parser) {
  return parser.get_subcommands(std::function<bool(const CLI::App*)>());
}

Unknown unknown_verb(const CLI::App& parser, const std::vector<std::string>& words) {
  Unknown unknown{&parser, ""};
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--home") {
      ++i;
    } else if (!words[i].starts_with('-')) {
      const auto verbs = verbs_under(*unknown.under);
      const auto next = std::find_if(verbs.begin(), verbs.end(), [&](const CLI::App* verb) {
        return verb->get_name() == words[i];
      });
      if (next == verbs.end()) {
        unknown.word = verbs.empty() ? "" : words[i];
        break;
      }
      unknown.under = *next;
    }
  }
  return unknown;
}

int CommandLine::misused(const std::vector<std::string>& words, const CLI::ParseError& error) {
  TerminalOptions options;
  options.wants_json = std::find(words.begin(), words.end(), "--json") != words.end();
  const Terminal terminal(options);
  Error usage{Fault::rejected, Cause::other, error.what(), "see `rowlock --help`"};
  const Unknown unknown = unknown_verb(parser_, words);
  const std::string said = unknown.under == &parser_ ? "" : full_name(*unknown.under) + " ";
  if (!said.empty()) {
    usage.hint = fmt::format("see `rowlock {}--help`", said);
  }
  if (!unknown.word.empty()) {
    std::vector<std::string> names;
    for (const CLI::App* verb : verbs_under(*unknown.under)) {
      names.push_back(verb->get_name());
    }
    const auto near = nearest(unknown.word, names);
    usage.message = fmt::format("there is no verb '{}{}'", said, unknown.word);
    usage.hint = near ? fmt::format("did you mean `rowlock {}{}`?", said, *near) : usage.hint;
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
  // The innermost verb that was named is the last of those that were.
  const auto named = std::find_if(verbs_.rbegin(), verbs_.rend(),
                                  [](const Verb& verb) { return verb.parser->parsed(); });
  CHECK(named != verbs_.rend());
  return call(*named);
}

}  // namespace
}  // namespace rowlock

int main(int count, char** words) { return rowlock::CommandLine().main(count, words); }
