// The parts of the Docker adapter that need no engine: names of images, passwords, frames, lines.
#include "controller/adapters/docker/docker_http.h"
#include "controller/adapters/docker/docker_image.h"
#include "controller/adapters/docker/docker_json.h"
#include "controller/adapters/docker/docker_stream.h"
#include "controller/adapters/docker/registry_login.h"
#include "controller/base/percent.h"

#include <criterion/criterion.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

using namespace rowlock;

Test(docker_image, references_are_taken_apart) {
  const struct {
    const char* image;
    const char* name;
    const char* tag;
    const char* registry;
  } cases[] = {
      {"web", "web", "latest", "docker.io"},
      {"web:2", "web", "2", "docker.io"},
      {"team/web", "team/web", "latest", "docker.io"},
      {"localhost/web:2", "localhost/web", "2", "localhost"},
      {"registry.example:5000/team/web", "registry.example:5000/team/web", "latest",
       "registry.example:5000"},
      {"registry.example/web:2@sha256:abc", "registry.example/web", "sha256:abc",
       "registry.example"},
      {"web@sha256:abc", "web", "sha256:abc", "docker.io"},
      {"web@sha512:abc", "web", "sha512:abc", "docker.io"},
      {"", "", "latest", "docker.io"},
  };
  for (const auto& wanted : cases) {
    const ImageReference got = image_reference(wanted.image);
    cr_expect(image_reference(got.text()).tag == wanted.tag, "%s", wanted.image);
    cr_expect(got.name == wanted.name && got.tag == wanted.tag && got.registry == wanted.registry,
              "%s: %s %s %s", wanted.image, got.name.c_str(), got.tag.c_str(),
              got.registry.c_str());
  }
}

Test(docker_image, a_password_comes_from_the_docker_command_lines_file) {
  char folder[] = "/tmp/rowlock-auth-XXXXXX";
  cr_assert(::mkdtemp(folder) != nullptr);
  const std::string file = std::string(folder) + "/config.json";
  std::ofstream(file)
      << R"({"auths":{"r.example":{"auth":"dXNlcjpwYXNzOndvcmQ="},"empty.example":{}}})";
  ::setenv("DOCKER_CONFIG", folder, 1);

  // {"password":"pass:word","serveraddress":"r.example","username":"user"}
  cr_expect(registry_auth("r.example").value() ==
            "eyJwYXNzd29yZCI6InBhc3M6d29yZCIsInNlcnZlcmFkZHJlc3MiOiJyLmV4YW1wbGUiLCJ1c2VybmFtZSI6In"
            "VzZXIifQ==");
  cr_expect(registry_auth("empty.example").value().empty());
  cr_expect(registry_auth("other.example").value().empty());
  ::unlink(file.c_str());
  ::rmdir(folder);
  cr_expect(registry_auth("r.example").value().empty());
}

namespace {

// The docker command line's folder, with programs of its own in PATH.
class DockerFolder {
 public:
  explicit DockerFolder(const std::string& config) {
    char folder[] = "/tmp/rowlock-auth-XXXXXX";
    cr_assert(::mkdtemp(folder) != nullptr);
    folder_ = folder;
    std::ofstream(folder_ + "/config.json") << config;
    ::setenv("DOCKER_CONFIG", folder, 1);
    ::setenv("PATH", (folder_ + ":/usr/bin:/bin").c_str(), 1);
    ::setenv("SECRET_OF_OURS", "canary", 1);
  }
  ~DockerFolder() { std::filesystem::remove_all(folder_); }
  DockerFolder(const DockerFolder&) = delete;
  DockerFolder& operator=(const DockerFolder&) = delete;

  void add_helper(const std::string& name, const std::string& script) const {
    const std::string path = folder_ + "/docker-credential-" + name;
    std::ofstream(path) << "#!/bin/sh\n" << script << "\n";
    cr_assert(::chmod(path.c_str(), 0755) == 0);
  }

 private:
  std::string folder_;
};

constexpr const char* kAnswers =
    R"(read -r key; echo noise >&2; printf '{"ServerURL":"%s","Username":"u","Secret":"%s"}' )"
    R"("$key" "$1$SECRET_OF_OURS")";
constexpr const char* kKnowsNothing = "echo 'credentials not found in native keychain'; exit 1";

}  // namespace

Test(docker_image, a_mirror_has_the_same_path_and_a_repository_many_names) {
  const auto there = [](const char* image) {
    return mirrored(image_reference(image), "mirror.example:5000/hub").text();
  };
  cr_expect(there("nginx:1") == "mirror.example:5000/hub/library/nginx:1");
  cr_expect(there("r.example/team/web@sha256:ab") == "mirror.example:5000/hub/team/web@sha256:ab");
  cr_expect(is_same_repository("nginx", "docker.io/library/nginx"));
  cr_expect(!is_same_repository("nginx", "r.example/library/nginx"));
  cr_expect(!is_same_repository("team/nginx", "nginx"));
}

Test(docker_login, a_registrys_helper_beats_the_store_and_the_store_the_file) {
  const DockerFolder folder(
      R"({"credsStore":"store","credHelpers":{"r.example:5000":"own"},"auths":{)"
      R"("r.example:5000":{"auth":"dTpmaWxl"},"https://s.example/v2/":{"username":"u",)"
      R"("password":"file"},"t.example":{"identitytoken":"token"}}})");
  folder.add_helper("own", kAnswers);

  const std::string own = registry_auth("r.example:5000").value();
  const std::string file = registry_auth("s.example").value();
  folder.add_helper("store", kKnowsNothing);
  const std::string still = registry_auth("s.example").value();
  const std::string token = registry_auth("t.example").value();
  folder.add_helper("store", kAnswers);
  const std::string store = registry_auth("s.example").value();

  cr_expect(own == auth_header("r.example:5000", "u", "get"), "and none of our environment");
  cr_expect(file == auth_header("s.example", "u", "file"), "a store that is not installed");
  cr_expect(still == file, "a store that knows nothing");
  cr_expect(store == auth_header("s.example", "u", "get"));
  // {"identitytoken":"token","serveraddress":"t.example"}
  cr_expect(token == "eyJpZGVudGl0eXRva2VuIjoidG9rZW4iLCJzZXJ2ZXJhZGRyZXNzIjoidC5leGFtcGxlIn0=",
            "%s", token.c_str());
}

Test(docker_login, a_helper_that_hangs_or_fails_is_said, .timeout = 60) {
  const DockerFolder folder(
      R"({"credHelpers":{"a.example":"hangs","b.example":"fails","c.example":"babbles"}})");
  folder.add_helper("hangs", "exec sleep 1000");
  folder.add_helper("fails", "echo 'no key ring'; exit 2");
  folder.add_helper("babbles", "echo hunter2");

  for (const char* registry : {"a.example", "b.example", "c.example"}) {
    const Result<std::string> asked = registry_auth(registry);
    cr_assert(!asked.ok(), "%s", registry);
    cr_expect(asked.error().fault == Fault::transient, "%s", asked.error().message.c_str());
    cr_expect(asked.error().message.find(registry) != std::string::npos, "%s",
              asked.error().message.c_str());
    cr_expect(asked.error().message.find("hunter2") == std::string::npos);
  }
}

Test(docker_stream, frames_are_undone_wherever_the_pieces_are_cut) {
  const std::string framed = std::string(
                                 "\x01\0\0\0\0\0\0\x06"
                                 "hello\n",
                                 14) +
                             std::string(
                                 "\x02\0\0\0\0\0\0\x04"
                                 "oops",
                                 12);
  for (std::size_t cut = 0; cut <= framed.size(); ++cut) {
    OutputTail output(4096);
    output.feed(framed.substr(0, cut));
    output.feed(framed.substr(cut));
    cr_expect(output.text() == "hello\noops", "cut at %zu: %s", cut, output.text().c_str());
  }
}

Test(docker_stream, a_terminals_output_comes_bare) {
  for (const char* text : {"", "ok\n", "a longer line\r\nand another\r\n"}) {
    OutputTail output(4096);
    output.feed(text);
    cr_expect(output.text() == text);
  }
}

Test(docker_stream, only_the_end_of_a_flood_is_kept) {
  OutputTail output(100);
  for (int i = 0; i < 10000; ++i) output.feed("line " + std::to_string(i) + "\n");

  const std::string text = output.text();
  cr_expect(text.size() <= 100);
  cr_expect(text.rfind("line ", 0) == 0);
  cr_expect(text.size() > 80 && text.substr(text.size() - 10) == "line 9999\n", "%s", text.c_str());
}

Test(docker_stream, lines_are_put_together_and_endless_ones_dropped) {
  std::vector<std::string> lines;
  LineSplitter splitter([&](std::string_view line) { lines.emplace_back(line); });
  splitter.feed("on");
  splitter.feed("e\ntwo\nthr");
  for (int i = 0; i < 2000; ++i) splitter.feed(std::string(1000, 'x'));
  splitter.feed("\nlast\n");

  cr_expect(lines == std::vector<std::string>({"one", "two", "last"}));
}

Test(docker_json, states_and_addresses_are_read_from_the_list) {
  const struct {
    const char* item;
    ContainerState state;
    const char* address;
  } cases[] = {
      {R"({"State":"created"})", ContainerState::created, ""},
      {R"({"State":"restarting","HostConfig":{"NetworkMode":"host"}})", ContainerState::running,
       "127.0.0.1"},
      {R"({"State":"running","NetworkSettings":{"Networks":
            {"a":{"IPAddress":""},"b":{"IPAddress":"10.0.0.2"}}}})",
       ContainerState::running, "10.0.0.2"},
      {R"({"State":"paused","HostConfig":{"NetworkMode":"none"}})", ContainerState::paused, ""},
      {R"({"State":"dead"})", ContainerState::exited, ""},
      {R"({"State":"removing"})", ContainerState::exited, ""},
      {R"({"State":"exited","HostConfig":{"NetworkMode":"host"}})", ContainerState::exited, ""},
  };
  for (const auto& wanted : cases) {
    const Container got = listed_container(Json::parse(wanted.item).value());
    cr_expect(got.state == wanted.state && got.address == wanted.address, "%s", wanted.item);
  }
}

Test(docker_json, a_port_published_on_both_protocol_families_is_one_port) {
  const Json item = Json::parse(
                        R"({"Names":["/other/web","/web-1"],"State":"running","Ports":[
          {"IP":"0.0.0.0","PrivatePort":80,"PublicPort":8080,"Type":"tcp"},
          {"IP":"::","PrivatePort":80,"PublicPort":8080,"Type":"tcp"},
          {"PrivatePort":81,"Type":"tcp"}]})")
                        .value();

  const Container container = listed_container(item);

  cr_expect(container.name == "web-1");
  cr_assert_eq(container.published.size(), 1u);
  cr_expect_eq(container.published[0].host_port, 8080);
}

Test(docker_http, what_means_something_in_a_path_is_encoded) {
  cr_expect(percent_encoded("a/b c?d=é#") == "a%2Fb%20c%3Fd%3D%C3%A9%23");
  cr_expect(percent_encoded("registry:5000/web@sha256:1", "/:@") == "registry:5000/web@sha256:1");
}
