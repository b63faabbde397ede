#include "cache/keyspaces.h"

#include <optional>
#include <utility>

#include "base/reserve.h"
#include "cache/terms.h"

namespace zerohop {

Keyspaces::Keyspaces(const Parts& parts)
    : parts_(parts), stream_of_space_(new std::atomic<Stream*>[Spaces::kSpacesMax]()) {}

Result<uint16_t> Keyspaces::Open(const std::string& name, const std::string& scope, const std::string& codec,
                                 const std::string& terms) {
  MutexLock lock(mutex_);
  Spaces& spaces = parts_.spaces;
  if (const std::optional<uint16_t> known = spaces.Find(name)) {
    const Spaces::Space space = spaces.At(*known);
    const bool same_terms = terms.empty() || space.terms.empty() || space.terms == terms;
    if (space.scope == scope && space.codec == codec && same_terms) {
      // A server opens a keyspace without terms.  Then the first who has some sets them.
      if (space.terms.empty() && !terms.empty()) spaces.Tell(*known, terms);
      return *known;
    }
    // Not which scope: it may be another tenant's, and its name nobody else's business.
    const std::string why = space.scope != scope   ? "in another scope"
                            : space.codec != codec ? "with codec " + space.codec + ", not " + codec
                                                   : "with " + DifferingTerms(space.terms, terms) + ", not " +
                                                         DifferingTerms(terms, space.terms);
    return Status{Code::kOptions, "keyspace '" + name + "' is open " + why + "; give one of the two another name"};
  }
  if (spaces.size() == Spaces::kSpacesMax) {
    return Status{Code::kOptions,
                  "all " + std::to_string(Spaces::kSpacesMax) +
                      " keyspaces of the cache are taken, and stay until its last handle is closed; open one for each "
                      "kind of value, put what differs by user or request into the key, or open a cache of another "
                      "name"};
  }
  Result<uint16_t> scope_id = ScopeOf(scope);
  if (!scope_id.ok()) return scope_id.status();
  parts_.sessions.ReserveSpaces(spaces.size() + 1);
  std::optional<uint16_t> id;
  while (!(id = spaces.Add({name, scope, codec, scope_id.value(), terms}))) parts_.upkeep.BuryAll();
  stream_of_space_[*id].store(scopes_[scope_id.value()].newcomers.get(), std::memory_order_release);
  return *id;
}

Result<uint16_t> Keyspaces::ScopeOf(const std::string& name) {
  for (size_t id = 0; id < scopes_.size(); ++id) {
    if (scopes_[id].name == name) return static_cast<uint16_t>(id);
  }
  if (scopes_.size() >= scopes_max()) {
    return Status{Code::kOptions,
                  "all " + std::to_string(scopes_max()) +
                      " scopes that maxBytes allows are taken (each has segments of its own), and stay until the "
                      "last handle of the cache is closed; raise maxBytes, use fewer scopes, or open a cache of "
                      "another name"};
  }
  const auto id = static_cast<uint16_t>(scopes_.size());
  Scope added{name, std::make_unique<Stream>(parts_.arena, parts_.seal_clock, id)};
  EnsureRoom(scopes_, scopes_.size() + 1);  // what may run out of memory comes before what changes something
  parts_.evictor.AddScope(id, *added.newcomers);
  scopes_.push_back(std::move(added));
  return id;
}

void Keyspaces::Renew(uint16_t space) {
  // All numbers are taken by entries that nobody can find: a pass over the index frees them.
  while (!parts_.spaces.Renew(space)) parts_.upkeep.BuryAll();
}

size_t Keyspaces::scopes() const {
  MutexLock lock(mutex_);
  return scopes_.size();
}

}  // namespace zerohop
