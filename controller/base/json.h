// JSON, read and written. Numbers stay as they were written, to the letter: what passes through
// here, a secret say, is the same at the other end. The only door to picojson, which by itself
// keeps numbers as doubles, takes 01 for one, and lets trailing garbage and invalid UTF-8 through;
// this door does not.
#pragma once

#include "controller/base/result.h"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rowlock {

// One JSON value. Reading never fails: a missing member or another type reads as null, "", 0 or an
// empty list, so that an engine's odd answer is handled where it matters and nowhere else. Cheap to
// copy: values are shared, never changed.
class Json {
 public:
  Json();  // null
  ~Json();
  Json(const Json&);
  Json(Json&&) noexcept;
  Json& operator=(const Json&);
  Json& operator=(Json&&) noexcept;

  static constexpr int kDepthMax = 128;

  // What becomes of a name that an object gives twice. Readers differ about it, so that somebody
  // may mean one thing and another read the other.
  enum class Repeated { refused, last_wins };
  struct Reading {
    Repeated repeated = Repeated::refused;
    int depth_max = kDepthMax;          // Of lists and objects within each other.
    std::size_t values_max = SIZE_MAX;  // Of all, lists and objects too; each costs much more than
                                        // the two bytes that it may have.
  };

  // The whole of `text` must be one JSON value in valid UTF-8. The error says at which point it is
  // not, and nothing of the text but a repeated name. Takes time in proportion to the text.
  static Result<Json> parse(std::string_view text, const Reading& reading);
  static Result<Json> parse(std::string_view text) { return parse(text, Reading()); }

  static Json string(std::string_view value);
  static Json integer(std::int64_t value);
  static Json number(double value);
  static Json boolean(bool value);
  static Json array(std::vector<Json> items);
  static Json object(std::vector<std::pair<std::string, Json>> members);

  bool is_null() const;
  bool is_string() const;
  bool is_array() const;
  bool is_object() const;

  // The member of that name, or null.
  Json operator[](std::string_view member) const;

  // A number that the type cannot hold (1e999) reads as `otherwise`; of 1.5, as_integer() is 1.
  std::string as_string(std::string_view otherwise = "") const;
  std::int64_t as_integer(std::int64_t otherwise = 0) const;
  double as_number(double otherwise = 0) const;
  bool as_boolean(bool otherwise = false) const;

  std::vector<Json> items() const;                            // of an array
  std::vector<std::pair<std::string, Json>> members() const;  // of an object, sorted by name

  std::string text() const;  // One line.

 private:
  struct Value;
  class Reader;
  void write(std::string& out) const;
  explicit Json(std::shared_ptr<const Value> value);
  std::shared_ptr<const Value> value_;
};

}  // namespace rowlock
