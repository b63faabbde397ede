// version_words.h: words in shared memory that tell a near cache when one of its answers is out of date.
//
// A near cache (lib/cache/near.ts) maps keys to views.  An answer in it is right as long as all of this holds:
//
//   version   the word of the key's hash is the same as before the answer was looked up
//   notice    the word for all keys is the same as then
//   expiry    the clock word (base/ticker.h) has not reached the end of the entry
//
// A version grows after the index was changed, under the lock of the key's shard, and before `set`, `delete` or `touch`
// returns.  So whoever sees the change under that lock sees the new version too.  It also grows when an expired entry
// is dropped, whoever drops it.  An eviction need not change it.  A store that `expected` a version (cache.h) compares
// it under the same lock.
//
// The notice grows when a keyspace is cleared, and when pressure begins: then segments must be released, so nothing is
// kept near.
//
//   layout   u32 notice · padding to 64 bytes · u32 version[words]
//
// Threads  any.  Lifetime  counted, as the arena: JavaScript's buffer over the words may outlive the cache.
// Cost     4 bytes for each 4 KiB of maxBytes, 256 KiB at most, in memory once keys were set.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>

#include "base/constants.h"

namespace zerohop {

class VersionWords {
 public:
  static constexpr size_t kNotice = 0;  // the word for all keys

  // Null without memory.
  static std::shared_ptr<VersionWords> Create(size_t max_bytes);

  void KeyChanged(uint64_t hash) { version(WordOf(hash)).fetch_add(1, std::memory_order_release); }
  // Fetches the key's word, which KeyChanged will write.
  void Prefetch(uint64_t hash) { __builtin_prefetch(&words_[WordOf(hash)], 1); }
  void AllChanged() { Word(kNotice).fetch_add(1, std::memory_order_release); }

  // WordOf: where the key's version word lies, in words from the start.  Read: the version in it now.
  uint32_t WordOf(uint64_t hash) const { return static_cast<uint32_t>(kFirst + ((hash >> kHashShift) & mask_)); }
  uint32_t Read(uint32_t word) { return version(word).load(std::memory_order_acquire); }
  uint32_t notice() { return Word(kNotice).load(std::memory_order_acquire); }

  std::byte* bytes() { return reinterpret_cast<std::byte*>(words_.get()); }
  size_t size() const { return (kFirst + mask_ + 1) * sizeof(uint32_t); }

 private:
  static constexpr size_t kFirst = kCacheLineBytes / sizeof(uint32_t);
  static constexpr int kHashShift = 6;  // the index takes its shards from the bits below
  // Choices: at most 256 KiB, and so many words that keys which share one seldom disturb each other.
  static constexpr size_t kWordsMin = 1024;
  static constexpr size_t kWordsMax = 65536;

  struct Release {
    void operator()(uint32_t* words) const { std::free(words); }
  };
  using Words = std::unique_ptr<uint32_t[], Release>;

  VersionWords(Words words, size_t count) : words_(std::move(words)), mask_(count - 1) {}
  std::atomic_ref<uint32_t> Word(size_t at) { return std::atomic_ref<uint32_t>(words_[at]); }
  std::atomic_ref<uint32_t> version(uint32_t word) { return Word(word); }

  const Words words_;  // from calloc: pages that nobody touched take no memory
  const size_t mask_;
};

}  // namespace zerohop
