// Guarded memory as a value: copied when told to, moved, wiped.
#include "controller/crypto/secret_bytes.h"

#include <criterion/criterion.h>

#include <sys/wait.h>
#include <unistd.h>

using rowlock::are_equal;
using rowlock::SecretBytes;
using rowlock::wipe;

Test(crypto_secret_bytes, they_hold_what_they_were_given) {
  const SecretBytes empty;
  const SecretBytes zeros(3);
  const SecretBytes copied(std::string_view("a\0b", 3));

  cr_expect(empty.empty() && empty.view() == "" && empty.copy().empty());
  cr_expect(zeros.view() == std::string_view("\0\0\0", 3));
  cr_expect(copied.view() == std::string_view("a\0b", 3));
  cr_expect(copied.copy().view() == copied.view());
  cr_expect(copied.copy().data() != copied.data());
  cr_expect(SecretBytes(std::size_t{0}).empty() && SecretBytes::random(0).empty());
}

Test(crypto_secret_bytes, moving_leaves_nothing_behind) {
  SecretBytes first("first");
  SecretBytes second(std::move(first));
  cr_expect(first.empty() && first.data() == nullptr && second.view() == "first");

  SecretBytes third("third");
  third = std::move(second);
  cr_expect(second.empty() && third.view() == "first");

  SecretBytes& same = third;
  third = std::move(same);
  cr_expect(third.view() == "first");
}

Test(crypto_secret_bytes, random_ones_differ) {
  const SecretBytes left = SecretBytes::random(32);
  const SecretBytes right = SecretBytes::random(32);

  cr_expect_eq(left.size(), 32);
  cr_expect(!are_equal(left.view(), right.view()));
}

// By a signal; which one, a sanitizer may decide.
Test(crypto_secret_bytes, reading_past_the_end_stops_the_program) {
  const SecretBytes bytes(16);
  const volatile unsigned char* past = bytes.data() + 16;
  const pid_t child = fork();
  cr_assert_neq(child, -1);
  if (child == 0) _exit(*past);
  int status = 0;
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_expect(WIFSIGNALED(status));
}

Test(crypto_secret_bytes, a_wiped_text_is_zeros_to_the_end_of_its_memory) {
  std::string text = "a password that is long enough to lie on the heap";
  text.resize(10);
  wipe(text);

  cr_expect(text == std::string(10, '\0'));
  cr_expect(std::string(text.data(), text.capacity()) == std::string(text.capacity(), '\0'));
  std::string none;
  wipe(none);
  cr_expect(none.empty());
}

Test(crypto_secret_bytes, equal_means_every_byte_and_the_length) {
  cr_expect(are_equal("", ""));
  cr_expect(are_equal("abc", "abc"));
  cr_expect(!are_equal("abc", "abd"));
  cr_expect(!are_equal("abc", "ab"));
  cr_expect(!are_equal("", "a"));
  cr_expect(!are_equal(std::string_view("\0", 1), ""));
}
