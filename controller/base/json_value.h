// What is in a Json: for json.cpp and json_reader.cpp alone, so that nobody else pays for it.
#pragma once

#include "controller/base/json.h"

#include <cstddef>
#include <functional>
#include <map>
#include <variant>

namespace rowlock {

struct Json::Value {
  // As it was written: no type of C++ holds them all.
  struct Number {
    std::string text;
  };
  using Array = std::vector<Json>;
  using Object = std::map<std::string, Json, std::less<>>;
  std::variant<std::nullptr_t, bool, Number, std::string, Array, Object> content;

  template <typename Content>
  static Json of(Content content) {
    return Json(std::make_shared<const Value>(Value{std::move(content)}));
  }
};

}  // namespace rowlock
