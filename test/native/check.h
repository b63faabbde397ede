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
#include <string>
#include <string_view>
#include <type_traits>

#include "base/sanitizers.h"  // for tests that race by intention, or would take too long

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
// Out of line and cold, as all that a failure needs: there are two thousand checks to compile.
[[gnu::cold]] void Fail(const char* file, int line, const std::string& message);
[[gnu::cold]] void FailCondition(const char* file, int line, const char* condition);
[[gnu::cold]] void FailEqual(const char* file, int line, const char* what, std::string seen, std::string wanted);

// Runs the tests whose name contains the filter; the exit code of the program.
int Main(int argc, char** argv);

std::string ShownNumber(int64_t number);
std::string ShownNumber(uint64_t number);
std::string ShownNumber(double number);
std::string ShownText(std::string_view text);  // its beginning

template <class T>
std::string Shown(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_enum_v<T>) {
    return ShownNumber(static_cast<int64_t>(value));
  } else if constexpr (std::is_integral_v<T>) {
    return ShownNumber(static_cast<std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>>(value));
  } else if constexpr (std::is_floating_point_v<T>) {
    return ShownNumber(static_cast<double>(value));
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return ShownText(value);
  } else if constexpr (requires { value.has_value(); }) {
    return value.has_value() ? Shown(*value) : "none";
  } else {
    return "a value of " + ShownNumber(static_cast<uint64_t>(sizeof(T))) + " bytes";
  }
}

template <class Seen, class Wanted>
[[gnu::cold, gnu::noinline]] void ShowUnequal(const char* file, int line, const char* what, const Seen& seen,
                                              const Wanted& wanted) {
  FailEqual(file, line, what, Shown(seen), Shown(wanted));
}

template <class Seen, class Wanted>
void CheckEqual(const char* file, int line, const char* what, const Seen& seen, const Wanted& wanted) {
  if (!(seen == wanted)) ShowUnequal(file, line, what, seen, wanted);
}

}  // namespace zerohop::check

#define TEST(Type, Sentence)                                                            \
  static void Type##_##Sentence();                                                      \
  [[maybe_unused]] static const bool registered_##Type##_##Sentence =                   \
      (zerohop::check::Register(__FILE__, #Type, #Sentence, &Type##_##Sentence), true); \
  static void Type##_##Sentence()

#define CHECK(condition) \
  ((condition) ? static_cast<void>(0) : zerohop::check::FailCondition(__FILE__, __LINE__, "not so: " #condition))

#define CHECK_EQ(seen, wanted) zerohop::check::CheckEqual(__FILE__, __LINE__, #seen, seen, wanted)

#define REQUIRE(condition)                                                        \
  do {                                                                            \
    if (!(condition)) {                                                           \
      zerohop::check::FailCondition(__FILE__, __LINE__, "required: " #condition); \
      throw zerohop::check::Ended();                                              \
    }                                                                             \
  } while (false)
