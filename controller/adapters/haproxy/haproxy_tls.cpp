// The certificates of a running HAProxy: what it has loaded against what the files hold, and how
// one of them is replaced without a reload.
#include "controller/adapters/haproxy/haproxy.h"
#include "controller/adapters/haproxy/haproxy_certificate.h"
#include "controller/adapters/haproxy/haproxy_error.h"
#include "controller/adapters/haproxy/haproxy_text.h"

#include <algorithm>
#include <sstream>

namespace rowlock {

namespace {

constexpr std::size_t kCertificatesAtOnce = 32;  // A line of commands has to fit HAProxy's buffer.

// The lines between BEGIN and END alone: an empty one would end the command they are sent with, and
// the whole has to fit HAProxy's buffer.
std::string without_comments(const std::string& pem) {
  std::istringstream all(pem);
  std::string kept;
  bool is_inside = false;
  for (std::string line; std::getline(all, line);) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (line.rfind("-----BEGIN ", 0) == 0) is_inside = true;
    if (is_inside && !line.empty()) kept += line + "\n";
    if (line.rfind("-----END ", 0) == 0) is_inside = false;
  }
  return kept;
}

}  // namespace

// Those that run: one that was saved since is loaded by the reload that is due anyway.
Result<std::vector<CertificateReport>> HaproxyProxy::certificates(const SavedProxy& saved) {
  std::map<std::string, LoadedCertificate> loaded;
  for (std::size_t at = 0; at < saved.certificates.size(); at += kCertificatesAtOnce) {
    std::vector<std::string> commands;
    for (std::size_t i = at; i < std::min(at + kCertificatesAtOnce, saved.certificates.size());
         ++i) {
      commands.push_back("show ssl cert " + command_word(saved.certificates[i]));
    }
    const auto told = TRY(control_.tell(commands));
    loaded.merge(parse_certificates(told.answer));
  }
  std::vector<CertificateReport> reports;
  for (const std::string& file : saved.certificates) {
    const auto running = loaded.find(file);
    if (running == loaded.end()) continue;
    CertificateReport report;
    report.file = file;
    report.not_after_ms = running->second.not_after_ms;
    report.names = running->second.names;
    const auto read = read_certificate(file);
    report.stale = read.ok() && read.value().fingerprint != running->second.fingerprint;
    if (!read.ok()) report.error = read.error().message;
    reports.push_back(std::move(report));
  }
  return reports;
}

Result<> HaproxyProxy::load_certificate(const std::string& file) {
  const std::string attempt = "load the certificate";
  const auto read = read_certificate(file);
  if (!read.ok()) return with_attempt(attempt, read.error());
  const std::string name = command_word(file);
  const auto told = control_.tell({"show ssl cert " + name});
  if (!told.ok()) return with_attempt(attempt, told.error());
  if (parse_certificates(told.value().answer).count(file) == 0) {
    return not_there(attempt + " " + file, "certificate");
  }
  const auto set =
      control_.tell_with_text("set ssl cert " + name, without_comments(read.value().pem));
  if (!set.ok()) return with_attempt(attempt, set.error());
  const auto committed = control_.tell({"commit ssl cert " + name});
  if (!committed.ok()) return with_attempt(attempt, committed.error());
  if (committed.value().answer.find("Success!") != std::string::npos) return Done{};
  (void)control_.tell({"abort ssl cert " + name}).ok();
  return Error{Fault::rejected, Cause::other,
               attempt + " " + file + ": " + in_one_line(set.value()) + " " +
                   in_one_line(committed.value().answer),
               ""};
}

}  // namespace rowlock
