// Who holds a place, and for how long. Real sockets, on a clock that the test sets.
#include "controller/serve/http_connections.h"

#include <criterion/criterion.h>

#include <sys/socket.h>
#include <unistd.h>
#include <vector>

using rowlock::HttpConnections;
using rowlock::Peer;

namespace {

// Connections to a server; by their index.
struct Places {
  HttpConnections all;
  std::vector<std::pair<int, int>> ends;

  ~Places() {
    for (const auto& [ours, theirs] : ends) {
      close(ours);
      close(theirs);
    }
  }
  const void* key(std::size_t i) const { return reinterpret_cast<const void*>(i + 1); }
  std::size_t begin(std::int64_t process, std::int64_t now_ms) {
    int pair[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    ends.emplace_back(pair[0], pair[1]);
    all.begin(key(ends.size() - 1), pair[0], Peer{process, {}}, now_ms);
    return ends.size() - 1;
  }
  bool is_cut(std::size_t i) const {
    char byte = 0;
    return recv(ends[i].second, &byte, 1, 0) == 0;
  }
  // Looks every second, as the listener does.
  void pass(std::int64_t from_ms, std::int64_t to_ms) {
    for (std::int64_t at_ms = from_ms; at_ms <= to_ms; at_ms += 1000) all.cut_late_ones(at_ms);
  }
};

}  // namespace

Test(serve_places, a_head_and_a_body_have_their_time_as_a_whole) {
  Places places;
  const std::size_t head = places.begin(1, 0);
  const std::size_t body = places.begin(1, 0);
  const std::size_t answer = places.begin(1, 0);
  const std::size_t idle = places.begin(1, 0);
  places.all.has_head(places.key(body), 0);
  places.all.is_complete(places.key(answer));
  places.all.is_answered(places.key(idle), 0);

  places.pass(0, HttpConnections::kFirstHeadMaxMs);
  cr_expect_not(places.is_cut(head));
  places.pass(HttpConnections::kFirstHeadMaxMs + 1000, HttpConnections::kBodyMaxMs);
  cr_expect(places.is_cut(head));
  cr_expect_not(places.is_cut(body));
  places.pass(HttpConnections::kBodyMaxMs + 1000, HttpConnections::kNextHeadMaxMs);
  cr_expect(places.is_cut(body));
  cr_expect_not(places.is_cut(idle));
  places.pass(HttpConnections::kNextHeadMaxMs + 1000, 600'000);
  cr_expect(places.is_cut(idle));
  cr_expect_not(places.is_cut(answer), "it waits for us");
}

Test(serve_places, who_was_not_looked_at_for_a_while_is_not_late) {
  Places places;
  const std::size_t head = places.begin(1, 0);
  places.pass(0, 5000);

  places.all.cut_late_ones(3'600'000);
  cr_expect_not(places.is_cut(head));
  places.pass(3'601'000, 3'606'000);
  cr_expect(places.is_cut(head), "five seconds were left");
}

Test(serve_places, when_they_are_taken_the_one_with_most_makes_way_first_with_its_oldest) {
  Places places;
  const std::size_t honest = places.begin(7, 0);
  std::vector<std::size_t> flood;
  for (std::size_t i = 1; i < HttpConnections::kCrowded; ++i) flood.push_back(places.begin(8, 10));
  places.all.is_complete(places.key(flood[0]));
  cr_expect_not(places.is_cut(flood[1]));

  places.begin(9, 20);
  cr_expect_not(places.is_cut(honest), "it is the oldest, and has one place only");
  cr_expect_not(places.is_cut(flood[0]), "it waits for an answer");
  std::size_t cut = 0;
  for (const std::size_t each : flood) cut += places.is_cut(each) ? 1 : 0;
  cr_expect_eq(cut, 1u);
}

Test(serve_places, of_bodies_so_much_is_kept_and_no_more) {
  HttpConnections all;
  cr_expect(all.keep(HttpConnections::kWaitingBytesMax));
  cr_expect_not(all.keep(1));
  all.let_go(10);
  cr_expect(all.keep(10));
  cr_expect_not(all.keep(1));
}
