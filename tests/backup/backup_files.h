// Backup files in memory for the tests: as BackupFileWriter makes them, and as somebody forges them
// who knows the recipients, which are no secret.
#pragma once

#include "controller/backup/backup_file.h"
#include "tests/archive/archives.h"

#include <string>
#include <vector>

namespace rowlock {

// Three pairs of keys.
extern const std::vector<std::string> kRecipients;
extern const std::vector<std::string> kIdentities;

BackupHeader postgres_header(const std::string& id = "b-1");
BackupHeader home_header();
Json some_content();

// To kRecipients[0] unless told otherwise. Members as archive_of() takes them.
std::string backup_of(const BackupHeader& header, const Members& members,
                      const std::vector<std::string>& recipients = {});

// An archive of just these members, as a file for kRecipients[0].
std::string forged(const Members& members);
// What an honest writer puts first, and last.
Members head_of(const BackupHeader& header);
std::string manifest_of(const BackupHeader& header, const Members& content);
// All three: what the honest writer would have made.
Members honest(const BackupHeader& header, const Members& content);

// What check_backup_file() says against it; empty: it passes.
std::string fault_of(const std::string& file, const std::string& identity = kIdentities[0],
                     std::size_t block = 10'000);

// Name and content of all members that BackupFileReader gives before it ends or fails; `fault` is
// the sentence of the failure.
Members members_of(const std::string& file, std::string& fault);

}  // namespace rowlock
