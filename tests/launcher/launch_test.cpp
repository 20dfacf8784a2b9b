// The launcher in a root of its own that holds nothing but it, its file and busybox, which must be
// static. Where neither root nor a user namespace can be had, or no busybox, nothing is tested.
#include "controller/launcher/launcher.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>

#include <fcntl.h>
#include <filesystem>
#include <sched.h>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace rowlock;

namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

constexpr char kBusybox[] = "/bin/busybox";
constexpr int kNoRoot = 99;

struct Ending {
  int exit_code = -1;
  std::string output;  // Of stdout and stderr.
};

std::vector<char*> pointers(Words& words) {
  std::vector<char*> result;
  for (std::string& word : words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

// An image, as it were, with the launcher where it is mounted.
struct Image {
  TempFolder root;

  Image() {
    if (::access(kBusybox, X_OK) != 0) cr_skip_test("busybox-static is not installed");
    cr_assert(::chmod(root.path().c_str(), 0755) == 0);
    for (const char* folder : {"bin", "run", "run/secrets", "other", "denied"}) {
      cr_assert(fs::create_directory(root / folder));
    }
    put("run/rowlock-launch", std::string(embedded_launcher()), 0755);
    fs::copy_file(kBusybox, root / "bin/busybox");
    for (const char* name : {"bin/sh", "bin/env", "other/env"}) {
      fs::create_symlink("/bin/busybox", root / name);
    }
  }

  void put(const std::string& name, const std::string& bytes, mode_t mode = 0644) const {
    write(root / name, bytes);
    cr_assert(::chmod((root / name).c_str(), mode) == 0);
  }

  void put_secrets(const std::string& bytes) const { put("run/secrets/.environment", bytes, 0444); }

  Ending run(Words arguments, Words environment = {}) const {
    arguments.insert(arguments.begin(), "/run/rowlock-launch");
    int ends[2];
    cr_assert(::pipe2(ends, O_CLOEXEC) == 0);
    const pid_t child = ::fork();
    if (child == 0) become_launcher(arguments, environment, ends[1]);
    ::close(ends[1]);
    Ending ending;
    char piece[4096];
    for (ssize_t count = 0; (count = ::read(ends[0], piece, sizeof piece)) > 0;) {
      ending.output.append(piece, static_cast<std::size_t>(count));
    }
    ::close(ends[0]);
    int status = 0;
    cr_assert(::waitpid(child, &status, 0) == child);
    ending.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (ending.exit_code == kNoRoot) cr_skip_test("no root of its own can be had here");
    return ending;
  }

 private:
  [[noreturn]] void become_launcher(Words& arguments, Words& environment, int output) const {
    if (::geteuid() != 0) (void)!::unshare(CLONE_NEWUSER);
    if (::chroot(root.path().c_str()) != 0 || ::chdir("/other") != 0) ::_exit(kNoRoot);
    // As no container has it: 0400 means something.
    if (::geteuid() == 0 && (::setgid(1234) != 0 || ::setuid(1234) != 0)) ::_exit(kNoRoot);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    ::execve(arguments[0].c_str(), pointers(arguments).data(), pointers(environment).data());
    ::_exit(kNoRoot);
  }
};

std::string nul_ended(const Words& entries) {
  std::string text;
  for (const std::string& entry : entries) text += entry + '\0';
  return text;
}

void ends_with(const Ending& ending, int exit_code, const std::string& output) {
  cr_expect(ending.exit_code == exit_code && ending.output == output,
            "expected %d and '%s', got %d and '%s'", exit_code, output.c_str(), ending.exit_code,
            ending.output.c_str());
}

}  // namespace

Test(launcher, is_a_small_program_that_needs_nothing) {
  const std::string_view program = embedded_launcher();
  cr_expect(
      program.starts_with("\x7f"
                          "ELF"));
  cr_expect_lt(program.size(), 8192u);
}

Test(launcher, adds_the_secret_entries_or_puts_them_in_the_place_of_others) {
  const Image image;
  const Words given = {"A=plain", "PATH=/bin", "AB=kept"};

  ends_with(image.run({"env"}, given), 0, "A=plain\nPATH=/bin\nAB=kept\n");
  image.put_secrets(nul_ended({"B=two", "A=one\nline=two", "EMPTY=", "B=last"}));
  ends_with(image.run({"env"}, given), 0, "A=one\nline=two\nPATH=/bin\nAB=kept\nB=last\nEMPTY=\n");
  ends_with(image.run({"/bin/env"}), 0, "B=last\nA=one\nline=two\nEMPTY=\n");
  image.put_secrets("");
  ends_with(image.run({"env"}, given), 0, "A=plain\nPATH=/bin\nAB=kept\n");
  image.put_secrets("CUT=off");  // Without its end.
  ends_with(image.run({"/bin/env"}), 0, "CUT=off\n");
}

Test(launcher, stays_the_same_process_and_passes_arguments_on) {
  const Image image;

  ends_with(image.run({"sh", "-c", "echo \"$0|$1|$2\"; exit 7", "zero", "", "a b"}), 7,
            "zero||a b\n");
  ends_with(image.run({"sh", "-c", "kill -9 $$"}), 128 + 9, "");
}

Test(launcher, looks_for_the_program_as_a_shell_does) {
  const Image image;
  image.put("other/busybox", "", 0644);  // The working folder; may not be run.
  image.put("denied/env", "", 0755);
  cr_assert(::chmod((image.root / "denied").c_str(), 0) == 0);

  const std::pair<const char*, const char*> found[] = {
      {"PATH=/bin", "PATH=/bin\n"},
      {"PATH=/no/such:/bin/busybox:/denied:/other", "PATH=/no/such:/bin/busybox:/denied:/other\n"},
      {"PATH=", "PATH=\n"},
      {"PATH=/no/such:", "PATH=/no/such:\n"},
  };
  for (const auto& [path, output] : found) ends_with(image.run({"env"}, {path}), 0, output);
  ends_with(image.run({"env"}), 0, "");  // The engine's own path.
  ends_with(image.run({"busybox", "env"}, {"PATH=/other:/bin"}), 0, "PATH=/other:/bin\n");
  ends_with(image.run({"./env"}), 0, "");
  image.put_secrets(nul_ended({"PATH=/bin"}));
  ends_with(image.run({"env"}, {"PATH=/no/such"}), 0, "PATH=/bin\n");
  ends_with(image.run({"env"}, {"PATH=" + std::string(10'000, '/')}), 0, "PATH=/bin\n");
}

Test(launcher, says_in_one_sentence_why_it_cannot) {
  const Image image;
  image.put("bin/plain", "", 0644);
  image.put("bin/noise", "no program", 0755);
  image.put("bin/script", "#!/no/such/shell\n", 0755);
  const struct {
    Words arguments;
    int exit_code;
    const char* sentence;
  } cases[] = {
      {{}, 125, "there is no program to become"},
      {{""}, 127, "the program's name is empty"},
      {{"absent"}, 127, "absent: there is no such program in PATH"},
      {{"/bin/absent"}, 127, "/bin/absent: there is no such program"},
      {{"/bin/sh/absent"}, 127, "/bin/sh/absent: there is no such program"},
      {{"/bin"}, 126, "/bin: permission denied"},
      {{"plain"}, 126, "plain: permission denied"},
      {{"noise"}, 126, "/bin/noise: not a program for this machine, or a script without #!"},
      {{"script"}, 127, "/bin/script: the program that should interpret or load it is missing"},
      {{"/bin/script"},
       127,
       "/bin/script: the program that should interpret or load it is missing"},
  };
  for (const auto& wanted : cases) {
    ends_with(image.run(wanted.arguments), wanted.exit_code,
              std::string("rowlock-launch: ") + wanted.sentence + "\n");
  }
  const Ending ending = image.run({"/" + std::string(3000, 'x')});
  cr_expect(ending.exit_code == 126 && ending.output.size() <= 1024 &&
            ending.output.back() == '\n');
}

Test(launcher, rather_ends_than_running_without_what_it_cannot_read) {
  const Image image;
  const std::string file = "/run/secrets/.environment";

  image.put_secrets(nul_ended({"A=1"}));
  cr_assert(::chmod((image.root / "run/secrets/.environment").c_str(), 0) == 0);
  ends_with(image.run({"env"}), 125,
            "rowlock-launch: " + file + " cannot be read: permission denied\n");
  fs::remove(image.root / "run/secrets/.environment");
  cr_assert(fs::create_directory(image.root / "run/secrets/.environment"));
  ends_with(image.run({"env"}), 125,
            "rowlock-launch: " + file + " cannot be read: it is a folder\n");
}

Test(launcher, has_bounds_and_says_so) {
  const Image image;
  const std::string all_there_can_be = std::string(1024 * 1024 - 1, 'x') + '\0';

  image.put_secrets(nul_ended(Words(20'000, "SAME=1")));
  ends_with(image.run({"env"}), 0, "SAME=1\n");
  image.put_secrets(all_there_can_be);  // The kernel takes no entry as long as that.
  ends_with(image.run({"env"}), 126,
            "rowlock-launch: /bin/env: its arguments and environment are too long\n");
  image.put_secrets(all_there_can_be + "x");
  ends_with(image.run({"env"}), 125, "rowlock-launch: /run/secrets/.environment is too long\n");
  std::string many;
  for (int i = 0; i < 33'000; ++i) many += std::to_string(i) + "=" + '\0';
  image.put_secrets(many);
  ends_with(image.run({"env"}), 125, "rowlock-launch: the environment has too many entries\n");
}
