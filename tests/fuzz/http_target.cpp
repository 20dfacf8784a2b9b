// What a client sends over the unix socket, through the listener that the service has. What reaches
// the handler is text within its bounds, whether the bytes come at once or in two pieces. The first
// byte says where the cut is.
#include "controller/base/check.h"
#include "controller/base/utf8.h"
#include "controller/loop/loop.h"
#include "controller/serve/http_server.h"
#include "tests/fuzz/targets.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace rowlock {

namespace {

constexpr std::int64_t kPatienceMs = 1000;
constexpr std::size_t kBytesMax = 32 * 1024;  // Fits into the socket's buffer.

class Rig {
 public:
  Rig()
      : server_(loop_, [this](HttpRequest request, const HttpServer::Respond& respond) {
          take(request);
          HttpResponse response;
          response.body = request.path;
          respond(std::move(response));
        }) {
    char folder[] = "/tmp/rowlock-fuzz-XXXXXX";
    CHECK(::mkdtemp(folder) != nullptr);
    folder_ = folder;
    CHECK(server_.listen_on_socket(folder_ + "/socket").ok());
    connect_address_.sun_family = AF_UNIX;
    std::strncpy(connect_address_.sun_path, (folder_ + "/socket").c_str(),
                 sizeof connect_address_.sun_path - 1);
  }
  ~Rig() { std::filesystem::remove_all(folder_); }
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  // What reached the handler.
  std::string sent(std::string_view first, std::string_view second) {
    seen_.clear();
    client_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(::connect(client_, reinterpret_cast<const sockaddr*>(&connect_address_),
                    sizeof connect_address_) == 0);
    send(first);
    for (int turn = 0; turn < 4; ++turn) {
      loop_.post([this] { loop_.stop(); });
      loop_.run();
    }
    send(second);
    ::shutdown(client_, SHUT_WR);
    const auto patience = loop_.timer();
    patience->start(kPatienceMs, [this] { loop_.stop(); });  // The server cuts it much later.
    {
      const auto watch = loop_.watch_fd(client_, true, false, [this](bool, bool) { receive(); });
      loop_.run();
    }
    ::close(client_);
    return seen_;
  }

 private:
  void send(std::string_view bytes) const {
    // The server may have cut the connection by now.
    if (!bytes.empty()) (void)!::send(client_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  void receive() {
    char bytes[4096];
    for (;;) {
      const ssize_t count = ::recv(client_, bytes, sizeof bytes, 0);
      if (count > 0) continue;
      if (count == 0 || errno != EAGAIN) loop_.stop();
      return;
    }
  }

  void take(const HttpRequest& request) {
    const auto is_clean = [](const std::string& text) {
      return utf8_first_fault(text) == std::string::npos && text.find('\0') == std::string::npos;
    };
    CHECK(request.path.starts_with('/') && is_clean(request.path));
    CHECK(request.body.size() <= HttpServer::kBodyMax);
    CHECK(request.user.has_value());
    seen_ += request.method + " " + request.path;
    for (const auto& [name, value] : request.query) {
      CHECK(is_clean(name) && is_clean(value));
      seen_ += "\n?" + name + "=" + value;
    }
    for (const auto& [name, value] : request.headers) {
      CHECK(value.find('\n') == std::string::npos && value.find('\0') == std::string::npos);
      seen_ += "\n" + name + ": " + value;
    }
    seen_ += "\n\n" + request.body + "\n";
  }

  Loop loop_;
  HttpServer server_;
  std::string folder_;
  sockaddr_un connect_address_{};
  int client_ = -1;
  std::string seen_;
};

}  // namespace

void fuzz_http(std::string_view bytes) {
  if (bytes.empty()) return;
  static Rig rig;
  const std::size_t cut = static_cast<unsigned char>(bytes.front());
  bytes = bytes.substr(1, kBytesMax);
  const std::string_view head = bytes.substr(0, cut);
  // What becomes of a lone line's end differs with where the bytes are cut: libmicrohttpd's matter.
  (void)rig.sent(bytes, "");
  (void)rig.sent(head, bytes.substr(head.size()));
}

}  // namespace rowlock
