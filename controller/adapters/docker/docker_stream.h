// The engine's endless answers, put together again from the pieces in which they come.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace rowlock {

// Cuts a stream into lines. A line past the bound is dropped: nobody sends one that matters.
class LineSplitter {
 public:
  explicit LineSplitter(std::function<void(std::string_view line)> on_line);
  void feed(std::string_view bytes);

 private:
  std::function<void(std::string_view)> on_line_;
  std::string pending_;
  bool dropping_ = false;
};

// Keeps the last bytes of what a container wrote. The engine wraps them in frames (one byte for the
// stream, three of zero, four of length, big-endian) unless the container has a terminal: then they
// come bare. The first header tells which.
class OutputTail {
 public:
  explicit OutputTail(std::size_t bytes_max);
  void feed(std::string_view bytes);

  // Valid UTF-8, at most bytes_max long; begins at a line where something was left out.
  std::string text() const;

 private:
  void keep(std::string_view bytes);

  std::size_t bytes_max_;
  std::string header_;        // The part of a frame's header seen so far.
  std::size_t in_frame_ = 0;  // Bytes of the frame still to come.
  bool bare_ = false;
  std::string kept_;
  bool cut_ = false;
};

}  // namespace rowlock
