// `rowlock recover --from URL --identity FILE`: a home from its backup; all that is needed is a
// store and the identity. Any of the stores will do, since each says where the newest backup is.
#include "controller/backup/restore_backup.h"
#include "controller/backup/unpack_home.h"
#include "controller/cli/all_verbs.h"
#include "controller/cli/backups/bare_store.h"
#include "controller/cli/backups/home_search.h"
#include "controller/cli/look/progress_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace rowlock {

namespace {

constexpr std::size_t kOlderMax = 50;  // That are tried in place of one that is damaged.

struct Options {
  std::string policy;  // The one of kind home; empty: `home`, or as the store says.
  std::string backup = "latest";
  bool lists = false;
  BareStoreOptions bare;
};

Error rejected(std::string message, std::string hint) {
  return {Fault::rejected, Cause::other, std::move(message), std::move(hint)};
}

// The same once more, for another backup.
std::string command_for(const Call& call, const Options& options, const SeenBackup& backup) {
  return fmt::format(
      "rowlock recover {}{} --identity {} --backup {} --home {}", words_of(backup.at),
      options.policy.empty() ? "" : " --policy " + shell_word(options.policy),
      shell_word(options.bare.identity), backup.found.name, shell_word(call.home.folder()));
}

// ---- What there is ------------------------------------------------------------------------------

// "2026-11-25 14:56" of 20261125T145630Z.
std::string moment_of(const std::string& stamp) {
  if (stamp.size() < 13) return stamp;
  return fmt::format("{}-{}-{} {}:{}", stamp.substr(0, 4), stamp.substr(4, 2), stamp.substr(6, 2),
                     stamp.substr(9, 2), stamp.substr(11, 2));
}

// By the identities when there are any, else as its store says.
Result<std::string> openers_of(const SeenBackup& backup, const SecretBytes* identities,
                               const std::atomic<bool>& ending) {
  if (identities == nullptr) return fmt::format("{}", fmt::join(backup.recipients, ", "));
  const BareStore store = TRY(open_bare_store(backup.at, ending));
  const auto openers = opened_by(*store.store, backup.found.key, *identities);
  if (!openers.ok()) return "cannot be opened: " + openers.error().message;
  if (openers.value().empty()) return std::string("none of these identities");
  return fmt::format("{}", fmt::join(openers.value(), ", "));
}

Result<int> list(const Call& call, const Options& options, const std::atomic<bool>& ending) {
  SecretBytes identities;
  if (!options.bare.identity.empty()) identities = TRY(identities_in(options.bare.identity));
  const auto search = TRY(search_home(options.bare, options.policy, ending));
  std::vector<std::vector<Value>> rows;
  for (const SeenBackup& each : search.backups) {
    const auto openers =
        TRY(openers_of(each, options.bare.identity.empty() ? nullptr : &identities, ending));
    const double size_mb = static_cast<double>((each.found.size_bytes + 50'000) / 100'000) / 10;
    rows.push_back({each.found.name, std::string(each.is_of_home ? "home" : "database"),
                    moment_of(each.found.stamp), size_mb, openers, each.at.from, each.found.key});
  }
  call.terminal.show(table_from({"name", "kind", "taken", "size_mb", "opened_by", "store", "key"},
                                std::move(rows)));
  if (search.missed.has_value()) {
    call.terminal.note(fmt::format("{} is in {}, which cannot be read: {}", search.missed->name,
                                   search.missed->at.from, search.missed->why.message));
  }
  return kExitOk;
}

// ---- The one that is taken ----------------------------------------------------------------------

// What to do about a newest one that cannot be reached.
Error out_of_reach(const Call& call, const Options& options, const MissedBackup& missed,
                   const std::vector<SeenBackup>& seen) {
  const std::string said =
      fmt::format("the newest backup of the home, {}, is in {}, which cannot be read: {}",
                  missed.name, missed.at.from, missed.why.message);
  if (seen.empty()) return rejected(said, missed.why.hint);
  return rejected(
      said, "make it readable, or take an older one: " + command_for(call, options, seen.front()));
}

Result<SeenBackup> chosen_in(const Call& call, const Options& options, const HomeSearch& search) {
  const auto seen = search.of_home();
  const bool is_latest = options.backup == "latest";
  if (search.missed && (is_latest || search.missed->name == options.backup)) {
    return out_of_reach(call, options, *search.missed, seen);
  }
  if (seen.empty()) {
    return rejected(fmt::format("there is no backup of a home in {}, and nothing there says where "
                                "one is",
                                options.bare.from),
                    fmt::format("name another store; what is in this one shows `rowlock recover "
                                "{} --list`",
                                words_of(options.bare)));
  }
  if (is_latest) return seen.front();
  std::vector<FoundBackup> oldest_first;
  for (auto each = seen.rbegin(); each != seen.rend(); ++each) oldest_first.push_back(each->found);
  const auto chosen = TRY(chosen_of(oldest_first, options.policy, options.backup));
  return *std::find_if(seen.begin(), seen.end(),
                       [&](const SeenBackup& each) { return each.found.name == chosen.name; });
}

Result<> check(const SeenBackup& backup, const SecretBytes& identities,
               const std::atomic<bool>& ending, const TellProgress& progress) {
  const BareStore store = TRY(open_bare_store(backup.at, ending));
  TRY(check_backup(*store.store, {backup.found.key, backup.found.name, "", ""}, identities, ending,
                   progress));
  return Done{};
}

// What is damaged, or for others, is said together with the next older one that is neither.
Error next_older(const Call& call, const Options& options, const std::vector<SeenBackup>& seen,
                 const SeenBackup& chosen, const Error& why, const SecretBytes& identities,
                 const std::atomic<bool>& ending, const TellProgress& progress) {
  std::string said = fmt::format("{} cannot be used: {}", chosen.found.name, why.message);
  if (why.cause == Cause::denied && !chosen.recipients.empty()) {
    said += fmt::format(" (it is opened by the identity of {})",
                        fmt::join(chosen.recipients, ", or of "));
  }
  std::size_t tried = 0;
  for (const SeenBackup& each : seen) {
    if (std::tie(each.found.stamp, each.found.name) >=
        std::tie(chosen.found.stamp, chosen.found.name)) {
      continue;
    }
    if (++tried > kOlderMax || ending) break;
    if (!check(each, identities, ending, progress).ok()) continue;
    return rejected(
        fmt::format("{}; the next older one that can be opened is {}", said, each.found.name),
        command_for(call, options, each));
  }
  return rejected(said + "; no older one can be opened either",
                  fmt::format("use another identity; what needs which shows `rowlock recover {} "
                              "--list`",
                              words_of(options.bare)));
}

Result<int> recover(const Call& call, const Options& options) {
  const std::atomic<bool>& ending = ended_by_signals();
  if (options.lists) return list(call, options, ending);
  const auto identities = TRY(identities_in(options.bare.identity));
  const auto search = TRY(search_home(options.bare, options.policy, ending));
  const auto chosen = TRY(chosen_in(call, options, search));
  ProgressLine line(call.terminal);
  const auto checked = check(chosen, identities, ending, line.teller());
  if (!checked.ok()) {
    const Error& why = checked.error();
    if (why.cause != Cause::corrupt && why.cause != Cause::denied) return why;
    return next_older(call, options, search.of_home(), chosen, why, identities, ending,
                      line.teller());
  }
  const BareStore store = TRY(open_bare_store(chosen.at, ending));
  const auto file = TRY(
      BackupFileReader::open(identities, object_source(*store.store, chosen.found.key, ending)));
  TRY(unpack_home(*file, call.home.folder()));
  line.end();
  call.terminal.print(fmt::format("made {0} from {1}\n\nnext:\n  rowlock run --home {0}\n",
                                  call.home.folder(), chosen.found.name));
  return kExitOk;
}

}  // namespace

void add_recover(Verbs& verbs) {
  const auto [verb, said] =
      verbs.add("recover", "A home from its backup, on a machine that has none",
                "rowlock recover --from s3://bucket --identity key.txt --home /var/lib/rowlock",
                Needs::nothing, recover);
  verb.option("--policy", said.policy,
              "the policy that backs the home up (default: home, or as the store says)");
  verb.option("--backup", said.backup, "latest (default), or a name");
  verb.flag("--list", said.lists, "show what is there, newest first");
  add_bare_store(verb, said.bare);
}

}  // namespace rowlock
