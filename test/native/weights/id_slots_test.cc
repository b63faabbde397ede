// Rows by id, many at a time: what plain search finds, and nothing that is no row, whatever the slots say.
#include "weights/id_slots.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <unordered_map>
#include <vector>

#include "check.h"

namespace zerohop {
namespace {

uint32_t Mixed(uint32_t word, uint32_t key) {
  word = (word ^ word >> 16) * 0x7feb352du + key;
  word = (word ^ word >> 15) * 0x846ca68bu;
  return word ^ word >> 16;
}

// Filled as lib/weights/id-index.ts does it.
struct Table {
  explicit Table(const std::vector<int64_t>& ids) : words(2 * ids.size()) {
    while ((size_t{1} << bits) < 2 * ids.size()) ++bits;
    slots.resize(size_t{2} << bits);
    const size_t mask = (size_t{1} << bits) - 1;
    for (size_t row = 0; row < ids.size(); ++row) {
      const auto value = static_cast<uint64_t>(ids[row]);
      const auto low = static_cast<uint32_t>(value), high = static_cast<uint32_t>(value >> 32);
      words[2 * row] = static_cast<int32_t>(low);
      words[2 * row + 1] = static_cast<int32_t>(high);
      wide = wide || high != 0;
      uint32_t hash = Mixed(low ^ key[0], key[1]);
      if (high != 0) hash = Mixed(hash ^ high, key[1]);
      size_t slot = hash >> (32 - bits);
      while (slots[2 * slot + 1] != 0) slot = (slot + 1) & mask;
      slots[2 * slot] = static_cast<int32_t>(low);
      slots[2 * slot + 1] = static_cast<int32_t>(row + 1);
    }
  }
  IdSlots index() const { return {slots.data(), bits, words.data(), words.size() / 2, wide, {key[0], key[1]}}; }
  template <class Id>
  std::vector<int32_t> Find(const std::vector<Id>& ids) const {
    std::vector<int32_t> rows(ids.size(), 4711);
    FindRows(index(), std::span<const Id>(ids), rows.data());
    return rows;
  }

  unsigned bits = 1;
  uint32_t key[2] = {0x01234567, 0x89abcdef};
  bool wide = false;
  std::vector<int32_t> slots, words;
};

}  // namespace

TEST(IdSlots, FindsWhatAMapFindsForIdsOfEveryWidth) {
  check::Random random(check::Seed());
  for (const uint64_t range : {uint64_t{300}, uint64_t{1} << 32, uint64_t{1} << 48}) {
    std::unordered_map<int64_t, int32_t> known;
    std::vector<int64_t> ids;
    while (ids.size() < 2000) {
      const auto id = static_cast<int64_t>(random.Below(range * 10)) - (range > 300 ? static_cast<int64_t>(range) : 0);
      if (known.emplace(id, static_cast<int32_t>(ids.size())).second) ids.push_back(id);
    }
    const Table table(ids);
    std::vector<double> asked;
    std::vector<int32_t> wanted;
    for (int i = 0; i < 5000; ++i) {
      const int64_t id =
          random.OneIn(2) ? ids[random.Below(ids.size())] : static_cast<int64_t>(random.Below(range * 20));
      asked.push_back(static_cast<double>(id));
      const auto found = known.find(id);
      wanted.push_back(found == known.end() ? -1 : found->second);
    }
    CHECK(table.Find(asked) == wanted);
    std::vector<int32_t> narrow;
    std::vector<uint32_t> positive;
    std::vector<int32_t> narrow_wanted, positive_wanted;
    for (int i = 0; i < 3000; ++i) {
      const auto word = static_cast<uint32_t>(ids[random.Below(ids.size())]);
      narrow.push_back(static_cast<int32_t>(word));
      positive.push_back(word);
      const auto of = [&](int64_t id) { return known.contains(id) ? known.at(id) : -1; };
      narrow_wanted.push_back(of(static_cast<int32_t>(word)));
      positive_wanted.push_back(of(word));
    }
    CHECK(table.Find(narrow) == narrow_wanted);
    CHECK(table.Find(positive) == positive_wanted);
  }
}

TEST(IdSlots, HasNoRowForWhatIsNoWholeNumber) {
  const Table table({0, 1, -1, int64_t{1} << 40});
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> asked = {0.5, kNan, INFINITY, -INFINITY, 0x1p53, -0x1p53, 1e300, -0.0, -1, 0x1p40};
  CHECK((table.Find(asked) == std::vector<int32_t>{-1, -1, -1, -1, -1, -1, -1, 0, 2, 3}));
  CHECK(table.Find(std::vector<double>{}).empty());
}

TEST(IdSlots, LooksNoFartherThanAnIdMayLie) {
  Table table({5});
  table.bits = 10;
  // No slot is empty, and the only one of the id is far away, whatever its first one.
  table.slots.assign(size_t{2} << table.bits, 1);
  for (size_t slot = 0; slot < 1024; ++slot) table.slots[2 * slot] = 4;
  const size_t first = Mixed(5 ^ table.key[0], table.key[1]) >> (32 - table.bits);
  const auto put = [&](size_t away) { table.slots[2 * ((first + away) & 1023)] = 5; };
  put(kProbesMax);
  CHECK((table.Find(std::vector<int32_t>{5, 6}) == std::vector<int32_t>{-1, -1}));
  put(kProbesMax - 1);
  CHECK((table.Find(std::vector<int32_t>{5, 6}) == std::vector<int32_t>{0, -1}));
}

TEST(IdSlots, BelievesNoRowThatIsNone) {
  check::Random random(check::Seed());
  for (int round = 0; round < 2000; ++round) {
    Table table({5, 6, 7, int64_t{random.OneIn(2)} << 33});
    for (int32_t& word : table.slots) {
      if (random.OneIn(3)) word = static_cast<int32_t>(random.OneIn(2) ? random.Below(12) : random.Next());
    }
    for (const int32_t row : table.Find(std::vector<int32_t>{0, 5, 6, 7, 8, -1, 11})) CHECK(row >= -1 && row < 4);
  }
}

}  // namespace zerohop
