// The server runs on its loop's thread and the test on another: whatever touches the server goes
// through on_loop().
#include "tests/serve/served.h"

#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <future>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace rowlock_test {

namespace {

constexpr timeval kPatience{10, 0};

int connected(int family, const sockaddr* address, socklen_t size) {
  const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  cr_assert(fd >= 0);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  cr_assert_eq(connect(fd, address, size), 0, "connect: %s", std::strerror(errno));
  return fd;
}

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

int connected_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  return connected(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

int connected_to(int port) {
  const sockaddr_in address = loopback(port);
  return connected(AF_INET, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

}  // namespace

void tell(HttpRequest request, const HttpServer::Respond& respond) {
  respond(text(request.method + " " + request.path + " " + std::to_string(request.body.size())));
}

HttpResponse text(std::string body, int status) {
  HttpResponse response;
  response.status = status;
  response.content_type = "text/plain";
  response.body = std::move(body);
  return response;
}

// ---- Served -------------------------------------------------------------------------------------

Served::Served(HttpServer::Handle handle, HttpServer::Knows knows)
    : server_(std::make_unique<HttpServer>(loop_, std::move(handle), std::move(knows))) {
  const auto listens = server_->listen_on_socket(path());
  cr_assert(listens.ok(), "%s", listens.ok() ? "" : listens.error().message.c_str());
  thread_ = std::thread([this] { loop_.run(); });
}

Served::~Served() {
  on_loop([this] { server_.reset(); });
  loop_.stop();
  thread_.join();
}

void Served::on_loop(const std::function<void()>& call) {
  std::promise<void> done;
  loop_.post([&] {
    call();
    done.set_value();
  });
  done.get_future().wait();
}

// ---- Client -------------------------------------------------------------------------------------

Client::Client(const std::string& socket_path) : fd_(connected_to(socket_path)) {}
Client::Client(int port) : fd_(connected_to(port)) {}
Client::Client(Client&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), pending_(std::move(other.pending_)) {}
Client::~Client() {
  if (fd_ >= 0) close(fd_);
}

void Client::send(std::string_view bytes) const {
  cr_assert(can_send(bytes), "send: %s", std::strerror(errno));
}

bool Client::can_send(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

void Client::end_sending() const { cr_assert_eq(shutdown(fd_, SHUT_WR), 0); }

bool Client::receive_more() {
  char bytes[16 * 1024];
  const ssize_t count = recv(fd_, bytes, sizeof bytes, 0);
  cr_assert(count >= 0 || errno == ECONNRESET, "receive: %s", std::strerror(errno));
  if (count <= 0) return false;
  pending_.append(bytes, static_cast<std::size_t>(count));
  return true;
}

Reply Client::receive(bool has_body) {
  constexpr std::string_view kEnd = "\r\n\r\n";
  constexpr std::string_view kLength = "Content-Length: ";
  while (pending_.find(kEnd) == std::string::npos) {
    if (!receive_more()) return {};
  }
  Reply reply;
  reply.head = pending_.substr(0, pending_.find(kEnd) + kEnd.size());
  pending_.erase(0, reply.head.size());
  reply.status = std::stoi(reply.head.substr(reply.head.find(' ') + 1));
  const std::size_t length = reply.head.find(kLength);
  if (!has_body || length == std::string::npos) return reply;
  const std::size_t size = std::stoul(reply.head.substr(length + kLength.size()));
  while (pending_.size() < size) {
    if (!receive_more()) return {};
  }
  reply.body = pending_.substr(0, size);
  pending_.erase(0, size);
  return reply;
}

bool Client::is_closed() { return pending_.empty() && !receive_more(); }

Reply Client::ask(const std::string& method, const std::string& target, std::string_view body) {
  send(request_text(method, target, body));
  return receive(method != "HEAD");
}

std::string request_text(const std::string& method, const std::string& target,
                         std::string_view body) {
  std::string result = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n";
  if (!body.empty()) result += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return result + "\r\n" + std::string(body);
}

int free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  cr_assert_eq(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  cr_assert_eq(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  close(fd);
  return ntohs(address.sin_port);
}

}  // namespace rowlock_test
