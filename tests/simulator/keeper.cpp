// Has dice of its own, so that a seed plays the same story with and without secrets.
#include "tests/simulator/keeper.h"

#include "tests/simulator/logins.h"

#include <fmt/format.h>

#include <set>

namespace rowlock::simulator {

namespace {

const Actor kKeeper{"the keeper", "[]", true};
const std::vector<std::string> kPaths = {"db/one", "db/two"};
constexpr const char* kFile = "pw";  // As Engineer asks for it.

}  // namespace

Keeper::Keeper(Stage& stage, Timeline& timeline, Engines& engines, std::uint64_t seed)
    : stage_(stage),
      timeline_(timeline),
      engines_(engines),
      random_(seed ^ 0x5EC4E7),
      is_at_work_(random_.chance(500)),
      secrets_(stage.state(), stage.schema()) {}

template <typename Act>
void Keeper::change(Act act) {
  auto transaction = Transaction::begin(stage_.state());
  CHECK(transaction.ok());
  const auto done = act();
  if (!done.ok()) fmt::print(stderr, "simulator: {}\n", done.error().message);
  CHECK(done.ok());
  CHECK(std::move(transaction).value().commit().ok());
}

void Keeper::begin() {
  if (!is_at_work_) return;
  secrets_.keyring.forget();
  change([this]() -> Result<> {
    auto kit = secrets_.seal.init(1, 1, kKeeper, timeline_.now_ms());
    if (!kit.ok()) return kit.error();
    key_ = std::move(kit).value().unseal_key;
    return Done{};
  });
  for (const std::string& path : kPaths) write(path);
}

void Keeper::controller_starts() {
  secrets_.keyring.forget();
  change([this] { return secrets_.seal.begin(timeline_.now_ms()); });
}

void Keeper::open() {
  if (!is_at_work_) return;
  change([this] { return secrets_.seal.unseal(key_, "the keeper", timeline_.now_ms()); });
}

void Keeper::seal() {
  change([this] { return secrets_.seal.seal(kKeeper, timeline_.now_ms()); });
}

std::string Keeper::write() {
  if (!secrets_.keyring.is_open()) return "";
  const std::string path = random_.pick(kPaths);
  write(path);
  return path;
}

void Keeper::write(const std::string& path) {
  change([&]() -> Result<> {
    auto next = stage_.state().scalar(
        "SELECT COALESCE(max(version), 0) + 1 FROM secret_version "
        "WHERE path = :path",
        {{"path", path}});
    const std::string value = fmt::format("{} {}", path, text_of(next.value()));
    auto written = secrets_.store.write(path, Json::object({{"pw", Json::string(value)}}), {},
                                        kKeeper, timeline_.now_ms());
    return written.ok() ? Result<>(Done{}) : Result<>(written.error());
  });
}

// "PATH VERSION", as write() made it; "" when there is none.
std::string Keeper::held(const std::string& folder) const {
  const auto file = engines_.fake_secret_folders().file(folder, kFile);
  return file.has_value() ? file->content : "";
}

Violated Keeper::look() {
  if (!is_at_work_) return std::nullopt;
  auto rows = stage_.state().query(
      "SELECT holder, path || ' ' || version AS what FROM secret_use WHERE until_ms IS NULL");
  CHECK(rows.ok());
  std::set<std::pair<std::string, std::string>> ledger;
  for (const Row& row : rows.value()) ledger.emplace(row.text("holder"), row.text("what"));
  for (const std::string& folder : engines_.fake_secret_folders().folders()) {
    const std::string what = held(folder);
    if (!what.empty() && !ledger.contains({folder, what})) {
      return fmt::format("{} holds {}, and the ledger does not say so", folder, what);
    }
  }
  return wrong_logins(stage_, engines_);
}

Violated Keeper::judge(const Call& call) {
  if (!is_at_work_ || call.verb != "start") return std::nullopt;
  auto promised = stage_.state().scalar(
      "SELECT count(*) FROM instance WHERE name = :name AND delivers = 1 AND run = 1",
      {{"name", call.container}});
  CHECK(promised.ok());
  const auto folders = engines_.fake_secret_folders().folders();
  const bool has_folder =
      std::find(folders.begin(), folders.end(), call.container) != folders.end();
  if (text_of(promised.value()) == "1" && !has_folder &&
      !engines_.was_touched_late(call.container)) {
    return call.container + " is started without its secrets";
  }
  return std::nullopt;
}

std::string Keeper::unsettled() {
  if (!is_at_work_) return "";
  auto rows = stage_.state().query(
      "SELECT i.name, s.path, c.current_version FROM instance AS i "
      "JOIN deployment AS d ON d.job = i.job AND d.current = 1 AND d.cause = 'edit' "
      "AND d.state = 'succeeded' AND d.spec = i.spec "
      "JOIN job_secret AS s ON s.job = i.job JOIN secret AS c ON c.path = s.path "
      "WHERE i.run = 1 AND i.container = 'running'");
  CHECK(rows.ok());
  for (const Row& row : rows.value()) {
    const std::string wanted =
        fmt::format("{} {}", row.text("path"), row.integer("current_version"));
    if (held(row.text("name")) != wanted) {
      return fmt::format("{} holds '{}' and not {}", row.text("name"), held(row.text("name")),
                         wanted);
    }
  }
  for (const std::string& folder : engines_.fake_secret_folders().folders()) {
    const Container* const container = engines_.find(folder);
    if (container == nullptr || container->state == ContainerState::exited) {
      return "there is a folder of " + folder + ", which does not run";
    }
  }
  return unsettled_logins(stage_, engines_);
}

}  // namespace rowlock::simulator
