#include "weights/gguf_split.h"

#include <string>
#include <variant>
#include <vector>

#include "check.h"

namespace zerohop {
namespace {

// The names, or none.
std::vector<std::string> Names(std::string_view basename) {
  const Parsed<std::vector<std::string>> parsed = GgufSplitNames(basename);
  if (const auto* const refusal = std::get_if<Refusal>(&parsed)) {
    CHECK_EQ(refusal->code, std::string("ERR_WEIGHTS_SPLIT"));
    CHECK(!refusal->message.empty() && refusal->offset <= basename.size());
    return {};
  }
  return std::get<std::vector<std::string>>(parsed);
}

}  // namespace

TEST(GgufSplitNames, AreThoseOfAllFilesInOrder) {
  const std::vector<std::string> names{"llama-00001-of-00003.gguf", "llama-00002-of-00003.gguf",
                                       "llama-00003-of-00003.gguf"};
  for (const std::string& name : names) CHECK(Names(name) == names);
  CHECK(Names("x-00001-of-00001.gguf") == std::vector<std::string>{"x-00001-of-00001.gguf"});
  CHECK(Names("a-00001-of-00002-00002-of-00002.gguf").size() == 2);
  CHECK_EQ(Names("größe-00001-of-00002.gguf").at(1), std::string("größe-00002-of-00002.gguf"));
  const std::vector<std::string> most = Names("x-00001-of-65535.gguf");
  REQUIRE(most.size() == 65535);
  CHECK_EQ(most[65534], std::string("x-65535-of-65535.gguf"));
}

TEST(GgufSplitNames, RefuseAnotherForm) {
  for (const char* name :
       {"", "x.gguf", "-00001-of-00002.gguf", "x-00001-of-00002", "x-00001-of-00002.ggu", "x-00001-of-00002.GGUF",
        "x-00001-of-00002.gguf ", "x-0001-of-00002.gguf", "x-00001-of-000002.gguf", "x_00001-of-00002.gguf",
        "x-00001-or-00002.gguf", "x-0000a-of-00002.gguf", "x-00001-of-0000b.gguf", "x--0001-of-00002.gguf",
        "x-+0001-of-00002.gguf", "x- 0001-of-00002.gguf", "x-00001-of-00002.safetensors"}) {
    CHECK(Names(name).empty());
  }
}

TEST(GgufSplitNames, RefuseNumbersThatAreNotOneToTheCount) {
  for (const char* name : {"x-00000-of-00002.gguf", "x-00003-of-00002.gguf", "x-00001-of-00000.gguf",
                           "x-00000-of-00000.gguf", "x-00001-of-65536.gguf", "x-99999-of-99999.gguf"}) {
    CHECK(Names(name).empty());
  }
}

TEST(GgufSplitNames, RefuseWhatIsNotTheNameOfAFileAlone) {
  for (const char* name :
       {"/x-00001-of-00002.gguf", "../x-00001-of-00002.gguf", "a/x-00001-of-00002.gguf", "a\\x-00001-of-00002.gguf",
        "..\\x-00001-of-00002.gguf", "a\nx-00001-of-00002.gguf", "a\x7fx-00001-of-00002.gguf"}) {
    CHECK(Names(name).empty());
  }
  CHECK(Names(std::string_view("a\0x-00001-of-00002.gguf", 23)).empty());
  const std::string tail = "-00001-of-00002.gguf";
  CHECK(!Names(std::string(255 - tail.size(), 'x') + tail).empty());
  CHECK(Names(std::string(256 - tail.size(), 'x') + tail).empty());
}

}  // namespace zerohop
