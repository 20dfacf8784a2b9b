// Log lines, read back from a file.
#include "controller/base/log.h"

#include "controller/base/json.h"
#include "controller/base/utf8.h"

#include <criterion/criterion.h>
#include <fmt/format.h>

#include <cstdlib>
#include <limits>
#include <memory>
#include <string>
#include <sys/stat.h>

using rowlock::Json;
using rowlock::Log;

namespace {

// A file that is gone when the test ends.
class Lines {
 public:
  Lines() : file_(std::tmpfile(), std::fclose) { cr_assert_not_null(file_.get()); }

  std::FILE* file() const { return file_.get(); }

  std::string text() const {
    std::string text(1 << 20, '\0');
    std::rewind(file_.get());
    text.resize(std::fread(text.data(), 1, text.size(), file_.get()));
    return text;
  }

 private:
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

// The one line that was written, as JSON.
Json parsed(const Lines& lines) {
  std::string text = lines.text();
  cr_assert_eq(text.back(), '\n');
  text.pop_back();
  cr_assert_eq(text.find('\n'), std::string::npos, "more than one line: %s", text.c_str());
  auto json = Json::parse(text);
  cr_assert(json.ok(), "not JSON: %s", text.c_str());
  return json.value();
}

}  // namespace

Test(log, a_line_is_one_json_object_with_time_level_message_and_fields) {
  const Lines lines;
  Log log(Log::Format::json, lines.file());

  log.info("job converged", {{"job", "web"}, {"instances", 3}, {"seconds", 1.5}});

  const std::string text = lines.text();
  const std::string shape = "0000-00-00T00:00:00.000Z";
  std::string time = text.substr(7, shape.size());
  for (char& digit : time) {
    digit = digit >= '0' && digit <= '9' ? '0' : digit;
  }
  cr_assert(time == shape, "%s", text.c_str());
  cr_assert(text.starts_with("{\"ts\":\""));
  cr_assert(text.substr(7 + shape.size()) ==
                R"(","level":"info","msg":"job converged","job":"web","instances":3,"seconds":1.5})"
                "\n",
            "%s", text.c_str());
}

Test(log, no_byte_can_end_the_line_or_break_the_json) {
  const Lines lines;
  Log log(Log::Format::json, lines.file());
  std::string all;
  for (int byte = 0; byte < 256; ++byte) {
    all += static_cast<char>(byte);
  }
  all += "\u0085\u009b \u2028\u202e\u2066 🚣";

  log.error("a \"quoted\\\" message\n\x1b[2J", {{"bytes", all}, {"na\"me\n", "x"}});

  const Json json = parsed(lines);
  cr_assert(json["msg"].as_string() == "a \"quoted\\\" message\n\x1b[2J");
  cr_assert(json["bytes"].as_string() == rowlock::utf8_sanitised(all));
  cr_assert_eq(lines.text().find('\x1b'), std::string::npos);
  for (const char* obeyed : {"\u009b", "\u202e", "\u2066"}) {
    cr_assert_eq(lines.text().find(obeyed), std::string::npos, "terminals obey it");
  }
}

Test(log, numbers_that_json_lacks_are_null) {
  const Lines lines;
  Log log(Log::Format::json, lines.file());

  log.info("numbers", {{"nan", std::numeric_limits<double>::quiet_NaN()},
                       {"infinite", std::numeric_limits<double>::infinity()},
                       {"tiny", 1e-300},
                       {"lowest", std::numeric_limits<std::int64_t>::min()}});

  const Json json = parsed(lines);
  cr_assert(json["nan"].is_null());
  cr_assert(json["infinite"].is_null());
  cr_assert(json["tiny"].as_number() == 1e-300);
  cr_assert_eq(json["lowest"].as_integer(), std::numeric_limits<std::int64_t>::min());
}

Test(log, a_line_is_bounded_still_json_and_says_that_it_was_cut) {
  const std::string cases[] = {std::string(100000, 'x'), std::string(100000, '\x01'),
                               std::string(100000, '\xFF'), std::string(20000, '"')};
  for (const std::string& huge : cases) {
    const Lines lines;
    Log log(Log::Format::json, lines.file());

    log.info(huge, {{"first", huge}, {"second", huge}, {"third", 3}});

    cr_assert_leq(lines.text().size(), Log::kLineMax);
    const Json json = parsed(lines);
    cr_assert(json["cut"].as_boolean());
    cr_assert_gt(json["first"].as_string().size(), 100, "a long message leaves room for fields");
  }
}

Test(log, what_is_below_the_level_is_not_written) {
  const Lines lines;
  Log log(Log::Format::json, lines.file(), Log::Level::warn);

  log.debug("no");
  log.info("no");
  log.warn("yes");

  cr_assert(parsed(lines)["msg"].as_string() == "yes");
}

Test(log, text_is_for_people) {
  const Lines lines;
  Log log(Log::Format::text, lines.file());

  log.warn("step failed", {{"job", "web"}, {"why", "no such \"image\"\n"}, {"attempt", 2}});

  const std::string text = lines.text();
  const std::string expected =
      "Z warn  step failed job=web why=\"no such \\\"image\\\"\\n\" attempt=2\n";
  cr_assert(text.ends_with(expected), "%s", text.c_str());
}

Test(log, a_file_is_no_terminal) {
  const Lines lines;
  cr_assert(Log::format_for(lines.file()) == Log::Format::json);
}

Test(log, the_journal_gets_a_priority_and_only_the_journal) {
  const Lines journal;
  const Lines elsewhere;
  struct stat status = {};
  cr_assert_eq(fstat(fileno(journal.file()), &status), 0);
  const std::string stream = fmt::format("{}:{}", status.st_dev, status.st_ino);
  setenv("JOURNAL_STREAM", stream.c_str(), 1);

  Log(Log::Format::json, journal.file()).warn("to the journal");
  Log(Log::Format::json, elsewhere.file()).warn("redirected");

  cr_assert(journal.text().starts_with("<4>{\"ts\""));
  cr_assert(elsewhere.text().starts_with("{\"ts\""));
}
