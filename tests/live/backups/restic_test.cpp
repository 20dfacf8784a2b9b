// The restic that is installed and our views, asked about the same backups. The written answers of
// tests/backup/ say more; this says that restic still gives them.
#include "controller/adapters/process/command.h"
#include "controller/base/json.h"
#include "controller/base/time_zone.h"
#include "tests/backup/kept_rows.h"
#include "tests/store/files.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

using rowlock::Json;
using rowlock::kDayMs;
using rowlock::Keep;
using rowlock::KeptRows;
using rowlock::kHourMs;
using rowlock::TimeZone;

namespace {

using Reasons = std::map<std::int64_t, std::set<std::string>>;

constexpr char kZone[] = "America/New_York";
constexpr std::int64_t kCommandMs = 60'000;
constexpr std::int64_t kFirstMs = 1'728'000'000'000;   // 2024-10-04T00:00:00Z
constexpr std::int64_t kFutureMs = 4'070'908'800'000;  // 2099-01-01T00:00:00Z
constexpr int kBackups = 40;
constexpr int kAll = 100'000;      // For -1, which restic does not know in every version.
constexpr int kOldestIsKept = 16;  // Since 0.16.

class Restic {
 public:
  Restic() : program_(rowlock::program_path("restic")) {
    if (program_.empty()) cr_skip_test("restic is not installed");
    run("init");
    run("version");
    is_oldest_kept_ = std::stoi(output().substr(std::string("restic 0.").size())) >= kOldestIsKept;
  }

  bool is_oldest_kept() const { return is_oldest_kept_; }

  void back_up(std::int64_t id, const std::string& local_time) {
    run(fmt::format("backup --stdin --quiet --host h --tag n{} --time '{}'", id, local_time));
  }

  Reasons kept(const Keep& keep) {
    std::string command = "forget --dry-run --no-lock --json";
    const auto add = [&](const char* name, std::int64_t count) {
      if (count != 0) command += fmt::format(" --keep-{} {}", name, count < 0 ? kAll : count);
    };
    add("last", keep.last);
    add("daily", keep.daily);
    add("weekly", keep.weekly);
    add("monthly", keep.monthly);
    add("yearly", keep.yearly);
    if (keep.within_ms != 0) command += fmt::format(" --keep-within {}h", keep.within_ms / kHourMs);
    run(command);
    const auto json = Json::parse(output());
    cr_assert(json.ok(), "%s", output().c_str());
    Reasons reasons;
    for (const Json& each : json.value().items()[0]["reasons"].items()) {
      const std::int64_t id = std::stoll(each["snapshot"]["tags"].items()[0].as_string().substr(1));
      for (const Json& match : each["matches"].items()) {
        reasons[id].insert(rowlock::reason_word(match.as_string()));
      }
    }
    return reasons;
  }

 private:
  void run(const std::string& arguments) {
    const std::string line = fmt::format(
        "echo content | RESTIC_PASSWORD=x RESTIC_REPOSITORY={}/repository TZ={} {} --no-cache {} > "
        "{}/output",
        folder_.path(), kZone, program_, arguments, folder_.path());
    const auto ran = rowlock::run_command({"/bin/sh", "-c", line}, kCommandMs);
    cr_assert(ran.ok() && ran.value().exit_code == 0, "%s: %s", arguments.c_str(),
              ran.ok() ? ran.value().output.c_str() : ran.error().message.c_str());
  }
  std::string output() const { return rowlock::contents(folder_ / "output"); }

  std::string program_;
  rowlock::TempFolder folder_;
  bool is_oldest_kept_ = false;
};

}  // namespace

Test(live_restic, keeps_what_the_views_keep, .timeout = 300) {
  Restic restic;
  KeptRows rows;
  const auto zone = TimeZone::load(kZone);
  cr_assert(zone.ok());
  const auto back_up = [&](std::int64_t id, std::int64_t at_ms) {
    restic.back_up(id, zone.value().local_text(at_ms).substr(0, 16) + ":00");
    rows.add(id, at_ms, zone.value().local_date(at_ms));
  };
  // Over three months and a change of the clock, some days two, and one from a clock far ahead.
  for (int i = 0; i < kBackups; ++i) {
    back_up(i, kFirstMs + i * 37 * kHourMs + (i % 5 == 0 ? 22 * kHourMs : 0) +
                   (i > 30 ? 30 * kDayMs : 0));
  }
  back_up(kBackups, kFutureMs);

  const Keep policies[] = {{.last = 5},
                           {.daily = 7},
                           {.daily = -1},
                           {.weekly = 20},
                           {.monthly = 3},
                           {.monthly = 12},
                           {.yearly = 2},
                           {.within_ms = 240 * kHourMs},
                           {.last = 1, .daily = 3, .weekly = 4, .monthly = 6, .yearly = 1},
                           {.last = 2, .weekly = -1, .within_ms = 100 * kHourMs}};
  for (const Keep& keep : policies) {
    rows.set(keep);
    Reasons ours;
    for (const auto& [id, text] : rows.kept()) {
      const auto reasons =
          restic.is_oldest_kept() ? rowlock::reason_words(text) : rowlock::reasons_but_oldest(text);
      if (!reasons.empty()) ours[id] = reasons;
    }
    cr_expect(ours == restic.kept(keep), "%ld/%ld/%ld/%ld/%ld/%ld: %s", keep.last, keep.daily,
              keep.weekly, keep.monthly, keep.yearly, keep.within_ms, rows.kept_text().c_str());
  }
}
