// HAProxy against the suite that every proxy passes, as a process of its own on ports and in a
// folder of its own. Where haproxy or openssl is not installed, nothing is tested.
#include "controller/adapters/haproxy.h"
#include "tests/conformance/proxy_suite.h"
#include "tests/live/rowlock_child.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <sys/types.h>

using namespace rowlock;

namespace {

constexpr char kMakeCertificate[] =
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 "
    "-subj /CN=example.org -addext subjectAltName=DNS:example.org ";

std::string listen_at_a_free_port() {
  return "127.0.0.1:" + std::to_string(rowlock_live::port_free_a_moment_ago());
}

void run(const std::string& command) { cr_assert(std::system(command.c_str()) == 0); }

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
