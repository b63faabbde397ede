#include "cache/tags.h"

#include <algorithm>

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
  const auto [known, added] = ids_.try_emplace(Name(incarnation, name), next_id_);
  if (added) {
    // Ids in use are few among 2^32; one is looked for until it is free.
    while (tags_.contains(next_id_)) ++next_id_;
    known->second = next_id_++;
    tags_[known->second].name = known->first;
    bytes_.fetch_add(BytesOf(known->first), std::memory_order_relaxed);
  }
  ++tags_[known->second].holds;
  return known->second;
}

void Tags::Add(TagIds ids, uint64_t hash) {
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

void Tags::Release(TagIds ids) {
  MutexLock lock(mutex_);
  for (const uint32_t id : ids) {
    const auto found = tags_.find(id);
    if (found == tags_.end()) continue;
    if (found->second.holds > 0) --found->second.holds;
    DropIfUnused(id);
  }
}

std::vector<uint64_t> Tags::Take(uint16_t incarnation, std::string_view name, uint32_t* id) {
  MutexLock lock(mutex_);
  const auto known = ids_.find(Name(incarnation, name));
  if (known == ids_.end()) return {};
  *id = known->second;
  std::vector<uint64_t> taken = std::move(tags_[*id].hashes);
  tags_[*id].hashes = {};
  tags_[*id].prune_at = kPruneAbove;
  bytes_.fetch_sub(taken.size() * sizeof(uint64_t), std::memory_order_relaxed);
  if (!taken.empty()) ++tags_[*id].holds;
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

void Tags::DropIfUnused(uint32_t id) {
  const auto found = tags_.find(id);
  if (found->second.holds > 0 || !found->second.hashes.empty()) return;
  bytes_.fetch_sub(BytesOf(found->second.name), std::memory_order_relaxed);
  ids_.erase(found->second.name);
  tags_.erase(found);
}

void Tags::Prune() {
  MutexLock lock(mutex_);
  PruneAll();
}

void Tags::PruneAll() {
  std::vector<uint32_t> ids;
  for (auto& [id, tag] : tags_) {
    PruneTag(id, tag);
    ids.push_back(id);
  }
  for (const uint32_t id : ids) DropIfUnused(id);
  prune_all_at_ = std::max(kPruneAllAbove, bytes() * 2);
}

}  // namespace zerohop
