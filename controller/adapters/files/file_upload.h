// One object of a store of files, while it is written.
#pragma once

#include "controller/adapters/digest.h"
#include "controller/adapters/pace.h"
#include "controller/base/open_file.h"
#include "controller/ports/object_store.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

namespace rowlock {

class FileUpload final : public Upload {
 public:
  // Below the open folder `root`, which is called `shown` in errors.
  static Result<std::unique_ptr<Upload>> begin(const OpenFile& root, const std::string& shown,
                                               const std::string& key, std::int64_t bytes_per_s,
                                               const std::atomic<bool>& ending);
  ~FileUpload() override;
  FileUpload(const FileUpload&) = delete;
  FileUpload& operator=(const FileUpload&) = delete;

  Result<> write(std::string_view bytes) override;
  Result<> finish() override;

 private:
  FileUpload(std::string attempt, std::string shown, std::int64_t bytes_per_s,
             const std::atomic<bool>& ending);
  Error failed(int code) const;
  void start_writing_back();
  Result<> check_written();
  Result<> give_its_name();

  std::string attempt_;
  std::string shown_;
  std::string name_;  // Its last part.
  std::string part_;  // What it is called meanwhile; empty: it has its name.
  OpenFile folder_;
  OpenFile file_;
  Pace pace_;
  const std::atomic<bool>& ending_;
  StreamDigest sha256_;
  std::int64_t size_bytes_ = 0;
  std::int64_t begun_bytes_ = 0;  // On their way to the disk.
};

// Whether somebody is writing it at this moment; its lock tells. `file` is open.
bool is_being_written(const OpenFile& file, const std::string& host, std::int64_t process);

}  // namespace rowlock
