// A `rowlock run` with an open secret store, a policy, a secret and a token, over loopback and
// without any engine; and what is asked of it.
#pragma once

#include "tests/bench/samples.h"

#include <string>
#include <sys/types.h>
#include <vector>

namespace rowlock::bench {

class SecretService {
 public:
  SecretService();
  ~SecretService();
  SecretService(const SecretService&) = delete;
  SecretService& operator=(const SecretService&) = delete;

  std::string rowlock(const std::string& words) const;
  std::string key_file() const { return folder_ + "/unseal.key"; }
  const std::string& folder() const { return folder_; }
  const std::string& token() const { return token_; }
  int port() const { return port_; }

  void start(const std::vector<std::string>& options);
  void stop();

  // Until the query on state.db returns a row.
  void await(const std::string& query) const;

  double reads_per_second(int connections) const;

 private:
  void await_socket() const;

  std::string binary_;
  std::string folder_;
  std::string token_;
  int port_;
  pid_t process_ = -1;
};

}  // namespace rowlock::bench
