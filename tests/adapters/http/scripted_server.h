// An HTTP server on loopback that answers what a test says, to the byte: the broken answers too
// that no server gives on purpose.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace rowlock {

// An answer that is none: the connection stays open and silent until the server goes away.
constexpr char kHangs[] = "hang";

// Answers one connection after the other with what `answer` gives for the request's head, as it is.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::function<std::string(const std::string&)> answer);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  int port() const { return port_; }
  std::string url(const std::string& path = "/ping/secret") const;
  std::string host() const;  // All of it that an error may show.
  std::vector<std::string> heads();

 private:
  void serve();

  std::function<std::string(const std::string&)> answer_;
  int listener_;
  int port_ = 0;
  std::mutex mutex_;
  std::vector<std::string> heads_;  // Guarded by mutex_.
  std::vector<int> hanging_;
  std::thread thread_;  // Last: it uses all of these.
};

std::string with_status(int status, const std::string& headers = "", const std::string& body = "");

}  // namespace rowlock
