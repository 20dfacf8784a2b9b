// Where simulations are played: a home in memory with the real databases. It is cleared for the
// next seed instead of being made anew, so that statements stay compiled; that is most of the
// simulator's speed.
#pragma once

#include "controller/store/database.h"
#include "controller/store/home.h"
#include "controller/store/schema.h"

#include <memory>
#include <optional>
#include <string>

namespace rowlock::simulator {

constexpr const char* kHomeId = "simula";

class Stage {
 public:
  // Makes a home of that schema, which outlives this, in a new folder that goes away with this.
  explicit Stage(const Schema& schema);
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  // As if nothing had ever happened on it.
  void clear();

  // Opens state.db again, as a controller that was killed would find it.
  void reopen_state();

  // Copies state.db as it is now, and opens the last copy in its place; false: there is none.
  void keep_state();
  bool put_back_state();

  // What a new process would not know is forgotten: as reopen_state(), but at no cost.
  void forget_connection();

  const Schema& schema() const { return schema_; }
  const Home& home() const { return *home_; }
  Database& state() { return *state_; }
  Database& desired() { return *desired_; }  // The engineer's connection.

 private:
  const Schema& schema_;
  std::string folder_;
  std::unique_ptr<Home> home_;
  std::optional<Database> state_;  // Always in the same place, whatever is opened.
  std::unique_ptr<Database> desired_;
};

}  // namespace rowlock::simulator
