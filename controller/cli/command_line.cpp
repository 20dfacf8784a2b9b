// The only includer of CLI11.
#include "controller/cli/command_line.h"

#include "controller/base/text.h"
#include "controller/base/time.h"
#include "controller/base/version.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <deque>

namespace rowlock {

struct DeclaredVerb {
  CLI::App* parser;
  std::function<Needs()> needs;
  std::function<Result<int>(const Call&)> function;
  std::function<Result<>()> check;  // Empty: there is none.
};

class CommandLineParts {
 public:
  // Options that every verb has, before and after its name.
  void add_common(CLI::App& parser) {
    parser.add_option("--home", home, "folder of desired.db and state.db (or ROWLOCK_HOME)")
        ->type_name("DIR");
    parser.add_flag("--json", terminal.wants_json, "one JSON document; errors are JSON too");
    parser.add_flag("--plain", terminal.wants_plain, "tab-separated, as when piped");
    parser.add_flag("--no-color", terminal.wants_no_colour, "no colours");
  }

  CLI::App* add_under(CLI::App& under, const char* name, const char* summary, const char* example) {
    CLI::App* added = under.add_subcommand(name, summary);
    added->footer(fmt::format("Example:\n  {}", example));
    add_common(*added);
    return added;
  }

  CLI::App whole{"Keeps containers as the rows of desired.db say."};
  std::deque<DeclaredVerb> verbs;  // Grows without moving what is in it.
  std::string home;
  TerminalOptions terminal;
};

// ---- What verbs declare
// --------------------------------------------------------------------------

namespace {

template <typename Place>
Option added_option(CLI::App* parser, const char* name, Place& place, const char* text) {
  return Option(parser->add_option(name, place, text));
}

template <typename Place>
Option added_duration(CLI::App* parser, const char* name, Place& place_ms, const char* text) {
  const auto take = [name = std::string(name), &place_ms](const std::string& said) {
    auto parsed = parse_duration(said);
    if (!parsed.ok()) {
      throw CLI::ValidationError(name, parsed.error().message);
    }
    place_ms = parsed.value();
  };
  return Option(parser->add_option_function<std::string>(name, take, text)->type_name("TIME"));
}

}  // namespace

const Option& Option::required() const {
  option_->required();
  return *this;
}

const Option& Option::type(const char* name) const {
  option_->type_name(name);
  return *this;
}

const Option& Option::at_least(int least) const {
  CHECK(least == 0 || least == 1);
  option_->check(least == 0 ? static_cast<const CLI::Validator&>(CLI::NonNegativeNumber)
                            : CLI::PositiveNumber);
  return *this;
}

const Option& Option::one_of(const std::vector<std::string>& words) const {
  option_->check(CLI::IsMember(words));
  return *this;
}

const Option& Option::again_for_more() const {
  option_->allow_extra_args(false);
  return *this;
}

const Option& Option::words(int least, int most) const {
  option_->expected(least, most);
  return *this;
}

Option Verb::flag(const char* names, bool& place, const char* text) const {
  return Option(parser_->add_flag(names, place, text));
}
Option Verb::option(const char* name, std::string& place, const char* text) const {
  return added_option(parser_, name, place, text);
}
Option Verb::option(const char* name, std::int64_t& place, const char* text) const {
  return added_option(parser_, name, place, text);
}
Option Verb::option(const char* name, std::vector<std::string>& place, const char* text) const {
  return added_option(parser_, name, place, text);
}
Option Verb::option(const char* name, std::vector<std::int64_t>& place, const char* text) const {
  return added_option(parser_, name, place, text);
}
Option Verb::option(const char* name, std::optional<std::int64_t>& place, const char* text) const {
  return added_option(parser_, name, place, text);
}
Option Verb::option(const char* name, std::optional<bool>& place, const char* text) const {
  return added_option(parser_, name, place, text);
}
Option Verb::duration(const char* name, std::int64_t& place_ms, const char* text) const {
  return added_duration(parser_, name, place_ms, text);
}
Option Verb::duration(const char* name, std::optional<std::int64_t>& place_ms,
                      const char* text) const {
  return added_duration(parser_, name, place_ms, text);
}

void Verb::footer(const std::string& text) const { parser_->footer(text); }

void Verb::check(std::function<Result<>()> check) const { declared_->check = std::move(check); }

Verb Verbs::declare(const char* name, const char* summary, const char* example,
                    std::function<Needs()> needs,
                    std::function<Result<int>(const Call&)> function) const {
  CLI::App* added = parts_->add_under(*parser_, name, summary, example);
  parts_->verbs.push_back({added, std::move(needs), std::move(function), nullptr});
  return {added, &parts_->verbs.back()};
}

Verbs Verbs::group(const char* name, const char* summary, const char* example) const {
  CLI::App* added = parts_->add_under(*parser_, name, summary, example);
  added->require_subcommand(1);
  return {added, parts_};
}

Verbs Verbs::under(const char* name) const { return {parser_->get_subcommand(name), parts_}; }

// ---- What is wrong with the words
// ----------------------------------------------------------------

namespace {

// "secret put"
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

Ended misused(Error usage, const std::string& said) {
  if (usage.hint.empty()) {
    usage.hint = fmt::format("see `rowlock {}--help`", said);
  }
  return {kExitUsage, std::move(usage)};
}

Ended misread(const CLI::App& parser, const std::vector<std::string>& words,
              const CLI::ParseError& error) {
  Error usage{Fault::rejected, Cause::other, error.what(), ""};
  const Unknown unknown = unknown_verb(parser, words);
  const std::string said = unknown.under == &parser ? "" : full_name(*unknown.under) + " ";
  if (!unknown.word.empty()) {
    std::vector<std::string> names;
    for (const CLI::App* verb : verbs_under(*unknown.under)) {
      names.push_back(verb->get_name());
    }
    const auto near = nearest(unknown.word, names);
    usage.message = fmt::format("there is no verb '{}{}'", said, unknown.word);
    usage.hint = near ? fmt::format("did you mean `rowlock {}{}`?", said, *near) : "";
  } else if (words.empty()) {
    usage.message = "say what to do";
    usage.hint = "`rowlock --help` lists the verbs; `rowlock init` makes a home to begin with";
  }
  return misused(std::move(usage), said);
}

std::string origin_of(const std::string& home) {
  const char* variable = std::getenv("ROWLOCK_HOME");
  return !home.empty()                              ? "--home"
         : variable != nullptr && *variable != '\0' ? "ROWLOCK_HOME"
                                                    : "default";
}

Ended called(const DeclaredVerb& verb, Call& call) {
  if (const auto met = call.meet(verb.needs()); !met.ok()) {
    return {exit_code_of(met.error()), met.error()};
  }
  auto ended = verb.function(call);
  if (!ended.ok()) {
    return {exit_code_of(ended.error()), ended.error()};
  }
  return {ended.value(), std::nullopt};
}

}  // namespace

// ---- The whole
// -----------------------------------------------------------------------------------

CommandLine::CommandLine() : parts_(std::make_unique<CommandLineParts>()) {
  parts_->whole.name("rowlock");
  parts_->whole.require_subcommand(1);
  parts_->whole.set_version_flag("--version", "rowlock " + std::string(version()));
  parts_->whole.footer("rowlock VERB --help tells more. Start with: rowlock init --home DIR");
  parts_->add_common(parts_->whole);
}

CommandLine::~CommandLine() = default;

Verbs CommandLine::verbs() { return {&parts_->whole, parts_.get()}; }

Ended CommandLine::run(const std::vector<std::string>& words) {
  try {
    parts_->whole.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::CallForHelp& help) {
    return {parts_->whole.exit(help), std::nullopt};
  } catch (const CLI::CallForVersion& asked) {
    return {parts_->whole.exit(asked), std::nullopt};
  } catch (const CLI::ParseError& error) {
    return misread(parts_->whole, words, error);
  }
  // The innermost verb that was named is the last of those that were.
  const auto named = std::find_if(parts_->verbs.rbegin(), parts_->verbs.rend(),
                                  [](const DeclaredVerb& verb) { return verb.parser->parsed(); });
  CHECK(named != parts_->verbs.rend());
  if (named->check) {
    if (const auto checked = named->check(); !checked.ok()) {
      return misused(checked.error(), full_name(*named->parser) + " ");
    }
  }
  const Terminal terminal(parts_->terminal);
  const Home home = Home::at(parts_->home);
  const Schema schema;
  Call call(home, schema, terminal, origin_of(parts_->home));
  return called(*named, call);
}

int CommandLine::main(int count, char** words) {
  const std::vector<std::string> given(words + 1, words + count);
  const Ended ended = run(given);
  if (!ended.error) {
    return ended.exit_code;
  }
  TerminalOptions options = parts_->terminal;
  if (ended.exit_code == kExitUsage) {  // Words that could not be read tell it nevertheless.
    options.wants_json = std::find(given.begin(), given.end(), "--json") != given.end();
  }
  return Terminal(options).fail(*ended.error, ended.exit_code);
}

}  // namespace rowlock
