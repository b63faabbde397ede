// safetensors_random_test.cc: random safetensors headers are read as they were written, and of damaged ones nothing is
// believed that contradicts itself.
#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "check.h"
#include "weights/believed.h"
#include "weights/safetensors.h"
#include "weights/safetensors_reading.h"

namespace zerohop {
namespace {

using check::Random;
using testing::Accepted;
using testing::Bytes;
using testing::CodeOf;
using testing::LengthBytes;
using testing::ParseJson;

struct Written {
  std::string json;
  std::vector<Tensor> tensors;  // as they must be read, but with offsets in the data
  NamedTexts metadata;
  uint64_t data_bytes = 0;
};

// A writer that knows nothing of the reader: any order, any white space, any way to write a name.
class Writer {
 public:
  explicit Writer(uint64_t seed) : random_(seed) {}

  Written Write() {
    Written written;
    const size_t count = random_.Below(12);
    for (size_t i = 0; i < count; ++i) written.tensors.push_back(NextTensor(i, written.data_bytes));
    Shuffle(written.tensors);
    std::vector<std::string> members;
    for (const Tensor& tensor : written.tensors) members.push_back(String(tensor.name) + Space() + ":" + Entry(tensor));
    if (random_.OneIn(2)) {
      std::vector<std::string> texts;
      for (uint64_t i = random_.Below(4); i > 0; --i) {
        written.metadata.emplace_back(Text() + std::to_string(i), Text());
        texts.push_back(String(written.metadata.back().first) + ":" + String(written.metadata.back().second));
      }
      const auto place = members.begin() + static_cast<std::ptrdiff_t>(random_.Below(members.size() + 1));
      members.insert(place, R"("__metadata__":)" + Object(texts));
    }
    written.json = Space() + Object(members) + Space();
    std::stable_sort(written.tensors.begin(), written.tensors.end(), [](const Tensor& one, const Tensor& other) {
      return std::pair(one.begin, one.end) < std::pair(other.begin, other.end);
    });
    return written;
  }

 private:
  Tensor NextTensor(size_t number, uint64_t& data_bytes) {
    static constexpr DType kTypes[] = {{"F64", 1, 64}, {"F32", 1, 32}, {"BF16", 1, 16}, {"U8", 1, 8}, {"F4", 1, 4}};
    Tensor tensor;
    tensor.name = Text() + std::to_string(number);
    tensor.dtype = &kTypes[random_.Below(std::size(kTypes))];
    uint64_t elements = 1;
    for (uint64_t i = random_.Below(5); i > 0; --i) tensor.shape.push_back(random_.Below(7));
    if (tensor.dtype->block_bits < 8) tensor.shape.push_back(2);
    for (const uint64_t size : tensor.shape) elements *= size;
    tensor.begin = data_bytes;
    tensor.end = data_bytes += elements * tensor.dtype->block_bits / 8;
    return tensor;
  }

  std::string Entry(const Tensor& tensor) {
    std::vector<std::string> sizes, members;
    for (const uint64_t size : tensor.shape) sizes.push_back(std::to_string(size));
    members.push_back(String("dtype") + ":" + Space() + String(tensor.dtype->name));
    members.push_back(String("shape") + Space() + ":" + List(sizes, "[", "]"));
    members.push_back(String("data_offsets") + ":" +
                      List({std::to_string(tensor.begin), std::to_string(tensor.end)}, "[", "]"));
    if (random_.OneIn(4)) members.push_back(String("note") + R"(:[{"dtype":"F33"},-0.5e+1,null,"\\"])");
    Shuffle(members);
    return Object(members);
  }

  // Of characters that have to be escaped, that may be, and of each length in UTF-8.
  std::string Text() {
    static constexpr const char* kCharacters[] = {
        "a", "Z", ".", "_", "\"", "\\", "/", "\n", "\x01", "\x7f", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    std::string text;
    for (uint64_t i = random_.Below(20); i > 0; --i) text += kCharacters[random_.Below(std::size(kCharacters))];
    return text;
  }

  std::string String(const std::string& text) {
    std::string out = "\"";
    for (size_t i = 0; i < text.size(); ++i) {
      const char each = text[i];
      if (text.compare(i, 4, "\xF0\x9F\x98\x80") == 0 && random_.OneIn(2)) {
        out += random_.OneIn(2) ? "\\ud83d\\ude00" : "\\uD83D\\uDE00";
        i += 3;
      } else if (each == '"' || each == '\\' || (each == '/' && random_.OneIn(2))) {
        out += std::string("\\") + each;
      } else if (each == '\n' && random_.OneIn(2)) {
        out += "\\n";
      } else if (each == '\n' || each == '\x01' || (each == 'a' && random_.OneIn(4))) {
        out += each == '\n' ? "\\u000A" : each == 'a' ? "\\u0061" : "\\u0001";
      } else {
        out += each;
      }
    }
    return out + "\"";
  }

  std::string Space() {
    std::string space;
    while (random_.OneIn(3)) space += " \t\r\n"[random_.Below(4)];
    return space;
  }

  std::string Object(const std::vector<std::string>& members) { return List(members, "{", "}"); }

  std::string List(const std::vector<std::string>& items, const char* open, const char* close) {
    std::string out = Space() + open;
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out += ',';
      out += Space() + items[i] + Space();
    }
    return out + close;
  }

  template <class T>
  void Shuffle(std::vector<T>& items) {
    for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random_.Below(i)]);
  }

  Random random_;
};

bool IsSame(const Tensor& read, const Tensor& wanted, uint64_t data_start) {
  return read.name == wanted.name && std::string(read.dtype->name) == wanted.dtype->name &&
         read.shape == wanted.shape && read.begin == data_start + wanted.begin && read.end == data_start + wanted.end;
}

TEST(Safetensors, ReadsBackWhateverAnotherWriterWrote) {
  for (uint64_t i = 0; i < 3000; ++i) {
    const Written written = Writer(check::Seed() + i).Write();
    const SafetensorsHeader header = Accepted(written.json, written.data_bytes);
    REQUIRE(header.tensors.size() == written.tensors.size());
    for (size_t t = 0; t < header.tensors.size(); ++t) {
      CHECK(IsSame(header.tensors[t], written.tensors[t], header.data_start));
    }
    CHECK(header.metadata == written.metadata);
  }
}

// A byte changed, a piece cut out, repeated, or put in.
std::string Mutated(Random& random, std::string text) {
  static constexpr std::string_view kCharacters = "{}[],:\"0-.e\\ \xff";
  static constexpr const char* kPieces[] = {"\\u0061", "\\ud800", "\"a\":", "null", "\"shape\":[0],"};
  for (uint64_t changes = 1 + random.Below(3); changes > 0; --changes) {
    const size_t at = random.Below(text.size() + 1);
    const size_t bytes = std::min<size_t>(random.Below(12), text.size() - at);
    switch (random.Below(5)) {
      case 0: text.replace(at, std::min<size_t>(bytes, 1), 1, static_cast<char>(random.Next())); break;
      case 1: text.erase(at, bytes); break;
      case 2: text.insert(at, text.substr(at, bytes)); break;
      case 3: text.insert(at, 1, kCharacters[random.Below(kCharacters.size())]); break;
      default: text.insert(at, kPieces[random.Below(std::size(kPieces))]);
    }
  }
  return text;
}

TEST(Safetensors, BelievesNoMutatedHeaderThatContradictsItself) {
  Random random(check::Seed());
  size_t accepted = 0;
  constexpr size_t kMutants = 40000;
  Written written;
  for (size_t i = 0; i < kMutants; ++i) {
    if (i % 20 == 0) written = Writer(random.Next()).Write();
    const std::string json = Mutated(random, written.json);
    const Parsed<SafetensorsHeader> parsed = ParseJson(json, written.data_bytes);
    CHECK_EQ(check::Violation(parsed, kSafetensorsLengthBytes + json.size() + written.data_bytes), "");
    accepted += std::holds_alternative<SafetensorsHeader>(parsed) ? 1 : 0;
  }
  CHECK(accepted > 0 && accepted < kMutants);
}

TEST(Safetensors, BelievesNoMutatedFileThatContradictsItself) {
  Random random(check::Seed());
  for (size_t i = 0; i < 4000; ++i) {
    const Written written = Writer(random.Next()).Write();
    const std::string file =
        LengthBytes(written.json.size()) + written.json + std::string(written.data_bytes % 999, 'd');
    const std::string mutant = Mutated(random, file);
    CHECK_EQ(check::Violation(ParseSafetensors(Bytes(mutant), mutant.size()), mutant.size()), "");
  }
}

TEST(Safetensors, BelievesNoHeaderThatIsCutAnywhere) {
  const Written written = Writer(1).Write();
  for (size_t bytes = 0; bytes < written.json.find_last_of('}'); ++bytes) {
    const std::string code = CodeOf(ParseJson(written.json.substr(0, bytes), written.data_bytes));
    CHECK(code == "ERR_WEIGHTS_HEADER_JSON" || code == "ERR_WEIGHTS_HEADER_UTF8");
  }
}

}  // namespace
}  // namespace zerohop
