// cache_touch.cc: gives an entry another end.  The end is written in place if the entry has room for one; if not, the
// entry is written anew.
#include <cstring>

#include "cache/cache.h"
#include "cache/entry.h"

namespace zerohop {

std::optional<SetOutcome> Cache::TryTouch(Session& session, uint16_t space, Bytes key,
                                          std::optional<uint64_t> expires_us, const Expected* expected) {
  NewEnd end{space, HashOf(space, key), key, expires_us.value_or(kNever), expected};
  // Read under each guard anew: between two guards, the keyspace may be cleared and get another number.
  uint16_t incarnation;
  const auto find = [&](bool touch, Entry* entry) {
    incarnation = spaces_.IncarnationOf(space);
    return index_.Find(
        end.hash, [&](uint64_t at) { return Matches(at, incarnation, key, entry); },
        [&](std::atomic<uint16_t>& access_state) {
          if (touch) policy_.Touch(session, end.hash, access_state);
        });
  };
  DrainAccesses(session);
  if (end.expires_us != kNever) upkeep_.ExpectExpiry();
  Index::Writer writer{&session};
  size_t value_bytes = 0;
  for (bool touch = true;; touch = false) {
    if (writer.busy) gate_.Await();
    writer.busy = false;
    ReadGuard guard(epochs_, session);
    Entry entry;
    const auto at = find(touch, &entry);
    if (!Holds(expected)) return SetOutcome::kChanged;
    if (!at) return std::nullopt;
    if (HasCome(ExpiresUs(arena_->bytes(), *at, entry.header))) {
      // The caller is told that the key is not there.  So the entry is removed, and the version changes.
      if (Drop(session, space, incarnation, end.hash, *at, key, Change::Why::kExpired)) {
        session.Of(space).Add(Count::kExpired);
      }
      return std::nullopt;
    }
    const bool endless = entry.header.extension_words() == 0;
    if (!expires_us || (endless && *expires_us == kNever)) return SetOutcome::kStored;
    value_bytes = entry.header.value_bytes;
    // A large entry always has room for an end.  So someone wrote over this header.
    if (endless && IsLarge(key.size(), value_bytes)) return std::nullopt;
    if (endless) break;
    // If not, the entry was moved just now, or another session owns the shard.
    if (SetEnd(writer, *at, end)) return end.changed ? SetOutcome::kChanged : SetOutcome::kStored;
  }
  // The entry has no room for an end, so it is written anew.  Room is reserved first, because making room may move the
  // entry.  `spared` keeps this thread from evicting it; another thread still may.
  constexpr uint32_t kWords = ExtensionWords(0);
  Reservation room;
  session.spared = end.hash;
  const SetOutcome outcome = ReserveSmall(session, space, kWords, key.size(), value_bytes, &room);
  session.spared = 0;
  if (outcome != SetOutcome::kStored) return outcome;  // and the entry stays as it is
  bool found = false;
  for (bool done = false; !done;) {
    if (writer.busy) gate_.Await();
    writer.busy = false;
    ReadGuard guard(epochs_, session);
    Entry entry;
    const auto at = find(/*touch=*/false, &entry);
    // The reserved room must look like an entry in any case, because a segment is walked from one entry to the next.
    const EntryHeader header{static_cast<uint32_t>(value_bytes), 0, static_cast<uint16_t>(key.size()), incarnation,
                             kWords << EntryHeader::kWordsShift};
    std::memcpy(arena_->bytes() + room.entry_at, &header, sizeof(header));
    found = at.has_value();
    // The entry is gone, or was replaced after this touch began.
    if (!at || entry.header.value_bytes != value_bytes || entry.header.extension_words() != 0) {
      end.changed = expected != nullptr;
      break;
    }
    done = MoveWithEnd(writer, *at, entry, room, end) || end.changed;  // false: the entry was moved; look again
  }
  keyspaces_.NewcomersOf(space).Finish(room);
  if (end.changed) return SetOutcome::kChanged;
  return found ? std::optional(SetOutcome::kStored) : std::nullopt;
}

// REQUIRES: the lock of the key's shard, and the new end is visible already.
void Cache::TellTouched(const Index::Writer& writer, const NewEnd& end) const {
  version_words_->KeyChanged(end.hash);
  changes_.Tell({Change::Why::kTouched, end.space, end.hash, end.key, writer.session});
}

// Under the lock, so that the entry does not move: a copy made before would keep the old end.  False: the entry is not
// there any more.
bool Cache::SetEnd(Index::Writer& writer, uint64_t at, NewEnd& end) {
  return index_.While(writer, end.hash, at, [&] {
    end.changed = !Holds(end.expected);
    if (end.changed) return;
    ExpiryWord(arena_->bytes(), at).store(end.expires_us, std::memory_order_relaxed);
    TellTouched(writer, end);
  });
}

// Writes an entry that has no extension to another place with one, and repoints the index.  REQUIRES: a ReadGuard since
// the entry was found.
bool Cache::MoveWithEnd(Index::Writer& writer, uint64_t at, const Entry& entry, const Reservation& room, NewEnd& end) {
  std::byte* const arena = arena_->bytes();
  EntryHeader header = entry.header;
  header.bits |= ExtensionWords(0) << EntryHeader::kWordsShift;
  const EntryExtension extension{end.expires_us, 0, 0};
  std::memcpy(arena + room.entry_at, &header, sizeof(header));
  std::memcpy(arena + room.entry_at + sizeof(header), &extension, sizeof(extension));
  // memmove: a header that was written over may claim bytes that overlap the room.
  std::memmove(arena + room.layout.key_at, arena + entry.layout.key_at, header.key_bytes);
  std::memmove(arena + room.layout.value_at, arena + entry.layout.value_at, header.value_bytes);
  Segment& to = arena_->segment(room.segment);
  to.live_entries.fetch_add(1, std::memory_order_relaxed);
  const bool moved = index_.Repoint(
      writer, end.hash, at, room.entry_at,
      [&] {
        end.changed = !Holds(end.expected);
        return !end.changed;
      },
      [&] { TellTouched(writer, end); });
  (moved ? arena_->segment(arena_->SegmentOf(at)) : to).live_entries.fetch_sub(1, std::memory_order_release);
  return moved;
}

}  // namespace zerohop
