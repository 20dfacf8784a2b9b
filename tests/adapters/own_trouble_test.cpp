// What every adapter says when it is this machine that has nothing left: that, and nothing of whom
// it was about to ask.
#include "controller/base/own_trouble.h"

#include "controller/adapters/docker/docker.h"
#include "controller/adapters/files/file_store.h"
#include "controller/adapters/files/secret_folders.h"
#include "controller/adapters/haproxy/haproxy_certificate.h"
#include "controller/adapters/haproxy/haproxy_socket.h"
#include "controller/adapters/http/http_pings.h"
#include "controller/adapters/http/key_sets.h"
#include "controller/adapters/http/socket_client.h"
#include "controller/adapters/postgres/postgres_connection.h"
#include "controller/adapters/process/command.h"
#include "controller/adapters/s3/s3_http.h"
#include "controller/base/open_file.h"
#include "controller/secrets/private_file.h"
#include "tests/adapters/no_descriptors.h"

#include <criterion/criterion.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

using namespace rowlock;

namespace {

const std::atomic<bool> kGoesOn = false;

template <typename T>
std::optional<Error> error_of(const Result<T>& result) {
  return result.ok() ? std::nullopt : std::optional<Error>(result.error());
}

Result<HttpAnswer> ask_a_store(const std::string& url) {
  HttpCall call;
  call.method = "GET";
  call.url = url;
  call.connect_ms = call.silence_ms = call.deadline_ms = 2000;
  return HttpClient(kGoesOn).send(call);
}

struct Attempt {
  const char* name;
  std::function<std::optional<Error>()> make;
};

// One call, or one of each way in which it asks, on every adapter.
std::vector<Attempt> attempts(const std::string& folder) {
  const std::string file = folder + "/file";
  return {
      {"docker, unix", [] { return error_of(DockerRuntime("unix:///nowhere").list()); }},
      {"docker, tcp", [] { return error_of(DockerRuntime("tcp://127.0.0.1:9").list()); }},
      {"docker, name", [] { return error_of(DockerRuntime("tcp://localhost:9").list()); }},
      {"haproxy", [=] { return error_of(exchange(folder + "/socket", "show info", 2000)); }},
      {"certificate", [=] { return error_of(read_certificate(file)); }},
      {"s3", [] { return error_of(ask_a_store("http://127.0.0.1:9/")); }},
      {"s3, name", [] { return error_of(ask_a_store("https://localhost:9/")); }},
      {"ping", [] { return error_of(HttpPings(2000).ping("http://127.0.0.1:9/")); }},
      {"key set, url", [] { return error_of(KeySetReader().read("http://127.0.0.1:9/")); }},
      {"key set, file", [=] { return error_of(KeySetReader().read(file)); }},
      {"controller", [=] { return error_of(ask(file, "GET", "/", "", {}, 2000)); }},
      {"file store", [=] { return error_of(FileStore(folder, 0, kGoesOn).list("")); }},
      {"secrets", [=] { return error_of(MemoryFolders(folder, {folder}).write("a", {})); }},
      {"private file", [=] { return error_of(read_private_file(file)); }},
      {"command", [] { return error_of(run_command({"/bin/true"}, 2000)); }},
      {"postgres",
       [] {
         PostgresAddress address;
         address.url = "postgresql://nobody@127.0.0.1:9/nothing";
         return error_of(PostgresConnection::open(address, {2000, 2000, 2000}));
       }},
  };
}

}  // namespace

Test(own_trouble, every_adapter_says_that_this_machine_has_no_descriptor_left, .timeout = 60) {
  char folder[] = "/dev/shm/rowlock-own-trouble-XXXXXX";  // In memory, as secrets have to be.
  cr_assert(mkdtemp(folder) != nullptr);
  const std::vector<Attempt> all = attempts(folder);
  std::vector<std::optional<Error>> errors;

  {
    const NoDescriptors none;
    for (const Attempt& attempt : all) errors.push_back(attempt.make());
  }

  for (std::size_t i = 0; i < all.size(); ++i) {
    const char* const name = all[i].name;
    cr_expect(errors[i].has_value(), "%s succeeded", name);
    if (!errors[i].has_value()) continue;
    const std::string& message = errors[i]->message;
    cr_expect(errors[i]->fault == Fault::broken, "%s: %s", name, message.c_str());
    cr_expect(message.find("too many open files: this process may have ") != std::string::npos,
              "%s: %s", name, message.c_str());
    cr_expect(errors[i]->hint.find("LimitNOFILE") != std::string::npos, "%s: %s", name,
              errors[i]->hint.c_str());
  }
  std::filesystem::remove_all(folder);
}

Test(own_trouble, what_others_answer_is_not_ours) {
  for (const int code : {ECONNREFUSED, ETIMEDOUT, ENOENT, EACCES, ENOSPC, EAGAIN, 0}) {
    cr_expect_not(is_own_trouble(code), "%d", code);
  }
  for (const int code : {EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL}) {
    cr_expect(is_own_trouble(code), "%d", code);
    cr_expect(own_trouble("look", code).fault == Fault::broken);
    cr_expect(own_trouble("look", code).message.starts_with("look: "));
    cr_expect_not(own_trouble("look", code).hint.empty());
    cr_expect_eq(own_trouble_of("could not do it: " + std::string(std::strerror(code))), code);
  }
  cr_expect_eq(own_trouble_of("connection refused"), 0);
  cr_expect_eq(own_trouble_now(), 0);
}
