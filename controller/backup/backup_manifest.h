// What a backup file says of itself, as JSON: backup.json at its beginning, manifest.json at its
// end. Read strictly: nothing may be missing, of another type, or there besides.
#pragma once

#include "controller/backup/backup_file.h"

#include <string>
#include <string_view>

namespace rowlock {

constexpr char kRestoreMember[] = "RESTORE.txt";
constexpr char kMixedMembers[] = "data.";  // So begin the names of those whose pieces come mixed.
constexpr char kHeaderMember[] = "backup.json";
constexpr char kManifestMember[] = "manifest.json";

constexpr std::size_t kRestoreBytesMax = 64 * 1024;
constexpr std::size_t kHeaderBytesMax = 64 * 1024;
// The manifest names every table of a database, in a few hundred bytes each.
constexpr std::size_t kManifestBytesMax = 64 * 1024 * 1024;

std::string text_of(const BackupHeader& header);
Result<BackupHeader> read_header(std::string_view text);

std::string text_of(const BackupManifest& manifest);
Result<BackupManifest> read_manifest(std::string_view text);

// RESTORE.txt: how to restore it by hand.
std::string restore_text(const BackupHeader& header, bool is_in_parts = false);

}  // namespace rowlock
