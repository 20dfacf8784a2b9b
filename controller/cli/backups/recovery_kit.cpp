// `rowlock recovery-kit`: the page to print, for the night in which the machine is gone. It says
// where the backups are and how to open them, with Rowlock and without; no secret is on it.
#include "controller/base/time.h"
#include "controller/base/version.h"
#include "controller/cli/all_verbs.h"

#include <fmt/format.h>

namespace rowlock {

namespace {

std::string stores_of(const std::vector<Row>& stores) {
  std::string text;
  for (const Row& store : stores) {
    text += fmt::format("  {}: {}", store.text("name"), store.text("url"));
    if (!store.text("endpoint").empty()) {
      text += fmt::format(" at {}, region {}", store.text("endpoint"), store.text("region"));
    }
    text += fmt::format("\n    can be opened by the holders of: {}\n", store.text("recipients"));
  }
  return text.empty() ? "  (none: INSERT INTO object_store)\n" : text;
}

std::string backups_of(const std::vector<Row>& backups) {
  std::string text;
  for (const Row& backup : backups) {
    text += fmt::format("  {} in {}: {}, verified {}\n", backup.text("name"), backup.text("store"),
                        backup.text("object"), backup.text("verified"));
  }
  return text.empty() ? "  (none was verified yet)\n" : text;
}

// How Rowlock's own options name the first store.
std::string from_of(const std::vector<Row>& stores) {
  if (stores.empty()) {
    return "--from URL";
  }
  std::string from = "--from " + stores[0].text("url");
  if (!stores[0].text("endpoint").empty()) {
    from += fmt::format(" --endpoint {} --region {}", stores[0].text("endpoint"),
                        stores[0].text("region"));
  }
  if (stores[0].text("style") == "virtual" && stores[0].text("url").starts_with("s3:")) {
    from += " --virtual-host";
  }
  return from;
}

constexpr std::string_view kPage =
    R"(RECOVERY KIT of the Rowlock home {home}, printed {date}, version {version}

You need: this page, the age identity (a file with AGE-SECRET-KEY-1…) of one of the holders
below, the credentials of the store if it is S3, and for secrets the unseal key or its shares.

The backups are in
{stores}
The last ones that were restored and found equal:
{backups}
1. A machine with Debian, and Rowlock on it.

2. The home:

     export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…      (S3 only)
     rowlock recover {from}{policy} --identity KEY.txt --home /var/lib/rowlock
     rowlock run --home /var/lib/rowlock &

   If secrets are used, open them: rowlock secret unseal, or give `rowlock run` the key as
   before (--unseal-key-file, --unseal-age-identity, --unseal-command).

3. Each database, from the home:

     rowlock restore POLICY --into postgresql://USER@HOST:PORT/NAME

   or from the store alone:

     rowlock restore {from} --identity KEY.txt --list
     rowlock restore POLICY {from} --identity KEY.txt --into postgresql://USER@HOST:PORT/NAME

4. Then look: rowlock status, rowlock why NAME.

Without Rowlock, a file that was downloaded opens with age, tar, zstd and PostgreSQL's own tools:

     age -d -i KEY.txt FILE.tar.zst.age | tar --zstd -xO RESTORE.txt       (how, step by step)
     createdb NEW
     age -d -i KEY.txt FILE.tar.zst.age | tar --zstd -xO dump | pg_restore --no-owner -d NEW

One of a policy with several jobs has parts in place of the dump: RESTORE.txt has the loop.

A home opens the same way: age -d -i KEY.txt FILE.tar.zst.age | tar --zstd -x -C EMPTY-FOLDER
)";

Result<int> recovery_kit(const Call& call) {
  auto home = call.state().scalar(call.script("cli.kit_home"));
  auto stores = call.state().query(call.script("cli.kit_stores"));
  auto backups = call.state().query(call.script("cli.kit_backups"));
  const auto policy = TRY(call.state().scalar(call.script("cli.kit_policy")));
  const std::string named = text_of(policy);
  if (!home.ok() || !stores.ok() || !backups.ok()) {
    return !home.ok() ? home.error() : !stores.ok() ? stores.error() : backups.error();
  }
  call.terminal.print(fmt::format(
      fmt::runtime(kPage), fmt::arg("home", text_of(home.value())),
      fmt::arg("date", rfc3339(system_now_ms())), fmt::arg("version", version()),
      fmt::arg("stores", stores_of(stores.value())),
      fmt::arg("backups", backups_of(backups.value())), fmt::arg("from", from_of(stores.value())),
      fmt::arg("policy", named.empty() || named == "home" ? "" : " --policy " + named)));
  return kExitOk;
}

}  // namespace

void add_recovery_kit(Verbs& verbs) {
  verbs.add("recovery-kit", "The page one needs in the night when all is lost: print it",
            "rowlock recovery-kit", Needs::state, recovery_kit);
}

}  // namespace rowlock
