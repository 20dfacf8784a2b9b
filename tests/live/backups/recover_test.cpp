// The night when all is lost, as a tired person spends it: with the printed page, the identities
// and the stores, and doing what the page says, and then what each error says. The commands are
// taken from the page and from the hints as they are printed. Needs no container engine.
#include "controller/adapters/process/command.h"
#include "controller/base/json.h"
#include "tests/backup/backup_files.h"
#include "tests/live/postgres/postgres_rig.h"
#include "tests/live/rowlock/rowlock_child.h"
#include "tests/live/rowlock/rowlock_home.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>

using namespace rowlock;
using namespace rowlock_live;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kCommandMs = 120'000;
constexpr int kTriesMax = 6;
constexpr char kContent[] = "SELECT md5(string_agg(p::text, ',' ORDER BY id)) FROM pupil AS p";

struct Said {
  int code = 0;
  std::string output;
};

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// What stands after `head` in the first line that has it.
std::string line_after(const std::string& text, const std::string& head) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t at = line.find(head);
    if (at != std::string::npos) return line.substr(at + head.size());
  }
  return "";
}

// A home whose databases go to `aaa`, and it itself to `zzz`; both can be read by one identity,
// and since a change by another one.
struct Night {
  TempFolder folder;
  PostgresRig server;
  std::string home = folder / "home";
  std::unique_ptr<Child> controller;

  Night() {
    for (const char* store : {"aaa", "zzz"}) fs::create_directory(folder / store);
    write_private(folder / "old.txt", kIdentities[0] + "\n");
    write_private(folder / "new.txt", kIdentities[1] + "\n");
    write_private(folder / "both", kIdentities[0] + "\n" + kIdentities[1] + "\n");
    require(server
                .ask("CREATE TABLE pupil (id int PRIMARY KEY, name text); INSERT INTO pupil "
                     "SELECT i, 'pupil ' || i FROM generate_series(1, 2000) AS i")
                .empty(),
            "the table could not be made");
    must("rowlock init --home " + home);
    start();
    Shell desired(home + "/desired.db");
    std::string rows;
    for (const char* store : {"aaa", "zzz"}) {
      rows += fmt::format(
          "INSERT INTO object_store (name, url, recipients, identity_file) VALUES ('{0}', "
          "'file://{1}/{0}', '[\"{2}\"]', '{1}/both');",
          store, folder.path(), kRecipients[0]);
    }
    rows += fmt::format(
        "INSERT INTO database (name, url) VALUES ('app', '{}');"
        "INSERT INTO backup_policy (name, database, store) VALUES ('app', 'app', 'aaa');"
        "INSERT INTO backup_policy (name, kind, store) VALUES ('home', 'home', 'zzz');",
        url("app"));
    require(desired.run("BEGIN;" + rows + "COMMIT;").empty(), "the rows");
    await("SELECT count(*) FROM backup WHERE state = 'verified'", "2");
    require(
        desired.run("UPDATE object_store SET recipients = '[\"" + kRecipients[1] + "\"]'").empty(),
        "the recipients");
    must("rowlock backup app --home " + home);
    must("rowlock backup home --home " + home);
    await_told();
  }
  ~Night() { kill(); }

  void start() {
    controller = std::make_unique<Child>(
        std::vector<std::string>{std::getenv("ROWLOCK_TEST_BINARY"), "run", "--home", home},
        folder / "log");
    await("SELECT count(*) FROM clock", "1");
  }
  void kill() {
    if (controller == nullptr) return;
    controller->signal(SIGKILL);
    controller->await_end(10);
    controller = nullptr;
  }
  std::string url(const std::string& database) const {
    return fmt::format("postgresql://postgres@/{}?host={}&port={}", database,
                       server.socket_folder(), server.port());
  }
  std::string state(const std::string& query) const {
    return Shell(home + "/state.db").value(query);
  }
  void await(const std::string& query, const std::string& wanted) const {
    await_answer(
        query, [&] { return fs::exists(home + "/state.db") ? state(query) : ""; }, wanted,
        [&] { return file_text(folder / "log"); }, 120);
  }
  void await_told() const {
    await("SELECT count(*) FROM home_pointer AS p JOIN home_pointer_news AS n ON n.news = p.news",
          "2");
  }
  // As a shell runs it that has this rowlock in its path.
  Said sh(const std::string& command) const {
    const std::string path = fs::path(std::getenv("ROWLOCK_TEST_BINARY")).parent_path();
    const auto ran = run_command({"/bin/bash", "-c",
                                  fmt::format("export PATH={}:$PATH; umask 022; cd {}; {} 2>&1",
                                              path, folder.path(), command)},
                                 kCommandMs);
    require(ran.ok(), ran.ok() ? "" : ran.error().message);
    return {ran.value().exit_code, ran.value().output};
  }
  std::string must(const std::string& command) const {
    const Said said = sh(command);
    require(said.code == 0, command + ": " + said.output);
    return said.output;
  }
  // Until it goes well: what the hint says is done, and takes the place of the command when it is
  // another way to do the same. Returns all that was said.
  std::string follow(std::string command) const {
    std::string story;
    for (int tries = 0; tries < kTriesMax; ++tries) {
      const Said said = sh(command);
      story += "$ " + command + "\n" + said.output;
      if (said.code == 0) return story;
      const std::string hint = line_after(said.output, "hint: ");
      const std::string verb = command.substr(0, command.find(' ', command.find(' ') + 1));
      const std::size_t same = hint.find(verb + " ");
      if (same != std::string::npos) {
        command = hint.substr(same);
      } else {
        story += "$ " + hint + "\n" + must(hint);
      }
    }
    throw std::runtime_error("it led nowhere: " + story);
  }
  std::string newest(const std::string& policy, const std::string& column) const {
    return state(fmt::format(
        "SELECT {} FROM backup WHERE policy = '{}' AND state = 'verified' ORDER BY id DESC LIMIT 1",
        column, policy));
  }
  void spoil(const std::string& file) const {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(static_cast<std::streamoff>(fs::file_size(file) / 2));
    stream.put('X').put('Y');
  }
};

}  // namespace

Test(live_recover, a_tired_person_has_the_home_and_a_database_back_by_the_page_alone,
     .timeout = 300) {
  Night night;
  const std::string id = night.state("SELECT id FROM home");
  const std::string content = night.server.ask(kContent);
  const std::string newest = night.newest("home", "name");
  const std::string older = night.state("SELECT min(name) FROM backup WHERE policy = 'home'");
  const std::string page = night.must("rowlock recovery-kit --home " + night.home);
  for (const std::string& part :
       {"the identity of " + kRecipients[0] + " opens\n    app in aaa: ",
        "the identity of " + kRecipients[1] + " opens (the next ones too)\n    app in aaa: ",
        "    home in zzz: " + older + "\n", "    home in zzz: " + newest + "\n"}) {
    cr_expect(page.find(part) != std::string::npos, "'%s' is not in %s", part.c_str(),
              page.c_str());
  }
  night.spoil(night.folder / "zzz/" + night.newest("home", "object"));
  night.kill();
  fs::remove_all(night.home);
  require(night.server.ask("DROP DATABASE app", "postgres").empty(), "it could not be dropped");

  // Step 1, of which the second half was not read.
  night.must("cat old.txt new.txt >KEY.txt");
  std::string command = "rowlock recover" + line_after(page, "     rowlock recover");
  command = replaced(command, "/var/lib/rowlock", night.home);
  std::string story = night.follow(command);
  for (const std::string& part :
       {std::string("$ chmod 600 KEY.txt"), newest + " cannot be used: ",
        "the next older one that can be opened is " + older, "made " + night.home}) {
    cr_expect(story.find(part) != std::string::npos, "'%s' is not in %s", part.c_str(),
              story.c_str());
  }
  cr_expect(night.state("SELECT id FROM home") == id);

  command = "rowlock restore app" + line_after(page, "     rowlock restore app");
  command = replaced(command, "postgresql://USER@HOST:PORT/NAME", "'" + night.url("app") + "'");
  story = night.follow(command);
  cr_expect(night.server.ask(kContent) == content, "%s", story.c_str());

  // And it goes on.
  night.start();
  night.await("SELECT count(*) FROM status WHERE kind = 'backup' AND state = 'converged'", "2");
  fmt::print(stderr, "drill: the home and a database by the page\n");
}

Test(live_recover, any_store_leads_to_the_newest_home_and_says_what_there_is, .timeout = 300) {
  Night night;
  const std::string newest = night.newest("home", "name");
  const std::string from = "--from file://" + night.folder / "aaa";
  const std::string again = night.folder / "again";
  night.kill();

  // Without an identity, by what the stores say; with one, by trying.
  const auto by_stores = Json::parse(night.must("rowlock recover " + from + " --list --json"));
  cr_assert(by_stores.ok());
  const auto rows = by_stores.value().items();
  cr_assert_eq(rows.size(), 4U);
  cr_expect(rows[0]["name"].as_string() == newest);
  cr_expect(rows[0]["kind"].as_string() == "home");
  cr_expect(rows[0]["store"].as_string() == "file://" + night.folder / "zzz");
  std::map<std::string, int> openers;
  for (const Json& row : rows) ++openers[row["opened_by"].as_string()];
  cr_expect(openers[kRecipients[0]] == 2 && openers[kRecipients[1]] == 2, "%s",
            by_stores.value().text().c_str());
  const std::string table = night.must("rowlock recover " + from + " --list --identity new.txt");
  cr_expect(table.find("none of these identities") != std::string::npos, "%s", table.c_str());
  cr_expect(table.find(kRecipients[1].substr(0, 12)) != std::string::npos, "%s", table.c_str());

  // Followed.
  const std::string recover = "rowlock recover " + from + " --identity new.txt --home " + again;
  const std::string made = night.must(recover);
  cr_expect(made.find("made " + again + " from " + newest) != std::string::npos, "%s",
            made.c_str());
  fs::remove_all(again);

  // By the identity that opens older ones alone, the error leads to such a one.
  const std::string story = night.follow(replaced(recover, "new.txt", "old.txt"));
  cr_expect(story.find("it is opened by the identity of " + kRecipients[1]) != std::string::npos,
            "%s", story.c_str());
  fs::remove_all(again);

  // Led nowhere.
  fs::rename(night.folder / "zzz", night.folder / "elsewhere");
  const Said nowhere = night.sh(recover);
  cr_expect(nowhere.code != 0);
  cr_expect(nowhere.output.find("the newest backup of the home, " + newest + ", is in file://") !=
                std::string::npos,
            "%s", nowhere.output.c_str());
  const Said empty =
      night.sh("mkdir empty; rowlock recover --from empty --identity new.txt --home " + again);
  cr_expect(empty.output.find("there is no backup of a home in") != std::string::npos, "%s",
            empty.output.c_str());
}

Test(live_recover, of_several_homes_in_a_store_one_is_to_be_named, .timeout = 300) {
  Night night;
  const std::string id = night.state("SELECT id FROM home");
  const std::string newest = night.newest("home", "name");
  const std::string again = night.folder / "again";
  const std::string recover =
      fmt::format("rowlock recover --from file://{}/aaa --identity new.txt --home {}",
                  night.folder.path(), again);
  night.kill();
  night.must(
      fmt::format("cp -r zzz/{0} zzz/other; mv zzz/other/home/{1}.tar.zst.age "
                  "zzz/other/home/home-20990101T000000Z-9.tar.zst.age",
                  id, newest));
  const std::string both = replaced(recover, "/aaa", "/zzz");
  const Said several = night.sh(both);
  cr_expect(several.output.find("holds backups of several homes: ") != std::string::npos, "%s",
            several.output.c_str());
  for (const std::string& one : {recover, replaced(both, "/zzz", "/zzz/" + id)}) {
    const std::string taken = night.must(one);
    cr_expect(taken.find(" from " + newest) != std::string::npos, "%s", taken.c_str());
    fs::remove_all(again);
  }
}
