// A LiveHome whose secret store is open, with its key in a file that a start finds by itself. What
// is in memory of its instances' folders goes away with it.
#pragma once

#include "controller/adapters/http/socket_client.h"
#include "tests/live/rowlock/rowlock_home.h"

#include <string>
#include <vector>

namespace rowlock_live {

class SecretHome : public LiveHome {
 public:
  SecretHome();
  ~SecretHome();

  // A new version of the secret, {"password": value}, from a file in memory.
  void put(const std::string& path, const std::string& value);
  // The verb's output; throws when it fails.
  std::string must(const std::vector<std::string>& arguments);
  // Over HOME/rowlock.sock, whatever it answers; status 0: nobody does.
  rowlock::Answer ask(const std::string& method, const std::string& path,
                      const std::string& body = "", const std::string& token = "") const;

  // Where its instances' folders are, and what one of them holds; empty when there is no such file.
  std::string memory() const;
  std::string held(const std::string& instance, const std::string& file) const;

  // Ends the controller and starts it, so that the store is open (by the key file) or sealed.
  void restart_open();
  void restart_sealed();
  void unseal();
  // Waits until it opened itself, and gives the milliseconds from the process's start to the first
  // secret that was read.
  long start_and_read(const std::string& path);

 private:
  std::string key_file_;
};

// Rows that give db/prod to a job: the policy, and its password as the file `pw`.
std::string insert_policy(const std::string& job);
std::string insert_secret(const std::string& job, const std::string& on_change = "restart");

// Whatever takes `columns` of a job behind a route: COUNT slow apps that say `one`, and the proxy.
std::string insert_routed_job(const std::string& name, int port,
                              const std::map<std::string, std::string>& columns);

}  // namespace rowlock_live
