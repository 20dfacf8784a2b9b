// A backup as one file, NAME.tar.zst.age, that stock tools open without Rowlock:
//
//   age -d -i IDENTITY FILE | tar --zstd -xO dump | pg_restore -d NEW
//
// Encrypted as age does (crypto/age.h), compressed with zstd, archived as tar (pax), with these
// members in this order:
//
//   RESTORE.txt    how to restore it by hand
//   backup.json    which backup this is: what BackupHeader holds
//   …              what was backed up; a member of unknown size as NAME/000001, NAME/000002 …,
//                  and of those called data.1, data.2 … the pieces mixed as they came
//   manifest.json  the header again, what the source said of its content, and for each member of
//                  what was backed up its size and SHA-256; written last, so that a file without
//                  it is none
//
// It is made and read as a stream, in memory that does not grow with it.
#pragma once

#include "controller/base/json.h"
#include "controller/crypto/secret_bytes.h"
#include "controller/ports/member_writer.h"
#include "controller/ports/streams.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rowlock {

struct BackupHeader {
  std::string id;       // Of this backup, unlike any other's.
  std::string home;     // Id of the home that made it.
  std::string policy;   // Name of the row that asked for it.
  std::string kind;     // postgres | home
  std::string source;   // Name of the database; empty for a home.
  std::string reason;   // Why it was made: "scheduled", "asked for by …".
  std::string rowlock;  // Version of the program.
  std::int64_t started_at_ms = 0;

  bool operator==(const BackupHeader&) const = default;
};

struct MemberFacts {
  std::string name;
  std::int64_t size_bytes = 0;
  std::string sha256;  // Hex.

  bool operator==(const MemberFacts&) const = default;
};

struct BackupManifest {
  BackupHeader header;
  Json content;  // What the source said: an object.
  std::vector<MemberFacts> members;
};

class BackupFileWriter : public MemberWriter {
 public:
  // What it makes goes to `out`. Rejected when a recipient is none or there is none. `is_in_parts`:
  // RESTORE.txt tells of `before`, `data.1` … and `after` in place of `dump`.
  static Result<std::unique_ptr<BackupFileWriter>> begin(const std::vector<std::string>& recipients,
                                                         const BackupHeader& header, Sink out,
                                                         bool is_in_parts = false);
  using MemberWriter::begin;

  // Ends the file with the manifest. Requires: no member is open.
  virtual Result<> finish(const Json& content) = 0;

  virtual std::int64_t bytes() const = 0;        // Given to `out` so far.
  virtual std::string sha256() const = 0;        // Of them, in hex. Requires: finished.
  virtual std::int64_t plain_bytes() const = 0;  // Of all members, as they were written.
};

class BackupFileReader {
 public:
  virtual ~BackupFileReader() = default;

  // Reads the header. Rejected when no identity opens it, or it is no backup.
  static Result<std::unique_ptr<BackupFileReader>> open(const SecretBytes& identities, Source in);

  virtual const BackupHeader& header() const = 0;

  // The name of the next member of what was backed up, one in pieces once, but for data.1 and the
  // like, which come once for each run of their pieces; empty: there are no more, and then the
  // whole file was read and agrees with its manifest.
  virtual Result<std::string> next() = 0;

  // The next bytes of that member; empty at its end, or where the run ends.
  virtual Result<std::string> read() = 0;

  // Requires: next() has said that there are no more.
  virtual const BackupManifest& manifest() const = 0;
};

// Reads all of it, and finds what was cut off, changed, swapped or added: nothing but the whole
// file as it was made passes. The error is one sentence. Recipients are no secret, so anybody can
// make a file for them, and an old file can be given another one's name: that this is the backup it
// is taken for, the caller finds by the header's id and the SHA-256 of the file.
Result<BackupManifest> check_backup_file(const SecretBytes& identities, Source in);

}  // namespace rowlock
