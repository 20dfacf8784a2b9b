// `rowlock schema [KIND]`: how a kind of resource is decided, with all that is made from the line
// in which it declares itself.
#include "controller/base/text.h"
#include "controller/cli/all_verbs.h"
#include "controller/cli/answers.h"

#include <fmt/format.h>

namespace rowlock {
namespace {

struct Options {
  std::string kind;  // Empty: lists them.
};

Result<int> print_schema(const Call& call, const Options& said) {
  std::vector<std::string> names;
  for (const KindText& kind : call.schema.kinds()) names.push_back(kind.name);
  if (said.kind.empty()) {
    std::vector<std::vector<Value>> rows;
    for (const std::string& name : names) rows.push_back({name});
    call.terminal.show(table_from({"kind"}, std::move(rows)));
    return kExitOk;
  }
  const std::string text = call.schema.text_of_kind(said.kind);
  if (text.empty()) {
    const auto near = nearest(said.kind, names);
    return Error{Fault::rejected, Cause::not_found, fmt::format("there is no kind '{}'", said.kind),
                 near ? fmt::format("did you mean `rowlock schema {}`?", *near)
                      : "`rowlock schema` lists the kinds"};
  }
  call.terminal.print(text);
  return kExitOk;
}

}  // namespace

void add_schema(Verbs& verbs) {
  const auto [verb, said] =
      verbs.add("schema", "How a kind of resource is decided: its rows, facts and rules",
                "rowlock schema trust", Needs::nothing, print_schema);
  verb.option("KIND", said.kind, "lists them when left out");
}

}  // namespace rowlock
