// Bodies: how large they may be, how slowly they may come, and that none stays in memory.
#include "tests/serve/served.h"

#include <criterion/criterion.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string.h>  // explicit_bzero
#include <string>
#include <unistd.h>

using rowlock_test::Client;
using rowlock_test::HttpRequest;
using rowlock_test::HttpServer;
using rowlock_test::Reply;
using rowlock_test::request_text;
using rowlock_test::Served;
using rowlock_test::text;

namespace {

constexpr std::size_t kMax = HttpServer::kBodyMax;

std::string chunked(const std::string& body, std::size_t chunk) {
  std::string result = "POST /chunks HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (std::size_t at = 0; at < body.size(); at += chunk) {
    const std::string piece = body.substr(at, chunk);
    char size[32];
    std::snprintf(size, sizeof size, "%zx\r\n", piece.size());
    result += size + piece + "\r\n";
  }
  return result + "0\r\n\r\n";
}

void assert_too_large(const Reply& reply) {
  cr_assert_eq(reply.status, 413, "%d", reply.status);
  cr_assert(reply.head.find("Content-Type: application/json\r\n") != std::string::npos);
  cr_assert(reply.body == R"({"errors":["the body of the request may have at most 1048576 bytes; )"
                          R"(send less at a time"]})");
}

// A larger one holds nothing but the bookkeeping of a sanitizer.
constexpr unsigned long kRegionMax = 1UL << 30;

// The longest run of `wanted` in what this process may write to.
std::size_t longest_run(char wanted) {
  std::ifstream maps("/proc/self/maps");
  std::FILE* memory = std::fopen("/proc/self/mem", "r");
  cr_assert(memory != nullptr);
  std::size_t longest = 0;
  for (std::string line; std::getline(maps, line);) {
    unsigned long from = 0;
    unsigned long to = 0;
    char rights[5] = {};
    std::sscanf(line.c_str(), "%lx-%lx %4s", &from, &to, rights);
    if (rights[1] != 'w' || to - from > kRegionMax ||
        std::fseek(memory, static_cast<long>(from), SEEK_SET) != 0)
      continue;
    std::size_t run = 0;
    for (unsigned long at = from; at < to; ++at) {
      const int byte = std::fgetc(memory);
      if (byte == EOF) break;
      run = byte == wanted ? run + 1 : 0;
      longest = std::max(longest, run);
    }
  }
  std::fclose(memory);
  return longest;
}

}  // namespace

Test(serve_body, one_mebibyte_is_taken_and_one_byte_more_is_413, .timeout = 30) {
  Served served;
  Client client(served.path());

  cr_assert_eq(client.ask("PUT", "/x", std::string(kMax, 'x')).body, "PUT /x 1048576");
  assert_too_large(client.ask("PUT", "/x", std::string(kMax + 1, 'x')));
  cr_assert_eq(client.ask("PUT", "/x", "x").body, "PUT /x 1");
}

Test(serve_body, a_chunked_one_has_the_same_bound, .timeout = 30) {
  Served served;
  Client client(served.path());

  for (const std::size_t chunk : {std::size_t{1}, std::size_t{1000}, std::size_t{100'000}}) {
    client.send(chunked(std::string(2000, 'x'), chunk));
    cr_assert_eq(client.receive().body, "POST /chunks 2000");
  }
  client.send(chunked(std::string(kMax, 'x'), 70'000));
  cr_assert_eq(client.receive().body, "POST /chunks 1048576");
  client.send(chunked(std::string(kMax + 1, 'x'), 70'000));
  assert_too_large(client.receive());
}

Test(serve_body, a_client_that_asks_first_is_told_before_it_sends, .timeout = 30) {
  Served served;
  const std::string head = "PUT /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: ";

  Client small(served.path());
  small.send(head + "5\r\n\r\n");
  cr_assert_eq(small.receive().status, 100);
  small.send("12345");
  cr_assert_eq(small.receive().body, "PUT /x 5");

  Client large(served.path());
  large.send(head + std::to_string(kMax + 1) + "\r\n\r\n");
  assert_too_large(large.receive());
}

Test(serve_body, an_endless_one_is_cut, .timeout = 30) {
  Served served;
  Client declared(served.path());
  declared.send("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n");
  assert_too_large(declared.receive());
  cr_assert(declared.is_closed());

  Client endless(served.path());
  endless.send("PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "10000\r\n" + std::string(65'536, 'x') + "\r\n";
  std::size_t sent = 0;
  while (sent <= 64 * kMax && endless.can_send(chunk)) sent += chunk.size();
  cr_assert_lt(sent, 20 * kMax);
  cr_assert_eq(endless.receive().status, 0);
}

Test(serve_body, a_slow_one_holds_up_nobody, .timeout = 30) {
  Served served;
  Client slow(served.path());
  Client quick(served.path());

  for (const char byte : request_text("PUT", "/slow", "body")) {
    cr_assert_eq(quick.ask("GET", "/quick").status, 200);
    slow.send(std::string(1, byte));
  }
  cr_assert_eq(slow.receive().body, "PUT /slow 4");
}

Test(serve_body, binary_ones_and_large_answers_arrive_whole, .timeout = 30) {
  Served served([](HttpRequest request, const HttpServer::Respond& respond) {
    respond(text(request.body + request.body + request.body));
  });
  Client client(served.path());
  std::string body(700'000, '\0');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * i >> 3);

  const Reply reply = client.ask("PUT", "/x", body);

  cr_assert_eq(reply.status, 200);
  cr_assert(reply.body == body + body + body);
}

// Written by a program of its own, since the test would otherwise hold the letters itself.
Test(serve_body, neither_side_s_is_left_in_memory, .timeout = 60) {
  constexpr std::size_t kRun = 1024;  // Registers that were saved on a stack hold some of it.
  std::atomic<std::size_t> longest_while_handled = 0;
  Served served([&](HttpRequest request, const HttpServer::Respond& respond) {
    explicit_bzero(request.body.data(), request.body.size());
    longest_while_handled = std::max(longest_while_handled.load(), longest_run('Q'));
    respond(text(std::string(request.body.size(), 'Z')));
  });
  const auto curl = [&](const std::string& options) {
    const std::string line = "tr '\\0' Q </dev/zero | head -c 100000 | curl -sS -o /dev/null " +
                             options + " -w '%{http_code}' --data-binary @- --unix-socket " +
                             served.path() + " http://h/x > " + served.path() + ".status";
    cr_assert_eq(std::system(line.c_str()), 0);
    return rowlock::contents(served.path() + ".status");
  };

  cr_assert_eq(curl(""), "200");
  cr_assert_eq(curl("-H 'Transfer-Encoding: chunked'"), "200");
  served.on_loop([&] { served.destroy_server(); });

  cr_assert_lt(longest_while_handled.load(), kRun);
  cr_assert_lt(longest_run('Z'), kRun);
}
