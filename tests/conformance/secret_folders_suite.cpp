// Files are looked at through the fixture, as somebody inside the container would find them: with
// owner, mode and bytes.
#include "tests/conformance/secret_folders_suite.h"

#include "tests/conformance/suite_case.h"

#include <criterion/criterion.h>

#include <algorithm>
#include <thread>
#include <utility>

namespace rowlock {

namespace {

using Names = std::vector<std::string>;

class Case : public SuiteCase {
 public:
  Case(std::string title, SecretFolders& under_test, const SecretFoldersFixture& given)
      : SuiteCase(std::move(title)), folders(under_test), fixture(given) {}
  ~Case() {
    const auto left = folders.list();
    succeeds(left, "list");
    if (!left.ok()) return;
    for (const std::string& folder : left.value()) succeeds(folders.remove(folder), "remove");
  }

  SecretFile file(const std::string& name, const std::string& content, int mode = 0400) const {
    return {name, SecretBytes(content), mode, fixture.user, fixture.group};
  }

  template <typename... Files>
  Result<> write(const std::string& folder, Files... given) const {
    std::vector<SecretFile> files;
    (files.push_back(std::move(given)), ...);
    return folders.write(folder, files);
  }

  void holds(const std::string& folder, const std::string& name, const std::string& content,
             int mode = 0400) const {
    const std::optional<SeenSecret> seen = fixture.file(folder, name);
    const SeenSecret wanted{content, mode, fixture.user, fixture.group};
    expect(seen == wanted, folder + "/" + name + " to hold " + content);
  }

  Names list() const {
    auto listed = folders.list();
    succeeds(listed, "list");
    if (!listed.ok()) return {};
    Names names = std::move(listed).value();
    std::sort(names.begin(), names.end());
    return names;
  }

  SecretFolders& folders;
  const SecretFoldersFixture& fixture;
};

void what_is_not_there_is_absent(const Case& c) {
  c.expect(c.list().empty(), "no folders");
  c.succeeds(c.folders.remove("web-1"), "remove");
  const Result<std::string> path = c.folders.path("web-1");
  c.succeeds(path, "path");
  c.expect(path.ok() && path.value().ends_with("/web-1") && path.value().front() == '/',
           "where it would be");
  c.expect(c.list().empty(), "no folders after the questions");
}

void write_makes_just_these_files(const Case& c) {
  for (int round = 0; round < 2; ++round) {
    c.succeeds(c.write("web-1", c.file("token", "one"), c.file(".environment", "A=1", 0444)),
               "write");
    c.holds("web-1", "token", "one");
    c.holds("web-1", ".environment", "A=1", 0444);
    c.expect(c.fixture.files("web-1") == Names{".environment", "token"}, "two files");
    c.expect(c.list() == Names{"web-1"}, "one folder");
  }
}

void write_replaces_adds_and_takes_away(const Case& c) {
  c.succeeds(c.write("web-1", c.file("old", "1"), c.file("both", "first")), "write");
  const auto path = c.folders.path("web-1");
  for (int round = 0; round < 2; ++round) {
    c.succeeds(c.write("web-1", c.file("both", "second, longer", 0440), c.file("new", "2")),
               "write again");
    c.holds("web-1", "both", "second, longer", 0440);
    c.holds("web-1", "new", "2");
    c.expect(c.fixture.files("web-1") == Names{"both", "new"}, "the old one gone");
  }
  const auto after = c.folders.path("web-1");
  c.expect(path.ok() && after.ok() && path.value() == after.value(), "the same folder");

  c.succeeds(c.write("web-1"), "write nothing");
  c.expect(c.fixture.files("web-1").empty() && c.list() == Names{"web-1"}, "an empty folder");
}

void any_bytes_are_kept(const Case& c) {
  std::string bytes(100'000, 'x');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i % 251);
  c.succeeds(c.write("web-1", c.file("large", bytes), c.file("empty", "")), "write");
  c.holds("web-1", "large", bytes);
  c.holds("web-1", "empty", "");
}

void folders_are_apart(const Case& c) {
  c.succeeds(c.write("web-1", c.file("token", "one")), "write");
  c.succeeds(c.write("web-2", c.file("token", "two")), "write");
  c.expect(c.list() == Names{"web-1", "web-2"}, "two folders");
  for (int round = 0; round < 2; ++round) {
    c.succeeds(c.folders.remove("web-1"), "remove");
    c.expect(c.list() == Names{"web-2"}, "the other folder");
    c.expect(!c.fixture.file("web-1", "token"), "the file gone with its folder");
    c.holds("web-2", "token", "two");
  }
}

void names_that_lead_elsewhere_are_rejected(const Case& c) {
  const Names bad_folders = {"", ".", "..", "a/b", "A", "a_b", "a.b", "a~", std::string(201, 'a')};
  for (const std::string& folder : bad_folders) {
    c.is_rejected(c.write(folder, c.file("token", "one")), "folder " + folder);
    c.is_rejected(c.folders.remove(folder), "folder " + folder);
    c.is_rejected(c.folders.path(folder), "folder " + folder);
  }
  const Names bad_files = {"", ".", "..", "a/b", "a b", "a~", std::string(256, 'a'), "\xc3\xa4"};
  for (const std::string& name : bad_files) {
    c.is_rejected(c.write("web-1", c.file("good", "1"), c.file(name, "2")), "file " + name);
  }
  c.is_rejected(c.write("web-1", c.file("twice", "1"), c.file("twice", "2")), "a name twice");
  c.is_rejected(c.write("web-1", c.file("odd", "1", 04755)), "a mode with more than permissions");
  c.expect(c.list().empty(), "nothing made of what was rejected");
}

void the_launcher_is_always_at_hand(const Case& c) {
  const Result<std::string> first = c.folders.launcher();
  const Result<std::string> second = c.folders.launcher();
  c.succeeds(first, "launcher");
  c.expect(
      first.ok() && second.ok() && first.value() == second.value() && first.value().front() == '/',
      "the same path twice");
  c.expect(c.list().empty(), "no folder for it");
}

void several_may_be_written_at_once(const Case& c) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 50;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&c, folder = "web-" + std::to_string(i)] {
      for (int round = 0; round < kRounds; ++round) {
        c.succeeds(c.write(folder, c.file("token", std::to_string(round))), "write");
        c.succeeds(c.folders.list(), "list");
        if (round == kRounds / 2) c.succeeds(c.folders.remove(folder), "remove");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < kThreads; ++i) c.holds("web-" + std::to_string(i), "token", "49");
}

constexpr std::pair<const char*, void (*)(const Case&)> kCases[] = {
    {"what is not there is absent", what_is_not_there_is_absent},
    {"write makes just these files", write_makes_just_these_files},
    {"write replaces, adds and takes away", write_replaces_adds_and_takes_away},
    {"any bytes are kept", any_bytes_are_kept},
    {"folders are apart", folders_are_apart},
    {"names that lead elsewhere are rejected", names_that_lead_elsewhere_are_rejected},
    {"the launcher is always at hand", the_launcher_is_always_at_hand},
    {"several may be written at once", several_may_be_written_at_once},
};

}  // namespace

void check_secret_folders(SecretFolders& folders, const SecretFoldersFixture& fixture) {
  for (const auto& [title, run] : kCases) run(Case(title, folders, fixture));
}

}  // namespace rowlock
