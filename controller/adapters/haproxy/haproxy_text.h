// How values get into HAProxy's texts without being taken for anything else.
// https://docs.haproxy.org/2.6/configuration.html#2.2
#pragma once

#include <string>
#include <string_view>

namespace rowlock {

// One word of a configuration line, whatever it holds. Requires: is_one_line(value).
std::string quoted(std::string_view value);

// Fit for a place where HAProxy expands %[…], in which it means itself.
std::string format_literal(std::string_view value);

// One word of a command on the runtime socket.
std::string command_word(std::string_view value);

// No control characters, against which no quotes help.
bool is_one_line(std::string_view value);

// What HTTP allows as the name of a header or a cookie (RFC 9110, token).
bool is_token(std::string_view value);

// What HAProxy allows in the name of a section.
bool is_section_name(std::string_view value);

bool is_host_name(std::string_view value);  // Letters, digits, "-", "_" and ".", in any order.

bool is_ip(const std::string& address);

// "", "maintenance" or "pause:MS".
bool is_mode(std::string_view mode);

}  // namespace rowlock
