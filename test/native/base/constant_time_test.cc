#include "base/constant_time.h"

#include <string>

#include "check.h"

namespace zerohop {
namespace {

// Counts how often each is read.
struct Watched {
  std::string text;
  size_t* reads;
  size_t size() const { return text.size(); }
  char operator[](size_t i) const {
    ++*reads;
    return text[i];
  }
};

}  // namespace

TEST(ConstantTime, TellsEveryDifferenceApart) {
  const std::string secret(64, 'a');
  CHECK(EqualInConstantTime(secret, secret));
  CHECK(EqualInConstantTime(std::string(), std::string()));
  CHECK(!EqualInConstantTime(secret, secret.substr(1)));
  CHECK(!EqualInConstantTime(secret, std::string()));
  for (size_t i = 0; i < secret.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string guess = secret;
      guess[i] = static_cast<char>(guess[i] ^ (1 << bit));
      CHECK(!EqualInConstantTime(secret, guess));
    }
  }
}

TEST(ConstantTime, ReadsEveryByteWhereverTheFirstDifferenceIs) {
  const std::string secret(64, 'a');
  for (size_t i = 0; i <= secret.size(); ++i) {
    std::string guess = secret;
    if (i < secret.size()) guess[i] = 'b';
    size_t reads = 0;
    CHECK_EQ(EqualInConstantTime(Watched{secret, &reads}, Watched{guess, &reads}), i == secret.size());
    CHECK_EQ(reads, 2 * secret.size());
  }
}

}  // namespace zerohop
