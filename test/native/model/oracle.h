// oracle.h: what a model's values are made from, and what its threads know of each other's.
//
// A value is made from three numbers, so an oracle remembers these, and not the value; where it is long enough it
// begins with them, so that it says itself what it is.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace zerohop::model {

struct Origin {
  uint64_t key;
  uint64_t version;
  uint64_t bytes;
  bool operator==(const Origin&) const = default;
};

inline void FillFrom(const Origin& origin, char* at) {
  const uint64_t seed = (origin.key * 0x10001 + origin.version) * 0x9e3779b97f4a7c15u;
  size_t done = 0;
  if (origin.bytes >= sizeof(origin)) {
    std::memcpy(at, &origin, sizeof(origin));
    done = sizeof(origin);
  }
  for (; done < origin.bytes; done += 8) {
    const uint64_t word = (seed ^ done) * 0xbf58476d1ce4e5b9u;
    std::memcpy(at + done, &word, std::min<size_t>(8, origin.bytes - done));
  }
}

inline std::string ValueOf(const Origin& origin) {
  std::string value(origin.bytes, '\0');
  FillFrom(origin, value.data());
  return value;
}

// Who made the value; none if nobody can have.
inline std::optional<Origin> OriginOf(std::string_view value) {
  Origin origin;
  if (value.size() < sizeof(origin)) return std::nullopt;
  std::memcpy(&origin, value.data(), sizeof(origin));
  if (origin.bytes != value.size() || ValueOf(origin) != value) return std::nullopt;
  return origin;
}

// What the owner of a key knows of it.
struct Known {
  Origin origin;
  uint64_t expires_us = kNever;
  float cost = 0;
  uint32_t tags = 0;  // a bit each
  bool is_bytes = false;
  bool missed = false;  // not there when it was last asked for: from then on it must stay so

  bool over() const { return expires_us <= NowUs(); }
  bool may_be_found() const { return !missed && !over(); }
};

// Keys that all threads write.  Their versions grow, because a key has one writer at a time: so whoever knows that the
// set of a version returned may not be given an older one.
struct SharedKeys {
  static constexpr size_t kCount = 40;
  struct Key {
    std::mutex writer;
    std::atomic<uint64_t> published{0};  // the newest version whose set returned
    uint64_t version = 0;                // under `writer`
  };
  std::array<Key, kCount> keys;

  static std::string NameOf(size_t key) { return std::string("shared/").append(std::to_string(key)); }
  // Every other version carries the tag.
  static bool Tagged(uint64_t version) { return version % 2 == 0; }
  static constexpr std::string_view kTag = "shared";
};

}  // namespace zerohop::model
