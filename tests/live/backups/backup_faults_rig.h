// A home with an open secret store, a PostgreSQL server, and an S3 service of its own for each
// policy, so that many faults can be waited for at the same time. Every policy has the same rows to
// keep: its first backup is verified before anything goes wrong, and is the last good one then.
#pragma once

#include "tests/adapters/s3/stand_in_s3.h"
#include "tests/live/postgres/postgres_rig.h"
#include "tests/live/secrets/secret_home.h"
#include "tests/store/files.h"

#include <map>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

namespace rowlock_live {

class BackupFaultsRig {
 public:
  // So many MB that cannot be compressed in `app`: a part of an upload is 8 MiB.
  explicit BackupFaultsRig(int megabytes = 18);

  // A database like `app`, but for its name.
  void copy_database(const std::string& name);
  // A policy, and a bucket of that name for it; `columns` of the policy add to what is usual: one
  // backup is kept, and each is verified once it is stored.
  rowlock::StandInS3& add(const std::string& policy, const std::string& database = "app",
                          const std::map<std::string, std::string>& columns = {});
  // Every policy has one backup, which is verified.
  void await_first();

  void ask(const std::string& policy);
  // The newest backup of the policy, any column of its row.
  std::string newest(const std::string& policy, const std::string& column) const;
  void await_newest(const std::string& policy, const std::string& column,
                    const std::string& expected, int patience_s = 150);
  // The newest failed, or stays stored and cannot be verified: in one sentence with these words,
  // which `rowlock status` and `why` say too. And what holds at any moment.
  void await_failed(const std::string& policy, const std::string& words);
  void await_unverified(const std::string& policy, const std::string& words);
  // That the column is one sentence with these words, which `status` and `why` say too.
  void expect_sentence(const std::string& policy, const std::string& column,
                       const std::string& words) const;
  // What is to be seen in its bucket can be opened with stock tools, each good row has its object,
  // and the first backup is what it was, its row and its object.
  void expect_unharmed(const std::string& policy) const;
  // The newest is verified, the first made room for it, and nothing else is in the bucket: no
  // object, no upload. No scratch database is left either.
  void await_renewed(const std::string& policy);

  // As if the pause before the next try, which can be ten minutes, were over.
  void end_pauses();
  rowlock::StandInS3& s3(const std::string& policy) { return *buckets_.at(policy).s3; }
  std::string identity() const { return folder / "identity"; }
  std::string insert_database(const std::string& name) const;  // SQL

  rowlock::TempFolder folder;
  rowlock::PostgresRig server;
  SecretHome home;

 private:
  struct Bucket {
    std::unique_ptr<rowlock::StandInS3> s3;
    std::string key;    // Of the first backup,
    std::string bytes;  // and what it is.
  };

  bool opens(const std::string& bytes) const;

  std::map<std::string, Bucket> buckets_;
};

// The processes of that name that `parent` has started and that run now, with these words in their
// command.
std::vector<pid_t> children_of(pid_t parent, const std::string& name, const std::string& words);

// Kills one of them as soon as there is one.
void kill_child_of(pid_t parent, const std::string& name, const std::string& words);

}  // namespace rowlock_live
