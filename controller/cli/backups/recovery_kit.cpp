// `rowlock recovery-kit`: the page to print, for the night in which the machine is gone. It says
// where the backups are and how to open them, with Rowlock and without; no secret is on it. What it
// promises was restored and found equal.
#include "controller/base/time.h"
#include "controller/base/version.h"
#include "controller/cli/all_verbs.h"
#include "controller/cli/backups/bare_store.h"

#include <fmt/format.h>

namespace rowlock {

namespace {

using Rows = std::vector<Row>;

std::string from_of(const Row& store) {
  BareStoreOptions options;
  options.from = store.text("url");
  options.endpoint = store.text("endpoint");
  options.region = store.text("region");
  options.is_virtual_style = store.text("style") == "virtual";
  options.ca_file = store.text("ca_file");
  return words_of(options);
}

std::string stores_of(const Rows& stores) {
  std::string text;
  for (const Row& store : stores) {
    text += fmt::format("  {}: {}", store.text("name"), store.text("url"));
    if (store.text("url").starts_with("s3:")) {
      const std::string endpoint = store.text("endpoint");
      text += fmt::format(" at {}, region {}, style {}", endpoint.empty() ? "AWS" : endpoint,
                          store.text("region"), store.text("style"));
      if (const std::string file = store.text("ca_file"); !file.empty()) {
        text += fmt::format(", whose authorities are in {}: keep a copy of that file", file);
      }
    }
    text += "\n";
  }
  return text.empty() ? "  (none: INSERT INTO object_store)\n" : text;
}

// What an identity opens, a line for each store and policy.
std::string ranges_of(const Rows& ranges, const Row& identity) {
  std::string text;
  for (const Row& range : ranges) {
    const bool is_its =
        range.is_null("recipient") == identity.is_null("recipient") &&
        (range.is_null("recipient") || range.text("recipient") == identity.text("recipient"));
    if (!is_its) continue;
    text += fmt::format("    {} in {}: ", range.text("policy"), range.text("store"));
    text += range.integer("backups") == 1
                ? range.text("newest") + "\n"
                : fmt::format("{} to {}\n", range.text("oldest"), range.text("newest"));
  }
  return text.empty() ? "    nothing that was verified yet\n" : text;
}

std::string identities_of(const Rows& identities, const Rows& ranges) {
  std::string text;
  for (const Row& identity : identities) {
    if (identity.is_null("recipient")) {
      text += "  what opens these was not noted when they were verified:\n";
    } else {
      text += fmt::format("  the identity of {} opens{}\n", identity.text("recipient"),
                          identity.integer("is_current") != 0 ? " (the next ones too)" : "");
    }
    text += ranges_of(ranges, identity);
  }
  return text.empty() ? "  (none: nobody could read a backup)\n" : text;
}

std::string newest_of(const Rows& newest) {
  std::string text;
  for (const Row& backup : newest) {
    text += fmt::format("  {} in {}: {}, verified {}\n", backup.text("name"), backup.text("store"),
                        backup.text("object"), backup.text("verified"));
  }
  return text.empty() ? "  (none was verified yet)\n" : text;
}

std::string home_command(const Rows& newest, const Rows& stores) {
  const bool has_home = !newest.empty() && newest[0].text("kind") == "home";
  std::string from = stores.empty() ? "--from URL" : from_of(stores[0]);
  std::string policy;
  if (has_home) {
    from = from_of(newest[0]);
    if (newest[0].text("policy") != "home") policy = " --policy " + newest[0].text("policy");
  }
  std::string text = fmt::format(
      "     rowlock recover {}{} --identity KEY.txt --home /var/lib/rowlock\n", from, policy);
  if (!has_home) text += "\n   No backup of the home was verified yet: this may find none.\n";
  return text;
}

// Of each database, from the newest of its stores.
std::string database_commands(const Rows& newest) {
  std::string text;
  std::string last;
  for (const Row& backup : newest) {
    const std::string policy = backup.text("policy");
    if (backup.text("kind") == "home" || policy == last) continue;
    last = policy;
    text += fmt::format(
        "     rowlock restore {} {} --identity KEY.txt --into postgresql://USER@HOST:PORT/NAME\n",
        policy, from_of(backup));
  }
  return text.empty() ? "     (no backup of a database was verified yet)\n" : text;
}

constexpr std::string_view kPage =
    R"(RECOVERY KIT of the Rowlock home {home}, printed {date}, version {version}

You need: this page, the age identities named below (files with AGE-SECRET-KEY-1…), the credentials
of the stores if they are S3, and for secrets the unseal key or its shares.

The stores. Each says where the newest backup of the home is: any of them will do.
{stores}
The identities, and what was verified that each opens:
{identities}
The last ones that were restored and found equal:
{newest}
1. A machine with Debian, and Rowlock on it. All identities that you have, as lines of one file:

     cat IDENTITY… >KEY.txt; chmod 600 KEY.txt

2. The home. Where a backup is damaged the error says what to do instead:

     export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…      (S3 only)
{recover}     rowlock run --home /var/lib/rowlock &

   If secrets are used, open them: rowlock secret unseal, or give `rowlock run` the key as
   before (--unseal-key-file, --unseal-age-identity, --unseal-command).

3. Each database, from the home:

     rowlock restore POLICY --into postgresql://USER@HOST:PORT/NAME

   or from its store alone:

{restores}
   What else there is: {list}

4. Then look: rowlock status, rowlock why NAME.

Without Rowlock, a file that was downloaded opens with age, tar, zstd and PostgreSQL's own tools:

     age -d -i KEY.txt FILE.tar.zst.age | tar --zstd -xO RESTORE.txt       (how, step by step)
     createdb NEW
     age -d -i KEY.txt FILE.tar.zst.age | tar --zstd -xO dump | pg_restore --no-owner -d NEW

One of a policy with several jobs has parts in place of the dump: RESTORE.txt has the loop.

A home opens the same way: age -d -i KEY.txt FILE.tar.zst.age | tar --zstd -x -C EMPTY-FOLDER
)";

Result<int> recovery_kit(const Call& call) {
  Database& state = call.state();
  const auto home = TRY(state.scalar(call.script("cli.kit_home")));
  const auto stores = TRY(state.query(call.script("cli.kit_stores")));
  const auto identities = TRY(state.query(call.script("cli.kit_identities")));
  const auto ranges = TRY(state.query(call.script("cli.kit_ranges")));
  const auto newest = TRY(state.query(call.script("cli.kit_newest")));
  const std::string any = stores.empty() ? "--from URL" : from_of(stores[0]);
  call.terminal.print(fmt::format(
      fmt::runtime(kPage), fmt::arg("home", text_of(home)),
      fmt::arg("date", rfc3339(system_now_ms())), fmt::arg("version", version()),
      fmt::arg("stores", stores_of(stores)),
      fmt::arg("identities", identities_of(identities, ranges)),
      fmt::arg("newest", newest_of(newest)), fmt::arg("recover", home_command(newest, stores)),
      fmt::arg("restores", database_commands(newest)),
      fmt::arg("list", "rowlock recover " + any + " --list")));
  return kExitOk;
}

}  // namespace

void add_recovery_kit(Verbs& verbs) {
  verbs.add("recovery-kit", "The page one needs in the night when all is lost: print it",
            "rowlock recovery-kit", Needs::state, recovery_kit);
}

}  // namespace rowlock
