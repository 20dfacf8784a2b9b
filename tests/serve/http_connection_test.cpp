// Connections: many requests on one, many at once, answers that come later, and clients that go.
#include "tests/serve/served.h"

#include <criterion/criterion.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

using rowlock_test::Client;
using rowlock_test::HttpRequest;
using rowlock_test::HttpResponse;
using rowlock_test::HttpServer;
using rowlock_test::Reply;
using rowlock_test::request_text;
using rowlock_test::Served;
using rowlock_test::text;

namespace {

// Answers /wait only when it is told to, and all else at once.
class Later {
 public:
  HttpServer::Handle handle() {
    return [this](const HttpRequest& request, HttpServer::Respond respond) {
      if (request.path != "/wait") return respond(text("at once"));
      const std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(respond));
    };
  }

  // Blocks until at least so many wait.
  void until(std::size_t count) {
    for (int turn = 0; turn < 10'000; ++turn) {
      {
        const std::lock_guard lock(mutex_);
        if (waiting_.size() >= count) return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    cr_assert(false, "the requests did not come in");
  }

  // On the loop thread.
  std::deque<HttpServer::Respond> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(waiting_, {});
  }
  void answer_all() {
    for (const auto& respond : take()) respond(text("later"));
  }

 private:
  std::mutex mutex_;
  std::deque<HttpServer::Respond> waiting_;
};

double seconds_of(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

}  // namespace

// ---- Many ---------------------------------------------------------------------------------------

Test(serve_connection, two_hundred_requests_on_one, .timeout = 30) {
  Served served;
  Client client(served.path());
  for (int i = 0; i < 200; ++i) {
    const std::string body(static_cast<std::size_t>(i) * 100, 'x');
    const Reply reply = client.ask("PUT", "/" + std::to_string(i), body);
    cr_assert_eq(reply.body, "PUT /" + std::to_string(i) + " " + std::to_string(body.size()));
  }
}

Test(serve_connection, pipelined_requests_are_answered_in_order, .timeout = 30) {
  Later later;
  Served served([&, handle = later.handle()](HttpRequest request, HttpServer::Respond respond) {
    if (request.path == "/wait") return handle(std::move(request), std::move(respond));
    rowlock_test::tell(std::move(request), respond);
  });
  Client client(served.path());
  std::string requests;
  for (int i = 0; i < 100; ++i) {
    requests += request_text("PUT", i == 50 ? "/wait" : "/" + std::to_string(i), "abc");
  }

  client.send(requests);
  later.until(1);
  served.on_loop([&] { later.answer_all(); });

  for (int i = 0; i < 100; ++i) {
    const std::string wanted = i == 50 ? "later" : "PUT /" + std::to_string(i) + " 3";
    const std::string body = client.receive().body;
    cr_assert_eq(body, wanted, "%d: %s", i, body.c_str());
  }
}

Test(serve_connection, three_hundred_at_once_wait_their_turn, .timeout = 60) {
  Served served;
  std::deque<Client> clients;
  for (int i = 0; i < 300; ++i) {
    clients.emplace_back(served.path());
    clients.back().send(request_text("GET", "/x"));
  }
  for (unsigned i = 0; i < HttpServer::kConnectionsMax; ++i) {
    cr_assert_eq(clients[i].receive().status, 200, "%u", i);
  }
  for (unsigned i = 0; i < HttpServer::kConnectionsMax; ++i) clients.pop_front();
  for (Client& client : clients) cr_assert_eq(client.receive().status, 200);
}

Test(serve_connection, three_hundred_one_after_the_other, .timeout = 60) {
  Served served;
  for (int i = 0; i < 300; ++i) {
    cr_assert_eq(Client(served.path()).ask("GET", "/x").status, 200);
  }
}

Test(serve_connection, open_ones_cost_no_processor_time, .timeout = 30) {
  Later later;
  Served served(later.handle());
  Client idle(served.path());
  Client half(served.path());
  Client waits(served.path());
  Client gone(served.path());
  cr_assert_eq(idle.ask("GET", "/").status, 200);
  half.send("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n123");
  waits.send(request_text("GET", "/wait"));
  gone.send(request_text("GET", "/wait"));
  gone.end_sending();
  later.until(2);

  const double before = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const double used = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - before;

  cr_assert_lt(used, 0.05, "%.3f s", used);
  served.on_loop([&] { later.answer_all(); });
}

// ---- Answers ------------------------------------------------------------------------------------

Test(serve_connection, an_answer_may_come_later_and_holds_up_nobody, .timeout = 30) {
  Later later;
  Served served(later.handle());
  Client first(served.path());
  Client second(served.path());
  Client third(served.path());

  first.send(request_text("PUT", "/wait", "body"));
  second.send(request_text("GET", "/wait"));
  later.until(2);
  cr_assert_eq(third.ask("GET", "/").body, "at once");
  served.on_loop([&] { later.answer_all(); });

  cr_assert_eq(first.receive().body, "later");
  cr_assert_eq(second.receive().body, "later");
  cr_assert_eq(first.ask("GET", "/").body, "at once");
}

Test(serve_connection, the_first_answer_stands_and_a_dropped_one_is_500, .timeout = 30) {
  Served served([](const HttpRequest& request, const HttpServer::Respond& respond) {
    if (request.path == "/dropped") return;
    respond(text("first"));
    respond(text("second"));
  });
  Client client(served.path());

  cr_assert_eq(client.ask("GET", "/twice").body, "first");
  const Reply dropped = client.ask("GET", "/dropped");
  cr_assert_eq(dropped.status, 500);
  cr_assert(dropped.body == R"({"errors":["the request was dropped without an answer"]})");
  cr_assert_eq(client.ask("GET", "/twice").body, "first");
}

Test(serve_connection, one_dropped_later_is_500_too, .timeout = 30) {
  Later later;
  Served served(later.handle());
  Client client(served.path());
  client.send(request_text("GET", "/wait"));
  later.until(1);

  served.on_loop([&] { later.take().clear(); });

  cr_assert_eq(client.receive().status, 500);
}

Test(serve_connection, headers_and_status_are_sent_and_what_http_cannot_carry_is_left_out,
     .timeout = 30) {
  Served served([](const HttpRequest&, const HttpServer::Respond& respond) {
    HttpResponse response;
    response.status = 204;
    response.content_type = "";
    response.headers = {{"X-One", "1"}, {"X-Split", "a\r\nX-Evil: 1"}, {"X Bad", "1"}};
    respond(response);
  });
  Client client(served.path());

  const Reply reply = client.ask("DELETE", "/");

  cr_assert_eq(reply.status, 204);
  cr_assert(reply.head.find("X-One: 1\r\n") != std::string::npos);
  cr_assert(reply.head.find("Evil") == std::string::npos);
  cr_assert(reply.head.find("Content-Type") == std::string::npos);
  cr_assert_eq(client.ask("DELETE", "/").status, 204);
}

// ---- Clients that go ----------------------------------------------------------------------------

Test(serve_connection, a_client_that_has_ended_sending_still_gets_its_answers, .timeout = 30) {
  Later later;
  Served served(later.handle());
  Client client(served.path());

  client.send(request_text("GET", "/") + request_text("PUT", "/wait", "body"));
  client.end_sending();
  later.until(1);
  served.on_loop([&] { later.answer_all(); });

  cr_assert_eq(client.receive().body, "at once");
  cr_assert_eq(client.receive().body, "later");
  cr_assert(client.is_closed());
}

Test(serve_connection, clients_may_vanish_at_any_point, .timeout = 60) {
  Later later;
  Served served(later.handle());
  const std::string request = request_text("PUT", "/wait", "some body");

  // More than there may be at once, so that a connection that is not let go would be missed.
  for (int round = 0; round < 8; ++round) {
    for (std::size_t sent = 0; sent <= request.size(); ++sent) {
      Client(served.path()).send(request.substr(0, sent));
    }
    served.on_loop([&] { later.take().clear(); });
    {
      Client waits(served.path());
      waits.send(request);
      later.until(1);
    }
    served.on_loop([&] { later.answer_all(); });
  }

  for (int i = 0; i < 3; ++i) cr_assert_eq(Client(served.path()).ask("GET", "/").status, 200);
}

Test(serve_connection, one_that_vanishes_during_a_long_answer_does_no_harm, .timeout = 30) {
  Served served([](const HttpRequest&, const HttpServer::Respond& respond) {
    respond(text(std::string(8 * 1024 * 1024, 'x')));
  });
  for (int i = 0; i < 20; ++i) Client(served.path()).send(request_text("GET", "/"));
  cr_assert_eq(Client(served.path()).ask("GET", "/").body.size(), 8 * 1024 * 1024);
}

// ---- The server goes ----------------------------------------------------------------------------

Test(serve_connection, an_answer_after_the_server_s_end_does_nothing, .timeout = 30) {
  Later later;
  Served served(later.handle());
  Client client(served.path());
  client.send(request_text("GET", "/wait"));
  later.until(1);

  served.on_loop([&] { served.destroy_server(); });
  served.on_loop([&] { later.answer_all(); });

  cr_assert_eq(client.receive().status, 0);
}

Test(serve_connection, a_handler_may_destroy_its_server, .timeout = 30) {
  for (const bool answers_before : {true, false}) {
    Served* server = nullptr;
    Served served([&](const HttpRequest&, const HttpServer::Respond& respond) {
      if (answers_before) respond(text("last words"));
      server->destroy_server();
      if (!answers_before) respond(text("too late"));
    });
    server = &served;
    Client client(served.path());
    Client other(served.path());

    client.send(request_text("GET", "/"));

    const Reply reply = client.receive();
    cr_assert(reply.status == 0 || reply.body == "last words" || reply.body == "too late");
    cr_assert(other.is_closed());
  }
}
