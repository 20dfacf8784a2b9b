// Where a proxy's configurations lie: each one whole in a folder of its own, and a link to the one
// that holds. Only a configuration that HAProxy itself has found good ever becomes that one.
//
//   FOLDER/generations/7-Xa3b1c/   haproxy.cfg, routes.map, mode.map, hold.lua, crt-list, pages/
//   FOLDER/current                 → generations/7-Xa3b1c
//   FOLDER/master.sock, worker.sock, pid
#pragma once

#include "controller/base/result.h"
#include "controller/ports/proxy.h"

#include <cstdint>
#include <string>
#include <vector>

namespace rowlock {

// What was last saved.
struct SavedProxy {
  std::string home;
  std::int64_t generation = 0;
  std::vector<std::string> certificates;  // Files, in the order in which they were loaded.
  bool files_moved = false;               // The folders they came from hold other ones now.
};

class HaproxyFolder {
 public:
  explicit HaproxyFolder(std::string path) : path_(std::move(path)) {}

  std::string config_path() const { return path_ + "/current/haproxy.cfg"; }
  std::string master_socket() const { return path_ + "/master.sock"; }
  std::string worker_socket() const { return path_ + "/worker.sock"; }
  std::string pid_path() const { return path_ + "/pid"; }

  // As Proxy::save(). Not to be called from two threads.
  Result<> save(const ProxyConfig& config) const;

  // Cause::not_found when nothing was saved yet.
  Result<SavedProxy> saved() const;

 private:
  Result<> write_and_check(const std::string& folder, const ProxyConfig& config) const;
  Result<> make_current(const std::string& name) const;
  void remove_all_but(const std::string& newest, const std::string& before) const;

  std::string path_;
};

// The absolute path of HAProxy's binary. Rejected when it is not installed.
Result<std::string> haproxy_binary();

// Checks a configuration. Rejected in HAProxy's own words.
Result<> check_configuration(const std::string& file);

// The first complaint in what HAProxy printed, without the noise around it.
std::string haproxy_words(const std::string& output);

}  // namespace rowlock
