// The parts of the Docker adapter that need no engine: names of images, passwords, frames, lines.
#include "controller/adapters/docker/docker_http.h"
#include "controller/adapters/docker/docker_image.h"
#include "controller/adapters/docker/docker_json.h"
#include "controller/adapters/docker/docker_stream.h"
#include "controller/adapters/docker/registry_login.h"
#include "controller/base/percent.h"

#include <criterion/criterion.h>

#include <cstdlib>
#include <fstream>
#include <string>
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
      {"", "", "latest", "docker.io"},
  };
  for (const auto& wanted : cases) {
    const ImageReference got = image_reference(wanted.image);
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
