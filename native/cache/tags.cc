#include "cache/tags.h"

#include <algorithm>

namespace zerohop {

uint32_t Tags::Hold(uint16_t incarnation, std::string_view name) {
  MutexLock lock(mutex_);
  if (bytes() >= prune_all_at_) PruneAll();
  const auto [known, added] = ids_.try_emplace(Name(incarnation, name), next_id_);
  if (added) {
    // Ids in use are few among 2^32; one is looked for until it is free.
    while (tags_.contains(next_id_)) ++next_id_;
    known->second = next_id_++;
    tags_[known->second].name = known->first;
    bytes_.fetch_add(kTagBytes, std::memory_order_relaxed);
  }
  ++tags_[known->second].holds;
  return known->second;
}

void Tags::Hold(TagIds ids) {
  MutexLock lock(mutex_);
  for (const uint32_t id : ids) {
    const auto tag = tags_.find(id);
    if (tag != tags_.end()) ++tag->second.holds;
  }
}

void Tags::Add(TagIds ids, Reference reference) {
  MutexLock lock(mutex_);
  for (const uint32_t id : ids) {
    const auto found = tags_.find(id);
    if (found == tags_.end()) continue;  // an id that was written over
    Tag& tag = found->second;
    tag.references.push_back(reference);
    bytes_.fetch_add(sizeof(Reference), std::memory_order_relaxed);
    if (tag.holds > 0) --tag.holds;
    if (tag.references.size() >= tag.prune_at) PruneTag(tag);
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

std::vector<Tags::Reference> Tags::Take(uint16_t incarnation, std::string_view name, uint32_t* id) {
  MutexLock lock(mutex_);
  const auto known = ids_.find(Name(incarnation, name));
  if (known == ids_.end()) return {};
  *id = known->second;
  std::vector<Reference> taken = std::move(tags_[*id].references);
  tags_[*id].references = {};
  tags_[*id].prune_at = kPruneAbove;
  bytes_.fetch_sub(taken.size() * sizeof(Reference), std::memory_order_relaxed);
  // Not dropped yet, or its id could be given to another tag while entries that carry it are still in the index.
  return taken;
}

void Tags::PruneTag(Tag& tag) {
  const size_t removed = std::erase_if(tag.references, [this](const Reference& one) {
    return !index_.UsesOf(one.hash, one.entry_at).has_value();
  });
  bytes_.fetch_sub(removed * sizeof(Reference), std::memory_order_relaxed);
  tag.prune_at = std::max(kPruneAbove, tag.references.size() * 2);
}

void Tags::DropIfUnused(uint32_t id) {
  const auto found = tags_.find(id);
  if (found->second.holds > 0 || !found->second.references.empty()) return;
  ids_.erase(found->second.name);
  tags_.erase(found);
  bytes_.fetch_sub(kTagBytes, std::memory_order_relaxed);
}

void Tags::Prune() {
  MutexLock lock(mutex_);
  PruneAll();
}

void Tags::PruneAll() {
  std::vector<uint32_t> ids;
  for (auto& [id, tag] : tags_) {
    PruneTag(tag);
    ids.push_back(id);
  }
  for (const uint32_t id : ids) DropIfUnused(id);
  prune_all_at_ = std::max(kPruneAllAbove, bytes() * 2);
}

}  // namespace zerohop
