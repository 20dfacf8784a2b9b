// The pair of age keys that files among the seeds are for.
#pragma once

namespace rowlock {

constexpr char kFuzzRecipient[] = "age1swdve9kvpdrm6a577cvygpq0fxn2sa8c4kvwmr2aq24kj57r9fusy6mzpk";
constexpr char kFuzzIdentity[] =
    "AGE-SECRET-KEY-1U3CNZ96JETU04NRMJU0GYSJN4TL78A5HWY05GWCHTX8UF6NL706S6TS5JG\n";

}  // namespace rowlock
