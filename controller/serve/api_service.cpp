// Read answer_waiting() first: requests gather until the loop comes round, are answered within one
// transaction, and leave after its commit.
#include "controller/serve/api_service.h"

#include "controller/serve/vault/vault_api_reply.h"

#include <iterator>
#include <utility>

namespace rowlock {

ApiService::ApiService(Loop& loop, Database& state, const Schema& schema, Secrets& secrets,
                       const Clock& clock, std::function<void()> changed, Elsewhere elsewhere,
                       std::chrono::milliseconds turn)
    : loop_(loop),
      state_(state),
      secrets_(secrets),
      clock_(clock),
      changed_(std::move(changed)),
      elsewhere_(std::move(elsewhere)),
      turn_(turn),
      api_(secrets, state, schema),
      left_out_(loop.timer()) {}

void ApiService::handle(HttpRequest request, HttpServer::Respond respond) {
  if (waiting_.size() + strangers_.size() >= kQueueMax) {
    respond(http_response(refused_with(503, "too many requests are waiting: try again")));
    return;
  }
  const bool is_first = waiting_.empty() && strangers_.empty();
  std::deque<Waiting>& queue = request.may_be_known() ? waiting_ : strangers_;
  queue.push_back({std::move(request), std::move(respond), {}});
  if (is_first) answer_soon();
}

void ApiService::answer_soon() {
  loop_.post([this, alive = std::weak_ptr<bool>(is_alive_)] {
    if (!alive.expired()) answer_waiting();
  });
}

std::vector<ApiService::Waiting> ApiService::next_group() {
  std::vector<Waiting> group(std::make_move_iterator(waiting_.begin()),
                             std::make_move_iterator(waiting_.end()));
  waiting_.clear();
  for (std::size_t i = 0; i < kStrangersPerTurn && !strangers_.empty(); ++i) {
    group.push_back(std::move(strangers_.front()));
    strangers_.pop_front();
  }
  return group;
}

void ApiService::answer_waiting() {
  std::vector<Waiting> group = next_group();
  const Keyring::Mark keys = secrets_.keyring.mark();
  if (auto done = answer_all(group); !done.ok()) {
    secrets_.keyring.undo(keys);
    (void)secrets_.seal.follow(clock_.now_ms()).ok();  // Else before the next pass.
    withhold(group, done.error());
  }
  secrets_.keyring.committed();
  bool is_changed = false;
  const std::weak_ptr<bool> alive = is_alive_;
  for (Waiting& each : group) {
    is_changed = is_changed || each.answer.is_change;
    wipe(each.request.body);
    if (each.answer.later) {
      answer_elsewhere(each);
      continue;
    }
    each.respond(std::move(each.answer.response));
  }
  if (alive.expired()) return;
  if (!waiting_.empty() || !strangers_.empty()) answer_soon();
  if (api_.has_left_out() && !left_out_->is_running()) {
    left_out_->start(Denials::kWhileMs, [this] { answer_waiting(); });
  }
  if (is_changed) changed_();
}

void ApiService::answer_elsewhere(Waiting& waiting) {
  auto response = std::make_shared<HttpResponse>();
  elsewhere_([response, make = std::move(waiting.answer.later)] { *response = make(); },
             [response, respond = std::move(waiting.respond)] { respond(std::move(*response)); });
}

// In front of those who came later.
void ApiService::put_back(std::vector<Waiting>& group, std::size_t from) {
  while (group.size() > from) {
    std::deque<Waiting>& queue = group.back().request.may_be_known() ? waiting_ : strangers_;
    queue.push_front(std::move(group.back()));
    group.pop_back();
  }
}

Result<> ApiService::answer_all(std::vector<Waiting>& group) {
  const std::int64_t now_ms = clock_.now_ms();
  const auto end = std::chrono::steady_clock::now() + turn_;
  auto transaction = TRY(Transaction::begin(state_));
  TRY(api_.write_left_out(now_ms));
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (i > 0 && std::chrono::steady_clock::now() >= end) {
      put_back(group, i);
      break;
    }
    Waiting& each = group[i];
    auto answer = api_.answer(each.request, now_ms);
    if (!answer.ok()) {
      return answer.error();
    }
    each.answer = std::move(answer).value();
  }
  return std::move(transaction).commit();
}

// Those who asked nothing that needs to be written down get their answers all the same: whoever
// watches Rowlock must see that it lives.
void ApiService::withhold(std::vector<Waiting>& group, const Error& error) {
  const std::string reason =
      "nothing is released: the audit log cannot be written: " + error.message +
      (error.hint.empty() ? "" : "; " + error.hint);
  for (Waiting& each : group) {
    wipe(each.answer.response.body);
    each.answer = {};
    each.answer.response = http_response(refused_with(503, reason));
    if (api_.is_free(each.request)) {
      if (auto answer = api_.answer(each.request, clock_.now_ms()); answer.ok()) {
        each.answer = std::move(answer).value();
      }
    }
  }
}

}  // namespace rowlock
