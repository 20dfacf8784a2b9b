// Certificates in PEM files, as far as Rowlock has to look into them: which one is in there, and
// whether a proxy could use it.
#pragma once

#include "controller/base/result.h"

#include <string>

namespace rowlock {

struct CertificateFile {
  std::string pem;          // The whole file.
  std::string fingerprint;  // SHA-1 of the first certificate, in upper case hexadecimal.
};

// Rejected when the file cannot be read, or holds no certificate, no key, or one of another
// certificate.
Result<CertificateFile> read_certificate(const std::string& path);

}  // namespace rowlock
