// A program as a child process that does not outlive the test, whatever becomes of that.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

namespace rowlock_live {

class Child {
 public:
  // Both kinds of output are appended to the file `output`; input comes from write().
  Child(const std::vector<std::string>& command, const std::string& output);
  ~Child();  // SIGKILL
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void write(const std::string& input);
  void end_input();
  void signal(int number) const;
  bool has_ended();
  // The exit code, or -signal. Throws after `patience_s`.
  int await_end(int patience_s);
  pid_t process() const { return process_; }

 private:
  pid_t process_ = -1;
  int input_ = -1;
  int status_ = 0;
  bool has_ended_ = false;
};

std::string file_text(const std::string& path);

// A port of the loopback address that is listened on, though nobody answers.
class TakenPort {
 public:
  TakenPort();
  ~TakenPort();
  TakenPort(const TakenPort&) = delete;
  TakenPort& operator=(const TakenPort&) = delete;

  int number() const { return number_; }

 private:
  int socket_;
  int number_ = 0;
};

int port_free_a_moment_ago();

// What a GET of / answers, without its head; empty when it is not 200 within a second.
std::string http_body(const std::string& address, int port);

}  // namespace rowlock_live
