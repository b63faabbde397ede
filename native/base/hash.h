// hash.h: the keyed hash that places keys.
//
// SipHash-1-3 [AB12] under a random hash key, drawn once a process.  Someone who may choose the keys of a cache, but
// does not know the hash key, cannot make them collide.  The hash only places keys; their bytes decide whether two are
// equal.
//
// Cost  about 20 ns for a 16-byte key.   Threads  any: pure functions; the process key is set once, before first use.
//
// [AB12] Aumasson & Bernstein, "SipHash: a fast short-input PRF", INDOCRYPT 2012.
#pragma once

#include <cstddef>
#include <cstdint>

namespace zerohop {

struct HashKey {
  uint64_t k0;
  uint64_t k1;
};

uint64_t SipHash13(HashKey key, const void* data, size_t bytes);

// Drawn from the system's random source at the first call.
HashKey ProcessHashKey();

// The hash of `key` in keyspace `space`: each keyspace has a hash key of its own, so equal keys of two keyspaces are
// unrelated.
inline uint64_t HashInSpace(HashKey process, uint16_t space, const void* key, size_t bytes) {
  return SipHash13({process.k0, process.k1 ^ (uint64_t{space} * 0x9e3779b97f4a7c15u)}, key, bytes);
}

}  // namespace zerohop
