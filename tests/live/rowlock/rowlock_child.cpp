// The child asks the kernel to be killed when its parent goes, before it becomes the program: no
// test that crashes leaves one behind.
#include "tests/live/rowlock/rowlock_child.h"

#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <netinet/in.h>
#include <sstream>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace rowlock_live {

namespace {

constexpr auto kLook = std::chrono::milliseconds(2);
constexpr int kNotStarted = 127;

sockaddr_in internet_address(const std::string& address, int port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(static_cast<std::uint16_t>(port));
  inet_pton(AF_INET, address.c_str(), &result.sin_addr);
  return result;
}

}  // namespace

Child::Child(const std::vector<std::string>& command, const std::string& output) {
  int input[2];
  if (::pipe2(input, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const int file = ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  process_ = ::fork();
  if (process_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::signal(SIGPIPE, SIG_DFL);
    ::dup2(input[0], 0);
    ::dup2(file, 1);
    ::dup2(file, 2);
    ::execv(words[0], words.data());
    ::_exit(kNotStarted);
  }
  ::close(input[0]);
  ::close(file);
  input_ = input[1];
  ::signal(SIGPIPE, SIG_IGN);  // A child may end before it has read everything.
}

Child::~Child() {
  end_input();
  if (!has_ended()) {
    signal(SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
}

void Child::write(const std::string& input) {
  if (::write(input_, input.data(), input.size()) != static_cast<ssize_t>(input.size()))
    throw std::runtime_error("the child takes no input");
}

void Child::end_input() {
  if (input_ >= 0) ::close(input_);
  input_ = -1;
}

void Child::signal(int number) const { ::kill(process_, number); }

bool Child::has_ended() {
  if (!has_ended_) has_ended_ = ::waitpid(process_, &status_, WNOHANG) == process_;
  return has_ended_;
}

int Child::await_end(int patience_s) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(patience_s);
  while (!has_ended()) {
    if (std::chrono::steady_clock::now() > until)
      throw std::runtime_error("the child did not end within " + std::to_string(patience_s) + " s");
    std::this_thread::sleep_for(kLook);
  }
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : -WTERMSIG(status_);
}

std::string file_text(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

TakenPort::TakenPort() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = internet_address("127.0.0.1", 0);
  socklen_t length = sizeof address;
  if (::bind(socket_, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::listen(socket_, 1) != 0 ||
      ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length) != 0)
    throw std::runtime_error(std::string("no port to listen on: ") + std::strerror(errno));
  number_ = ntohs(address.sin_port);
}

TakenPort::~TakenPort() { ::close(socket_); }

int port_free_a_moment_ago() { return TakenPort().number(); }

std::string http_body(const std::string& address, int port) {
  const int connection = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{1, 0};
  ::setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const sockaddr_in to = internet_address(address, port);
  std::string answer;
  if (::connect(connection, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) {
    constexpr char kAsk[] = "GET / HTTP/1.0\r\n\r\n";
    (void)!::send(connection, kAsk, sizeof kAsk - 1, MSG_NOSIGNAL);
    char part[4096];
    for (ssize_t count; (count = ::recv(connection, part, sizeof part, 0)) > 0;)
      answer.append(part, static_cast<std::size_t>(count));
  }
  ::close(connection);
  const std::size_t head = answer.find("\r\n\r\n");
  const bool is_good = answer.find(" 200 ") < answer.find('\r') && head != std::string::npos;
  return is_good ? answer.substr(head + 4) : "";
}

}  // namespace rowlock_live
