// A pack is lines of JSON, one a change, in the order of `change`.
#include "controller/history/change_pack.h"

#include "controller/archive/zstd_text.h"
#include "controller/base/json.h"
#include "controller/base/time.h"
#include "controller/crypto/encoding.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace rowlock {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kPage = 10;  // Revisions that are read at once.
// A day of more gets several packs. One revision may be larger: it is never parted.
constexpr std::size_t kPlainBytes = 8 * 1024 * 1024;
constexpr std::size_t kPlainBytesMax = 1024 * 1024 * 1024;  // That unpacking gives.

Error damaged(std::int64_t first_revision, const std::string& why) {
  return {Fault::broken, Cause::corrupt,
          fmt::format("the pack of the changes from revision {} on is damaged: {}", first_revision,
                      why),
          "put back a copy of state.db from a backup of the home"};
}

Result<PastChange> change_in(const std::string& line, std::int64_t first_revision) {
  const auto parsed = Json::parse(line);
  if (!parsed.ok()) return damaged(first_revision, parsed.error().message);
  const std::vector<Json> parts = parsed.value().items();
  if (parts.size() != 6) return damaged(first_revision, "a line has not six parts");
  return PastChange{parts[0].as_integer(), parts[1].as_integer(), parts[2].as_string(),
                    parts[3].as_string(),  parts[4].as_string(),  parts[5].as_string()};
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1);
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return lines;
}

// False: `visit` has had enough.
Result<bool> walk_pack(const Row& pack, std::int64_t after, const std::string& word,
                       const std::function<bool(const PastChange&)>& visit) {
  const std::int64_t first = pack.integer("first_revision");
  const auto bytes = from_base64(pack.text("packed"));
  if (!bytes.ok()) return damaged(first, bytes.error().message);
  const auto text = zstd_unpacked(bytes.value(), kPlainBytesMax);
  if (!text.ok()) return damaged(first, text.error().message);
  std::vector<std::string_view> lines = lines_of(text.value());
  if (static_cast<std::int64_t>(lines.size()) != pack.integer("changes")) {
    return damaged(first, "it has not as many changes as its row says");
  }
  std::reverse(lines.begin(), lines.end());
  for (const std::string_view line : lines) {
    if (line.find(word) == std::string_view::npos) continue;
    const auto change = TRY(change_in(std::string(line), first));
    if (change.revision > after && !visit(change)) return false;
  }
  return true;
}

Result<bool> walk_page(Database& state, const Schema& schema, std::int64_t from, std::int64_t to,
                       const std::function<bool(const PastChange&)>& visit) {
  const auto rows = TRY(state.query(*schema.script("history.past"), {{"from", from}, {"to", to}}));
  for (const Row& row : rows) {
    if (!visit({row.integer("revision"), row.integer("at_ms"), row.text("table_name"),
                row.text("row_key"), row.text("before"), row.text("after")})) {
      return false;
    }
  }
  return true;
}

}  // namespace

Result<ChangePack> pack_changes(Database& state, const Schema& schema, std::int64_t first,
                                std::int64_t newest) {
  ChangePack pack;
  pack.first_revision = first;
  std::string plain;
  std::int64_t day = -1;
  for (std::int64_t from = first; from < newest && plain.size() < kPlainBytes; from += kPage) {
    const std::int64_t to = std::min(from + kPage, newest) - 1;
    const auto rows =
        TRY(state.query(*schema.script("history.changes"), {{"from", from}, {"to", to}}));
    const std::int64_t before = pack.last_revision;
    for (const Row& row : rows) {
      const std::int64_t at_ms = row.integer("at_ms");
      if (day < 0) day = at_ms / kDayMs;
      if (at_ms / kDayMs != day) break;
      pack.last_revision = row.integer("revision");
      pack.last_at_ms = at_ms;
      pack.changes += 1;
      plain += row.text("line") + "\n";
    }
    if (pack.last_revision == before || pack.last_revision < to) break;
  }
  if (pack.changes == 0) {
    return Error{Fault::broken, Cause::other,
                 fmt::format("there are no changes of revision {}: state.db was changed by other "
                             "hands",
                             first),
                 "put back a copy of state.db"};
  }
  pack.day = rfc3339(day * kDayMs).substr(0, 10);
  pack.plain_bytes = static_cast<std::int64_t>(plain.size());
  pack.packed = to_base64(TRY(zstd_packed(plain)));
  return pack;
}

Result<Reach> reach_of_history(Database& state, const Schema& schema) {
  const auto rows = TRY(state.query(*schema.script("history.reach")));
  return Reach{rows.front().integer("oldest"), rows.front().integer("newest")};
}

Result<> walk_back(Database& state, const Schema& schema, std::int64_t after,
                   const std::string& word, const std::function<bool(const PastChange&)>& visit) {
  // One moment for all of it: what is packed meanwhile is neither missed nor told twice.
  TRY(state.run("SAVEPOINT walk_back"));
  const auto walk = [&]() -> Result<> {
    const auto reach = TRY(state.query(*schema.script("history.reach")));
    const std::int64_t packed = std::max(reach.front().integer("packed"), after);
    for (std::int64_t to = reach.front().integer("newest"); to > packed; to -= kPage) {
      const std::int64_t from = std::max(to - kPage, packed) + 1;
      if (!TRY(walk_page(state, schema, from, to, visit))) return Done{};
    }
    std::int64_t before = reach.front().integer("packed") + 1;
    for (;;) {
      const auto packs =
          TRY(state.query(*schema.script("history.packs"), {{"before", before}, {"after", after}}));
      if (packs.empty()) return Done{};
      before = packs.front().integer("first_revision");
      if (!TRY(walk_pack(packs.front(), after, word, visit))) return Done{};
    }
  };
  const Result<> walked = walk();
  TRY(state.run("RELEASE walk_back"));
  return walked;
}

}  // namespace rowlock
