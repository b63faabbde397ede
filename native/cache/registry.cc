#include "cache/registry.h"

#include <utility>

#include "cache/terms.h"

namespace zerohop {
namespace {

std::string Told(const CacheOptions& options) {
  constexpr const char* kVerify[] = {"off", "sample", "trap"};
  std::string told =
      "maxBytes " + std::to_string(options.max_bytes) + ", verify " + kVerify[static_cast<size_t>(options.verify)];
  told += ", maxEntries " + (options.max_entries == SIZE_MAX ? "Infinity" : std::to_string(options.max_entries));
  return options.binding_options.empty() ? told : told + ", " + options.binding_options;
}

}  // namespace

Registry& Registry::Process() {
  static Registry* const registry = new Registry();
  return *registry;
}

Result<std::shared_ptr<Cache>> Registry::Open(const std::string& name, const CacheOptions& options) {
  MutexLock lock(mutex_);
  if (!name.empty()) {
    std::erase_if(named_, [](const auto& one) { return one.second.expired(); });
    const auto known = named_.find(name);
    if (known != named_.end()) {
      if (std::shared_ptr<Cache> cache = known->second.lock()) {
        if (cache->options() == options) return cache;
        const std::string known_terms = Told(cache->options()), asked = Told(options);
        return Status{Code::kOptions, "cache '" + name + "' is open with " + DifferingTerms(known_terms, asked) +
                                          ", not " + DifferingTerms(asked, known_terms) +
                                          "; close it first or use another name"};
      }
    }
  }
  Result<std::unique_ptr<Cache>> made = Cache::Create(options);
  if (!made.ok()) return made.status();
  std::shared_ptr<Cache> cache = std::move(made.value());
  if (!name.empty()) named_[name] = cache;
  return cache;
}

}  // namespace zerohop
