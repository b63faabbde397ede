// Keyspaces keep keys apart, scopes keep segments apart.
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "cache/cache.h"
#include "cache/client.h"
#include "check.h"

namespace zerohop {
namespace {

using testing::Client;
using testing::Filled;
using testing::kMiB;
using testing::MakeCache;
using testing::Numbered;
using testing::OpenedSpace;

}  // namespace

TEST(Cache, KeepsTheKeysOfKeyspacesApart) {
  const auto cache = MakeCache();
  Client client(*cache);
  const uint16_t one = OpenedSpace(*cache, "one"), two = OpenedSpace(*cache, "two");
  CHECK(one != 0 && two != 0 && one != two);
  CHECK_EQ(client.Set("key", "0"), SetOutcome::kStored);
  CHECK_EQ(client.Set("key", "1", one), SetOutcome::kStored);
  CHECK(!client.Get("key", two));
  CHECK_EQ(client.Set("key", "2", two), SetOutcome::kStored);
  CHECK(client.Delete("key", one));
  CHECK_EQ(client.Get("key"), std::optional<std::string>("0"));
  CHECK(!client.Get("key", one));
  CHECK_EQ(client.Get("key", two), std::optional<std::string>("2"));
}

TEST(Cache, OpensAKeyspaceAgainOnlyWithTheSameScopeAndCodec) {
  const auto cache = MakeCache();
  Result<uint16_t> first = cache->OpenSpace("vectors", "tenant", "f32");
  REQUIRE(first.ok());
  Result<uint16_t> again = cache->OpenSpace("vectors", "tenant", "f32");
  REQUIRE(again.ok());
  CHECK_EQ(again.value(), first.value());
  for (const auto& [scope, codec] : {std::pair("", "f32"), std::pair("tenant", "f16")}) {
    const Result<uint16_t> other = cache->OpenSpace("vectors", scope, codec);
    REQUIRE(!other.ok());
    CHECK_EQ(other.status().code(), Code::kOptions);
    // Whose it is, is not everybody's business.
    CHECK(other.status().detail().find("tenant") == std::string::npos);
  }
}

TEST(Cache, LimitsScopesAndKeyspaces) {
  const auto cache = MakeCache();
  Result<uint16_t> second = cache->OpenSpace("a", "scope", "bytes");
  CHECK(second.ok());
  const Result<uint16_t> third = cache->OpenSpace("b", "another scope", "bytes");
  REQUIRE(!third.ok());
  CHECK_EQ(third.status().code(), Code::kOptions);
  CHECK(third.status().detail().find("all 2 scopes") == 0);
  CHECK(third.status().detail().find("raise maxBytes") != std::string::npos);
  CHECK_EQ(cache->Usage().scopes, size_t{2});
  CHECK_EQ(cache->Usage().scopes_max, size_t{2});
  for (int i = 0; i < 1022; ++i) CHECK(cache->OpenSpace(Numbered("space", i), "", "bytes").ok());
  const Result<uint16_t> last = cache->OpenSpace("one too many", "", "bytes");
  REQUIRE(!last.ok());
  CHECK_EQ(last.status().code(), Code::kOptions);
  CHECK(last.status().detail().find("all 1024 keyspaces") == 0);
  CHECK(last.status().detail().find("into the key") != std::string::npos);
  CHECK_EQ(cache->Usage().keyspaces, cache->Usage().keyspaces_max);
  CHECK(cache->OpenSpace("space7", "", "bytes").ok());  // those that are open stay so
}

TEST(Cache, AKeyspaceThatIsRefusedLeavesNoScopeBehind) {
  // So large that the number of scopes is not limited by the segments: by the number of keyspaces, that is.
  const auto cache = MakeCache(size_t{20} << 30);
  for (uint64_t i = 1; i < Spaces::kSpacesMax; ++i) CHECK(cache->OpenSpace(Numbered("space", i), "", "bytes").ok());
  for (uint64_t i = 0; i < 2000; ++i) {
    CHECK(!cache->OpenSpace(Numbered("more", i), Numbered("tenant", i), "bytes").ok());
  }
  Client client(*cache);
  CHECK_EQ(client.Set("key", "v", 1000), SetOutcome::kStored);
  CHECK_EQ(client.Get("key", 1000), std::optional<std::string>("v"));
}

TEST(Cache, ScopesNeverShareASegment) {
  const auto cache = MakeCache(4 * kMiB);
  Client client(*cache);
  check::Random random(check::Seed());
  uint16_t spaces[4];
  for (int scope = 0; scope < 4; ++scope) {
    spaces[scope] = OpenedSpace(*cache, Numbered("space", scope), scope == 0 ? "" : Numbered("tenant", scope));
  }
  // With eviction, survivors and rescues: in the end each segment's entries must be of one space.
  for (int i = 0; i < 20000; ++i) {
    const uint16_t space = spaces[random.Below(4)];
    const std::string key = Numbered("key", static_cast<int>(random.Below(3000)));
    if (random.OneIn(2)) {
      client.Expose(key, space);
    } else {
      client.Set(key, Filled("v", random.OneIn(50) ? 30000 : random.Below(4000)), space);
    }
  }
  std::map<uint32_t, std::set<uint16_t>> spaces_of_segment;
  for (const uint16_t space : spaces) {
    for (int i = 0; i < 3000; ++i) {
      if (const auto hit = client.Locate(Numbered("key", i), space)) spaces_of_segment[hit->segment].insert(space);
    }
  }
  CHECK(spaces_of_segment.size() > 8);
  for (const auto& [segment, found] : spaces_of_segment) CHECK_EQ(found.size(), size_t{1});
  CHECK(client.Counted(Count::kCopiedForward) > 0);
}

}  // namespace zerohop
