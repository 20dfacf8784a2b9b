// SHA-256 of what comes piece by piece. By OpenSSL, which uses the processor's own instructions for
// it where there are any; of a text that is there as a whole, cipher.h gives it too.
#pragma once

#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace rowlock {

class Sha256 {
 public:
  Sha256();

  void add(std::string_view bytes);

  // 32 bytes: the hash of all that was added. Then it begins anew.
  std::string finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* state) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> state_;
};

}  // namespace rowlock
