// Whatever the proxy's socket says is read, a row at most for each line. The same bytes, as a value
// for its texts, stay one word there.
#include "controller/adapters/haproxy/haproxy_socket.h"
#include "controller/adapters/haproxy/haproxy_text.h"
#include "controller/base/check.h"
#include "tests/fuzz/targets.h"

#include <algorithm>

namespace rowlock {

void fuzz_haproxy(std::string_view bytes) {
  const auto lines = static_cast<std::size_t>(std::count(bytes.begin(), bytes.end(), '\n')) + 1;
  const auto processes = parse_processes(bytes);
  CHECK(!processes || processes->old_workers.size() <= lines);
  (void)parse_info(bytes);
  CHECK(parse_servers(bytes).size() <= lines);
  CHECK(parse_connections(bytes).size() <= lines);
  CHECK(parse_map(bytes).size() <= lines);
  (void)parse_unread(bytes, "rowlock-abc");
  CHECK(parse_certificates(bytes).size() <= lines);

  (void)is_ip(std::string(bytes));
  (void)is_mode(bytes);
  CHECK(!is_section_name(bytes) || is_one_line(bytes));
  CHECK(!is_token(bytes) || command_word(bytes) == bytes);
  CHECK(!is_host_name(bytes) || command_word(bytes) == bytes);
  if (!is_one_line(bytes)) return;
  CHECK(quoted(bytes).size() >= bytes.size());
  CHECK(is_one_line(quoted(bytes)) && is_one_line(command_word(bytes)));
  CHECK(format_literal(bytes).size() >= bytes.size());
}

}  // namespace rowlock
