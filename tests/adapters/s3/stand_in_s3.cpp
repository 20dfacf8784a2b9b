// The connections: requests are read, faults befall them, answers are sent.
#include "tests/adapters/s3/stand_in_s3.h"

#include "controller/base/percent.h"
#include "controller/base/time.h"

#include <criterion/criterion.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <ctime>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace rowlock {

namespace {

constexpr std::int64_t kAheadMs = 20 * 60'000;
constexpr auto kSlow = std::chrono::seconds(1);
constexpr auto kLook = std::chrono::milliseconds(5);

// The bucket is in the path, or in the name of the host.
void read_target(std::string target, StandInS3::Asked& asked) {
  const std::size_t mark = target.find('?');
  std::string query = mark == std::string::npos ? "" : target.substr(mark + 1);
  target.resize(std::min(mark, target.size()));
  const bool is_path_style = !asked.headers["host"].starts_with("backups.");
  const std::size_t slash = target.find('/', is_path_style ? 1 : 0);
  asked.key = slash == std::string::npos ? "" : percent_decoded_bytes(target.substr(slash + 1));
  while (!query.empty()) {
    const std::string pair = query.substr(0, query.find('&'));
    query.erase(0, pair.size() + 1);
    const std::size_t equals = pair.find('=');
    asked.query[percent_decoded_bytes(pair.substr(0, equals))] =
        equals == std::string::npos ? "" : percent_decoded_bytes(pair.substr(equals + 1));
  }
}

StandInS3::Asked read_head(const std::string& head) {
  StandInS3::Asked asked;
  const std::string line = head.substr(0, head.find("\r\n"));
  asked.method = line.substr(0, line.find(' '));
  std::size_t at = line.size() + 2;
  while (at < head.size()) {
    const std::size_t end = head.find("\r\n", at);
    const std::string header = head.substr(at, end - at);
    at = end == std::string::npos ? head.size() : end + 2;
    const std::size_t colon = header.find(':');
    if (colon == std::string::npos) continue;
    std::string name = header.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    std::string value = header.substr(colon + 1);
    value.erase(0, value.find_first_not_of(' '));
    asked.headers[name] = value;
  }
  const std::string rest = line.substr(asked.method.size() + 1);
  read_target(rest.substr(0, rest.find(' ')), asked);
  return asked;
}

bool receive(int connection, std::string& buffer) {
  char bytes[64 * 1024];
  const ssize_t count = ::recv(connection, bytes, sizeof bytes, 0);
  if (count <= 0) return false;
  buffer.append(bytes, static_cast<std::size_t>(count));
  return true;
}

bool is_gone(int connection) {
  char byte;
  return ::recv(connection, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

bool send_all(int connection, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

std::string error_xml(const std::string& code, const std::string& message) {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>" + code + "</Code><Message>" +
         message + "</Message></Error>";
}

}  // namespace

std::string http_date(std::time_t at) {
  char text[64];
  std::tm parts{};
  ::gmtime_r(&at, &parts);
  std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return text;
}

std::string StandInS3::Asked::act() const {
  const auto has = [this](const char* name) { return query.contains(name); };
  if (method == "PUT") return has("partNumber") ? "part" : "put";
  if (method == "POST") return has("uploads") ? "create" : "complete";
  if (method == "DELETE") return has("uploadId") ? "abort" : "delete";
  if (method == "HEAD") return "head";
  if (has("versioning")) return "versioning";
  if (has("versions")) return "versions";
  if (has("uploads")) return "uploads";
  return has("list-type") ? "list" : "get";
}

StandInS3::StandInS3() {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  cr_assert(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
  cr_assert(::listen(listener_, 64) == 0);
  cr_assert(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

StandInS3::~StandInS3() {
  ends_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  thread_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const int connection : open_) ::shutdown(connection, SHUT_RDWR);
  }
  for (std::thread& each : conversing_) each.join();
  ::close(listener_);
}

void StandInS3::serve() {
  while (true) {
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    const std::lock_guard lock(mutex_);
    open_.push_back(connection);
    conversing_.emplace_back([this, connection] { converse(connection); });
  }
}

void StandInS3::converse(int connection) {
  std::string buffer;
  while (!ends_ && exchange(connection, buffer)) {
  }
  const std::lock_guard lock(mutex_);
  std::erase(open_, connection);
  ::close(connection);
}

bool StandInS3::exchange(int connection, std::string& buffer) {
  std::size_t end = 0;
  while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
    if (!receive(connection, buffer)) return false;
  }
  Asked asked = read_head(buffer.substr(0, end));
  buffer.erase(0, end + 4);
  const std::size_t length = std::strtoul(asked.headers["content-length"].c_str(), nullptr, 10);
  Mishap fault = Mishap::none;
  {
    const std::lock_guard lock(mutex_);
    ++requests_;
    ++asked_[asked.act()];
    for (const auto& [name, value] : asked.headers) ++headers_[name];
    if (faults_) fault = faults_(asked);
  }
  if (fault == Mishap::dropped) return false;
  while (buffer.size() < length) {
    if (!receive(connection, buffer)) return false;
  }
  asked.body = buffer.substr(0, length);
  buffer.erase(0, length);
  if (fault == Mishap::silent) {
    while (receive(connection, buffer)) {
    }
    return false;
  }
  if (!await_turn(connection, fault)) return false;
  const bool is_done = fault == Mishap::none || fault == Mishap::answer_lost ||
                       fault == Mishap::answer_cut || fault == Mishap::slow ||
                       fault == Mishap::held;
  Answer answer = fault_answer(fault);
  if (is_done) {
    const std::lock_guard lock(mutex_);
    answer = answer_to(asked);
  }
  if (fault == Mishap::answer_lost) return false;
  const std::int64_t now = now_ms() + (fault == Mishap::skewed ? kAheadMs : 0);
  std::string head =
      "HTTP/1.1 " + std::to_string(answer.status) + " Said\r\nDate: " + http_date(now / 1000) +
      "\r\nContent-Length: " +
      std::to_string(answer.length >= 0 ? answer.length
                                        : static_cast<std::int64_t>(answer.body.size())) +
      "\r\n";
  for (const auto& [name, value] : answer.headers) head += name + ": " + value + "\r\n";
  std::string all = head + "\r\n" + (asked.method == "HEAD" ? "" : answer.body);
  if (fault == Mishap::answer_cut) {
    (void)send_all(connection,
                   std::string_view(all).substr(0, all.size() - answer.body.size() / 2 - 1));
    return false;
  }
  return send_all(connection, all);
}

// False: nothing is to be done, for nobody is there to hear of it.
bool StandInS3::await_turn(int connection, Mishap fault) const {
  const auto began = std::chrono::steady_clock::now();
  const auto is_over = [&] {
    if (fault == Mishap::slow) return std::chrono::steady_clock::now() - began >= kSlow;
    return fault != Mishap::held || !holds;
  };
  while (!is_over()) {
    if (ends_ || is_gone(connection)) return false;
    std::this_thread::sleep_for(kLook);
  }
  return fault != Mishap::held || !is_gone(connection);
}

std::int64_t StandInS3::now_ms() const { return system_now_ms() + clock_ahead_ms; }

StandInS3::Answer StandInS3::fault_answer(Mishap fault) const {
  switch (fault) {
    case Mishap::internal_error:
      return {500, error_xml("InternalError", "We encountered an internal error."), {}, -1};
    case Mishap::slow_down:
      return {503, error_xml("SlowDown", "Please reduce your request rate."), {}, -1};
    case Mishap::bad_gateway: return {502, "<html><body>Bad &nbsp; gateway", {}, -1};
    case Mishap::full:
      return {507, error_xml("InsufficientStorage", "There is no room left."), {}, -1};
    case Mishap::too_large:
      return {400, error_xml("EntityTooLarge", "Your proposed upload is too large."), {}, -1};
    case Mishap::skewed:
      return {403, error_xml("RequestTimeTooSkewed", "The difference is too large."), {}, -1};
    case Mishap::revoked:
      return {
          403, error_xml("InvalidAccessKeyId", "The key does not exist\nin our records."), {}, -1};
    case Mishap::denied: return {403, error_xml("AccessDenied", "Access Denied"), {}, -1};
    case Mishap::error_in_200:
      return {200, error_xml("InternalError", "We encountered an internal error."), {}, -1};
    case Mishap::condition_unknown:
      return {501, error_xml("NotImplemented", "A header is not implemented."), {}, -1};
    case Mishap::none:
    case Mishap::silent:
    case Mishap::slow:
    case Mishap::held:
    case Mishap::dropped:
    case Mishap::answer_lost:
    case Mishap::answer_cut: break;
  }
  return {};
}

// ---- For those who check -----------------------------------------------------------------------

void StandInS3::set_faults(std::function<Mishap(const Asked&)> faults) {
  const std::lock_guard lock(mutex_);
  faults_ = std::move(faults);
}

StoreAddress StandInS3::address(const std::string& prefix) const {
  StoreAddress address;
  address.url = "s3://backups" + (prefix.empty() ? "" : "/" + prefix);
  address.endpoint = "http://127.0.0.1:" + std::to_string(port_);
  address.access_key_id = "AKIDEXAMPLE";
  address.secret_access_key = std::make_shared<const SecretBytes>(std::string_view("TellNobody"));
  return address;
}

std::map<std::string, std::string> StandInS3::objects() const {
  const std::lock_guard lock(mutex_);
  std::map<std::string, std::string> found;
  for (const auto& [key, kept] : versions_) {
    if (const Version* const version = seen(key)) found[key] = version->bytes;
  }
  return found;
}

std::vector<std::string> StandInS3::pending_uploads() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> keys;
  for (const auto& [id, upload] : uploads_) keys.push_back(upload.key);
  std::sort(keys.begin(), keys.end());
  return keys;
}

int StandInS3::versions_kept() const {
  const std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (const auto& [key, kept] : versions_) count += kept.size();
  return static_cast<int>(count);
}

int StandInS3::asked(const std::string& act) const {
  const std::lock_guard lock(mutex_);
  const auto found = asked_.find(act);
  return found == asked_.end() ? 0 : found->second;
}

int StandInS3::requests_with(const std::string& header) const {
  const std::lock_guard lock(mutex_);
  int count = 0;
  for (const auto& [name, times] : headers_) {
    if (name.starts_with(header)) count += times;
  }
  return count;
}

int StandInS3::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void StandInS3::leave_upload(const std::string& key) {
  const std::lock_guard lock(mutex_);
  uploads_["left-" + std::to_string(++next_id_)] = {key, {}, now_ms()};
}

}  // namespace rowlock
