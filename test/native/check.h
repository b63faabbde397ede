// check.h: the native tests' harness: registration, checks that print what they saw, a seed.
//
// No gtest: the tests must build and run on machines where nothing can be installed and nothing is downloaded.
//
//   TEST(Index, FindsEveryKeyAfterGrowing) { … }     a Type and a Sentence about its behaviour
//   CHECK(condition)                                 goes on after a failure, so that one run tells more
//   CHECK_EQ(seen, wanted)                           the same, with both values
//   REQUIRE(condition)                               ends the test: what follows would crash
//
// CHECK and CHECK_EQ from any thread; REQUIRE only from the thread that runs the test.
// Run as   <program> [part of "room/file_test Type.Sentence"] [--seed=N] [--list]
#pragma once

#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>
#include <type_traits>

// ZEROHOP_TSAN under the thread sanitizer, for tests that make a race by intention; ZEROHOP_SANITIZED under it and the
// address sanitizer, for tests that would take too long.
#if defined(__SANITIZE_THREAD__)
#define ZEROHOP_TSAN 1
#elif defined(__SANITIZE_ADDRESS__)
#define ZEROHOP_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ZEROHOP_TSAN 1
#elif __has_feature(address_sanitizer)
#define ZEROHOP_SANITIZED 1
#endif
#endif
#if defined(ZEROHOP_TSAN)
#define ZEROHOP_SANITIZED 1
#endif

namespace zerohop::check {

// Random numbers that are the same everywhere: splitmix64.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  uint64_t Below(uint64_t limit) { return Next() % limit; }  // limit << 2^64: the bias does not matter here
  bool OneIn(uint64_t count) { return Below(count) == 0; }

 private:
  uint64_t state_;
};

// Of this run: --seed or ZEROHOP_SEED, else fresh.  Printed at the start.
uint64_t Seed();

// A whole number from the environment, or `otherwise`.
uint64_t FromEnvironment(const char* name, uint64_t otherwise);

struct Ended {};  // what REQUIRE throws

void Register(const char* file, const char* type, const char* sentence, void (*body)());
void Fail(const char* file, int line, const std::string& message);

// Runs the tests whose name contains the filter; the exit code of the program.
int Main(int argc, char** argv);

template <class T>
std::string Shown(const T& value) {
  std::ostringstream out;
  if constexpr (std::is_enum_v<T>) {
    out << static_cast<int64_t>(value);
  } else if constexpr (requires { out << value; }) {
    out << std::boolalpha << value;
  } else if constexpr (requires { value.has_value(); }) {
    return value.has_value() ? Shown(*value) : "none";
  } else {
    out << "a value of " << sizeof(T) << " bytes";
  }
  std::string text = out.str();
  if (text.size() > 120) text = text.substr(0, 120) + "… (" + std::to_string(text.size()) + " characters)";
  return text;
}

template <class Seen, class Wanted>
void CheckEqual(const char* file, int line, const char* what, const Seen& seen, const Wanted& wanted) {
  if (seen == wanted) return;
  Fail(file, line, std::string(what) + " is " + Shown(seen) + ", not " + Shown(wanted));
}

}  // namespace zerohop::check

#define TEST(Type, Sentence)                                                            \
  static void Type##_##Sentence();                                                      \
  [[maybe_unused]] static const bool registered_##Type##_##Sentence =                   \
      (zerohop::check::Register(__FILE__, #Type, #Sentence, &Type##_##Sentence), true); \
  static void Type##_##Sentence()

#define CHECK(condition) \
  ((condition) ? static_cast<void>(0) : zerohop::check::Fail(__FILE__, __LINE__, "not so: " #condition))

#define CHECK_EQ(seen, wanted) zerohop::check::CheckEqual(__FILE__, __LINE__, #seen, seen, wanted)

#define REQUIRE(condition)                                               \
  do {                                                                   \
    if (!(condition)) {                                                  \
      zerohop::check::Fail(__FILE__, __LINE__, "required: " #condition); \
      throw zerohop::check::Ended();                                     \
    }                                                                    \
  } while (false)
