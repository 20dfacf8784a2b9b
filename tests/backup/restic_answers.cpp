// Reads the file that make_restic_answers.py wrote: one word at the beginning of a line says what
// the line is.
#include "tests/backup/restic_answers.h"

#include <criterion/criterion.h>

#include <fstream>
#include <sstream>

namespace rowlock {

namespace {

constexpr char kFile[] = "tests/backup/restic_answers.txt";

ResticAnswers::Numbers numbers(std::istream& words) {
  ResticAnswers::Numbers all;
  std::string word;
  while (words >> word && word != "none") {
    const std::size_t hyphen = word.find('-');
    const std::int64_t first = std::stoll(word.substr(0, hyphen));
    const std::int64_t last =
        hyphen == std::string::npos ? first : std::stoll(word.substr(hyphen + 1));
    for (std::int64_t number = first; number <= last; ++number) all.insert(number);
  }
  return all;
}

AnsweredPolicy policy(std::istream& words) {
  AnsweredPolicy policy;
  std::getline(words, policy.text);
  std::istringstream again(policy.text);
  std::string within;
  Keep& keep = policy.keep;
  again >> keep.last >> keep.daily >> keep.weekly >> keep.monthly >> keep.yearly >> within;
  if (within != "none") {
    policy.is_within_days = within.ends_with('d');
    keep.within_ms = std::stoll(within) * (policy.is_within_days ? kDayMs : kHourMs);
  }
  return policy;
}

void take(ResticAnswers& answers, const std::string& kind, std::istream& words) {
  std::int64_t number = 0;
  words >> number;
  if (kind == "backup") {
    AnsweredBackup backup;
    words >> backup.taken_at_ms >> backup.taken_on;
    cr_assert_eq(number, static_cast<std::int64_t>(answers.backups.size()));
    answers.backups.push_back(backup);
  } else if (kind == "policy") {
    cr_assert_eq(number, static_cast<std::int64_t>(answers.policies.size()));
    answers.policies.push_back(policy(words));
  } else if (kind == "kept") {
    std::int64_t count = 0;
    std::string reason;
    words >> count >> reason;
    answers.counts.insert(count);
    for (const std::int64_t each : numbers(words)) {
      answers.kept[{number, count}][each].insert(reason);
    }
  } else {
    cr_assert(kind == "stepped", "%s", kind.c_str());
    std::size_t step = 0;
    words >> step;
    cr_assert_eq(step, answers.removed[number].size());
    answers.removed[number].push_back(numbers(words));
  }
}

}  // namespace

ResticAnswers restic_answers() {
  std::ifstream file(kFile);
  cr_assert(file.is_open(), "%s", kFile);
  ResticAnswers answers;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    if (kind != "#") take(answers, kind, words);
  }
  return answers;
}

}  // namespace rowlock
