// `rowlock schema [KIND]`: how a kind of resource is decided, with all that is made from the line
// in which it declares itself.
#include "controller/base/text.h"
#include "controller/cli/verbs.h"

#include <fmt/format.h>

namespace rowlock {

Result<int> print_schema(const Call& call, const SchemaOptions& options) {
  std::vector<std::string> names;
  for (const KindText& kind : call.schema.kinds()) names.push_back(kind.name);
  if (options.kind.empty()) {
    std::vector<std::vector<Value>> rows;
    for (const std::string& name : names) rows.push_back({name});
    call.terminal.show(table_from({"kind"}, std::move(rows)));
    return kExitOk;
  }
  const std::string text = call.schema.text_of_kind(options.kind);
  if (text.empty()) {
    const auto near = nearest(options.kind, names);
    return Error{Fault::rejected, Cause::not_found,
                 fmt::format("there is no kind '{}'", options.kind),
                 near ? fmt::format("did you mean `rowlock schema {}`?", *near)
                      : "`rowlock schema` lists the kinds"};
  }
  call.terminal.print(text);
  return kExitOk;
}

}  // namespace rowlock
