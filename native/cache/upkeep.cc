#include "cache/upkeep.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <thread>

#include "base/clock.h"
#include "cache/entry.h"
#include "cache/segment_walk.h"

namespace zerohop {

// Nobody else can hold the lock yet.
Upkeep::Upkeep(const Parts& parts) : parts_(parts) { parts_.sessions.Add(&session_); }

void Upkeep::Step() {
  if (!mutex_.TryLock()) return;
  if (parts_.spaces.any_dead() || any_expiry_.load(std::memory_order_relaxed)) {
    if (next_shard_ == 0) pass_ = parts_.spaces.BeginPass();
    SweepShard(next_shard_);
    next_shard_ = (next_shard_ + 1) % Index::kShards;
    if (next_shard_ == 0 && parts_.epochs.Passed(parts_.epochs.Advance())) parts_.spaces.Buried(pass_);
  }
  DropOrphans();
  mutex_.Unlock();
}

void Upkeep::BuryAll() {
  MutexLock lock(mutex_);
  const uint64_t pass = parts_.spaces.BeginPass();
  for (size_t shard = 0; shard < Index::kShards; ++shard) SweepShard(shard);
  // A reader that read the number before the pass may still compare entries with it.
  const uint64_t epoch = parts_.epochs.Advance();
  while (!parts_.epochs.Passed(epoch)) std::this_thread::yield();
  parts_.spaces.Buried(pass);
}

void Upkeep::DropDead() {
  parts_.index.Sweep([this](uint64_t at) {
    EntryHeader header;
    std::memcpy(&header, parts_.arena.bytes() + at, sizeof(header));
    if (parts_.spaces.Alive(header.space)) return false;
    Leave(at);
    return true;
  });
}

// Removes what is dead or expired from one shard.
void Upkeep::SweepShard(size_t shard) {
  const uint64_t now_us = NowUs();
  Session* const session = &session_;
  parts_.index.SweepShard(shard, [this, now_us, session](uint64_t at) {
    Entry entry;
    // Someone wrote over it.  It is found when it is asked for, or when its segment is emptied.
    if (!parts_.arena.TryRead(at, &entry)) return false;
    const EntryHeader& header = entry.header;
    if (parts_.spaces.Alive(header.space)) {
      if (ExpiresUs(parts_.arena.bytes(), at, header) > now_us) return false;
      const uint64_t hash = HashOfEntry(parts_.arena, parts_.spaces, parts_.hash_key, entry);
      const uint16_t space = parts_.spaces.SpaceOf(header.space);
      const std::span<const std::byte> key(parts_.arena.bytes() + entry.layout.key_at, header.key_bytes);
      parts_.version_words.KeyChanged(hash);
      parts_.changes.Tell({Change::Why::kExpired, space, hash, key, nullptr});
      parts_.spaces.Count(header.space, -1);
      session->Of(space).Add(Count::kExpired);
    }
    Leave(at);
    return true;
  });
}

// The entry leaves the index.  REQUIRES: the lock of its shard.
void Upkeep::Leave(uint64_t at) {
  parts_.evictor.Untag(at);
  parts_.arena.segment(parts_.arena.SegmentOf(at)).live_entries.fetch_sub(1, std::memory_order_release);
}

bool Upkeep::Carries(uint64_t at, const Tags::Link& link) const {
  Entry entry;
  if (!parts_.arena.TryRead(at, &entry)) return false;
  const TagIds ids = TagsOf(parts_.arena.bytes(), at, entry.header);
  return std::find(ids.begin(), ids.end(), link.id) != ids.end();
}

void Upkeep::DropOrphan(const Tags::Link& link) {
  parts_.index.Unless(
      link.hash, [&](uint64_t at) { return Carries(at, link); }, [&] { parts_.tags.Drop(link); });
}

// Looks through a part of the tags.  All of them are seen in as many steps as a pass over the index takes.
void Upkeep::DropOrphans() {
  std::array<Tags::Link, 64> links;
  const size_t slots = parts_.tags.slots() / Index::kShards + 1;
  for (size_t looked = 0; looked < slots; looked += links.size()) {
    const size_t count = parts_.tags.Look(&next_link_, std::min(links.size(), slots - looked), links);
    for (const Tags::Link& link : std::span(links).first(count)) DropOrphan(link);
  }
}

}  // namespace zerohop
