// The vectors of RFC 4231 for HMAC and of RFC 5869, appendix A, for HKDF.
#include "controller/crypto/hkdf.h"

#include "controller/crypto/encoding.h"

#include <criterion/criterion.h>

using namespace rowlock;

namespace {

// All bytes from `first` to `last`.
std::string counting(int first, int last) {
  std::string text;
  for (int i = first; i <= last; ++i) text += static_cast<char>(i);
  return text;
}

}  // namespace

Test(crypto_hkdf, hmacs_are_those_of_rfc_4231) {
  cr_expect(to_hex(hmac_sha256(std::string(20, '\x0b'), "Hi There").view()) ==
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  cr_expect(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?").view()) ==
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  cr_expect(to_hex(hmac_sha256(std::string(20, '\xaa'), std::string(50, '\xdd')).view()) ==
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  cr_expect(to_hex(hmac_sha256(std::string(131, '\xaa'),
                               "Test Using Larger Than Block-Size Key - Hash Key First")
                       .view()) ==
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

Test(crypto_hkdf, keys_are_those_of_rfc_5869) {
  const std::string secret(22, '\x0b');

  cr_expect(to_hex(hkdf_sha256(secret, counting(0, 12), counting(0xf0, 0xf9), 42).view()) ==
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
            "34007208d5b887185865");
  cr_expect(
      to_hex(
          hkdf_sha256(counting(0, 0x4f), counting(0x60, 0xaf), counting(0xb0, 0xff), 82).view()) ==
      "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e59"
      "0e"
      "09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
  cr_expect(to_hex(hkdf_sha256(secret, "", "", 42).view()) ==
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
            "9d201395faa4b61a96c8");
  cr_expect(hkdf_sha256(secret, "", "", 0).empty());
  cr_expect_eq(hkdf_sha256(secret, "", "", 255 * 32).size(), 255 * 32);
  cr_expect(hkdf_sha256(secret, "", "", 32).view() ==
            hkdf_sha256(secret, std::string(32, '\0'), "", 42).view().substr(0, 32));
}
