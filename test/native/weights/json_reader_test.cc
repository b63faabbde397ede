// json_reader_test.cc: what the reader takes for JSON is JSON, and nothing that two readers could understand
// differently.
#include "weights/json_reader.h"

#include <sstream>
#include <string>

#include "check.h"

namespace zerohop {
namespace {

constexpr JsonReader::Codes kCodes = {"ERR_WEIGHTS_TEST_UTF8", "ERR_WEIGHTS_TEST_JSON"};

JsonReader ReaderOf(const std::string& text) { return {std::as_bytes(std::span(text)), 0, kCodes}; }

// "taken", or the code.  A '^' in the text, which is taken out, says where the fault is.
std::string Skipped(std::string text) {
  const size_t place = text.find('^');
  if (place != std::string::npos) text.erase(place, 1);
  JsonReader reader = ReaderOf(text);
  reader.Skip();
  reader.End();
  if (!reader.failed()) return "taken";
  const uint64_t offset = reader.refusal().offset;
  if (place != std::string::npos && offset != place) return reader.refusal().code + " at " + std::to_string(offset);
  return reader.refusal().code;
}

// The text of the one string, or "refused".
std::string StringOf(const std::string& text) {
  JsonReader reader = ReaderOf(text);
  std::string_view string;
  return reader.ReadString(&string) && reader.End() ? std::string(string) : "refused";
}

std::string IntegerOf(const std::string& text) {
  JsonReader reader = ReaderOf(text);
  uint64_t number = 0;
  return reader.ReadInteger(&number) && reader.End() ? std::to_string(number) : "refused";
}

TEST(JsonReader, TakesEveryKindOfValue) {
  for (const char* text :
       {"null", " true ", "false", "0", "-0", "10", "-1.25", "1e3", "1E+3", "0.5e-07", R"("")", R"("a\"b")", "[]", "{}",
        "[ 1 , [ ] , { } ]", R"({"a":1,"b":{"a":[{"a":null}]}})", "\t\r\n []\n"}) {
    CHECK_EQ(Skipped(text), "taken");
  }
}

TEST(JsonReader, RefusesWhatIsNoJsonAndTellsWhere) {
  // One a line.
  std::istringstream texts(R"(^
^tru
^nul
^True
[^NaN]
[^/**/]
0^1
^+1
-^
1.^
^.5
1e^
1e+^
1 ^2
[1^
[1 ^2]
[1,^]
[^,1]
[1]^]
[1^}
{^1:2}
{^'a':1}
{"a"^}
{"a" ^1}
{"a":^}
{"a":1,^}
{"a":1 ^"b":2}
{"a":1^
{"a":1^]
"a^
"\^
"\^x"
"\u00^g0"
"\u00^"
)");
  for (std::string text; std::getline(texts, text);) CHECK_EQ(text + Skipped(text), text + "ERR_WEIGHTS_TEST_JSON");
  CHECK_EQ(Skipped("\"^\t\""), "ERR_WEIGHTS_TEST_JSON");
  CHECK_EQ(Skipped(std::string("[\0]", 3)), "ERR_WEIGHTS_TEST_JSON");
  CHECK_EQ(Skipped(std::string("\"\0\"", 3)), "ERR_WEIGHTS_TEST_JSON");
  CHECK_EQ(Skipped("^\xEF\xBB\xBF{}"), "ERR_WEIGHTS_TEST_JSON");
}

TEST(JsonReader, RefusesBytesThatAreNoUtf8BeforeAnythingElse) {
  CHECK_EQ(Skipped("[no JSON, \"^\xff\"]"), "ERR_WEIGHTS_TEST_UTF8");
  CHECK_EQ(Skipped("\"^\xC0\x80\""), "ERR_WEIGHTS_TEST_UTF8");
  CHECK_EQ(Skipped("\"^\xED\xA0\x80\""), "ERR_WEIGHTS_TEST_UTF8");
  CHECK_EQ(Skipped("\"\xE2\x82\xAC\""), "taken");
}

TEST(JsonReader, UnescapesStrings) {
  CHECK_EQ(StringOf(R"("a\"\\\/\b\f\n\r\tz")"), "a\"\\/\b\f\n\r\tz");
  CHECK_EQ(StringOf(R"("\u0061\u00E9\u20aC")"), "a\xC3\xA9\xE2\x82\xAC");
  CHECK_EQ(StringOf(R"("\uD83D\uDE00")"), "\xF0\x9F\x98\x80");
  CHECK_EQ(StringOf(R"("\u0000")"), std::string(1, '\0'));
  CHECK_EQ(StringOf(R"("\\u0061")"), "\\u0061");
}

TEST(JsonReader, RefusesALoneSurrogate) {
  for (const char* text : {R"("^\ud800")", R"("^\udc00")", R"("a^\ud800z")", R"("^\ud800\ud800\udc00")",
                           R"("^\ud800\u0061")", R"("^\ud800\n")", R"("\ud83d\ude00^\ude00")"}) {
    CHECK_EQ(Skipped(text), "ERR_WEIGHTS_TEST_JSON");
  }
}

TEST(JsonReader, ReadsIntegersUpTo64BitsAndNothingElseAsSuch) {
  CHECK_EQ(IntegerOf("0"), "0");
  CHECK_EQ(IntegerOf(" 42 "), "42");
  CHECK_EQ(IntegerOf("18446744073709551615"), "18446744073709551615");
  for (const char* text : {"18446744073709551616", "99999999999999999999999", "-1", "-0", "00", "01", "1.0", "1e3",
                           "1E3", "0x1", "\"1\"", "null", "", "+1", "[1]"}) {
    CHECK_EQ(IntegerOf(text), "refused");
  }
}

TEST(JsonReader, RefusesANameThatIsTwiceInAnObject) {
  CHECK_EQ(Skipped(R"({"a":1,"b":2,^"a":3})"), "ERR_WEIGHTS_DUPLICATE");
  CHECK_EQ(Skipped(R"({"a":1,"b":2,"c":3})"), "taken");
  CHECK_EQ(Skipped(R"({"a":{"b":1},"b":{"a":2}})"), "taken");
  CHECK_EQ(Skipped(R"([{"a":1},{"a":1}])"), "taken");
}

TEST(JsonReader, ComparesNamesAsTheyReadUnescaped) {
  CHECK_EQ(Skipped(R"({"a":1,^"\u0061":3})"), "ERR_WEIGHTS_DUPLICATE");
  CHECK_EQ(Skipped("{\"\xF0\x9F\x98\x80\":1,^\"\\uD83D\\uDE00\":3}"), "ERR_WEIGHTS_DUPLICATE");
  CHECK_EQ(Skipped(R"({"a":1,"\\u0061":3})"), "taken");
  CHECK_EQ(Skipped(R"({"":1,^"":3})"), "ERR_WEIGHTS_DUPLICATE");
}

TEST(JsonReader, ComparesNamesInWhateverIsSkipped) {
  CHECK_EQ(Skipped(R"({"a":[0,{"b":{"c":1,"d":2,^"c":3}}]})"), "ERR_WEIGHTS_DUPLICATE");
}

TEST(JsonReader, NamesTheFirstOfManyRepeatedNames) {
  std::string text = R"({"first":1,^"first":2)";
  for (int i = 0; i < 200; ++i) text += ",\"" + std::to_string(i % 100) + "\":0";
  CHECK_EQ(Skipped(text + "}"), "ERR_WEIGHTS_DUPLICATE");
}

TEST(JsonReader, RefusesWhatIsNestedTooDeep) {
  const size_t deepest = JsonReader::kDepthMax;
  CHECK_EQ(Skipped(std::string(deepest, '[') + std::string(deepest, ']')), "taken");
  CHECK_EQ(Skipped(std::string(deepest, '[') + "^[" + std::string(deepest + 1, ']')), "ERR_WEIGHTS_TEST_JSON");
  CHECK_EQ(Skipped(std::string(1000000, '[')), "ERR_WEIGHTS_TEST_JSON");
}

TEST(JsonReader, StaysAsItIsAfterARefusal) {
  const std::string text = R"({"a":x,"b":1})";
  JsonReader reader = ReaderOf(text);
  std::string_view name;
  uint64_t number = 7;
  CHECK(reader.BeginObject() && reader.NextName(&name));
  CHECK(!reader.ReadInteger(&number));
  const std::string message = reader.refusal().message;
  CHECK_EQ(message, "expected an integer, not negative, found 'x'");
  CHECK(!reader.NextName(&name) && !reader.NextElement() && !reader.Skip() && !reader.ReadString(&name));
  CHECK(!reader.BeginArray() && !reader.BeginObject() && !reader.ReadInteger(&number) && !reader.End());
  CHECK(!reader.Refuse("ERR_WEIGHTS_OTHER", 0, "another"));
  CHECK_EQ(reader.refusal().message, message);
  CHECK_EQ(number, 7u);
}

TEST(Quoted, ShowsHostileTextInOneShortLine) {
  CHECK_EQ(Quoted("model.layers.0"), "'model.layers.0'");
  CHECK_EQ(Quoted(std::string("a\n\0\x7f", 4)), "'a\\x0a\\x00\\x7f'");
  const std::string longest(80, 'a'), nearly(79, 'a');
  CHECK_EQ(Quoted(longest), "'" + longest + "'");
  CHECK_EQ(Quoted(longest + "a"), "'" + longest + "…'");
  CHECK_EQ(Quoted(nearly + "\xC3\xA9"), "'" + nearly + "…'");
}

}  // namespace
}  // namespace zerohop
