#include "cache/version_words.h"

#include <algorithm>
#include <bit>

namespace zerohop {

std::shared_ptr<VersionWords> VersionWords::Create(size_t max_bytes) {
  const size_t count = std::clamp(std::bit_floor(max_bytes / kPageBytes), kWordsMin, kWordsMax);
  Words words(static_cast<uint32_t*>(std::calloc(kFirst + count, sizeof(uint32_t))));
  if (words == nullptr) return nullptr;
  return std::shared_ptr<VersionWords>(new VersionWords(std::move(words), count));
}

}  // namespace zerohop
