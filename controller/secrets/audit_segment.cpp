// A line of a segment is the row as a JSON array, so that the same canonical bytes are hashed when
// it is read again as when it was written.
#include "controller/secrets/audit_segment.h"

#include "controller/archive/zstd_text.h"
#include "controller/base/json.h"
#include "controller/crypto/cipher.h"
#include "controller/crypto/encoding.h"
#include "controller/secrets/canonical.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

namespace rowlock {
namespace {

constexpr std::size_t kPlainBytesMax = 256 * 1024 * 1024;
const std::array<const char*, 10> kColumns = {"seq",     "at_ms",   "actor",  "operation", "path",
                                              "version", "outcome", "detail", "value",     "hash"};

std::string mac_of_segment(const SecretBytes& key, const Row& row) {
  return to_hex(keyed_hash(key, {"segment", canonical(row, "mac")}));
}

Json json_of(const Value& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) return Json::integer(*number);
  if (const auto* text = std::get_if<std::string>(&value)) return Json::string(*text);
  return {};
}

Value value_of(const Json& json) {
  if (json.is_null()) return {};
  if (json.is_string()) return json.as_string();
  return json.as_integer();
}

Row row_of(const std::vector<std::string>& columns, std::vector<Value> cells) {
  return Row(std::make_shared<const std::vector<std::string>>(columns), std::move(cells));
}

Result<std::vector<Row>> lines_in(const Row& segment) {
  const auto bytes = TRY(from_base64(segment.text("packed")));
  const auto text = TRY(zstd_unpacked(bytes, kPlainBytesMax));
  const std::vector<std::string> columns(kColumns.begin(), kColumns.end());
  std::vector<Row> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const auto line = TRY(Json::parse(text.substr(at, end - at)));
    std::vector<Value> cells;
    for (const Json& cell : line.items()) cells.push_back(value_of(cell));
    if (cells.size() != columns.size()) {
      return Error{Fault::broken, Cause::corrupt, "a line lacks a column", ""};
    }
    lines.push_back(row_of(columns, std::move(cells)));
    at = end + 1;
  }
  return lines;
}

// "" or what is wrong with the segment that should follow `place`, which is moved behind it.
std::string fault_of(const Row& segment, const SecretBytes& key, AuditPlace& place) {
  const std::string mac_before = std::exchange(place.mac, segment.text("mac"));
  const std::int64_t seq_before = std::exchange(place.last_seq, segment.integer("last_seq"));
  const std::string hash_before = std::exchange(place.hash, segment.text("hash"));
  if (!are_equal(segment.text("mac"), mac_of_segment(key, segment))) {
    return "is not what was written";
  }
  if (place.number > 0 &&
      (segment.integer("first_seq") != seq_before + 1 ||
       segment.text("hash_before") != hash_before || segment.text("mac_before") != mac_before)) {
    return "does not follow the one before";
  }
  const auto lines = lines_in(segment);
  if (!lines.ok()) return "cannot be read: " + lines.error().message;
  std::string before = segment.text("hash_before");
  std::int64_t seq = segment.integer("first_seq");
  for (const Row& line : lines.value()) {
    if (line.integer("seq") != seq++ ||
        !are_equal(line.text("hash"), hash_of_audit_line(key, before, line))) {
      return fmt::format("has a line {} that is not what was written", line.integer("seq"));
    }
    before = line.text("hash");
  }
  if (seq != place.last_seq + 1 || before != place.hash) return "has not all of its lines";
  return "";
}

}  // namespace

std::string hash_of_audit_line(const SecretBytes& key, const std::string& before, const Row& line) {
  return to_hex(keyed_hash(key, {"line", before, canonical(line, "hash")}));
}

std::string mac_of_archive(const SecretBytes& key, std::int64_t first_number,
                           std::int64_t last_number, const std::string& mac_of_last) {
  return to_hex(keyed_hash(
      key, {"archive", std::to_string(first_number), std::to_string(last_number), mac_of_last}));
}

Result<Values> next_audit_segment(Database& state, const Schema& schema, const SecretBytes& key,
                                  const AuditPlace& after, std::int64_t lines) {
  std::string plain;
  std::string before = after.hash;
  std::int64_t seq = after.last_seq;
  std::int64_t at_ms = 0;
  while (seq < after.last_seq + lines) {
    const auto rows = TRY(state.query(*schema.script("audit.lines"), {{"seq", seq}}));
    for (const Row& line : rows) {
      if (seq == after.last_seq + lines) break;
      if (line.integer("seq") != ++seq ||
          !are_equal(line.text("hash"), hash_of_audit_line(key, before, line))) {
        return Error{Fault::broken, Cause::corrupt,
                     fmt::format("line {} of the audit log is not what was written", seq),
                     "see `rowlock audit verify`, and put back a copy of state.db"};
      }
      before = line.text("hash");
      at_ms = line.integer("at_ms");
      std::vector<Json> cells;
      for (const Value& cell : line.cells()) cells.push_back(json_of(cell));
      plain += Json::array(std::move(cells)).text() + "\n";
    }
    if (rows.empty()) {
      return Error{Fault::broken, Cause::corrupt,
                   fmt::format("line {} of the audit log is missing", seq + 1),
                   "see `rowlock audit verify`, and put back a copy of state.db"};
    }
  }
  Values values = {{"number", after.number + 1},
                   {"first_seq", after.last_seq + 1},
                   {"last_seq", seq},
                   {"last_at_ms", at_ms},
                   {"hash_before", after.hash},
                   {"hash", before},
                   {"mac_before", after.mac},
                   {"packed", to_base64(TRY(zstd_packed(plain)))}};
  std::vector<std::string> columns;
  std::vector<Value> cells;
  for (const auto& [name, value] : values) {
    columns.push_back(name);
    cells.push_back(value);
  }
  values.emplace_back("mac", mac_of_segment(key, row_of(columns, std::move(cells))));
  return values;
}

Result<AuditPlace> verify_audit_segments(Database& state, const Schema& schema,
                                         const SecretBytes& key,
                                         std::vector<std::string>& findings) {
  AuditPlace place;
  const auto archives = TRY(state.query(*schema.script("audit.archive")));
  const Row& archive = archives.front();
  const std::int64_t first = archive.integer("first_number");
  const std::int64_t last = archive.integer("last_number");
  const std::int64_t there = archive.integer("segments");
  if (first == 0 && there == 0) return place;
  // A number that other hands wrote must not make this go on for ever.
  const std::int64_t end = std::min(last, first + there);
  for (std::int64_t number = first; number <= end; ++number) {
    const auto rows = TRY(state.query(*schema.script("audit.segment"), {{"number", number}}));
    if (rows.empty()) {
      findings.push_back(fmt::format("segment {} of the audit log is missing", number));
      place = AuditPlace();
      continue;
    }
    const std::string fault = fault_of(rows.front(), key, place);
    place.number = number;
    if (!fault.empty()) {
      findings.push_back(fmt::format("segment {} of the audit log {}", number, fault));
    }
  }
  if (there != last - first + 1) {
    findings.push_back(fmt::format("there are {} segments of the audit log and should be {}", there,
                                   last - first + 1));
  }
  if (!are_equal(archive.text("mac"), mac_of_archive(key, first, last, place.mac))) {
    findings.push_back("audit_archive is not what was written: segments were added or taken away");
  }
  return place;
}

}  // namespace rowlock
