// `rowlock export` as scripts see it: the document alone on stdout, and what is wrong by its code.
#include "controller/base/json.h"
#include "tests/cli/cli_home.h"

#include <functional>
#include <unistd.h>

using rowlock_test::CliHome;
using rowlock_test::message_of;

namespace {

// What goes to stdout while it runs.
std::string printed(const CliHome& given, const std::function<void()>& run) {
  const std::string path = given.folder + "/stdout";
  std::fflush(stdout);
  const int before = dup(STDOUT_FILENO);
  cr_assert(std::freopen(path.c_str(), "w", stdout) != nullptr);
  run();
  std::fflush(stdout);
  dup2(before, STDOUT_FILENO);
  close(before);
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void add_a_route(const CliHome& given) {
  given.edit(
      "INSERT INTO job (name, image) VALUES ('web', 'web:1');"
      "INSERT INTO job_port (job, label, port) VALUES ('web', 'http', 80);"
      "INSERT INTO route (name, host, job, port) VALUES ('site', 'example.org', 'web', 'http')");
  given.accept();
}

}  // namespace

Test(cli_export, traefik_is_one_document_in_every_form) {
  const CliHome given;
  add_a_route(given);

  std::string texts[2];
  texts[0] = printed(given, [&] {
    cr_expect(given.run({"export", "traefik"}).exit_code == rowlock::kExitOk);
  });
  texts[1] = printed(given, [&] {
    cr_expect(given.run({"export", "traefik", "--format", "json", "--plain"}).exit_code ==
              rowlock::kExitOk);
  });

  cr_expect(texts[0] == texts[1]);
  cr_expect(texts[0].ends_with("}\n"));
  const auto document = rowlock::Json::parse(texts[0]);
  cr_assert(document.ok(), "%s", texts[0].c_str());
  cr_expect(document.value()["http"]["routers"].members().size() == 2);
}

Test(cli_export, cloudflared_is_yaml_unless_json_is_asked_for) {
  const CliHome given;
  add_a_route(given);
  const auto text = [&](const std::vector<std::string>& options) {
    std::vector<std::string> words = {"export", "cloudflared"};
    words.insert(words.end(), options.begin(), options.end());
    return printed(given, [&] { cr_expect(given.run(words).exit_code == 0); });
  };
  const std::string yaml = text({"--plain"});
  const std::string json = text({"--plain", "--format", "json"});

  cr_expect(yaml.starts_with("ingress:\n  - hostname: \"example.org\"\n"));
  cr_expect(text({"--plain", "--format", "yaml"}) == yaml);
  cr_expect(rowlock::Json::parse(json).ok());
  cr_expect(text({}) == json, "--json");
}

Test(cli_export, an_unknown_target_is_misuse) {
  const CliHome given;

  for (const char* target : {"nginx", "traefic", ""}) {
    cr_expect(given.run({"export", target}).exit_code == rowlock::kExitUsage, "'%s'", target);
  }
  cr_expect(given.run({"export", "traefik", "--format", "yaml"}).exit_code == rowlock::kExitUsage);
}

Test(cli_export, what_cannot_work_is_refused_with_what_to_do) {
  const CliHome given;
  given.edit("INSERT INTO proxy (accept_proxy) VALUES (1)");
  add_a_route(given);

  const auto ended = given.run({"export", "cloudflared"});

  cr_expect(ended.exit_code == rowlock::kExitFailed);
  cr_expect(message_of(ended).find("PROXY protocol") != std::string::npos);
  cr_expect(given.run({"export", "traefik"}).exit_code == rowlock::kExitOk);
}
