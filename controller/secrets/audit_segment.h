// Old lines of the audit log, some thousands in one row: packed, chained and signed here, and
// looked through when the log is verified. Needs the key of the audit log and a connection, and
// nothing of the loop thread: a worker does both.
#pragma once

#include "controller/base/result.h"
#include "controller/crypto/secret_bytes.h"
#include "controller/store/database.h"
#include "controller/store/schema.h"

#include <cstdint>
#include <string>
#include <vector>

namespace rowlock {

// What a line of the audit log is chained by: the keyed hash of its columns and of the hash before.
std::string hash_of_audit_line(const SecretBytes& key, const std::string& before, const Row& line);

// The keyed hash of which segments there are.
std::string mac_of_archive(const SecretBytes& key, std::int64_t first_number,
                           std::int64_t last_number, const std::string& mac_of_last);

// Where the log stands that a segment follows.
struct AuditPlace {
  std::int64_t number = 0;  // Of the last segment; 0: there is none.
  std::int64_t last_seq = 0;
  std::string hash;
  std::string mac;
};

// The next `lines` lines as the values of a row of audit_segment. Broken when one of them is not
// what was written: that must not be signed.
Result<Values> next_audit_segment(Database& state, const Schema& schema, const SecretBytes& key,
                                  const AuditPlace& after, std::int64_t lines);

// Looks through all segments, oldest first. What is wrong goes into `findings`, by the number of
// the segment. Returns where the lines of the table `audit` go on.
Result<AuditPlace> verify_audit_segments(Database& state, const Schema& schema,
                                         const SecretBytes& key,
                                         std::vector<std::string>& findings);

}  // namespace rowlock
