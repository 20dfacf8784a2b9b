// The answers of HAProxy's runtime socket, line by line. What is not understood is left out, never
// guessed at: the caller then sees that something is missing.
#include "controller/adapters/haproxy/haproxy_socket.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <sstream>

namespace rowlock {

namespace {

// Bits of srv_admin_state with which a server takes no new requests: forced, inherited, resolved
// and hostname maintenance, forced and inherited drain. 0x04 only remembers that it was `disabled`
// in the file, and stays when it is made ready.
constexpr std::int64_t kAdminBlocks = 0x01 | 0x02 | 0x08 | 0x10 | 0x20 | 0x40;
constexpr std::int64_t kOperatesRunning = 2;

bool starts_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

std::int64_t number(std::string_view text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// Calls `each` with every line.
template <typename Each>
void for_lines(std::string_view text, const Each& each) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    each(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> found;
  while (true) {
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return found;
    line.remove_prefix(begin);
    const std::size_t end = std::min(line.find_first_of(" \t\r"), line.size());
    found.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

std::vector<std::string_view> fields(std::string_view line) {
  std::vector<std::string_view> found;
  while (true) {
    const std::size_t end = line.find(',');
    found.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return found;
    line.remove_prefix(end + 1);
  }
}

// What follows "name: ", if the line begins so.
std::optional<std::string_view> after(std::string_view line, std::string_view name) {
  if (!starts_with(line, name)) return std::nullopt;
  line.remove_prefix(name.size());
  return line;
}

// A table that is announced by a line "# name name …" and ends at an empty line. Columns are found
// by their names, since every version adds some.
struct Table {
  explicit Table(std::string_view first_name) : start("# " + std::string(first_name) + " ") {}

  // True when the line is a row, whose cells then lie in `row`.
  bool takes(std::string_view line) {
    if (starts_with(line, start)) {
      names = words(line.substr(2));
      return false;
    }
    if (line.empty()) names.clear();
    if (names.empty()) return false;
    row = words(line);
    return row.size() >= 2;
  }
  std::string_view cell(std::string_view name) const {
    const auto at =
        static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
    return at < names.size() && at < row.size() ? row[at] : std::string_view();
  }

  std::string start;
  std::vector<std::string_view> names;  // Empty: outside of it.
  std::vector<std::string_view> row;
};

// "Nov 28 01:29:39 2026 GMT"
std::int64_t moment_ms(std::string_view text) {
  std::tm parts{};
  const std::string copy(text);
  if (::strptime(copy.c_str(), "%b %d %H:%M:%S %Y", &parts) == nullptr) return 0;
  return static_cast<std::int64_t>(::timegm(&parts)) * 1000;
}

// "DNS:example.org, DNS:*.example.org" as "example.org *.example.org".
std::string alternative_names(std::string_view text) {
  std::string names;
  for (std::string_view word : words(text)) {
    if (word.back() == ',') word.remove_suffix(1);
    const auto name = after(word, "DNS:");
    if (name.has_value()) names += (names.empty() ? "" : " ") + std::string(*name);
  }
  return names;
}

// "/C=DE/CN=example.org": what stands in for alternative names in old certificates.
std::string common_name(std::string_view subject) {
  const std::size_t at = subject.find("/CN=");
  if (at == std::string_view::npos) return "";
  subject.remove_prefix(at + 4);
  return std::string(subject.substr(0, subject.find('/')));
}

}  // namespace

std::optional<ProcessList> parse_processes(std::string_view answer) {
  constexpr std::string_view kFailed = "[failed: ";
  if (!starts_with(answer, "#<PID>")) return std::nullopt;
  ProcessList list;
  bool is_old = false;
  for_lines(answer, [&](std::string_view line) {
    if (starts_with(line, "# ")) is_old = line == "# old workers";
    const std::vector<std::string_view> cells = words(line);
    if (cells.size() < 2 || number(cells[0]) == 0) return;
    if (cells[1] == "master") {
      list.master = number(cells[0]);
      const std::size_t at = line.find(kFailed);
      if (at != std::string_view::npos) list.failed = number(line.substr(at + kFailed.size()));
    } else if (cells[1] == "worker") {
      if (is_old) {
        list.old_workers.push_back(number(cells[0]));
      } else {
        list.worker = number(cells[0]);
      }
    }
  });
  return list;
}

WorkerFacts parse_info(std::string_view answer) {
  WorkerFacts facts;
  for_lines(answer, [&](std::string_view line) {
    if (const auto value = after(line, "Version: ")) facts.version = *value;
    if (const auto value = after(line, "Pid: ")) facts.process = number(*value);
    if (const auto value = after(line, "description: ")) facts.description = *value;
  });
  return facts;
}

std::vector<ServerState> parse_servers(std::string_view answer) {
  std::vector<ServerState> servers;
  Table table("be_id");
  for_lines(answer, [&](std::string_view line) {
    if (!table.takes(line)) return;
    ServerState server;
    server.backend = table.cell("be_name");
    server.server = table.cell("srv_name");
    server.address = table.cell("srv_addr");
    server.port = static_cast<int>(number(table.cell("srv_port")));
    server.weight = static_cast<int>(number(table.cell("srv_uweight")));
    // One that only the checks leave out is back at once when something listens at its address: for
    // one that has ended, that is somebody else.
    server.ready = (number(table.cell("srv_admin_state")) & kAdminBlocks) == 0;
    server.failing = server.ready && number(table.cell("srv_op_state")) != kOperatesRunning;
    servers.push_back(std::move(server));
  });
  return servers;
}

std::map<std::string, std::int64_t> parse_connections(std::string_view answer) {
  std::map<std::string, std::int64_t> used;
  Table table("bkname/svname");
  for_lines(answer, [&](std::string_view line) {
    if (table.takes(line)) {
      used[std::string(table.cell("bkname/svname"))] = number(table.cell("used_cur"));
    }
  });
  return used;
}

std::int64_t parse_unread(std::string_view answer, std::string_view frontend) {
  std::vector<std::string_view> names;
  std::int64_t unread = 0;
  for_lines(answer, [&](std::string_view line) {
    if (starts_with(line, "# pxname,")) {
      names = fields(line.substr(2));
      return;
    }
    if (names.empty() || !starts_with(line, frontend)) return;
    const std::vector<std::string_view> row = fields(line);
    if (row.size() < 2 || row[0] != frontend || row[1] != "FRONTEND") return;
    const auto at =
        static_cast<std::size_t>(std::find(names.begin(), names.end(), "ereq") - names.begin());
    if (at < names.size() && at < row.size()) unread = number(row[at]);
  });
  return unread;
}

std::vector<std::pair<std::string, std::string>> parse_map(std::string_view answer) {
  std::vector<std::pair<std::string, std::string>> entries;
  for_lines(answer, [&](std::string_view line) {
    const std::vector<std::string_view> cells = words(line);
    if (cells.size() == 3 && starts_with(cells[0], "0x")) entries.emplace_back(cells[1], cells[2]);
  });
  return entries;
}

std::map<std::string, LoadedCertificate> parse_certificates(std::string_view answer) {
  std::map<std::string, LoadedCertificate> loaded;
  LoadedCertificate* current = nullptr;
  for_lines(answer, [&](std::string_view line) {
    if (const auto file = after(line, "Filename: ")) current = &loaded[std::string(*file)];
    if (current == nullptr) return;
    if (const auto value = after(line, "notAfter: ")) current->not_after_ms = moment_ms(*value);
    if (const auto value = after(line, "SHA1 FingerPrint: ")) current->fingerprint = *value;
    if (const auto value = after(line, "Subject Alternative Name: ")) {
      current->names = alternative_names(*value);
    }
    if (const auto value = after(line, "Subject: "); value && current->names.empty()) {
      current->names = common_name(*value);
    }
  });
  return loaded;
}

}  // namespace rowlock
