// One server of our own on this machine: a folder that nobody else may enter, a socket in it, and
// no port. See ScratchServer.
#pragma once

#include "controller/adapters/postgres/postgres_dump.h"
#include "controller/adapters/process/process_handle.h"
#include "controller/ports/database_dumps.h"

#include <atomic>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

namespace rowlock {

class PostgresScratch final : public ScratchServer {
 public:
  static Result<std::unique_ptr<PostgresScratch>> start(const PostgresDumpLimits& limits,
                                                        const ScratchOrder& order,
                                                        const std::atomic<bool>& ending);
  ~PostgresScratch() override;
  PostgresScratch(const PostgresScratch&) = delete;
  PostgresScratch& operator=(const PostgresScratch&) = delete;

  const PostgresAddress& address() const override { return address_; }

 private:
  explicit PostgresScratch(std::string folder);

  Result<> run(const std::vector<std::string>& as_owner, const std::string& postgres);
  Result<> await_ready(const PostgresDumpLimits& limits, const std::atomic<bool>& ending);
  std::string last_words() const;

  std::string folder_;
  bool is_made_ = false;  // By us.
  PostgresAddress address_;
  pid_t process_ = -1;
  std::unique_ptr<ProcessHandle> handle_;
};

}  // namespace rowlock
