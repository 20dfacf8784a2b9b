// The bridge of a home: its instances live on it and nothing else does, so that an address that one
// of them leaves is never given to a stranger while a proxy still knows it.
#pragma once

#include "controller/base/json.h"
#include "controller/ports/container_runtime.h"

#include <string>

namespace rowlock {

// What the engine calls it.
std::string bridge_of(const std::string& home);

// The address on `subnet` (10.1.0.0/16) of the instance of that number. Each number has the next
// one, so that none comes again before all others had their turn. Empty when `subnet` is no IPv4
// one with room for that, or `number` no number: the engine then picks one.
std::string address_on(const std::string& subnet, const std::string& number);

// The parts of GET /networks/NAME and of the bodies of requests about it.
std::string subnet_of(const Json& network);
Json network_body(const std::string& name, const std::string& home, const std::string& subnet);

// NetworkingConfig of POST /containers/create.
Json endpoints_body(const std::string& network, const std::string& address);

}  // namespace rowlock
