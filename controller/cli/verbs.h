// The verbs of the command line: what each is given, and one function for each, in a file of its
// own name. Every one returns the exit code, or an error that main() prints. `run` is in run.h.
#pragma once

#include "controller/base/result.h"
#include "controller/cli/terminal/exit_code.h"
#include "controller/cli/terminal/terminal.h"
#include "controller/store/home.h"
#include "controller/store/schema.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rowlock {

// What every verb works with; all of it outlives the call.
struct Call {
  const Home& home;
  const Schema& schema;
  const Terminal& terminal;
  std::string home_origin;  // "--home", "ROWLOCK_HOME" or "default".
};

struct StatusOptions {
  bool wants_exit_code = false;
};
struct PlanOptions {
  bool wants_exit_code = false;
};
struct WhyOptions {
  std::string name;
};
struct RetryOptions {
  std::string name;
};
struct SchemaOptions {
  std::string kind;  // Empty: lists them.
};
struct SqlOptions {
  std::vector<std::string> statements;  // None: read from stdin.
};
struct WaitOptions {
  std::string name;  // Empty: everything.
  std::int64_t timeout_ms = 5 * 60'000;
};
struct ApplyOptions {
  std::vector<std::string> files;  // "-": stdin.
  bool is_dry_run = false;
  bool waits = false;
  std::int64_t timeout_ms = 5 * 60'000;
};
struct EventsOptions {
  bool follows = false;
  std::int64_t limit = 50;
};
struct ExportOptions {
  std::string target;  // traefik or cloudflared
  std::string format;  // yaml, json, or empty: what the target takes.
};
struct RevertOptions {
  std::string job;                       // Empty: all tables.
  std::optional<std::int64_t> revision;  // Absent: before the last change.
  bool is_agreed = false;                // --yes
};

Result<int> retry(const Call& call, const RetryOptions& options);
Result<int> print_schema(const Call& call, const SchemaOptions& options);
Result<int> init(const Call& call);
Result<int> status(const Call& call, const StatusOptions& options);
Result<int> plan(const Call& call, const PlanOptions& options);
Result<int> why(const Call& call, const WhyOptions& options);
Result<int> sql(const Call& call, const SqlOptions& options);
Result<int> apply(const Call& call, const ApplyOptions& options);
Result<int> wait(const Call& call, const WaitOptions& options);
Result<int> events(const Call& call, const EventsOptions& options);
Result<int> export_routes(const Call& call, const ExportOptions& options);
Result<int> revert(const Call& call, const RevertOptions& options);
Result<int> upgrade(const Call& call);
Result<int> doctor(const Call& call);
Result<int> print_version(const Call& call);

}  // namespace rowlock
