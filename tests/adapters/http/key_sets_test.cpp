// Where keys are read from, and where they are not, whatever the row says: its CHECK may have been
// passed by.
#include "controller/adapters/http/key_sets.h"

#include "tests/adapters/http/scripted_server.h"
#include "tests/conformance/key_sets_suite.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using namespace rowlock;

namespace {

void expect_refused(const std::string& source, const std::string& words) {
  const Result<std::string> read = KeySetReader().read(source);

  cr_assert(!read.ok(), "%s was read", source.c_str());
  const Error& error = read.error();
  cr_expect_eq(error.fault, Fault::rejected, "%s: %s", source.c_str(), error.message.c_str());
  cr_expect(error.message.find(words) != std::string::npos, "%s: %s", source.c_str(),
            error.message.c_str());
  cr_expect(!error.hint.empty(), "%s", source.c_str());
}

}  // namespace

Test(key_sets, only_plain_files_on_real_file_systems_are_opened, .timeout = 60) {
  const TempFolder folder;
  const std::string socket_path = folder / "socket";
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket_path.copy(address.sun_path, sizeof address.sun_path - 1);
  cr_assert_eq(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  std::filesystem::create_symlink("/dev/zero", folder / "link");

  const std::pair<std::string, const char*> cases[] = {
      {folder.path(), "it is a folder"},
      {"/proc/kmsg", "file of the kernel's"},
      {"/proc/self/environ", "file of the kernel's"},
      {"/proc/self/mem", "file of the kernel's"},
      {"/sys/kernel/mm/transparent_hugepage/enabled", "file of the kernel's"},
      {"/dev/zero", "a device or a socket"},
      {"/dev/tty", "a device or a socket"},
      {folder / "link", "a device or a socket"},
      {socket_path, "a device or a socket"},
      {folder / std::string("a\0b", 3), "NUL"},
  };
  for (const auto& [path, words] : cases) {
    if (path.starts_with("/sys") && !std::filesystem::exists(path)) continue;
    expect_refused(path, words);
  }
  ::close(listener);

  // By a link, and in memory, it is as plain as any.
  write(folder / "keys", key_set_of(1));
  std::filesystem::create_symlink(folder / "keys", folder / "link-to-keys");
  cr_expect(KeySetReader().read(folder / "link-to-keys").ok());
}

Test(key_sets, only_https_and_this_machines_http_are_asked) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "no URL"},
      {"keys", "no URL"},
      {"ci.test/keys", "no URL"},
      {"https://", "no URL"},
      {"https:///keys", "no URL"},
      {"https://ci.test:99999/keys", "no URL"},
      {"https://ci.test:x/keys", "no URL"},
      {"https://ci .test/keys", "no URL"},
      {"https://ci.test\r\nHost: evil.test/keys", "no URL"},
      {"https://c\xc3\xad.test/keys", "no URL"},
      {"https://ci.test\\@evil.test/keys", "trust.keys"},
      {"https://[::1/keys", "no URL"},
      {"https://[ci.test]/keys", "no URL"},
      {"https://ci.test@evil.test/keys", "names a user"},
      {"https://user:hunter2@ci.test/keys", "names a user"},
      {"https://@ci.test/keys", "names a user"},
      {"http://127.0.0.1:80@evil.test/keys", "names a user"},
      {"http://ci.test/keys", "by http"},
      {"http://localhost:8200/keys", "by http"},
      {"http://127.0.0.1.evil.test/keys", "by http"},
      {"http://127.0.0.2/keys", "by http"},
      {"http://[::1]:8200/keys", "by http"},
      {"http://[::ffff:127.0.0.1]/keys", "by http"},
      {"HTTP://ci.test/keys", "by http"},
      {"file:///etc/keys", "no URL"},
      {"ftp://127.0.0.1/keys", "neither https nor a file"},
      {"gopher://127.0.0.1/keys", ""},
      {"unix:///run/x.sock", ""},
  };
  for (const auto& [url, words] : cases) {
    expect_refused(url, words);
    const auto read = KeySetReader().read(url);
    cr_expect(read.error().message.find("hunter2") == std::string::npos);
  }
}

Test(key_sets, the_host_is_the_one_that_the_row_names, .timeout = 60) {
  ScriptedServer server([](const std::string&) { return with_status(200, "", key_set_of(1)); });
  const std::string port = std::to_string(server.port());
  ScriptedServer elsewhere([&](const std::string&) {
    return with_status(302, "Location: " + server.url("/keys") + "\r\n");
  });

  const auto led = KeySetReader().read(elsewhere.url("/keys"));
  cr_assert(!led.ok());
  cr_expect(led.error().message.find("leads elsewhere") != std::string::npos, "%s",
            led.error().message.c_str());
  cr_expect(server.heads().empty());

  // A proxy of the environment has a 127.0.0.1 of its own.
  ScriptedServer proxy([](const std::string&) { return with_status(200, "", key_set_of(2)); });
  ::setenv("http_proxy", proxy.url("").c_str(), 1);
  ::setenv("all_proxy", proxy.url("").c_str(), 1);
  const auto read = KeySetReader().read("http://127.0.0.1:" + port + "/keys#x");
  cr_assert(read.ok(), "%s", read.ok() ? "" : read.error().message.c_str());
  cr_expect(read.value() == key_set_of(1));
  cr_expect(proxy.heads().empty());
  cr_expect(server.heads().at(0).starts_with("GET /keys HTTP/1.1\r\n"));

  // What stands in for digits means the same machine, or none.
  cr_expect(KeySetReader().read("http://%31%32%37.0.0.1:" + port + "/keys").ok());
  cr_expect(KeySetReader().read("http://2130706433:" + port + "/keys").ok());
}
