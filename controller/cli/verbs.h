// How a verb declares its command line: its name, what it is for, what it needs, and the options,
// each bound to a member of a struct of the verb's own. Every verb has one function
// add_NAME(Verbs&) beside the function that it declares; all_verbs.cpp is the one list of them.
//
//   struct Options { bool wants_exit_code = false; };
//   Result<int> plan(const Call& call, const Options& said);
//
//   void add_plan(Verbs& verbs) {
//     const auto [verb, said] = verbs.add("plan", "What Rowlock does next", "rowlock plan",
//                                         Needs::state, plan);
//     verb.flag("--detailed-exitcode", said.wants_exit_code, "2 when there is a step");
//   }
//
// A verb returns its exit code, or an error that the command line tells. What takes the words apart
// is command_line.cpp, the only includer of CLI11.
#pragma once

#include "controller/base/result.h"
#include "controller/cli/call.h"

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace rowlock {

class CommandLineParts;  // In command_line.cpp.
struct DeclaredVerb;

// One option of a verb, to be narrowed down.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  const Option& required() const;
  const Option& type(const char* name) const;  // What its value is called in help: "FILE".
  const Option& at_least(int least) const;     // Requires: 0 or 1.
  const Option& one_of(const std::vector<std::string>& words) const;
  const Option& again_for_more() const;            // One value after each name.
  const Option& words(int least, int most) const;  // So many values after each other.

 private:
  CLI::Option* option_;
};

// A verb that was added. What its options are bound to keeps its value when they are left out, and
// has to outlive the command line, as the struct that comes with the verb does.
class Verb {
 public:
  Verb(CLI::App* parser, DeclaredVerb* declared) : parser_(parser), declared_(declared) {}

  Option flag(const char* names, bool& place, const char* text) const;

  // A name without dashes takes the words that belong to no option, in order.
  Option option(const char* name, std::string& place, const char* text) const;
  Option option(const char* name, std::int64_t& place, const char* text) const;
  Option option(const char* name, std::vector<std::string>& place, const char* text) const;
  Option option(const char* name, std::vector<std::int64_t>& place, const char* text) const;
  Option option(const char* name, std::optional<std::int64_t>& place, const char* text) const;
  Option option(const char* name, std::optional<bool>& place, const char* text) const;

  // "90s", "5m", "12h"; in milliseconds.
  Option duration(const char* name, std::int64_t& place_ms, const char* text) const;
  Option duration(const char* name, std::optional<std::int64_t>& place_ms, const char* text) const;

  // What stands under the options in its help, in place of the example.
  void footer(const std::string& text) const;

  // Asked once the words are read, before anything is looked at: what only all of them together
  // tell. An error is told as misuse; without a hint of its own it names the verb's help.
  void check(std::function<Result<>()> check) const;

 private:
  CLI::App* parser_;
  DeclaredVerb* declared_;
};

// A verb with the struct that its options are bound to.
template <typename Options>
struct Added {
  Verb verb;
  Options& said;
};

// The verbs that hang under one name, or under `rowlock` itself.
class Verbs {
 public:
  Verbs(CLI::App* parser, CommandLineParts* parts) : parser_(parser), parts_(parts) {}

  Verb add(const char* name, const char* summary, const char* example, Needs needs,
           Result<int> (*function)(const Call&)) const {
    return declare(
        name, summary, example, [needs] { return needs; }, function);
  }

  template <typename Options>
  Added<Options> add(const char* name, const char* summary, const char* example, Needs needs,
                     Result<int> (*function)(const Call&, const Options&)) const {
    const auto said = std::make_shared<Options>();
    return {declare(
                name, summary, example, [needs] { return needs; },
                [said, function](const Call& call) { return function(call, *said); }),
            *said};
  }

  // For one that needs more or less by what was said.
  template <typename Options>
  Added<Options> add(const char* name, const char* summary, const char* example,
                     Needs (*needs)(const Options&),
                     Result<int> (*function)(const Call&, const Options&)) const {
    const auto said = std::make_shared<Options>();
    return {declare(
                name, summary, example, [said, needs] { return needs(*said); },
                [said, function](const Call& call) { return function(call, *said); }),
            *said};
  }

  // A name that is no verb of its own, and holds others.
  Verbs group(const char* name, const char* summary, const char* example) const;
  // Those under a verb that is one of its own as well. Requires: it was added.
  Verbs under(const char* name) const;

 private:
  Verb declare(const char* name, const char* summary, const char* example,
               std::function<Needs()> needs,
               std::function<Result<int>(const Call&)> function) const;

  CLI::App* parser_;
  CommandLineParts* parts_;
};

}  // namespace rowlock
