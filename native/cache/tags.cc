#include "cache/tags.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/reserve.h"

namespace zerohop {
namespace {

void SortUnique(std::vector<uint64_t>& hashes) {
  std::sort(hashes.begin(), hashes.end());
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
}

}  // namespace

uint32_t Tags::Hold(uint16_t incarnation, std::string_view name) {
  MutexLock lock(mutex_);
  if (bytes() >= prune_all_at_) PruneAll();
  Name wanted(incarnation, name);
  auto known = ids_.find(wanted);
  if (known == ids_.end()) {
    // Ids in use are few among 2^32; one is looked for until it is free.
    while (tags_.contains(next_id_)) ++next_id_;
    Tag added;
    added.name = wanted;
    tags_.emplace(next_id_, std::move(added));
    try {
      known = ids_.emplace(std::move(wanted), next_id_).first;
    } catch (...) {
      tags_.erase(next_id_);
      throw;
    }
    ++next_id_;
    bytes_.fetch_add(BytesOf(known->first), std::memory_order_relaxed);
  }
  Tag& tag = tags_.find(known->second)->second;
  // Room for the hash of everyone who holds it.
  try {
    EnsureRoom(tag.hashes, tag.hashes.size() + tag.holds + 1);
  } catch (...) {
    DropIfUnused(tags_.find(known->second));
    throw;
  }
  ++tag.holds;
  return known->second;
}

void Tags::Add(TagIds ids, uint64_t hash) noexcept {
  MutexLock lock(mutex_);
  for (const uint32_t id : ids) {
    const auto found = tags_.find(id);
    if (found == tags_.end()) continue;  // an id that was written over
    Tag& tag = found->second;
    tag.hashes.push_back(hash);
    bytes_.fetch_add(sizeof(hash), std::memory_order_relaxed);
    if (tag.holds > 0) --tag.holds;
    if (tag.hashes.size() >= tag.prune_at) PruneTag(id, tag);
  }
}

void Tags::Release(TagIds ids) noexcept {
  MutexLock lock(mutex_);
  for (const uint32_t id : ids) {
    const auto found = tags_.find(id);
    if (found == tags_.end()) continue;
    if (found->second.holds > 0) --found->second.holds;
    DropIfUnused(found);
  }
}

std::vector<uint64_t> Tags::Take(uint16_t incarnation, std::string_view name, uint32_t* id) {
  MutexLock lock(mutex_);
  const auto known = ids_.find(Name(incarnation, name));
  if (known == ids_.end()) return {};
  *id = known->second;
  Tag& tag = tags_.find(*id)->second;
  std::vector<uint64_t> taken;
  taken.reserve(tag.holds);  // who holds it counts on that room
  taken.swap(tag.hashes);
  tag.prune_at = kPruneAbove;
  bytes_.fetch_sub(taken.size() * sizeof(uint64_t), std::memory_order_relaxed);
  if (!taken.empty()) ++tag.holds;
  SortUnique(taken);
  return taken;
}

void Tags::PruneTag(uint32_t id, Tag& tag) {
  const size_t before = tag.hashes.size();
  SortUnique(tag.hashes);
  std::erase_if(tag.hashes, [&](uint64_t hash) { return !carries_(tag.name.first, id, hash); });
  bytes_.fetch_sub((before - tag.hashes.size()) * sizeof(uint64_t), std::memory_order_relaxed);
  tag.prune_at = std::max(kPruneAbove, tag.hashes.size() * 2);
}

Tags::Known Tags::DropIfUnused(Known known) {
  if (known->second.holds > 0 || !known->second.hashes.empty()) return std::next(known);
  bytes_.fetch_sub(BytesOf(known->second.name), std::memory_order_relaxed);
  ids_.erase(known->second.name);
  return tags_.erase(known);
}

void Tags::Prune() {
  MutexLock lock(mutex_);
  PruneAll();
}

void Tags::PruneAll() {
  for (auto each = tags_.begin(); each != tags_.end();) {
    PruneTag(each->first, each->second);
    each = DropIfUnused(each);
  }
  prune_all_at_ = std::max(kPruneAllAbove, bytes() / 2 * 3);
}

}  // namespace zerohop
