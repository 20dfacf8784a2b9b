// The table of complaints: what an engine says when it refuses, and who can mend that. A refusal
// that reads wrongly in `status` is put right by a row here.
#include "controller/adapters/docker/docker_engine.h"

#include "controller/base/utf8.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <utility>

namespace rowlock {

namespace {

// The newest API this adapter was written against. An engine that only speaks newer ones says so
// itself.
constexpr std::string_view kApiVersionNewest = "1.44";

constexpr std::size_t kWordsBytesMax = 600;

// What an engine complains of, who can mend it, and how. The first row whose words (in lower case)
// occur in the message counts: engines answer the same trouble with 400, 404 or 500 depending on
// their version, so the words decide, not the status.
struct Complaint {
  const char* words;
  Fault fault;
  Cause cause;
  const char* hint;
};

constexpr Complaint kComplaints[] = {
    {"no such container", Fault::transient, Cause::not_found, ""},
    {"no such exec", Fault::transient, Cause::not_found, ""},

    // The node.
    {"no space left on device", Fault::broken, Cause::other,
     "free disk space on the node, for example: docker system prune"},
    {"port is already allocated", Fault::transient, Cause::other,
     "free the port, or change job_port.host_port"},
    {"address already in use", Fault::transient, Cause::other,
     "free the port, or change job_port.host_port"},
    {"cannot assign requested address", Fault::rejected, Cause::other,
     "the node has no such address: correct job_port.host_ip"},

    // The image's content against the job's row.
    {"executable file not found", Fault::rejected, Cause::other,
     "correct job.command: the image has no such program"},
    {"unable to start container process: exec:", Fault::rejected, Cause::other,
     "correct job.command: the image has no such program, or it may not be run"},
    {"no command specified", Fault::rejected, Cause::other,
     "set job.command: the image has none of its own"},
    {"unable to find user", Fault::rejected, Cause::other,
     "correct job.user: the image has no such user; a number works always"},
    {"unable to find group", Fault::rejected, Cause::other,
     "correct job.user: the image has no such group; a number works always"},

    // The rest of the job's row.
    {"bind source path does not exist", Fault::rejected, Cause::other,
     "create the folder on the node, or correct job_mount.source"},
    {"invalid mount", Fault::rejected, Cause::other, "correct the job's rows in job_mount"},
    {"invalid volume", Fault::rejected, Cause::other, "correct the job's rows in job_mount"},
    {"for a local volume name", Fault::rejected, Cause::other, "correct job_mount.source"},
    {"duplicate mount point", Fault::rejected, Cause::other,
     "two rows in job_mount have the same path"},
    {"unknown capability", Fault::rejected, Cause::other,
     "correct the job's capabilities, such as NET_BIND_SERVICE"},
    {"invalid signal", Fault::rejected, Cause::other, "correct job.stop_signal, such as SIGTERM"},
    {"minimum memory limit", Fault::rejected, Cause::other, "raise job.memory_mb"},
    {"range of cpus", Fault::rejected, Cause::other, "lower job.cpus to what the node has"},
    {"could not find bridge", Fault::broken, Cause::other,
     "the engine has lost its bridge: restart the engine"},
    {"non-overlapping ipv4 address pool", Fault::rejected, Cause::other,
     "no subnet is left for the home's network: docker network prune, or set "
     "default-address-pools in the engine's daemon.json"},
    {"no such network", Fault::rejected, Cause::other,
     "create the network on the node, or correct job.network"},

    // Images and registries.
    {"no such image", Fault::transient, Cause::image_absent, ""},
    {"invalid reference format", Fault::rejected, Cause::other,
     "correct job.image: [registry/]name[:tag], in lower case"},
    {"no matching manifest", Fault::rejected, Cause::other, ""},
    {"does not match the specified platform", Fault::rejected, Cause::other, ""},
    {"toomanyrequests", Fault::transient, Cause::other,
     "the registry limits pulls: docker login raises the limit"},
    {"no basic auth credentials", Fault::rejected, Cause::other,
     "docker login as the user that Rowlock runs as, or a row of registry"},
    {"authentication required", Fault::rejected, Cause::other,
     "docker login as the user that Rowlock runs as, or a row of registry"},
    {"unauthorized", Fault::rejected, Cause::other,
     "docker login as the user that Rowlock runs as, or a row of registry"},
    {"certificate signed by unknown authority", Fault::rejected, Cause::other,
     "put the CA's certificate on the node as /etc/docker/certs.d/HOST:PORT/ca.crt"},
    {"server gave http response to https client", Fault::rejected, Cause::other,
     "add the registry to insecure-registries in the engine's daemon.json"},

    // The engine itself.
    {"client version", Fault::broken, Cause::other,
     "set DOCKER_API_VERSION to one that the engine speaks"},
};

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// "network web not found" has the name in the middle, which no row of the table can say.
bool names_an_absent_network(const std::string& words) {
  return words.rfind("network ", 0) == 0 && contains(words, " not found");
}

bool image_is_not_in_the_registry(const std::string& words) {
  return contains(words, "manifest unknown") || contains(words, "manifest for ") ||
         contains(words, "name unknown") || contains(words, "repository does not exist") ||
         contains(words, "pull access denied");
}

// The port in "listen tcp4 0.0.0.0:80: bind: …" or "Bind for 0.0.0.0:80 failed: …"; empty without
// one.
std::string port_named(const std::string& words) {
  for (const std::string_view after :
       {": bind: address already in use", " failed: port is already allocated"}) {
    const std::size_t end = words.find(after);
    if (end == std::string::npos) continue;
    const std::size_t colon = words.rfind(':', end - 1);
    if (colon != std::string::npos) return words.substr(colon + 1, end - colon - 1);
  }
  return "";
}

// The platform in "no matching manifest for linux/arm64/v8 in the manifest list entries".
std::string platform_named(const std::string& words) {
  constexpr std::string_view kBefore = "no matching manifest for ";
  const std::size_t start = words.find(kBefore);
  if (start == std::string::npos) return "the node's platform";
  const std::size_t name = start + kBefore.size();
  return words.substr(name, words.find(' ', name) - name);
}

// The runtime wraps what matters: "failed to create shim task: OCI runtime create failed: runc
// create failed: unable to start container process: exec: …: unknown".
std::string to_the_point(std::string words) {
  constexpr std::string_view kWrapping = "unable to start container process: ";
  constexpr std::string_view kTail = ": unknown";
  if (const std::size_t at = words.find(kWrapping); at != std::string::npos) {
    words.erase(0, at + kWrapping.size());
  }
  if (words.ends_with(kTail)) words.erase(words.size() - kTail.size());
  return words;
}

Error by_status(int status, std::string message) {
  if (status == 404) return Error{Fault::transient, Cause::not_found, std::move(message), ""};
  const bool refused = status == 400 || status == 401 || status == 403;
  return Error{refused ? Fault::rejected : Fault::transient, Cause::other, std::move(message), ""};
}

std::pair<int, int> version_number(std::string_view version) {
  const std::size_t dot = version.find('.');
  if (dot == std::string_view::npos) return {0, 0};
  return {std::atoi(std::string(version.substr(0, dot)).c_str()),
          std::atoi(std::string(version.substr(dot + 1)).c_str())};
}

}  // namespace

Error engine_error(std::string_view attempt, int status, const std::string& words) {
  const std::string message = std::string(attempt) + ": ";
  const std::string lower = lower_case(words);
  if (names_an_absent_network(lower)) {
    return Error{Fault::rejected, Cause::other, message + words,
                 "create the network on the node, or correct job.network"};
  }
  if (image_is_not_in_the_registry(lower)) {
    const bool denied = contains(lower, "denied");
    return Error{Fault::rejected, Cause::other,
                 message + "the registry has no such image" +
                     (denied ? ", or shows it only to users it knows" : ""),
                 denied ? "correct job.image, or docker login as the user that Rowlock runs as"
                        : "correct job.image"};
  }
  if (contains(lower, "no matching manifest")) {
    const std::string platform = platform_named(lower);
    return Error{Fault::rejected, Cause::other, message + "the image is not built for " + platform,
                 "build the image for " + platform + ", or constrain the job to another node"};
  }
  const std::string port = port_named(lower);
  for (const Complaint& complaint : kComplaints) {
    if (!contains(lower, complaint.words)) continue;
    const std::string said = port.empty()
                                 ? to_the_point(words)
                                 : "port " + port + " is taken by another process on the node";
    return Error{complaint.fault, complaint.cause, message + said, complaint.hint};
  }
  return by_status(status, message + words);
}

std::string engine_words(const DockerAnswer& answer) {
  const Result<Json> json = Json::parse(answer.body);
  std::string words = json.ok() ? json.value()["message"].as_string() : "";
  if (words.empty()) words = "HTTP " + std::to_string(answer.status) + " " + answer.body;
  while (!words.empty() && std::isspace(static_cast<unsigned char>(words.back())) != 0)
    words.pop_back();
  return utf8_sanitised(std::string_view(words).substr(0, kWordsBytesMax));
}

Result<Json> answer_json(std::string_view attempt, const DockerAnswer& answer) {
  Result<Json> json = Json::parse(answer.body);
  if (json.ok()) return json;
  return Error{
      Fault::transient, Cause::other,
      std::string(attempt) + ": the engine's answer cannot be read: " + json.error().message, ""};
}

DockerEngine::DockerEngine(std::string endpoint, std::int64_t look_ms)
    : http_(std::move(endpoint)), look_ms_(look_ms) {
  const char* const fixed = std::getenv("DOCKER_API_VERSION");
  if (fixed != nullptr) api_version_ = fixed;
}

Result<std::string> DockerEngine::api_version() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!api_version_.empty()) return api_version_;
  }
  DockerRequest ping;
  ping.path = "/_ping";
  ping.deadline_ms = look_ms_;
  const Result<DockerAnswer> answer = http_.send(ping);
  if (!answer.ok()) return answer.error();
  if (answer.value().status / 100 != 2) {
    return engine_error("ask for its version", answer.value().status, engine_words(answer.value()));
  }
  if (version_number(answer.value().api_version).first == 0) {
    return Error{Fault::transient, Cause::other,
                 http_.endpoint() + " does not answer like a container engine",
                 "correct node.endpoint (or DOCKER_HOST)"};
  }
  const std::string theirs = answer.value().api_version;
  const bool ours_is_older = version_number(kApiVersionNewest) < version_number(theirs);
  const std::lock_guard<std::mutex> lock(mutex_);
  api_version_ = ours_is_older ? std::string(kApiVersionNewest) : theirs;
  return api_version_;
}

Result<DockerAnswer> DockerEngine::call(std::string_view attempt, DockerRequest request,
                                        std::initializer_list<int> expected) {
  const auto with_attempt = [&](Error error) {
    error.message = std::string(attempt) + ": " + error.message;
    return error;
  };
  const Result<std::string> version = api_version();
  if (!version.ok()) return with_attempt(version.error());

  request.path = "/v" + version.value() + request.path;
  Result<DockerAnswer> answer = http_.send(request);
  if (!answer.ok()) {
    if (answer.error().cause == Cause::unreachable &&
        std::getenv("DOCKER_API_VERSION") == nullptr) {
      const std::lock_guard<std::mutex> lock(mutex_);
      api_version_.clear();  // It may come back as another version.
    }
    return with_attempt(answer.error());
  }
  const int status = answer.value().status;
  const bool good = status == 0 || status / 100 == 2 || status == 304 ||
                    std::find(expected.begin(), expected.end(), status) != expected.end();
  if (good) return answer;
  return engine_error(attempt, status, engine_words(answer.value()));
}

}  // namespace rowlock
