// By OpenSSL, from the bytes of the file. A key with a password counts as unusable, since nobody is
// there to type it.
#include "controller/adapters/haproxy/haproxy_certificate.h"

#include "controller/base/own_trouble.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

namespace rowlock {

namespace {

constexpr std::size_t kFileBytesMax = 1024 * 1024;

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

Error unusable(const std::string& path, const std::string& why) {
  ERR_clear_error();  // What is left behind would be taken for the next caller's.
  return Error{Fault::rejected, Cause::other, path + ": " + why,
               "the file has to hold the certificate, its chain and its key, as PEM"};
}

std::unique_ptr<BIO, Free> bytes_of(const std::string& pem) {
  return std::unique_ptr<BIO, Free>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// Never asks a terminal: a key with a password is one that cannot be used.
int no_password(char*, int, int, void*) { return 0; }

std::string fingerprint_of(const X509& certificate) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  X509_digest(&certificate, EVP_sha1(), digest, &size);
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

}  // namespace

Result<CertificateFile> read_certificate(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file && is_own_trouble(errno)) return own_trouble("read " + path, errno);
  if (!file) return unusable(path, std::strerror(errno));
  CertificateFile read;
  read.pem.resize(kFileBytesMax + 1);
  file.read(read.pem.data(), static_cast<std::streamsize>(read.pem.size()));
  read.pem.resize(static_cast<std::size_t>(file.gcount()));
  if (read.pem.size() > kFileBytesMax) return unusable(path, "too large for a certificate");

  const std::unique_ptr<X509, Free> certificate(
      PEM_read_bio_X509(bytes_of(read.pem).get(), nullptr, no_password, nullptr));
  if (!certificate) return unusable(path, "no certificate in it");
  const std::unique_ptr<EVP_PKEY, Free> key(
      PEM_read_bio_PrivateKey(bytes_of(read.pem).get(), nullptr, no_password, nullptr));
  if (!key) return unusable(path, "no key in it that can be read without a password");
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    return unusable(path, "the key is not the certificate's");
  }
  read.fingerprint = fingerprint_of(*certificate);
  return read;
}

}  // namespace rowlock
