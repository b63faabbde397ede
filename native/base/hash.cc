#include "base/hash.h"

#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>

namespace zerohop {
namespace {

struct State {
  uint64_t v0, v1, v2, v3;
  void Round() {
    v0 += v1;
    v1 = std::rotl(v1, 13);
    v1 ^= v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16);
    v3 ^= v2;
    v0 += v3;
    v3 = std::rotl(v3, 21);
    v3 ^= v0;
    v2 += v1;
    v1 = std::rotl(v1, 17);
    v1 ^= v2;
    v2 = std::rotl(v2, 32);
  }
};

}  // namespace

uint64_t SipHash13(HashKey key, const void* data, size_t bytes) {
  // The four constants are the ASCII text "somepseudorandomlygeneratedbytes" of the paper.
  State s{key.k0 ^ 0x736f6d6570736575u, key.k1 ^ 0x646f72616e646f6du, key.k0 ^ 0x6c7967656e657261u,
          key.k1 ^ 0x7465646279746573u};
  const auto* in = static_cast<const unsigned char*>(data);
  const size_t tail = bytes & 7;
  for (const unsigned char* end = in + (bytes - tail); in != end; in += 8) {
    uint64_t word;
    std::memcpy(&word, in, 8);
    s.v3 ^= word;
    s.Round();
    s.v0 ^= word;
  }
  uint64_t last = uint64_t{bytes & 0xff} << 56;
  for (size_t i = 0; i < tail; ++i) last |= uint64_t{in[i]} << (8 * i);
  s.v3 ^= last;
  s.Round();
  s.v0 ^= last;
  s.v2 ^= 0xff;
  s.Round();
  s.Round();
  s.Round();
  return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

HashKey ProcessHashKey() {
  static const HashKey key = [] {
    // The system's generator, and not std::random_device: that one asks for a younger C library.
    std::array<uint64_t, 2> words{};
    if (::getentropy(words.data(), sizeof(words)) != 0) std::abort();  // no system that runs Node is without
    return HashKey{words[0], words[1]};
  }();
  return key;
}

}  // namespace zerohop
