// touches.h: when keys were last given to TOUCH, for OBJECT IDLETIME.
//
// The engine notes when an entry was stored, and of uses only what its policy needs: no time.  TOUCH is asked for on
// purpose, and seldom, so a small table remembers the last ones; a newer one takes the place of an older one.
//
// Threads  any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "resp/server.h"

namespace zerohop::resp {

class Touches : public ServerPart {
 public:
  static Touches& Of(const Server& server) { return static_cast<Touches&>(*server.touches); }

  void Note(uint64_t hash, uint64_t now_us) {
    Place(hash).store(Pack(hash, static_cast<uint32_t>(now_us / 1000000)), std::memory_order_relaxed);
  }
  // Seconds since the key with that hash was touched; UINT64_MAX if nothing is known of it.
  uint64_t SecondsSince(uint64_t hash, uint64_t now_us) const {
    const uint64_t seen = Place(hash).load(std::memory_order_relaxed);
    const auto then = static_cast<uint32_t>(seen);
    return seen == Pack(hash, then) && seen != 0 ? now_us / 1000000 - then : UINT64_MAX;
  }

 private:
  static constexpr size_t kPlaces = 4096;

  static uint64_t Pack(uint64_t hash, uint32_t seconds) { return (hash >> 32 << 32) | seconds; }
  std::atomic<uint64_t>& Place(uint64_t hash) { return places_[hash % kPlaces]; }
  const std::atomic<uint64_t>& Place(uint64_t hash) const { return places_[hash % kPlaces]; }

  std::array<std::atomic<uint64_t>, kPlaces> places_{};
};

}  // namespace zerohop::resp
