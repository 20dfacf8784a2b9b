// Requests and answers over real sockets, down to the bytes on the wire.
#include "controller/serve/http_server.h"

#include "tests/serve/served.h"

#include <criterion/criterion.h>

#include <atomic>
#include <future>
#include <mutex>
#include <unistd.h>
#include <vector>

using rowlock_test::Client;
using rowlock_test::HttpRequest;
using rowlock_test::HttpResponse;
using rowlock_test::HttpServer;
using rowlock_test::Reply;
using rowlock_test::request_text;
using rowlock_test::Served;
using rowlock_test::text;

namespace {

// Keeps the last request, for a test to look at once the answer has come.
struct Kept {
  HttpServer::Handle handle() {
    return [this](HttpRequest request, const HttpServer::Respond& respond) {
      const std::lock_guard lock(mutex);
      last = std::move(request);
      respond(text("kept"));
    };
  }
  HttpRequest request() {
    const std::lock_guard lock(mutex);
    return last;
  }
  std::mutex mutex;
  HttpRequest last;
};

bool contains(const std::string& whole, const std::string& part) {
  return whole.find(part) != std::string::npos;
}

}  // namespace

// ---- Requests -----------------------------------------------------------------------------------

Test(serve_request, every_method_arrives_with_its_path_and_body, .timeout = 30) {
  Served served;
  Client client(served.path());

  for (const std::string method :
       {"GET", "PUT", "POST", "DELETE", "PATCH", "LIST", "OPTIONS", "PROPFIND"}) {
    const Reply bare = client.ask(method, "/v1/a");
    cr_assert_eq(bare.status, 200);
    cr_assert_eq(bare.body, method + " /v1/a 0");
    const Reply full = client.ask(method, "/v1/a", "12345");
    cr_assert_eq(full.body, method + " /v1/a 5", "%s", full.body.c_str());
  }
}

Test(serve_request, head_is_answered_without_the_body_but_with_its_length, .timeout = 30) {
  Served served;
  Client client(served.path());

  const Reply head = client.ask("HEAD", "/v1/a");
  const Reply next = client.ask("GET", "/v1/b");

  cr_assert_eq(head.status, 200);
  cr_assert(contains(head.head, "Content-Length: 12\r\n"), "%s", head.head.c_str());
  cr_assert_eq(next.body, "GET /v1/b 0");
}

Test(serve_request, path_and_query_are_decoded, .timeout = 30) {
  Kept kept;
  Served served(kept.handle());
  Client client(served.path());

  cr_assert_eq(client.ask("GET", "/a%20b/%C3%BC%2f+%25?list=true&x=1%2B1+%26&y&=z&x=2").status,
               200);

  const HttpRequest request = kept.request();
  cr_assert_eq(request.path, "/a b/ü/+%");
  cr_assert_eq(request.query.size(), 5);
  cr_assert_eq(request.parameter("list"), "true");
  cr_assert_eq(request.parameter("x"), "1+1 &");
  cr_assert_eq(request.parameter("y"), "");
  cr_assert_eq(request.parameter("absent"), "");
}

Test(serve_request, a_header_is_found_in_any_case, .timeout = 30) {
  Kept kept;
  Served served(kept.handle());
  Client client(served.path());

  client.send("GET / HTTP/1.1\r\nHost: h\r\nX-Vault-TOKEN: s.1\r\nEmpty:\r\n\r\n");
  cr_assert_eq(client.receive().status, 200);

  cr_assert_eq(kept.request().header("x-vault-token"), "s.1");
  cr_assert_eq(kept.request().header("empty"), "");
  cr_assert_eq(kept.request().header("absent"), "");
}

Test(serve_request, what_is_no_path_is_refused_in_words, .timeout = 30) {
  std::atomic<int> handled = 0;
  Served served([&](const HttpRequest&, const HttpServer::Respond& respond) {
    ++handled;
    respond(text("handled"));
  });

  for (const std::string target : {"/a%", "/a%2", "/a%zz", "/a%00b", "/%ff", "/a%C3", "/a?x=%0",
                                   "/a?x=%00", "/a?%f8=1", "*", "a", "http://host/a"}) {
    Client client(served.path());
    const Reply reply = client.ask("GET", target);
    cr_assert_eq(reply.status, 400, "%s: %d", target.c_str(), reply.status);
    cr_assert(reply.body.starts_with(R"({"errors":["the )"), "%s", reply.body.c_str());
    cr_assert(contains(reply.head, "Content-Type: application/json\r\n"));
    cr_assert_eq(client.ask("GET", target, "body").status, 400, "%s", target.c_str());
  }
  cr_assert_eq(handled, 0);
}

// What is smuggled behind it as another request is never read.
Test(serve_request, a_head_that_leaves_open_where_its_body_ends_is_refused_and_cut, .timeout = 30) {
  std::atomic<int> handled = 0;
  Served served([&](const HttpRequest&, const HttpServer::Respond& respond) {
    ++handled;
    respond(text("handled"));
  });
  const std::string smuggled = "GET /admin HTTP/1.1\r\nHost: h\r\n\r\n";

  for (const std::string head :
       {"Host: h\r\nContent-Length: 0\r\nContent-Length: 5\r\n",
        "Host: h\r\nContent-Length: 5\r\ncontent-length: 5\r\n",
        "Host: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Host: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Host: h\r\nHost: other\r\n", "Host: h\r\nhost: h\r\n"}) {
    Client client(served.path());
    client.send("POST / HTTP/1.1\r\n" + head + "\r\n0\r\n\r\n" + smuggled);
    const Reply reply = client.receive();
    cr_expect_eq(reply.status, 400, "%s: %d", head.c_str(), reply.status);
    cr_expect(client.is_closed(), "%s", head.c_str());
  }
  cr_expect_eq(handled, 0);
  cr_assert_eq(Client(served.path()).ask("GET", "/").status, 200);
}

Test(serve_request, what_is_not_http_is_refused_and_never_handled, .timeout = 30) {
  std::atomic<int> handled = 0;
  Served served([&](const HttpRequest&, const HttpServer::Respond& respond) {
    ++handled;
    respond(text("handled"));
  });

  const std::string host = "Host: h\r\n";
  const std::string post = "POST / HTTP/1.1\r\n" + host;
  const std::string large(80'000, 'x');
  const std::vector<std::string> requests = {
      "GET\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",  // Without a Host.
      "GET / HTTP/9.1\r\n" + host + "\r\n",
      std::string("GET /a\0b HTTP/1.1\r\n", 19) + host + "\r\n",
      "GET / HTTP/1.1\r\n" + host + "X: " + large + "\r\n\r\n",
      "GET /" + large + " HTTP/1.1\r\n" + host + "\r\n",
      post + "Content-Length: x\r\n\r\n",
      post + "Content-Length: -1\r\n\r\n",
      post + "Content-Length: 99999999999999999999\r\n\r\n",
      post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
  };
  for (const std::string& bytes : requests) {
    Client client(served.path());
    client.send(bytes);
    const Reply reply = client.receive();
    cr_expect(reply.status == 0 || (reply.status >= 400 && reply.status < 600), "%.60s: %d",
              bytes.c_str(), reply.status);
  }
  cr_expect_eq(handled, 0);
  cr_assert_eq(Client(served.path()).ask("GET", "/").status, 200);
}
