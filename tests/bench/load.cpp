// Both programs print for people; what is read here are the lines of wrk 4.1 and hey 0.1.4.
#include "tests/bench/load.h"

#include "tests/bench/bare_engine.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <regex>
#include <sstream>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace rowlock::bench {

namespace {

constexpr int kConstantSecondsMax = 1800;
constexpr int kHeyWorkers = 40;

std::string text_of_file(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The number in the first group of the pattern, added up over all its places; 0 when it has none.
double sum_of(const std::string& text, const char* pattern) {
  const std::regex expression(pattern);
  double sum = 0;
  for (std::sregex_iterator at(text.begin(), text.end(), expression), end; at != end; ++at) {
    sum += std::strtod((*at)[1].str().c_str(), nullptr);
  }
  return sum;
}

LoadResult parse(const std::string& text) {
  LoadResult result;
  result.requests = static_cast<long>(sum_of(text, R"((\d+) requests in)") +
                                      sum_of(text, R"(\[\d+\]\s+(\d+) responses)"));
  result.failed = static_cast<long>(
      sum_of(text, R"(Non-2xx or 3xx responses: (\d+))") + sum_of(text, R"(connect (\d+), read)") +
      sum_of(text, R"(read (\d+), write)") + sum_of(text, R"(write (\d+), timeout)") +
      sum_of(text, R"(timeout (\d+)\n)") + sum_of(text, R"(\[[145]\d\d\]\s+(\d+) responses)"));
  const std::size_t errors = text.find("Error distribution:");
  if (errors != std::string::npos) {
    result.errors = text.substr(errors);
    const double lost = sum_of(result.errors, R"(\[(\d+)\])");
    result.failed += static_cast<long>(lost);
    result.requests += static_cast<long>(lost);
  }
  for (const char* line : {"Socket errors", "Non-2xx"}) {
    const std::size_t at = text.find(line);
    if (at != std::string::npos) {
      result.errors += text.substr(at, text.find('\n', at) - at) + "; ";
    }
  }
  result.p99_ms = 1000 * sum_of(text, R"(99% in ([\d.]+) secs)");
  return result;
}

}  // namespace

Load::Load(std::vector<std::string> command, bool stops) : stops_(stops) {
  char name[] = "/tmp/rowlock-load-XXXXXX";
  const int file = mkstemp(name);
  output_ = name;
  process_ = fork();
  if (process_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(file, 1);
    dup2(file, 2);
    std::vector<char*> words;
    for (std::string& word : command) words.push_back(word.data());
    words.push_back(nullptr);
    execvp(words.front(), words.data());
    _exit(127);
  }
  close(file);
}

Load::Load(Load&& other) noexcept
    : process_(std::exchange(other.process_, -1)),
      output_(std::move(other.output_)),
      stops_(other.stops_) {}

Load Load::constant(const std::string& url, const std::string& host, int connections) {
  return Load(
      {"wrk", "-t1", fmt::format("-c{}", connections), fmt::format("-d{}s", kConstantSecondsMax),
       "--timeout", "10s", "-H", "Host: " + host, url},
      true);
}

Load Load::at_rate(const std::string& url, const std::string& host, int per_second, int seconds) {
  return Load({"hey", "-c", std::to_string(kHeyWorkers), "-q",
               fmt::format("{:.3f}", static_cast<double>(per_second) / kHeyWorkers), "-z",
               fmt::format("{}s", seconds), "-host", host, url},
              false);
}

Load::~Load() {
  if (process_ > 0) {
    ::kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  if (!output_.empty()) unlink(output_.c_str());
}

LoadResult Load::result() {
  if (stops_) ::kill(process_, SIGINT);  // wrk then prints what it has.
  int status = 0;
  waitpid(process_, &status, 0);
  process_ = -1;
  const std::string text = text_of_file(output_);
  const LoadResult result = parse(text);
  if (result.requests == 0) give_up("the load came to nothing: " + text);
  return result;
}

}  // namespace rowlock::bench
