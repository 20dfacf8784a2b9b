// The verbs of the secret store against a real `rowlock run`, as a person types them. Needs no
// engine.
#include "tests/live/rowlock/rowlock_child.h"
#include "tests/live/rowlock/rowlock_home.h"

#include <criterion/criterion.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <sys/wait.h>
#include <unistd.h>

using rowlock_live::Child;
using rowlock_live::require;

namespace {

std::string binary() {
  const char* const path = std::getenv("ROWLOCK_TEST_BINARY");
  if (path == nullptr) cr_skip_test("ROWLOCK_TEST_BINARY names no rowlock");
  return path;
}

// A home with a controller, and a shell beside it in which `rowlock` is the one under test.
class Desk {
 public:
  Desk() {
    require(mkdtemp(folder_.data()) != nullptr, "no folder");
    setenv("ROWLOCK_HOME", (folder_ + "/home").c_str(), 1);
    setenv("ROWLOCK", binary().c_str(), 1);
    sh("$ROWLOCK init");
    start();
  }
  ~Desk() {
    controller_.reset();
    std::filesystem::remove_all(folder_);
  }

  void start(const std::vector<std::string>& options = {}) {
    std::vector<std::string> command = {binary(), "run"};
    command.insert(command.end(), options.begin(), options.end());
    controller_ = std::make_unique<Child>(command, folder_ + "/log");
    rowlock_live::await_answer(
        "the controller answers",
        [this] {
          return sh("curl -s --unix-socket $ROWLOCK_HOME/rowlock.sock http://x/livez || true");
        },
        "ok", [this] { return rowlock_live::file_text(folder_ + "/log"); });
  }
  void restart(const std::vector<std::string>& options = {}) {
    controller_->signal(SIGTERM);
    (void)controller_->await_end(30);
    start(options);
  }

  // Output and errors, without the last line's end; $D is a folder to work in.
  std::string sh(const std::string& command, int expected = 0) {
    const std::string whole = "D=" + folder_ + "; cd $D; { " + command + "\n} 2>&1 </dev/null";
    FILE* pipe = popen(whole.c_str(), "r");
    require(pipe != nullptr, "no shell");
    std::string output;
    std::array<char, 4096> part{};
    for (std::size_t n = 0; (n = fread(part.data(), 1, part.size(), pipe)) > 0;) {
      output.append(part.data(), n);
    }
    const int status = pclose(pipe);
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    require(code == expected, command + ": exit code " + std::to_string(code) + ": " + output);
    while (output.ends_with('\n')) output.pop_back();
    return output;
  }
  void expect(const std::string& command, const std::string& part, int code = 0) {
    const std::string output = sh(command, code);
    cr_expect(output.find(part) != std::string::npos, "%s: %s", command.c_str(), output.c_str());
  }

 private:
  std::string folder_ = "/tmp/rowlock-desk.XXXXXX";
  std::unique_ptr<Child> controller_;
};

}  // namespace

Test(live_rowlock_secret_cli, a_secret_is_written_read_and_taken_away, .timeout = 120) {
  Desk desk;
  desk.expect("$ROWLOCK secret get db/prod", "rowlock secret init", 1);
  desk.sh("$ROWLOCK secret init --key-file $D/key --kit $D/kit");

  desk.expect("printf s3cret | $ROWLOCK secret put db/prod password", "at version 1");
  desk.expect("printf new | $ROWLOCK secret patch db/prod user --cas 1", "at version 2");
  cr_expect(desk.sh("$ROWLOCK secret get db/prod --key password") == "s3cret");
  desk.expect("printf x | $ROWLOCK secret put db/prod password --cas 1",
              "did not match the current version", 1);
  desk.expect("$ROWLOCK secret put db/prod password=x", "can be read by everybody", 64);
  desk.expect("$ROWLOCK secret list db/", "prod");
  desk.sh("$ROWLOCK secret delete db/prod");
  desk.expect("$ROWLOCK secret get db/prod", "nothing to read", 1);
  desk.sh("$ROWLOCK secret undelete db/prod --version 2");
  desk.expect("$ROWLOCK secret destroy db/prod --version 1", "--yes", 1);
  desk.sh("$ROWLOCK secret destroy db/prod --version 1 --yes");
  desk.expect("$ROWLOCK secret versions db/prod", "destroyed");
  desk.sh("$ROWLOCK secret metadata db/prod --max-versions 5 --set owner=anna");
  desk.expect("$ROWLOCK secret metadata db/prod", "anna");
  desk.sh(
      "printf 'A=1\\nB=\"two words\"\\n' >$D/env; $ROWLOCK secret import dotenv $D/env app/x "
      "--dry-run");
  desk.expect("$ROWLOCK secret get app/x", "nothing to read", 1);
  desk.sh("$ROWLOCK secret import dotenv $D/env app/x");
  cr_expect(desk.sh("$ROWLOCK secret get app/x --key B") == "two words");
  desk.sh("$ROWLOCK secret remove app/x --yes");
  desk.expect("$ROWLOCK audit verify", "all is as it was written");
}

// Every verb that prints one, into a file of each mode; and what the refusal tells one to do.
Test(live_rowlock_secret_cli, no_secret_is_printed_to_a_file_that_others_can_read, .timeout = 120) {
  Desk desk;
  const std::string open_file = "umask 022; rm -f $D/out; $ROWLOCK ";
  const std::string refused = "others can read (mode 0644)";
  desk.expect(open_file + "secret init >$D/out", "--kit FILE", 77);
  desk.expect("$ROWLOCK secret status", "absent");
  desk.sh("umask 022; $ROWLOCK secret init --shares 1 --threshold 1 --kit $D/kit");
  cr_expect(desk.sh("stat -c %a $D/kit; grep -c rowlock-share- $D/kit") == "600\n1");
  desk.expect("$ROWLOCK secret rekey --kit $D/kit", "is there already", 1);
  desk.expect("$ROWLOCK secret rekey --json --shares 1 --threshold 1 --kit $D/kit2",
              R"(/kit2","shares":null,)");
  cr_expect(desk.sh("grep -c rowlock-share- $D/kit2") == "1");
  desk.sh("printf s3cret | $ROWLOCK secret put db/prod password");
  desk.sh(
      "sqlite3 $ROWLOCK_HOME/desired.db \"INSERT INTO policy (name, path) VALUES ('dev', '*')\"");
  for (const char* verb : {"secret get db/prod --key password", "secret get db/prod --json",
                           "secret rekey", "token create --policy dev --ttl 1h"}) {
    desk.expect(open_file + verb + " >$D/out", refused, 77);
    cr_expect(desk.sh("stat -c %s $D/out") == "0", "%s", verb);
  }
  desk.sh("chmod 600 $D/out; $ROWLOCK secret get db/prod --key password >$D/out");
  cr_expect(desk.sh("cat $D/out") == "s3cret");
  desk.sh("umask 077; rm $D/out; $ROWLOCK secret get db/prod --key password >$D/out");
  cr_expect(desk.sh("cat $D/out") == "s3cret");
}

Test(live_rowlock_secret_cli, the_store_opens_with_shares_and_by_itself, .timeout = 120) {
  Desk desk;
  desk.sh("$ROWLOCK secret init --shares 3 --threshold 2 --kit $D/kit1");
  desk.sh("printf s3cret | $ROWLOCK secret put db/prod password");

  desk.restart();
  desk.expect("$ROWLOCK secret status", "sealed");
  desk.expect("$ROWLOCK secret get db/prod", "sealed", 1);
  desk.expect("grep -o 'rowlock-share.*' $D/kit1 | head -1 | sed s/.$/x/ | $ROWLOCK secret unseal",
              "", 1);
  desk.expect("grep -o 'rowlock-share.*' $D/kit1 | tail -2 | $ROWLOCK secret unseal", "is open");

  desk.sh("age-keygen -o $D/id 2>/dev/null");
  desk.sh(
      "$ROWLOCK secret rekey --shares 1 --threshold 1 --key-file $D/key --age-recipient $(grep "
      "-o 'age1.*' $D/id) --kit $D/kit2");
  desk.sh("$ROWLOCK secret rotate");
  const std::string home = desk.sh("echo $D");
  for (const std::vector<std::string>& options :
       std::vector<std::vector<std::string>>{{"--unseal-key-file", home + "/key"},
                                             {"--unseal-age-identity", home + "/id"},
                                             {"--unseal-command", "cat " + home + "/key"}}) {
    desk.restart(options);
    rowlock_live::await_answer(
        options[0] + " opens it",
        [&] { return desk.sh("$ROWLOCK secret get db/prod --key password || true"); }, "s3cret",
        [] { return std::string(); });
  }
  desk.restart({"--unseal-key-file", home + "/kit1"});
  rowlock_live::await_answer(
      "the wrong file is told",
      [&] { return desk.sh("$ROWLOCK status --json | grep -c 'sealed: .*kit1' || true"); }, "1",
      [&] { return desk.sh("$ROWLOCK status"); });
}

Test(live_rowlock_secret_cli, a_token_may_what_its_policies_say_until_it_is_revoked,
     .timeout = 120) {
  Desk desk;
  desk.sh("$ROWLOCK secret init --shares 1 --threshold 1 --kit $D/kit");
  desk.sh("printf a | $ROWLOCK secret put app/x k; printf b | $ROWLOCK secret put db/prod k");
  desk.sh(
      "sqlite3 $ROWLOCK_HOME/desired.db \"INSERT INTO policy (name, path) VALUES ('dev', "
      "'app/*')\"");
  rowlock_live::await_answer(
      "the policy is in force",
      [&] {
        return desk.sh(
            "umask 077; $ROWLOCK token create --policy dev --ttl 1h >$D/token 2>$D/note; echo $?");
      },
      "0", [&] { return desk.sh("cat $D/note"); });

  cr_expect(desk.sh("ROWLOCK_TOKEN=$(cat $D/token) $ROWLOCK secret get app/x --key k") == "a");
  desk.expect("ROWLOCK_TOKEN=$(cat $D/token) $ROWLOCK secret get db/prod", "may not read db/prod",
              77);
  desk.sh("$ROWLOCK token revoke $(grep -o 'revoke [^`]*' $D/note | cut -d' ' -f2)");
  desk.expect("ROWLOCK_TOKEN=$(cat $D/token) $ROWLOCK secret get app/x", "permission denied", 77);
  desk.expect("$ROWLOCK audit", "denied");
}
