// Questions to a server over its socket, and what is said when there is none.
#include "controller/adapters/http/socket_client.h"

#include "tests/serve/served.h"

#include <criterion/criterion.h>

#include <cstdlib>
#include <mutex>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

using rowlock::Answer;
using rowlock::ask;
using rowlock::Cause;
using rowlock::Error;
using rowlock::Fault;
using rowlock::Result;
using rowlock::TempFolder;
using rowlock_test::HttpRequest;
using rowlock_test::HttpServer;
using rowlock_test::Served;
using rowlock_test::text;

namespace {

constexpr std::int64_t kPatienceMs = 10'000;

Answer answered(const Result<Answer>& result) {
  cr_assert(result.ok(), "%s", result.ok() ? "" : result.error().message.c_str());
  return result.value();
}

Error refused(const std::string& socket_path) {
  const auto result = ask(socket_path, "GET", "/", "", {}, kPatienceMs);
  cr_assert_not(result.ok());
  return result.error();
}

}  // namespace

Test(socket_client, every_method_gets_there_with_its_body, .timeout = 30) {
  Served served;
  for (const std::string method : {"GET", "PUT", "POST", "DELETE", "PATCH", "LIST"}) {
    const auto bare = answered(ask(served.path(), method, "/a/../b%20c", "", {}, kPatienceMs));
    cr_assert_eq(bare.status, 200);
    cr_assert_eq(bare.body, method + " /a/../b c 0");
    const auto full = answered(ask(served.path(), method, "/x?y",
                                   "12\0"
                                   "5",
                                   {}, kPatienceMs));
    cr_assert_eq(full.body, method + " /x 2", "%s", full.body.c_str());
  }
  const auto head = answered(ask(served.path(), "HEAD", "/", "", {}, kPatienceMs));
  cr_assert_eq(head.status, 200);
  cr_assert_eq(head.body, "");
}

Test(socket_client, bodies_of_any_bytes_and_size_pass, .timeout = 30) {
  Served served([](HttpRequest request, const HttpServer::Respond& respond) {
    respond(text(std::move(request.body)));
  });
  for (const std::size_t size : {1U, 1000U, 65'536U, 1'000'000U, 1'048'576U}) {
    std::string body(size, '\0');
    for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<char>(i * i >> 3);
    cr_assert(answered(ask(served.path(), "PUT", "/", body, {}, kPatienceMs)).body == body);
  }
  const std::string too_large(1'048'577, 'x');
  cr_assert_eq(answered(ask(served.path(), "PUT", "/", too_large, {}, kPatienceMs)).status, 413);
}

Test(socket_client, headers_are_sent_and_any_status_is_an_answer, .timeout = 30) {
  std::mutex mutex;
  HttpRequest last;
  Served served([&](HttpRequest request, const HttpServer::Respond& respond) {
    const std::lock_guard lock(mutex);
    last = std::move(request);
    respond(text("no", 404));
  });
  setenv("http_proxy", "http://127.0.0.1:1", 1);

  const auto answer = answered(
      ask(served.path(), "PUT", "/", "{}", {{"X-Vault-Token", "s.1"}, {"Empty", ""}}, kPatienceMs));

  cr_assert_eq(answer.status, 404);
  cr_assert_eq(answer.body, "no");
  cr_assert_eq(last.header("X-Vault-Token"), "s.1");
  cr_assert_eq(last.header("Content-Type"), "application/json");
  cr_assert_eq(last.header("Expect"), "");
  answered(ask(served.path(), "PUT", "/", "x", {{"content-type", "text/plain"}}, kPatienceMs));
  cr_assert_eq(last.header("Content-Type"), "text/plain");
  const auto split = ask(served.path(), "GET", "/", "", {{"X", "a\r\nY: b"}}, kPatienceMs);
  cr_assert_not(split.ok());
  cr_assert_eq(split.error().message, "the header X has a line's end in it");
}

Test(socket_client, without_a_controller_it_says_how_to_start_one, .timeout = 30) {
  TempFolder folder;
  const std::string absent = folder / "socket";
  const std::string stale = folder / "stale";
  {
    Served served;
    cr_assert_eq(link(served.path().c_str(), stale.c_str()), 0);
  }

  const Error none = refused(absent);
  cr_assert(none.cause == Cause::unreachable);
  cr_assert_eq(none.message, "no controller runs on this home: nobody serves at " + absent +
                                 ": No such file or directory");
  cr_assert_eq(none.hint, "start it with `rowlock run`");
  const Error dead = refused(stale);
  cr_assert(dead.cause == Cause::unreachable);
  cr_assert_eq(dead.message, "no controller runs on this home: nobody serves at " + stale +
                                 ": Connection refused");
  const Error too_long = refused("/" + std::string(107, 'x'));
  cr_assert(too_long.fault == Fault::rejected);
}

Test(socket_client, without_permission_it_says_so, .timeout = 30) {
  if (geteuid() != 0) return;  // Only root can become somebody who may not.
  Served served;
  const std::string folder = served.path().substr(0, served.path().rfind('/'));
  cr_assert_eq(chmod(folder.c_str(), 0755), 0);

  cr_assert_eq(setegid(65534), 0);
  cr_assert_eq(seteuid(65534), 0);
  const Error error = refused(served.path());
  cr_assert_eq(seteuid(0), 0);
  cr_assert_eq(setegid(0), 0);

  cr_assert(error.fault == Fault::rejected);
  cr_assert_eq(error.message, "this user may not use the socket " + served.path());
  cr_assert_eq(error.hint, "run it with sudo, or as a member of the socket's group");
}

Test(socket_client, it_gives_up_at_its_deadline_and_when_the_answer_breaks_off, .timeout = 30) {
  HttpServer::Respond kept;
  Served served(
      [&](const HttpRequest&, HttpServer::Respond respond) { kept = std::move(respond); });

  const auto late = ask(served.path(), "GET", "/", "", {}, 50);
  cr_assert_not(late.ok());
  cr_assert(late.error().cause == Cause::deadline);
  cr_assert_eq(late.error().message,
               "the controller at " + served.path() + " did not answer within 50 ms");
  served.on_loop([&] { kept = nullptr; });

  Served* dying = nullptr;
  Served other([&](const HttpRequest&, HttpServer::Respond respond) {
    kept = std::move(respond);
    dying->loop().post([&] { dying->destroy_server(); });
  });
  dying = &other;
  const Error broken = refused(other.path());
  cr_assert(broken.fault == Fault::transient && broken.cause == Cause::other);
  cr_assert(
      broken.message.starts_with("the controller at " + other.path() + " broke off its answer: "),
      "%s", broken.message.c_str());
}
