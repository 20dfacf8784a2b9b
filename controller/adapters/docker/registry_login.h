// With which credentials a registry is asked, as the docker command line finds them: whoever can
// `docker pull` as the user that Rowlock runs as needs nothing more.
#pragma once

#include "controller/base/result.h"

#include <string>
#include <string_view>

namespace rowlock {

// The value of the header X-Registry-Auth for that registry, from config.json in $DOCKER_CONFIG or
// ~/.docker: its credential helper, the credential store, or what stands in `auths`. Empty when
// none of them knows any. A helper is another program, which is given five seconds and no
// environment but PATH and HOME; one that is not installed knows nothing, and one that hangs or
// fails is an error, since asking without credentials would blame the image.
Result<std::string> registry_auth(const std::string& registry);

// The same header for a name and a password.
std::string auth_header(const std::string& registry, std::string_view username,
                        std::string_view password);

}  // namespace rowlock
