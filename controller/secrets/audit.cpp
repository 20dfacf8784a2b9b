// Two proofs that need each other: lines chained in their order, and a sum over the digests of rows
// that does not mind any. Nothing is added to a head that was not found true first.
#include "controller/secrets/audit.h"

#include "controller/base/utf8.h"
#include "controller/crypto/cipher.h"
#include "controller/crypto/encoding.h"
#include "controller/secrets/audit_segment.h"
#include "controller/secrets/canonical.h"
#include "controller/secrets/rights.h"

#include <fmt/format.h>

#include <memory>

namespace rowlock {

namespace {

constexpr const char* kTables[] = {"secret_config", "secret", "secret_version"};

Row row_from(const Values& values) {
  auto columns = std::make_shared<std::vector<std::string>>();
  std::vector<Value> cells;
  for (const auto& [name, value] : values) {
    columns->push_back(name);
    cells.push_back(value);
  }
  return Row(columns, std::move(cells));
}

// By other hands: what was just read or written is there.
Error row_is_gone(const std::string& table) {
  return {Fault::broken, Cause::other, "a row of " + table + " was taken away by other hands",
          "see `rowlock audit verify`, and put back a copy of state.db"};
}

// What a person calls the row.
std::string name_of_row(const std::string& table, const Row& row) {
  if (table == "secret_config") {
    return "the row of secret_config";
  }
  const std::string path = utf8_sanitised(row.text("path"));
  return table == "secret" ? "the row of secret " + path
                           : fmt::format("version {} of {}", row.integer("version"), path);
}

}  // namespace

struct AuditLog::Head {
  std::int64_t seq = 0;
  std::string hash;
  std::int64_t rows = 0;
  std::string sum = kNoSum;
  std::string keys;
  std::string rights;
  std::string tokens;
  std::string mac;
};

const std::string& AuditLog::script(std::string_view name) const {
  const std::string* text = schema_.script(name);
  CHECK(text != nullptr);
  return *text;
}

std::string AuditLog::mac_of(const Head& head) const {
  const SecretBytes& key = keyring_.newest("audit").bytes;
  const std::string seq = std::to_string(head.seq);
  const std::string rows = std::to_string(head.rows);
  // As it was written before there were those two.
  if (head.rights.empty() && head.tokens.empty()) {
    return to_hex(keyed_hash(key, {"head", seq, head.hash, rows, head.sum, head.keys}));
  }
  return to_hex(keyed_hash(
      key, {"head", seq, head.hash, rows, head.sum, head.keys, head.rights, head.tokens}));
}

std::string AuditLog::digest_of(const std::string& table, const Row& row) const {
  return to_hex(
      keyed_hash(keyring_.newest("audit").bytes, {"row", table, canonical(row, "digest")}));
}

std::string AuditLog::hash_of_line(const std::string& before, const Row& line) const {
  return hash_of_audit_line(keyring_.newest("audit").bytes, before, line);
}

std::string AuditLog::hash_of(std::string_view value) const {
  return to_hex(keyed_hash(keyring_.newest("audit").bytes, {"value", value}));
}

Result<std::string> AuditLog::hash_of_keys() {
  const auto rows = TRY(state_.query(script("keyring.all")));
  std::string all;
  for (const Row& row : rows) {
    all += canonical(row, "");
  }
  return to_hex(keyed_hash(keyring_.newest("audit").bytes, {"keyring", all}));
}

Result<AuditLog::Head> AuditLog::read_head() {
  const auto rows = TRY(state_.query(script("audit.head")));
  if (rows.empty()) {
    return Error{Fault::broken, Cause::other,
                 "the head of the audit log is gone: state.db was changed by other hands",
                 "put back a copy of state.db; nothing is released without an audit log"};
  }
  const Row& row = rows.front();
  return Head{row.integer("seq"), row.text("hash"),   row.integer("rows"), row.text("sum"),
              row.text("keys"),   row.text("rights"), row.text("tokens"),  row.text("mac")};
}

// What is built upon must be true: the next line would make a forged head a true one.
Result<AuditLog::Head> AuditLog::head() {
  auto head = read_head();
  if (head.ok() && !are_equal(head.value().mac, mac_of(head.value()))) {
    return Error{Fault::broken, Cause::other,
                 "the head of the audit log was changed by other hands",
                 "see `rowlock audit verify`, and put back a copy of state.db; nothing is released "
                 "without an audit log"};
  }
  return head;
}

Result<> AuditLog::write_head(const Head& head) {
  return state_.run(script("audit.set_head"), {{"seq", head.seq},
                                               {"hash", head.hash},
                                               {"rows", head.rows},
                                               {"sum", head.sum},
                                               {"keys", head.keys},
                                               {"rights", head.rights},
                                               {"tokens", head.tokens},
                                               {"mac", mac_of(head)}});
}

Result<> AuditLog::begin() {
  auto keys = hash_of_keys();
  if (!keys.ok()) {
    return keys.error();
  }
  Head head;
  head.keys = std::move(keys).value();
  TRY(write_head(head));
  return row_written("secret_config", {});
}

Result<> AuditLog::keys_written() {
  auto read = TRY(head());
  auto keys = hash_of_keys();
  if (!keys.ok()) {
    return keys.error();
  }
  Head head = std::move(read);
  head.keys = std::move(keys).value();
  return write_head(head);
}

Result<AuditProofs> AuditLog::proofs() {
  auto read = TRY(head());
  return AuditProofs{std::move(read.rights), std::move(read.tokens)};
}

Result<> AuditLog::prove(const AuditProofs& proofs) {
  Head head = TRY(this->head());
  head.rights = proofs.rights;
  head.tokens = proofs.tokens;
  return write_head(head);
}

Result<> AuditLog::append(const AuditLine& line, std::int64_t now_ms) {
  Head head = TRY(this->head());
  const Value ahead = TRY(state_.scalar(script("audit.wall")));
  const auto* ahead_ms = std::get_if<std::int64_t>(&ahead);
  const std::int64_t at_ms = now_ms + (ahead_ms != nullptr ? *ahead_ms : 0);
  Values values = {{"seq", head.seq + 1},         {"at_ms", at_ms},        {"actor", line.actor},
                   {"operation", line.operation}, {"path", line.path},     {"version", Value()},
                   {"outcome", line.outcome},     {"detail", line.detail}, {"value", line.value}};
  if (line.version.has_value()) {
    values[5].second = *line.version;
  }
  head.hash = hash_of_line(head.hash, row_from(values));
  head.seq += 1;
  values.emplace_back("hash", head.hash);
  TRY(state_.run(script("audit.append"), values));
  return write_head(head);
}

Result<> AuditLog::change_sum(const std::string& out, const std::string& in, int rows) {
  Head head = TRY(this->head());
  head.sum = exclusive_or(exclusive_or(head.sum, out), in);
  head.rows += rows;
  return write_head(head);
}

Result<> AuditLog::row_written(const std::string& table, const Values& key) {
  const auto rows = TRY(state_.query(script("digest." + table), key));
  if (rows.empty()) {
    return row_is_gone(table);
  }
  const Row& row = rows.front();
  const std::string before = row.text("digest");
  const std::string digest = digest_of(table, row);
  Values values = key;
  values.emplace_back("digest", digest);
  TRY(state_.run(script("digest." + table + ".set"), values));
  return change_sum(before, digest, before.empty() ? 1 : 0);
}

Result<> AuditLog::row_leaves(const std::string& table, const Values& key) {
  const auto rows = TRY(state_.query(script("digest." + table), key));
  if (rows.empty()) {
    return row_is_gone(table);
  }
  return change_sum(rows.front().text("digest"), "", -1);
}

Result<bool> AuditLog::row_is_true(const std::string& table, const Values& key) {
  const auto rows = TRY(state_.query(script("digest." + table), key));
  return !rows.empty() && are_equal(rows.front().text("digest"), digest_of(table, rows.front()));
}

Result<> AuditLog::require_true(const std::string& table, const Values& key) {
  const auto is_true = TRY(row_is_true(table, key));
  if (is_true) {
    return Done{};
  }
  return Error{Fault::broken, Cause::other,
               name_of_row(table, row_from(key)) + " was changed by other hands",
               "see `rowlock audit verify`, and put back a copy of state.db"};
}

Result<> AuditLog::verify_lines(const Head& head, AuditReport& report) {
  const AuditPlace place =
      TRY(verify_audit_segments(state_, schema_, keyring_.newest("audit").bytes, report.findings));
  std::string before = place.hash;
  report.lines = place.last_seq;
  report.segmented = place.last_seq;
  for (bool more = true; more && report.findings.size() < AuditReport::kFindingsMax;) {
    const auto rows = TRY(state_.query(script("audit.lines"), {{"seq", report.lines}}));
    more = !rows.empty();
    for (const Row& line : rows) {
      ++report.lines;
      if (line.integer("seq") != report.lines) {
        report.findings.push_back(fmt::format("line {} of the audit log is missing", report.lines));
        return Done{};
      }
      if (!are_equal(line.text("hash"), hash_of_line(before, line))) {
        report.findings.push_back(fmt::format(
            "line {} of the audit log is not what was written, or does not follow the one before",
            report.lines));
      }
      before = line.text("hash");
    }
  }
  if (report.lines != head.seq || before != head.hash) {
    report.findings.push_back(
        fmt::format("the audit log has {} lines and should have {}: it was cut off or added to",
                    report.lines, head.seq));
  }
  return Done{};
}

Result<> AuditLog::verify_rows(const Head& head, AuditReport& report) {
  std::string sum = kNoSum;
  for (const std::string table : kTables) {
    Values after = {{"path", ""}, {"version", std::int64_t{0}}};
    while (report.findings.size() < AuditReport::kFindingsMax) {
      const auto rows = TRY(state_.query(script("digest." + table + ".next"), after));
      if (rows.empty()) {
        break;
      }
      for (const Row& row : rows) {
        ++report.rows;
        const std::string digest = digest_of(table, row);
        sum = exclusive_or(sum, digest);
        if (!are_equal(row.text("digest"), digest)) {
          report.findings.push_back(name_of_row(table, row) + " is not what was written");
        }
      }
      const Row& last = rows.back();
      after = {{"path", last.at("path")}, {"version", last.at("version")}};
    }
  }
  if (report.rows != head.rows || sum != head.sum) {
    report.findings.push_back(
        fmt::format("there are {} rows of secrets and should be {}: some were added, taken away or "
                    "changed by other hands",
                    report.rows, head.rows));
  }
  return Done{};
}

// What the pages of verify_lines() and verify_rows() begin behind: line 0, a secret without a path.
Result<> AuditLog::verify_counts(AuditReport& report) {
  if (report.findings.size() >= AuditReport::kFindingsMax) {
    return Done{};
  }
  const auto counts = TRY(state_.query(script("audit.counts")));
  const std::int64_t lines = counts.front().integer("lines");
  if (lines != report.lines - report.segmented) {
    report.findings.push_back(
        fmt::format("the audit log holds {} lines, of which {} follow each other from the first: "
                    "some were added by other hands",
                    lines, report.lines - report.segmented));
  }
  const std::int64_t rows = counts.front().integer("rows");
  if (rows != report.rows) {
    report.findings.push_back(fmt::format(
        "there are {} rows of secrets, of which only {} have a path and a version: some were added "
        "by other hands",
        rows, report.rows));
  }
  return Done{};
}

Result<AuditReport> AuditLog::verify() {
  AuditReport report;
  const auto blobs = TRY(state_.query(script("audit.blobs")));
  // Their order is not that of text, so that the pages that follow would have no end.
  if (const std::int64_t rows = blobs.front().integer("rows"); rows != 0) {
    report.findings.push_back(fmt::format(
        "{} rows hold bytes where text was written: they were changed by other hands", rows));
    return report;
  }
  auto read = read_head();
  if (!read.ok()) {
    report.findings.push_back(read.error().message);
    return report;
  }
  const Head& head = read.value();
  if (!are_equal(head.mac, mac_of(head))) {
    report.findings.push_back("audit_head is not what was written");
  }
  const auto keys = TRY(hash_of_keys());
  if (keys != head.keys) {
    report.findings.push_back("the rows of keyring are not those that were written");
  }
  TRY(verify_lines(head, report));
  TRY(verify_rows(head, report));
  TRY(verify_counts(report));
  TRY(Rights(state_, schema_, keyring_, *this).verify(report.findings));
  return report;
}

std::function<Result<AuditReport>()> AuditLog::verification() const {
  auto keys = std::make_shared<std::vector<Key>>();
  for (const char* purpose : {"audit", "token"}) {
    const Key& newest = keyring_.newest(purpose);
    keys->push_back({newest.id, newest.purpose, newest.created_at_ms, newest.bytes.copy()});
  }
  return [path = state_.path(), &schema = schema_, keys]() -> Result<AuditReport> {
    Database state = TRY(Database::open(path, Database::Mode::read_only));
    Keyring keyring(state, schema);
    for (Key& key : *keys) {
      keyring.adopt(std::move(key));
    }
    TRY(state.run("BEGIN"));
    return AuditLog(state, schema, keyring).verify();
  };
}

}  // namespace rowlock
