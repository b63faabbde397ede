// shard_index_test.cc: one test for each lie that the index of a checkpoint's shards can tell.
#include <string>

#include "check.h"
#include "weights/believed.h"
#include "weights/safetensors.h"
#include "weights/safetensors_reading.h"

namespace zerohop {
namespace {

using testing::Bytes;
using testing::CodeOf;
using testing::OffsetOf;

std::string IndexLie(std::string json) {
  const size_t place = json.find('^');
  if (place != std::string::npos) json.erase(place, 1);
  const Parsed<NamedTexts> parsed = ParseShardIndex(Bytes(json));
  CHECK_EQ(check::Violation(parsed, json.size()), "");
  const bool here = place == std::string::npos || OffsetOf(parsed) == place;
  return CodeOf(parsed) + (here ? "" : " at byte " + std::to_string(OffsetOf(parsed)));
}

TEST(ShardIndex, TellsTheFileOfEachTensor) {
  const std::string json = R"({"metadata":{"total_size":16,"note":{"x":[null]}},"weight_map":)"
                           R"({"b":"model-00001-of-00002.safetensors","\u0061":"..a b.é"}})";
  const Parsed<NamedTexts> parsed = ParseShardIndex(Bytes(json));
  REQUIRE(std::holds_alternative<NamedTexts>(parsed));
  const NamedTexts expected = {{"b", "model-00001-of-00002.safetensors"}, {"a", "..a b.é"}};
  CHECK(std::get<NamedTexts>(parsed) == expected);
  CHECK_EQ(IndexLie(R"({"weight_map":{}})"), "accepted");
}

TEST(ShardIndex, RefusesAFileThatIsNotBesideTheIndex) {
  for (const char* file : {"", ".", "..", "/a", "a/b", "../a", "a/..", "a/", "\\\\a", "..\\\\a", "\\/a", "\\u002fa",
                           "\\u005ca", "a\\u0000b", "\\u0000", "C:a", "c:\\\\a", "a:b", "/etc/passwd"}) {
    CHECK_EQ(IndexLie(std::string(R"({"weight_map":{"good":"good","t":^")") + file + "\"}}"), "ERR_WEIGHTS_SHARD_NAME");
  }
}

TEST(ShardIndex, RefusesATensorThatIsTwice) {
  CHECK_EQ(IndexLie(R"({"weight_map":{"a":"1",^"\u0061":"2"}})"), "ERR_WEIGHTS_DUPLICATE");
  CHECK_EQ(IndexLie(R"({"weight_map":{"a":"1"},^"weight_map":{"b":"1"}})"), "ERR_WEIGHTS_DUPLICATE");
  CHECK_EQ(IndexLie(R"({"weight_map":{},"metadata":{"a":1,^"a":1}})"), "ERR_WEIGHTS_DUPLICATE");
}

TEST(ShardIndex, RefusesAnotherForm) {
  for (const char* json : {"^", "^[]", "^{}", "^{\"metadata\":{}}", R"({"weight_map":^[]})", R"({"weight_map":^null})",
                           R"({"weight_map":{"a":^1}})", R"({"weight_map":{}}^x)", R"({"weight_map":{"a":"b"^)"}) {
    CHECK_EQ(IndexLie(json), "ERR_WEIGHTS_INDEX_JSON");
  }
  CHECK_EQ(IndexLie("{\"^\xff\":1}"), "ERR_WEIGHTS_INDEX_UTF8");
}

TEST(ShardIndex, RefusesMoreThanAnIndexCanNeed) {
  const std::string json(kShardIndexMax + 1, ' ');
  CHECK_EQ(CodeOf(ParseShardIndex(Bytes(json))), "ERR_WEIGHTS_INDEX_SIZE");
}

}  // namespace
}  // namespace zerohop
