// One of PostgreSQL's own programs at work: what it writes is read, what it reads is given to it,
// and it is never waited for longer than it may stand still. Its password is in a file in memory
// that it alone inherits: in no argument and no environment. Of our environment it gets what says
// where programs and certificates are, and nothing else.
#pragma once

#include "controller/base/result.h"
#include "controller/crypto/secret_bytes.h"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace rowlock {

class ProcessHandle;

struct PostgresChildOrder {
  std::vector<std::string> command;             // The program's absolute path first.
  std::shared_ptr<const SecretBytes> password;  // Null: none.
  bool has_input = false;                       // Else it reads nothing.
  std::string use_list;                         // For its --use-list; empty: it is given none.
  std::int64_t connect_ms = 0;                  // For it to find the server.
  std::int64_t stall_ms = 0;          // How long it may do nothing that is seen from here.
  std::function<bool()> still_works;  // Asked after that time, if there; true: wait as long again.
  std::function<bool()> must_end;     // Within a second after it says so every call fails.
  std::function<void(std::string_view)> hears;  // What it says, if there, as it comes.
};

class PostgresChild {
 public:
  static Result<std::unique_ptr<PostgresChild>> start(const PostgresChildOrder& order);
  ~PostgresChild();  // Kills it, unless it has ended.
  PostgresChild(const PostgresChild&) = delete;
  PostgresChild& operator=(const PostgresChild&) = delete;

  // Waits until there is something to read, or it has ended; an error when it has not ended well.
  // Requires: it has no input.
  Result<> await_output();

  // What it writes next, valid until the next call; empty once there is no more. Requires: it has
  // no input.
  Result<std::string_view> read();

  // Gives it more to read. One that ends well before it has read all that did not need it.
  // Requires: it has input; what it writes is thrown away.
  Result<> write(std::string_view bytes);

  // It gets no more to read; what else it writes is thrown away. An error when it does not end
  // well, with its last words.
  Result<> finish();

 private:
  struct Pipes;

  explicit PostgresChild(const PostgresChildOrder& order);

  Result<> spawn();
  // Until something can be had from it or given to it, or it has ended.
  Result<> await(bool wants_output, bool wants_input);
  ssize_t read_on(std::size_t from);
  void take_words();
  void reap();
  Result<> ending();
  Error failure() const;

  PostgresChildOrder order_;
  std::string name_;
  std::unique_ptr<Pipes> pipes_;
  pid_t process_ = -1;
  std::unique_ptr<ProcessHandle> handle_;
  bool has_ended_ = false;
  int status_ = 0;
  std::string words_;  // The last of its stderr.
  std::array<char, 256 * 1024> buffer_;
};

}  // namespace rowlock
