// HAProxy against the suite that every proxy passes, as a process of its own on ports and in a
// folder of its own. Where haproxy or openssl is not installed, nothing is tested.
#include "controller/adapters/haproxy/haproxy.h"
#include "tests/conformance/proxy_suite.h"
#include "tests/live/rowlock/rowlock_child.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>
#include <vector>

using namespace rowlock;

namespace {

constexpr char kMakeCertificate[] =
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 "
    "-subj /CN=example.org -addext subjectAltName=DNS:example.org ";

std::string listen_at_a_free_port() {
  return "127.0.0.1:" + std::to_string(rowlock_live::port_free_a_moment_ago());
}

void run(const std::string& command) { cr_assert(std::system(command.c_str()) == 0); }

// What the suite has the proxy send to takes connections, though nobody answers.
class Listeners {
 public:
  Listeners() {
    for (int slot = 1; slot <= kConformanceSlots; ++slot) {
      sockaddr_in to{};
      to.sin_family = AF_INET;
      to.sin_port = htons(static_cast<std::uint16_t>(conformance_port(slot)));
      inet_pton(AF_INET, conformance_address(slot).c_str(), &to.sin_addr);
      listen_at(AF_INET, &to, sizeof to);
    }
    sockaddr_in6 loopback{};
    loopback.sin6_family = AF_INET6;
    loopback.sin6_port = htons(static_cast<std::uint16_t>(conformance_port(1)));
    loopback.sin6_addr = in6addr_loopback;
    listen_at(AF_INET6, &loopback, sizeof loopback);
  }
  ~Listeners() {
    for (const int socket : sockets_) ::close(socket);
  }
  Listeners(const Listeners&) = delete;
  Listeners& operator=(const Listeners&) = delete;

 private:
  void listen_at(int family, const void* address, socklen_t size) {
    const int socket = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    cr_assert(::bind(socket, static_cast<const sockaddr*>(address), size) == 0);
    cr_assert(::listen(socket, 512) == 0);
    sockets_.push_back(socket);
  }

  std::vector<int> sockets_;
};

// Put there at once: the proxy must never read half of it.
void write_certificate(const TempFolder& scratch, const std::string& file, bool good) {
  std::filesystem::create_directories(std::filesystem::path(file).parent_path());
  const std::string key = scratch / "key";
  const std::string chain = scratch / "chain";
  const std::string whole = scratch / "whole";
  if (good) {
    run(kMakeCertificate + ("-keyout " + key + " -out " + chain + " 2>/dev/null"));
    write(whole, contents(chain) + contents(key));
  } else {
    write(whole, "no certificate\n");
  }
  std::filesystem::rename(whole, file);
}

}  // namespace

Test(live_haproxy_conformance, behaves_like_every_proxy, .timeout = 300) {
  if (std::system("command -v haproxy >/dev/null && command -v openssl >/dev/null") != 0) {
    cr_skip_test("haproxy or openssl is not installed");
  }
  const Listeners listeners;
  const TempFolder folder;
  const TempFolder files;
  const TempFolder scratch;
  HaproxyProxy proxy(folder.path(), "");
  ProxyFixture fixture;
  fixture.listen = listen_at_a_free_port();
  fixture.listen_tls = listen_at_a_free_port();
  fixture.folder_for_files = files.path();
  fixture.kill = [&] {
    const Result<ProxyReport> report = proxy.observe();
    if (report.ok()) ::kill(static_cast<pid_t>(report.value().process), SIGKILL);
  };
  fixture.spoil = [](ProxyConfig spoilt) {
    spoilt.routes.front().headers = {{"X-\x01", "1"}};
    return spoilt;
  };
  fixture.write_certificate = [&](const std::string& file, bool good) {
    write_certificate(scratch, file, good);
  };

  check_proxy(proxy, fixture);
}
