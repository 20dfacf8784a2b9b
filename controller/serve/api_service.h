// Answers the requests that come in over HTTP with VaultApi, in groups: what is waiting at a turn
// of the loop shares one transaction, so that the disk is asked once for all of it. No answer
// leaves before that transaction, the audit log in it, is on the disk; when it cannot be written,
// nothing is released. A turn is short, so that the loop's own work always comes to its own, and
// who may be known goes before strangers.
#pragma once

#include "controller/loop/loop.h"
#include "controller/ports/clock.h"
#include "controller/secrets/secrets.h"
#include "controller/serve/http_server.h"
#include "controller/serve/vault/vault_api.h"
#include "controller/store/database.h"
#include "controller/store/schema.h"

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace rowlock {

class ApiService {
 public:
  static constexpr std::size_t kQueueMax = 1000;        // Waiting; one more is answered with 503.
  static constexpr std::chrono::milliseconds kTurn{5};  // No request is begun in one after that.
  static constexpr std::size_t kStrangersPerTurn = 1;

  // Calls `job` on a thread of its own, and `done` on the loop thread after it.
  using Elsewhere = std::function<void(std::function<void()> job, std::function<void()> done)>;

  // `changed` is called after rows were written that the plan may hang on. Requires: all outlive
  // this; all on the loop thread.
  ApiService(Loop& loop, Database& state, const Schema& schema, Secrets& secrets,
             const Clock& clock, std::function<void()> changed, Elsewhere elsewhere,
             std::chrono::milliseconds turn = kTurn);

  // Whether the request shows a token that is good now. Nothing is used up by it.
  bool knows(const HttpRequest& head) { return api_.knows(head, clock_.now_ms()); }

  // Answers later, or never if this goes first.
  void handle(HttpRequest request, HttpServer::Respond respond);

 private:
  struct Waiting {
    HttpRequest request;
    HttpServer::Respond respond;
    VaultApi::Answer answer;
  };

  void answer_soon();
  void answer_waiting();
  std::vector<Waiting> next_group();
  Result<> answer_all(std::vector<Waiting>& group);
  void put_back(std::vector<Waiting>& group, std::size_t from);
  void answer_elsewhere(Waiting& waiting);
  void withhold(std::vector<Waiting>& group, const Error& error);

  Loop& loop_;
  Database& state_;
  Secrets& secrets_;
  const Clock& clock_;
  std::function<void()> changed_;
  Elsewhere elsewhere_;
  std::chrono::milliseconds turn_;
  VaultApi api_;
  std::deque<Waiting> waiting_;      // Of those who may be known.
  std::deque<Waiting> strangers_;    // After them.
  std::unique_ptr<Timer> left_out_;  // Until refusals that were only counted are written down.
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace rowlock
