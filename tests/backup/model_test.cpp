// The views against the rules told once more as a walk from the newest backup to the oldest, over
// many drawn sets of backups and policies; this is where the oldest one and -1 are looked at.
#include "tests/backup/kept_rows.h"
#include "tests/simulator/random.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <chrono>
#include <functional>
#include <vector>

using rowlock::kDayMs;
using rowlock::Keep;
using rowlock::KeptRows;
using rowlock::kHourMs;
using rowlock::simulator::Random;

namespace {

constexpr std::int64_t kFirstMs = 1'577'836'800'000;  // 2020-01-01T00:00:00Z, a Wednesday.

struct Taken {
  std::int64_t id;
  std::int64_t at_ms;
};

std::chrono::year_month_day date_of(std::int64_t at_ms) {
  return std::chrono::sys_days(std::chrono::days(at_ms / kDayMs));
}

std::string date_text(std::int64_t at_ms) {
  const auto date = date_of(at_ms);
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

// 1970-01-01 was a Thursday: three days before it a week began.
std::int64_t week_of(std::int64_t at_ms) { return (at_ms / kDayMs + 3) / 7; }

struct Rule {
  const char* name;
  std::int64_t left;  // How many periods may still be kept; below 0: without end.
  std::function<std::int64_t(std::int64_t at_ms)> period_of;
  std::int64_t current = -1;
};

std::vector<Rule> rules_of(const Keep& keep) {
  return {{"daily", keep.daily, [](std::int64_t at_ms) { return at_ms / kDayMs; }},
          {"weekly", keep.weekly, week_of},
          {"monthly", keep.monthly,
           [](std::int64_t at_ms) {
             const auto date = date_of(at_ms);
             return static_cast<int>(date.year()) * 12LL + static_cast<unsigned>(date.month());
           }},
          {"yearly", keep.yearly,
           [](std::int64_t at_ms) { return static_cast<int>(date_of(at_ms).year()) + 0LL; }}};
}

// `taken`: the newest first.
std::map<std::int64_t, std::string> walked(const Keep& keep, const std::vector<Taken>& taken) {
  std::map<std::int64_t, std::string> kept;
  std::vector<Rule> rules = rules_of(keep);
  for (std::size_t i = 0; i < taken.size(); ++i) {
    std::string reasons;
    const auto add = [&](const std::string& reason) {
      reasons += (reasons.empty() ? "" : ", ") + reason;
    };
    if (keep.last < 0 || static_cast<std::int64_t>(i) < keep.last) add("last");
    for (Rule& rule : rules) {
      if (rule.left == 0) continue;
      const std::int64_t period = rule.period_of(taken[i].at_ms);
      if (period != rule.current) {
        rule.current = period;
        --rule.left;
        add(rule.name);
      } else if (i + 1 == taken.size()) {
        add(fmt::format("oldest {}", rule.name));
      }
    }
    if (taken[i].at_ms > taken[0].at_ms - keep.within_ms) {
      add(fmt::format("within {} hours", keep.within_ms / kHourMs));
    }
    if (!reasons.empty()) kept[taken[i].id] = reasons;
  }
  return kept;
}

std::int64_t drawn_count(Random& random) {
  return random.chance(450) ? 0 : random.chance(100) ? -1 : random.between(1, 12);
}

// No whole days, which the view would name so.
std::int64_t drawn_span_ms(Random& random) {
  const std::int64_t hours = 24 * random.between(0, 20) + random.between(2, 23);
  return random.chance(500) ? 0 : hours * kHourMs;
}

std::string shown(const std::map<std::int64_t, std::string>& kept) {
  std::string all;
  for (const auto& [id, reasons] : kept) all += fmt::format("{} {}; ", id, reasons);
  return all;
}

}  // namespace

Test(backup_keep_model, drawn_backups_are_kept_for_the_same_reasons, .timeout = 300) {
  Random random(14);
  int oldest = 0;
  for (int round = 0; round < 120; ++round) {
    KeptRows rows;
    const std::int64_t step_ms =
        random.pick<std::int64_t>({kHourMs, 9 * kHourMs, kDayMs, 5 * kDayMs, 40 * kDayMs});
    std::vector<Taken> taken;
    std::int64_t at_ms = kFirstMs + random.between(0, 400) * kDayMs;
    for (std::int64_t id = random.between(1, 50); id > 0; --id) {
      // Some are of the same moment: the one that was written last counts as the newer.
      taken.insert(taken.begin(), {static_cast<std::int64_t>(taken.size()) + 1, at_ms});
      rows.add(taken.front().id, at_ms, date_text(at_ms));
      at_ms += random.chance(50) ? 0 : random.between(1, 2 * step_ms);
    }
    for (int policy = 0; policy < 10; ++policy) {
      const Keep keep{drawn_count(random), drawn_count(random), drawn_count(random),
                      drawn_count(random), drawn_count(random), drawn_span_ms(random)};
      if (keep.last == 0 && keep.daily == 0 && keep.weekly == 0 && keep.monthly == 0 &&
          keep.yearly == 0 && keep.within_ms == 0) {
        continue;
      }
      rows.set(keep);
      const auto ours = rows.kept();
      const auto theirs = walked(keep, taken);
      cr_assert(ours == theirs, "round %d, %ld/%ld/%ld/%ld/%ld/%ld:\n%s\nnot\n%s", round, keep.last,
                keep.daily, keep.weekly, keep.monthly, keep.yearly, keep.within_ms,
                shown(ours).c_str(), shown(theirs).c_str());
      cr_assert_eq(ours.size() + rows.forgettable().size(), taken.size());
      oldest += shown(ours).find("oldest") != std::string::npos ? 1 : 0;
    }
  }
  cr_expect(oldest > 40, "%d", oldest);
}
