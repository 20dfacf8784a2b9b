// What a secret folder and the files in it may be: no name may lead out of the folder, or be one
// that the adapter keeps for itself.
#pragma once

#include "controller/ports/secret_folders.h"

#include <string>
#include <string_view>
#include <vector>

namespace rowlock {

// Of a-z, 0-9 and '-'.
bool is_secret_folder_name(std::string_view name);

// Rejected when they are not fit to be written.
Result<> check_secret_folder(const std::string& folder);
Result<> check_secret_file(const std::string& folder, const SecretFile& file);
Result<> check_secret_files(const std::string& folder, const std::vector<SecretFile>& files);

}  // namespace rowlock
