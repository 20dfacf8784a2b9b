// picojson takes the text apart, and asks a Context what becomes of each part. A number it gives as
// a double only, so its text is cut out of what was read meanwhile.
#include "controller/base/json_value.h"
#include "controller/base/utf8.h"

#include <picojson.h>

#include <algorithm>
#include <optional>

namespace rowlock {

namespace {

constexpr std::size_t kNameShownMax = 60;

using Input = picojson::input<const char*>;

Error not_json(std::string_view what, std::size_t at) {
  return {Fault::rejected, Cause::other, std::string(what) + " at byte " + std::to_string(at), ""};
}

bool is_digit(char each) { return each >= '0' && each <= '9'; }

// By the grammar of RFC 8259, section 6; picojson has seen to it that there is nothing in it but
// digits, signs, points and e.
bool is_number(std::string_view text) {
  const auto take = [&](std::string_view any) {
    const bool is_there = !text.empty() && any.find(text.front()) != std::string_view::npos;
    text.remove_prefix(is_there ? 1 : 0);
    return is_there;
  };
  const auto take_digits = [&] {
    const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
    const auto count = static_cast<std::size_t>(end - text.begin());
    text.remove_prefix(count);
    return count > 0;
  };
  take("-");
  if (!take("0") && !take_digits()) return false;
  if (take(".") && !take_digits()) return false;
  if (take("eE")) {
    take("+-");
    if (!take_digits()) return false;
  }
  return text.empty();
}

}  // namespace

// One value; picojson calls the functions with its names. Each answers false to end the reading:
// where and why is then in the error, or it is just not valid.
class Json::Reader {
 public:
  struct Shared {
    const char* begin;
    const Reading& reading;
    std::size_t values = 0;
    std::optional<Error> error;  // Where there is more to say than that it is not valid.
  };

  Reader(Shared& shared, int depth_left) : shared_(shared), depth_left_(depth_left) {}

  std::optional<Json> take(Input& in) {
    in.skip_ws();
    const char* const begin = in.cur();
    if (++shared_.values > shared_.reading.values_max) {
      shared_.error =
          not_json("more than " + std::to_string(shared_.reading.values_max) + " values", at(in));
      return std::nullopt;
    }
    began_at_ = at(in);
    if (!picojson::_parse(*this, in)) return std::nullopt;
    if (!is_number_) return std::move(value_);
    const std::string_view text(begin, static_cast<std::size_t>(in.cur() - begin));
    if (!is_number(text)) return std::nullopt;
    return Value::of(Value::Number{std::string(text)});
  }

  bool set_null() { return true; }
  bool set_bool(bool value) {
    value_ = boolean(value);
    return true;
  }
  void set_number(double) { is_number_ = true; }
  bool parse_string(Input& in) {
    std::string text;
    if (!picojson::_parse_string(text, in)) return false;
    value_ = Value::of(std::move(text));
    return true;
  }

  bool parse_array_start() { return may_go_deeper(); }
  bool parse_array_item(Input& in, std::size_t) {
    auto item = Reader(shared_, depth_left_ - 1).take(in);
    if (item) items_.push_back(std::move(*item));
    return item.has_value();
  }
  bool parse_array_stop(std::size_t) {
    value_ = Value::of(std::move(items_));
    return true;
  }

  bool parse_object_start() { return may_go_deeper(); }
  bool parse_object_item(Input& in, const std::string& name) {
    const auto [place, is_new] = members_.try_emplace(name);
    if (!is_new && shared_.reading.repeated == Repeated::refused) {
      const std::string shown = name.size() > kNameShownMax ? "" : " " + string(name).text();
      shared_.error = not_json("the name" + shown + " is given twice, again", at(in));
      return false;
    }
    auto value = Reader(shared_, depth_left_ - 1).take(in);
    if (value) place->second = std::move(*value);
    return value.has_value();
  }
  bool parse_object_stop() {
    value_ = Value::of(std::move(members_));
    return true;
  }

 private:
  std::size_t at(const Input& in) const {
    return static_cast<std::size_t>(in.cur() - shared_.begin);
  }

  bool may_go_deeper() {
    if (depth_left_ == 0) {
      shared_.error = not_json(
          "nested more than " + std::to_string(shared_.reading.depth_max) + " deep", began_at_);
    }
    return depth_left_ > 0;
  }

  Shared& shared_;
  int depth_left_;
  std::size_t began_at_ = 0;
  Json value_;
  bool is_number_ = false;
  Value::Array items_;
  Value::Object members_;
};

Result<Json> Json::parse(std::string_view text, const Reading& reading) {
  const std::size_t fault = utf8_first_fault(text);
  if (fault != std::string_view::npos) return not_json("not valid UTF-8", fault);
  Input in(text.data(), text.data() + text.size());
  const auto at = [&] { return static_cast<std::size_t>(in.cur() - text.data()); };
  Reader::Shared shared{text.data(), reading, 0, std::nullopt};
  std::optional<Json> value = Reader(shared, reading.depth_max).take(in);
  if (!value) return shared.error.value_or(not_json("not valid JSON", at()));
  in.skip_ws();
  if (at() != text.size()) return not_json("more than one JSON value", at());
  return std::move(*value);
}

}  // namespace rowlock
