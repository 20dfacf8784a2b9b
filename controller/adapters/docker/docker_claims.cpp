// A claim is a volume that nothing mounts. The engine makes one of a name once: whoever asks for it
// again is given the one that is there, with the labels of the first.
#include "controller/adapters/docker/docker.h"
#include "controller/adapters/docker/docker_json.h"
#include "controller/base/percent.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace rowlock {

namespace {

constexpr char kEpochLabel[] = "rowlock.claim";
constexpr char kHolderLabel[] = "rowlock.holder";
constexpr char kPlaceLabel[] = "rowlock.place";
constexpr char kSaysLabel[] = "rowlock.says";

std::string volume_of(const std::string& home, std::int64_t epoch) {
  return fmt::format("rowlock-{}-claim-{}", home, epoch);
}

Claim claim_of(const Json& volume) {
  const Json labels = volume["Labels"];
  return {labels[kHomeLabel].as_string(),
          std::strtoll(labels[kEpochLabel].as_string().c_str(), nullptr, 10),
          labels[kHolderLabel].as_string(), labels[kPlaceLabel].as_string(),
          labels[kSaysLabel].as_string()};
}

Json body_of(const Claim& claim) {
  return Json::object(
      {{"Name", Json::string(volume_of(claim.home, claim.epoch))},
       {"Labels", Json::object({{kHomeLabel, Json::string(claim.home)},
                                {kEpochLabel, Json::string(std::to_string(claim.epoch))},
                                {kHolderLabel, Json::string(claim.holder)},
                                {kPlaceLabel, Json::string(claim.place)},
                                {kSaysLabel, Json::string(claim.says)}})}});
}

}  // namespace

Result<std::vector<Claim>> DockerRuntime::claims(std::string_view attempt,
                                                 const std::string& home) {
  const std::string filters =
      Json::object({{"label", Json::array({Json::string(std::string(kHomeLabel) + "=" + home),
                                           Json::string(kEpochLabel)})}})
          .text();
  const Json answer = TRY(look(attempt, "/volumes?filters=" + percent_encoded(filters)));
  if (!answer.is_object()) {
    return Error{Fault::transient, Cause::other,
                 std::string(attempt) + ": the engine answered something else", ""};
  }
  std::vector<Claim> found;
  for (const Json& volume : answer["Volumes"].items()) {
    Claim claim = claim_of(volume);
    const bool is_one = volume["Name"].as_string() == volume_of(home, claim.epoch);
    if (is_one && claim.home == home && claim.epoch > 0) found.push_back(std::move(claim));
  }
  return found;
}

Result<std::optional<Claim>> DockerRuntime::claim_on(const std::string& home) {
  const auto found = TRY(claims("ask who drives home " + home, home));
  const auto highest = std::max_element(
      found.begin(), found.end(), [](const Claim& a, const Claim& b) { return a.epoch < b.epoch; });
  return highest == found.end() ? std::optional<Claim>() : std::optional<Claim>(*highest);
}

Result<Claim> DockerRuntime::claim(const Claim& claim) {
  const std::string attempt = "claim home " + claim.home;
  DockerRequest make;
  make.method = "POST";
  make.path = "/volumes/create";
  make.body = body_of(claim).text();
  make.deadline_ms = deadlines_.change_ms;
  TRY(engine_.call(attempt, std::move(make), {409}));
  const Json stands =
      TRY(look(attempt, "/volumes/" + percent_encoded(volume_of(claim.home, claim.epoch))));
  for (const Claim& older : TRY(claims(attempt, claim.home))) {
    if (older.epoch >= claim.epoch) continue;
    DockerRequest remove;
    remove.method = "DELETE";
    remove.path = "/volumes/" + percent_encoded(volume_of(claim.home, older.epoch));
    remove.deadline_ms = deadlines_.change_ms;
    (void)engine_.call(attempt, std::move(remove), {404, 409}).ok();  // It counts no more anyway.
  }
  return claim_of(stands);
}

}  // namespace rowlock
