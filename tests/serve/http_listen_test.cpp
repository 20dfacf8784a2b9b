// Where the server listens: what may stand at the path of the socket, who is told apart there, and
// that nothing but loopback is opened.
#include "tests/serve/served.h"

#include <criterion/criterion.h>

#include <atomic>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <sched.h>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

using rowlock::contents;
using rowlock::Fault;
using rowlock::Loop;
using rowlock::Result;
using rowlock::TempFolder;
using rowlock_test::Client;
using rowlock_test::free_port;
using rowlock_test::HttpRequest;
using rowlock_test::HttpServer;
using rowlock_test::Served;
using rowlock_test::text;

namespace {

constexpr uid_t kNobody = 65534;

std::string message_of(const Result<>& result) { return result.ok() ? "" : result.error().message; }

// What comes of listening at `path`, once and for a moment.
Result<> listened(const std::string& path) {
  Loop loop;
  HttpServer server(loop, &rowlock_test::tell);
  return server.listen_on_socket(path);
}

// A socket that is bound; listens if asked to, until the test ends.
int bound_socket(const std::string& path, bool listens) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  cr_assert_eq(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  if (listens) cr_assert_eq(listen(fd, 1), 0);
  return fd;
}

mode_t mode_of(const std::string& path) {
  struct stat there {};
  return lstat(path.c_str(), &there) == 0 ? there.st_mode : 0;
}

bool is_there(const std::string& path) { return mode_of(path) != 0; }

}  // namespace

// ---- The socket ---------------------------------------------------------------------------------

Test(serve_socket, it_has_its_mode_whatever_the_umask_and_goes_with_the_server, .timeout = 30) {
  for (const mode_t mask : {0000U, 0022U, 0077U, 0777U}) {
    TempFolder folder;
    const std::string path = folder / "socket";
    Loop loop;
    HttpServer server(loop, &rowlock_test::tell);
    const mode_t before = umask(mask);
    const auto listens = server.listen_on_socket(path);
    umask(before);

    cr_assert(listens.ok(), "%s", message_of(listens).c_str());
    cr_assert_eq(mode_of(path), S_IFSOCK | 0660, "%o", mode_of(path));
    cr_assert_not(is_there(folder / "socke~"));
  }

  TempFolder folder;
  cr_assert(listened(folder / "socket").ok());
  cr_assert_not(is_there(folder / "socket"));
}

Test(serve_socket, one_that_nobody_serves_is_replaced, .timeout = 30) {
  TempFolder folder;
  close(bound_socket(folder / "socket", true));
  close(bound_socket(folder / "socke~", true));  // Of a start that was killed half-way.

  cr_assert_eq(message_of(listened(folder / "socket")), "");

  // A path that ends like a temporary one.
  cr_assert_eq(message_of(listened(folder / "socket~")), "");
}

Test(serve_socket, one_in_use_is_left_alone, .timeout = 30) {
  Served served;

  const auto second = listened(served.path());

  cr_assert_not(second.ok());
  cr_assert(second.error().fault == Fault::rejected);
  cr_assert_eq(message_of(second), "serve at " + served.path() + ": another program serves there");
  cr_assert_eq(Client(served.path()).ask("GET", "/").status, 200);
}

Test(serve_socket, one_whose_queue_is_full_is_in_use, .timeout = 30) {
  TempFolder folder;
  const std::string path = folder / "socket";
  const int busy = bound_socket(path, true);
  const Client first(path);
  const Client second(path);

  cr_assert_eq(message_of(listened(path)), "serve at " + path + ": another program serves there");

  close(busy);
}

Test(serve_socket, anything_else_at_its_place_is_left_alone, .timeout = 30) {
  TempFolder folder;
  rowlock::write(folder / "file", "precious");
  cr_assert_eq(mkdir((folder / "folder").c_str(), 0700), 0);
  cr_assert_eq(symlink((folder / "file").c_str(), (folder / "link").c_str()), 0);
  cr_assert_eq(mkfifo((folder / "pipe").c_str(), 0600), 0);

  for (const char* name : {"file", "folder", "link", "pipe"}) {
    const auto listens = listened(folder / name);
    cr_assert_eq(message_of(listens),
                 "serve at " + (folder / name) + ": something that is not a socket stands there");
    cr_assert_eq(listens.error().hint, "move it away, or serve at another path");
  }
  cr_assert_eq(contents(folder / "file"), "precious");

  rowlock::write(folder / "socke~", "precious");
  cr_assert_not(listened(folder / "socket").ok());
  cr_assert_eq(contents(folder / "socke~"), "precious");
}

Test(serve_socket, a_path_that_cannot_be_is_refused_in_words, .timeout = 30) {
  TempFolder folder;
  const std::string longest = folder / std::string(106 - folder.path().size(), 'x');

  cr_assert_eq(longest.size(), 107);
  cr_assert_eq(message_of(listened(longest)), "");
  cr_assert_eq(
      message_of(listened(longest + "x")),
      "serve at " + longest + "x: the path has 108 bytes, and that of a unix socket at most 107");
  cr_assert_not(listened("").ok());
  cr_assert_not(listened(folder / "").ok());
  const auto nowhere = listened(folder / "absent/socket");
  cr_assert_eq(message_of(nowhere),
               "serve at " + (folder / "absent/socket") + ": No such file or directory");
  cr_assert_eq(nowhere.error().hint, "make the folder, or let Rowlock's user write into it");
}

Test(serve_socket, a_socket_that_took_its_place_is_not_removed_with_the_server, .timeout = 30) {
  TempFolder folder;
  const std::string path = folder / "socket";
  int other = -1;
  {
    Loop loop;
    HttpServer server(loop, &rowlock_test::tell);
    cr_assert(server.listen_on_socket(path).ok());
    cr_assert_eq(unlink(path.c_str()), 0);
    other = bound_socket(path, true);
  }
  cr_assert(is_there(path));
  close(other);
}

Test(serve_socket, the_user_behind_it_is_known, .timeout = 30) {
  std::mutex mutex;
  std::optional<std::int64_t> user;
  Served served([&](const HttpRequest& request, const HttpServer::Respond& respond) {
    const std::lock_guard lock(mutex);
    user = request.user;
    respond(text("seen"));
  });
  const auto seen = [&] {
    cr_assert_eq(Client(served.path()).ask("GET", "/").status, 200);
    const std::lock_guard lock(mutex);
    return user;
  };

  cr_assert(seen() == std::int64_t{geteuid()});
  if (geteuid() != 0) return;  // Only root can be another.
  const std::string folder = served.path().substr(0, served.path().rfind('/'));
  cr_assert_eq(chmod(folder.c_str(), 0755), 0);
  cr_assert_eq(seteuid(kNobody), 0);  // Still of root's group, which may use the socket.
  const std::optional<std::int64_t> other = seen();
  cr_assert_eq(seteuid(0), 0);
  cr_assert(other == std::int64_t{kNobody});
}

// A container may have been given the socket by hand: its user 0 is not the machine's.
Test(serve_socket, a_user_in_a_container_is_none_of_the_machines, .timeout = 30) {
  if (geteuid() != 0) return;  // Only root can make one.
  Served served([&](const HttpRequest& request, const HttpServer::Respond& respond) {
    respond(text(request.user.has_value() ? "operator" : "somebody"));
  });
  cr_assert_eq(Client(served.path()).ask("GET", "/").body, "operator");
  const pid_t outer = fork();
  if (outer == 0) {
    if (unshare(CLONE_NEWPID) != 0) _exit(2);
    const pid_t inner = fork();
    if (inner == 0) _exit(Client(served.path()).ask("GET", "/").body == "somebody" ? 0 : 1);
    int status = 0;
    waitpid(inner, &status, 0);
    _exit(WEXITSTATUS(status));
  }
  int status = 0;
  cr_assert_eq(waitpid(outer, &status, 0), outer);
  cr_assert_eq(WEXITSTATUS(status), 0, "%d", WEXITSTATUS(status));
}

Test(serve_socket, at_the_programs_door_nobody_is_asked_who_he_is, .timeout = 30) {
  Served served([&](const HttpRequest& request, const HttpServer::Respond& respond) {
    const bool is_programs = request.door == rowlock::Door::programs;
    respond(text(is_programs && !request.user.has_value() ? "a program" : "somebody"));
  });
  const std::string path = served.path() + "-api";
  const mode_t before = umask(0077);
  served.on_loop([&] { cr_assert(served.server().listen_for_programs(path).ok()); });
  umask(before);

  cr_expect_eq(mode_of(path), S_IFSOCK | 0666, "%o", mode_of(path));
  cr_expect_eq(Client(path).ask("GET", "/").body, "a program");
}

// ---- Loopback -----------------------------------------------------------------------------------

Test(serve_loopback, it_serves_as_the_socket_does_without_a_user, .timeout = 30) {
  std::optional<std::int64_t> user = 1;
  Served served([&](const HttpRequest& request, const HttpServer::Respond& respond) {
    user = request.user;
    respond(text("seen"));
  });
  const int port = free_port();
  served.on_loop([&] {
    cr_assert(served.server().listen_on_loopback("127.0.0.1:" + std::to_string(port)).ok());
  });

  const std::string login(HttpServer::kStrangerBodyMax, 'x');
  cr_assert_eq(Client(port).ask("PUT", "/", login).status, 200);
  cr_assert_eq(Client(port).ask("PUT", "/", login + "x").status, 413);
  Client known(port);
  known.send("PUT / HTTP/1.1\r\nHost: h\r\nX-Vault-Token: t\r\nContent-Length: " +
             std::to_string(HttpServer::kBodyMax) + "\r\n\r\n");
  known.send(std::string(HttpServer::kBodyMax, 'x'));
  cr_assert_eq(known.receive().status, 200);
  served.on_loop([&] { cr_assert_not(user.has_value()); });
  cr_assert_eq(Client(served.path()).ask("GET", "/").status, 200);
}

Test(serve_loopback, a_large_body_is_taken_of_a_token_that_is_one, .timeout = 30) {
  std::atomic<int> asked = 0;
  Served served(&rowlock_test::tell, [&](const HttpRequest& head) {
    ++asked;
    return head.header("X-Vault-Token") == "good";
  });
  const int port = free_port();
  served.on_loop([&] {
    cr_assert(served.server().listen_on_loopback("127.0.0.1:" + std::to_string(port)).ok());
  });
  const auto status_of = [&](const std::string& token, std::size_t size) {
    Client client(port);
    client.send("PUT / HTTP/1.1\r\nHost: h\r\nX-Vault-Token: " + token +
                "\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n");
    client.send(std::string(size, 'x'));
    return client.receive().status;
  };

  cr_expect_eq(status_of("odd", HttpServer::kStrangerBodyMax), 200);
  cr_expect_eq(asked, 0, "a small one costs no question");
  cr_expect_eq(status_of("odd", HttpServer::kBodyMax), 413);
  cr_expect_eq(status_of("good", HttpServer::kBodyMax), 200);
  cr_expect_eq(status_of("good", HttpServer::kBodyMax + 1), 413);
  cr_expect_eq(asked, 3);
}

Test(serve_loopback, nothing_else_is_opened, .timeout = 30) {
  Loop loop;
  HttpServer server(loop, &rowlock_test::tell);
  for (const std::string address : {"0.0.0.0:8200",
                                    "[::]:8200",
                                    "10.0.0.1:8200",
                                    "128.0.0.1:8200",
                                    "126.255.255.255:8200",
                                    "[fe80::1]:8200",
                                    "[::2]:8200",
                                    "[::ffff:127.0.0.1]:8200",
                                    "localhost:8200",
                                    "::1:8200",
                                    ":8200",
                                    "8200",
                                    "127.0.0.1",
                                    "127.0.0.1:",
                                    "127.0.0.1:0",
                                    "127.0.0.1:65536",
                                    "127.0.0.1:-1",
                                    "127.0.0.1:80x",
                                    "127.0.0.1: 80",
                                    "127.1:8200",
                                    " 127.0.0.1:8200",
                                    "[127.0.0.1]:8200",
                                    "[::1:8200",
                                    "127.0.0.1:8200\n",
                                    "http://127.0.0.1:8200"}) {
    const auto listens = server.listen_on_loopback(address);
    cr_assert_not(listens.ok(), "%s", address.c_str());
    cr_assert(listens.error().fault == Fault::rejected, "%s", address.c_str());
    cr_assert_eq(message_of(listens),
                 "serve on '" + address + "': this is not an address and port of loopback");
  }
}

Test(serve_loopback, the_whole_of_it_is_accepted, .timeout = 30) {
  Loop loop;
  HttpServer server(loop, &rowlock_test::tell);
  for (const std::string host : {"127.0.0.1", "127.8.9.10", "[::1]"}) {
    const auto listens = server.listen_on_loopback(host + ":" + std::to_string(free_port()));
    cr_assert(listens.ok() || listens.error().hint == "choose another address or port", "%s",
              message_of(listens).c_str());  // A machine may have no IPv6.
  }
}

Test(serve_loopback, another_address_takes_the_place_and_an_empty_one_ends_it, .timeout = 30) {
  Served served;
  const std::string first = "127.0.0.1:" + std::to_string(free_port());
  const int port = free_port();
  const std::string second = "127.0.0.1:" + std::to_string(port);
  const auto listen = [&](const std::string& address) {
    std::string message;
    served.on_loop([&] { message = message_of(served.server().listen_on_loopback(address)); });
    return message;
  };

  cr_assert_eq(listen(first), "");
  cr_assert_eq(listen(second), "");
  Client client(port);
  cr_assert_eq(client.ask("GET", "/").status, 200);
  cr_assert_eq(listen(second), "");  // Nothing changes, and nobody is cut.
  cr_assert_eq(client.ask("GET", "/").status, 200);
  cr_assert_eq(listen("0.0.0.0:1"),
               "serve on '0.0.0.0:1': this is not an address and port of "
               "loopback");
  cr_assert_eq(client.ask("GET", "/").status, 200);
  cr_assert_eq(listen(""), "");
  cr_assert(client.is_closed());
  cr_assert_eq(listen(""), "");
  cr_assert_eq(listen(second), "");
  cr_assert_eq(Client(port).ask("GET", "/").status, 200);
}

Test(serve_loopback, a_port_that_is_taken_may_be_free_later, .timeout = 30) {
  Served served;
  Loop loop;
  HttpServer other(loop, &rowlock_test::tell);
  const std::string address = "127.0.0.1:" + std::to_string(free_port());
  served.on_loop([&] { cr_assert(served.server().listen_on_loopback(address).ok()); });

  const auto listens = other.listen_on_loopback(address);

  cr_assert_eq(message_of(listens), "serve on " + address + ": Address already in use");
  cr_assert(listens.error().fault == Fault::transient);
  served.on_loop([&] { cr_assert(served.server().listen_on_loopback("").ok()); });
  cr_assert(other.listen_on_loopback(address).ok());
}

Test(serve_loopback, a_handler_may_change_the_address_it_was_asked_through, .timeout = 30) {
  Served* server = nullptr;
  Served served([&](const HttpRequest&, const HttpServer::Respond& respond) {
    cr_assert(server->server().listen_on_loopback("").ok());
    respond(text("done"));
  });
  server = &served;
  const int port = free_port();
  served.on_loop([&] {
    cr_assert(served.server().listen_on_loopback("127.0.0.1:" + std::to_string(port)).ok());
  });
  Client client(port);

  const auto reply = client.ask("POST", "/");

  cr_assert(reply.status == 0 || reply.body == "done");
  cr_assert_eq(Client(served.path()).ask("GET", "/").status, 200);
}
