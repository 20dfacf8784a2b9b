// Members of a backup kept in memory, and a dump given out again from there.
#pragma once

#include "controller/ports/database_dumps.h"
#include "controller/ports/member_writer.h"
#include "controller/ports/streams.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rowlock {

class MemoryMembers final : public MemberWriter {
 public:
  Result<> begin(const std::string& name, std::int64_t) override {
    members.emplace_back(name, "");
    is_open = true;
    return Done{};
  }
  Result<> write(std::string_view bytes) override {
    if (on_write) {
      if (const auto result = on_write(); !result.ok()) return result;
    }
    members.back().second += bytes;
    return Done{};
  }
  Result<> end() override {
    is_open = false;
    return Done{};
  }
  Result<> add_piece(const std::string& name, std::string_view bytes) override {
    if (on_write) {
      if (const auto result = on_write(); !result.ok()) return result;
    }
    members.emplace_back(name, bytes);
    return Done{};
  }

  // Empty when there is none of that name.
  std::string member(const std::string& name) const {
    for (const auto& [each, bytes] : members) {
      if (each == name) return bytes;
    }
    return "";
  }

  std::vector<std::pair<std::string, std::string>> members;
  bool is_open = false;
  std::function<Result<>()> on_write;  // Before each write, if there; an error fails it.
};

// In pieces, as a download gives it.
inline Source source_of(const std::string& bytes, std::size_t piece_bytes = 65536) {
  const auto at = std::make_shared<std::size_t>(0);
  return [bytes, at, piece_bytes]() -> Result<std::string> {
    const std::size_t from = std::min(*at, bytes.size());
    *at = from + piece_bytes;
    return bytes.substr(from, piece_bytes);
  };
}

// The dump that those bytes are.
inline DumpSource dump_of(Source bytes) {
  return [bytes = std::move(bytes)]() -> Result<DumpPiece> {
    auto next = bytes();
    if (!next.ok()) return next.error();
    if (next.value().empty()) return DumpPiece{};
    return DumpPiece{"dump", std::move(next).value()};
  };
}

// The one that those members are.
inline DumpSource dump_in(const MemoryMembers& members) {
  const auto left = std::make_shared<std::deque<DumpPiece>>();
  for (const auto& [name, bytes] : members.members) {
    for (std::size_t at = 0; name != "globals.sql" && at < bytes.size(); at += 65536) {
      left->push_back({name, bytes.substr(at, 65536)});
    }
  }
  return [left]() -> Result<DumpPiece> {
    if (left->empty()) return DumpPiece{};
    DumpPiece piece = std::move(left->front());
    left->pop_front();
    return piece;
  };
}

// The first bytes, and then an error.
inline Source cut_off(const std::string& bytes, std::size_t after_bytes) {
  const auto whole = source_of(bytes.substr(0, after_bytes), 4096);
  return [whole]() -> Result<std::string> {
    auto next = whole();
    if (next.ok() && next.value().empty()) {
      return Error{Fault::transient, Cause::other, "the download was cut off", ""};
    }
    return next;
  };
}

}  // namespace rowlock
