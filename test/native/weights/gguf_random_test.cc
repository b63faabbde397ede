// gguf_random_test.cc: random GGUF files are read as they were written, and of damaged ones nothing is believed that is
// not so.
#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "check.h"
#include "weights/gguf.h"
#include "weights/gguf_reading.h"

namespace zerohop {
namespace {

using testing::Alignment;
using testing::Array;
using testing::BytesOf;
using testing::Lengthy;
using testing::Plain;
using testing::Read;
using testing::Taken;
using testing::Valued;
using testing::Write;
using testing::WrittenFile;
using testing::WrittenTensor;
using testing::WrittenType;

std::string RandomText(check::Random& random, uint64_t bytes_max) {
  std::string text(random.Below(bytes_max + 1), '\0');
  for (char& c : text) c = static_cast<char>(random.Next());
  return text;
}

std::string RandomNumber(check::Random& random, uint32_t type) {
  if (type == 7) return Plain(static_cast<uint8_t>(random.Below(2)));
  return Plain(random.Next()).substr(0, testing::ElementBytes(static_cast<GgufType>(type)));
}

std::string RandomElements(check::Random& random, uint32_t type, uint64_t count) {
  std::string bytes;
  for (uint64_t i = 0; i < count; ++i) {
    bytes += type == 8 ? Lengthy(RandomText(random, 12)) : RandomNumber(random, type);
  }
  return bytes;
}

// What a value must be read as; and the value.
struct ExpectedValue {
  std::string key;
  uint32_t type, element;
  uint64_t count;
  std::string bytes;
};

std::string RandomValue(check::Random& random, size_t i, ExpectedValue& expected) {
  auto type = static_cast<uint32_t>(random.Below(13));
  expected = {"key." + std::to_string(i), type, type, 1, ""};
  if (type != 9) {
    const std::string written = RandomElements(random, type, 1);
    expected.bytes = written.substr(type == 8 ? 8 : 0);
    return Valued(expected.key, type, written);
  }
  do {
    expected.element = static_cast<uint32_t>(random.Below(13));
  } while (expected.element == 9);
  expected.count = random.Below(6);
  expected.bytes = RandomElements(random, expected.element, expected.count);
  return Valued(expected.key, type, Array(expected.element, expected.count, expected.bytes));
}

WrittenTensor RandomTensor(check::Random& random, size_t i, const WrittenType& type) {
  WrittenTensor tensor = {.name = "blk." + std::to_string(i) + ".weight", .dimensions = {}, .type = type.number};
  uint64_t blocks = 1;
  const uint64_t dimensions = random.Below(type.block_elements == 1 ? 5 : 4) + (type.block_elements == 1 ? 0 : 1);
  for (uint64_t d = 0; d < dimensions; ++d) {
    const uint64_t size = random.OneIn(20) ? 0 : 1 + random.Below(3);
    tensor.dimensions.push_back(d == 0 ? size * type.block_elements : size);
    blocks *= size;
  }
  tensor.bytes = blocks * type.block_bytes;
  return tensor;
}

struct RandomFile {
  WrittenFile written;
  std::vector<ExpectedValue> values;
};

RandomFile MakeRandomFile(check::Random& random) {
  RandomFile file;
  file.written.version = 2 + static_cast<uint32_t>(random.Below(2));
  for (uint64_t count = random.Below(8), i = 0; i < count; ++i) {
    ExpectedValue expected;
    file.written.values.push_back(RandomValue(random, i, expected));
    file.values.push_back(std::move(expected));
  }
  if (random.OneIn(2)) {
    const uint32_t alignment = 1 + static_cast<uint32_t>(random.Below(600));
    file.written.alignment = alignment;
    file.written.values.push_back(Alignment(alignment));
    file.values.push_back({"general.alignment", 4, 4, 1, Plain(alignment)});
  }
  for (uint64_t count = random.Below(6), i = 0; i < count; ++i) {
    const WrittenType& type = testing::kWrittenTypes[random.Below(std::size(testing::kWrittenTypes))];
    file.written.tensors.push_back(RandomTensor(random, i, type));
  }
  return file;
}

std::string Slice(const std::string& bytes, uint64_t begin, uint64_t end) { return bytes.substr(begin, end - begin); }

}  // namespace

TEST(ParseGguf, GivesBackWhatWasWritten) {
  check::Random random(check::Seed());
  for (int turn = 0; turn < 2000; ++turn) {
    const RandomFile file = MakeRandomFile(random);
    const GgufHeader header = Taken(file.written);
    const std::string bytes = Write(file.written);
    CHECK_EQ(header.version, file.written.version);
    CHECK_EQ(header.alignment, file.written.alignment);
    CHECK_EQ(header.trailing, uint64_t{0});
    REQUIRE(header.metadata.size() == file.values.size() && header.tensors.size() == file.written.tensors.size());
    for (size_t i = 0; i < file.values.size(); ++i) {
      const GgufValue& value = header.metadata[i];
      const ExpectedValue& expected = file.values[i];
      CHECK_EQ(value.key, expected.key);
      CHECK_EQ(static_cast<uint32_t>(value.type), expected.type);
      CHECK_EQ(static_cast<uint32_t>(value.element), expected.element);
      CHECK_EQ(value.count, expected.count);
      CHECK_EQ(Slice(bytes, value.begin, value.end), expected.bytes);
    }
    for (size_t i = 0; i < file.written.tensors.size(); ++i) {
      const Tensor& tensor = header.tensors[i];
      const WrittenTensor& expected = file.written.tensors[i];
      CHECK_EQ(tensor.name, expected.name);
      CHECK(std::equal(tensor.shape.rbegin(), tensor.shape.rend(), expected.dimensions.begin(),
                       expected.dimensions.end()));
      CHECK_EQ(Slice(bytes, tensor.begin, tensor.end), std::string(expected.bytes, static_cast<char>(i + 1)));
    }
  }
}

namespace {

// One byte other, some bytes fewer, some more, or a number that is at a limit.
void Mutate(check::Random& random, std::string& file) {
  const size_t at = random.Below(file.size() + 1);
  const size_t length = std::min<size_t>(file.size() - at, 1 + random.Below(12));
  const uint64_t limits[] = {0,          1,         UINT64_MAX, INT64_MAX, uint64_t{1} << 63, uint64_t{1} << 61,
                             UINT32_MAX, INT32_MAX, 24,         14,        file.size()};
  switch (random.Below(4)) {
    case 0:
      if (at < file.size()) file[at] = static_cast<char>(file[at] ^ (1 << random.Below(8)));
      break;
    case 1: file.erase(at, length); break;
    case 2: file.insert(at, file.substr(at, length)); break;
    default: file.replace(at, length, Plain(limits[random.Below(std::size(limits))]).substr(0, length));
  }
}

}  // namespace

TEST(ParseGguf, BelievesNothingOfADamagedFileThatIsNotSo) {
#if defined(ZEROHOP_SANITIZED)
  const int turns = 20000;
#else
  const int turns = 100000;
#endif
  check::Random random(check::Seed());
  std::string original;
  int taken = 0;
  for (int turn = 0; turn < turns; ++turn) {
    if (turn % 100 == 0) original = Write(MakeRandomFile(random).written);
    std::string file = original;
    for (uint64_t changes = 1 + random.Below(3); changes > 0; --changes) Mutate(random, file);
    taken += Read(file, file.size()).index() == 0 ? 1 : 0;  // checks whatever it says
  }
  // Else the files are too broken for the checks behind the first ones.
  CHECK(taken > turns / 50);
}

TEST(ParseGguf, TakesNoLongerForNamesThatAreAlike) {
  // Many long keys that differ at the end only; a quadratic search would take minutes.
  WrittenFile file;
  for (int i = 0; i < 20000; ++i) file.values.push_back(Valued(std::string(500, 'k') + std::to_string(i), 0, "\1"));
  const std::string bytes = Write(file);
  const Parsed<GgufHeader> parsed = ParseGguf(BytesOf(bytes), bytes.size());
  CHECK_EQ(parsed.index(), size_t{0});
}

}  // namespace zerohop
