// The image is a container of the test's own, committed with one more line.
#include "tests/live/docker/declaring_image.h"

#include "controller/adapters/docker/docker_engine.h"
#include "controller/adapters/docker/docker_json.h"
#include "controller/base/check.h"
#include "controller/base/percent.h"

#include <set>
#include <unistd.h>
#include <utility>

namespace rowlock {

namespace {

constexpr std::int64_t kDeadlineMs = 20'000;

Result<DockerAnswer> ask(const std::string& endpoint, const std::string& method,
                         const std::string& path, const std::string& body = "") {
  DockerEngine engine(endpoint, kDeadlineMs);
  DockerRequest request;
  request.method = method;
  request.path = path;
  request.body = body;
  request.deadline_ms = kDeadlineMs;
  return engine.call(method + " " + path, request);
}

}  // namespace

DeclaringImage::DeclaringImage(std::string endpoint, const std::string& path)
    : endpoint_(std::move(endpoint)),
      repository_("rowlock-live-declaring-" + std::to_string(::getpid())) {
  CHECK(ask(endpoint_, "POST", "/containers/create?name=" + repository_,
            R"({"Image":"rowlock-test:1"})")
            .ok());
  const auto made = ask(endpoint_, "POST",
                        "/commit?container=" + repository_ + "&repo=" + repository_ +
                            "&tag=1&changes=" + percent_encoded("VOLUME " + path));
  CHECK(ask(endpoint_, "DELETE", "/containers/" + repository_).ok() && made.ok());
}

DeclaringImage::~DeclaringImage() { (void)ask(endpoint_, "DELETE", "/images/" + name()).ok(); }

std::string remove_volumes_of(const std::string& endpoint, const std::string& home) {
  const std::string label = std::string(kHomeLabel) + "=" + home;
  const std::string filters = Json::object({{"label", Json::array({Json::string(label)})}}).text();
  const auto answer = ask(endpoint, "GET", "/volumes?filters=" + percent_encoded(filters));
  const auto listed = answer.ok() ? answer_json("list volumes", answer.value()) : answer.error();
  if (!listed.ok()) return listed.error().message;
  std::set<std::string> names;
  for (const Json& volume : listed.value()["Volumes"].items()) {
    const std::string name = volume["Name"].as_string();
    if (name.find("-claim-") != std::string::npos) continue;
    if (ask(endpoint, "DELETE", "/volumes/" + name).ok()) names.insert(name);
  }
  std::string text;
  for (const std::string& name : names) text += name + "\n";
  return text;
}

}  // namespace rowlock
