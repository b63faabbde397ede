// sha256.h: SHA-256 of a few bytes, for passwords (FIPS 180-4).
//
// Fingerprints use another hash (fingerprint/sha3.h).  This one is here because users of Redis write passwords down as
// SHA-256.
//
// Threads  any: pure functions.   Cost  about 1 µs for a short text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace zerohop {

std::array<uint8_t, 32> Sha256(std::string_view text);
std::string Sha256Hex(std::string_view text);  // 64 lowercase digits

}  // namespace zerohop
