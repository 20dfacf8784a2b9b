// A store after the other, each once: a pointer may lead to a store whose own pointer is newer.
#include "controller/cli/backups/home_search.h"

#include "controller/base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <map>
#include <set>
#include <tuple>

namespace rowlock {

namespace {

constexpr std::size_t kStoresMax = 16;
constexpr std::int64_t kPointerBytesMax = 1 << 20;
constexpr std::string_view kPointers = "newest/";

std::vector<std::string> strings_in(const Json& list) {
  std::vector<std::string> all;
  for (const Json& each : list.items()) all.push_back(each.as_string());
  return all;
}

class Search {
 public:
  Search(std::string policy, const std::atomic<bool>& ending)
      : policy_(std::move(policy)), ending_(ending) {}

  Result<HomeSearch> from(const BareStoreOptions& first) {
    TRY(visit(first, ""));
    TRY(expect_one_home(first));
    while (!to_visit_.empty() && visited_.size() < kStoresMax) {
      const MissedBackup next = to_visit_.front();
      to_visit_.pop_front();
      if (visited_.contains(place_of(next.at))) continue;
      const auto seen = visit(next.at, next.home);
      if (!seen.ok()) missed_.push_back({next.name, next.at, next.home, seen.error()});
    }
    return told();
  }

 private:
  static std::string place_of(const BareStoreOptions& at) { return at.from + " " + at.endpoint; }

  // `home`: of which home alone; empty: of any.
  Result<> visit(const BareStoreOptions& at, const std::string& home) {
    visited_.insert(place_of(at));
    const BareStore bare = TRY(open_bare_store(at, ending_));
    const auto objects = TRY(bare.store->list(bare.only));
    const std::size_t first = seen_.size();
    std::map<std::string, std::string> pointers;  // The newest one of each home.
    for (const StoredObject& object : objects) {
      auto found = backup_in(object);
      const bool is_wanted = found &&
                             (home.empty() || found->home.empty() || found->home == home) &&
                             names_.insert(found->name).second;
      if (is_wanted) seen_.push_back({at, std::move(*found), false, {}});
      const std::size_t folder = object.key.rfind(kPointers);
      if (folder != std::string::npos && object.key.ends_with(".json")) {
        pointers[object.key.substr(0, folder)] = object.key;
      }
    }
    for (const auto& [prefix, key] : pointers) {
      if (!home.empty() && !prefix.empty() && prefix != home + "/") continue;
      const auto text = TRY(bare.store->read(key, 0, kPointerBytesMax));
      const auto pointer = Json::parse(text);
      if (pointer.ok()) follow(at, pointer.value(), first);
    }
    return Done{};
  }

  // What it says of the other stores, and of those seen in this one, from `first` on.
  void follow(const BareStoreOptions& at, const Json& pointer, std::size_t first) {
    for (const Json& each : pointer["backups"].items()) {
      BareStoreOptions there = at;
      there.from = each["url"].as_string();
      there.endpoint = each["endpoint"].as_string();
      there.region = each["region"].as_string();
      there.is_virtual_style = each["style"].as_string() == "virtual";
      there.ca_file = at.ca_file.empty() ? each["ca_file"].as_string() : at.ca_file;
      policies_.insert(each["policy"].as_string());
      readers_[each["name"].as_string()] = strings_in(each["recipients"]);
      to_visit_.push_back({each["name"].as_string(), there, pointer["home"].as_string(), {}});
    }
    for (const Json& each : pointer["readers"].items()) {
      const std::string since = stamp_of(each["since"].as_string());
      for (std::size_t i = first; i < seen_.size(); ++i) {
        const FoundBackup& found = seen_[i].found;
        const bool is_of_it = found.home.empty() || found.home == pointer["home"].as_string();
        if (is_of_it && found.policy == each["policy"].as_string() && found.stamp >= since) {
          seen_[i].recipients = strings_in(each["recipients"]);
        }
      }
    }
  }

  bool is_of_home(const FoundBackup& found) const {
    if (!policy_.empty()) return found.policy == policy_;
    return found.policy == "home" || policies_.contains(found.policy);
  }

  Result<> expect_one_home(const BareStoreOptions& first) const {
    std::set<std::string> homes;
    for (const SeenBackup& each : seen_) {
      if (is_of_home(each.found)) homes.insert(each.found.home);
    }
    if (homes.size() < 2) return Done{};
    BareStoreOptions one = first;
    one.from += "/" + *homes.rbegin();
    return Error{
        Fault::rejected, Cause::other,
        fmt::format("{} holds backups of several homes: {}", first.from, fmt::join(homes, ", ")),
        fmt::format("say which one: {}", words_of(one))};
  }

  HomeSearch told() {
    HomeSearch all;
    for (SeenBackup& each : seen_) {
      each.is_of_home = is_of_home(each.found);
      const auto named = readers_.find(each.found.name);
      if (named != readers_.end()) each.recipients = named->second;
    }
    std::sort(seen_.begin(), seen_.end(), [](const SeenBackup& left, const SeenBackup& right) {
      return std::tie(left.found.stamp, left.found.name) >
             std::tie(right.found.stamp, right.found.name);
    });
    all.backups = std::move(seen_);
    const auto of_home = all.of_home();
    std::string newest = of_home.empty() ? "" : of_home.front().found.stamp;
    for (const MissedBackup& each : missed_) {
      if (stamp_of(each.name) <= newest) continue;
      newest = stamp_of(each.name);
      all.missed = each;
    }
    return all;
  }

  const std::string policy_;
  const std::atomic<bool>& ending_;
  std::vector<SeenBackup> seen_;
  std::set<std::string> visited_;
  std::set<std::string> names_;        // Of all seen ones: a store may be seen by two URLs.
  std::deque<MissedBackup> to_visit_;  // What a pointer names there; no reason yet.
  std::vector<MissedBackup> missed_;
  std::set<std::string> policies_;                           // Of homes, as pointers say.
  std::map<std::string, std::vector<std::string>> readers_;  // Of a backup, by its name.
};

}  // namespace

std::vector<SeenBackup> HomeSearch::of_home() const {
  std::vector<SeenBackup> all;
  for (const SeenBackup& each : backups) {
    if (each.is_of_home) all.push_back(each);
  }
  return all;
}

Result<HomeSearch> search_home(const BareStoreOptions& from, const std::string& policy,
                               const std::atomic<bool>& ending) {
  BareStoreOptions first = from;
  if (first.from.empty() || first.from.find("://") != std::string::npos) {
    return Search(policy, ending).from(first);
  }
  first.from = "file://" + std::filesystem::absolute(first.from).lexically_normal().string();
  return Search(policy, ending).from(first);
}

}  // namespace rowlock
