#include "check.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <random>
#include <string_view>
#include <vector>

namespace zerohop::check {
namespace {

// A broken loop fails once a turn: the first few tell enough.
constexpr int kFailuresShown = 10;

struct Test {
  std::string name;  // "cache/index_test Index.FindsEveryKeyAfterGrowing"
  void (*body)();
};

std::vector<Test>& Tests() {
  static std::vector<Test> tests;
  return tests;
}

std::mutex fail_mutex;
int failures = 0;  // of the running test; under fail_mutex
uint64_t seed = 0;

// "…/test/native/cache/index_test.cc" -> "cache/index_test"
std::string ShortName(std::string_view file) {
  const size_t name = file.find_last_of('/');
  const size_t room = name == std::string_view::npos || name == 0 ? name : file.find_last_of('/', name - 1);
  std::string_view rest = room == std::string_view::npos ? file : file.substr(room + 1);
  return std::string(rest.substr(0, rest.find_last_of('.')));
}

bool Passes(const Test& test) {
  {
    std::lock_guard lock(fail_mutex);
    failures = 0;
  }
  try {
    test.body();
  } catch (const Ended&) {
  } catch (const std::exception& error) {
    Fail("", 0, std::string("threw ") + error.what());
  }
  std::lock_guard lock(fail_mutex);
  return failures == 0;
}

void PrintResult(const Test& test, bool passed, double milliseconds) {
  std::printf("%s %s (%.0f ms)\n", passed ? "ok    " : "FAILED", test.name.c_str(), milliseconds);
  if (!passed)
    std::printf("       again: --seed=%llu '%s'\n", static_cast<unsigned long long>(seed), test.name.c_str());
  std::fflush(stdout);
}

}  // namespace

uint64_t Seed() { return seed; }

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::strtoull(text, nullptr, 0);
}

void Register(const char* file, const char* type, const char* sentence, void (*body)()) {
  Tests().push_back({ShortName(file) + " " + type + "." + sentence, body});
}

void Fail(const char* file, int line, const std::string& message) {
  std::lock_guard lock(fail_mutex);
  if (++failures > kFailuresShown) return;
  std::printf("%s:%d: %s\n", file, line, message.c_str());
  if (failures == kFailuresShown) std::printf("further failures of this test are not shown\n");
  std::fflush(stdout);
}

void FailCondition(const char* file, int line, const char* condition) { Fail(file, line, condition); }

void FailEqual(const char* file, int line, const char* what, std::string seen, std::string wanted) {
  Fail(file, line, std::string(what) + " is " + seen + ", not " + wanted);
}

std::string ShownNumber(int64_t number) { return std::to_string(number); }

std::string ShownNumber(uint64_t number) { return std::to_string(number); }

std::string ShownNumber(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", number);
  return text;
}

std::string ShownText(std::string_view text) {
  constexpr size_t kShown = 120;
  if (text.size() <= kShown) return std::string(text);
  return std::string(text.substr(0, kShown)) + "… (" + std::to_string(text.size()) + " characters)";
}

int Main(int argc, char** argv) {
  std::string filter;
  bool list = false;
  seed = FromEnvironment("ZEROHOP_SEED", std::random_device()());
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], "--seed=", 7) == 0) {
      seed = std::strtoull(argv[i] + 7, nullptr, 0);
    } else if (std::strcmp(argv[i], "--list") == 0) {
      list = true;
    } else {
      filter = argv[i];
    }
  }
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  int passed = 0, failed = 0;
  for (const Test& test : Tests()) {
    if (test.name.find(filter) == std::string::npos) continue;
    if (list) {
      std::printf("%s\n", test.name.c_str());
      continue;
    }
    const auto begun = std::chrono::steady_clock::now();
    const bool well = Passes(test);
    PrintResult(test, well,
                std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count());
    ++(well ? passed : failed);
  }
  if (list) return 0;
  if (passed + failed == 0) std::printf("no test's name contains '%s'\n", filter.c_str());
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}

}  // namespace zerohop::check

// Weak: the fuzzers link the checks too, and have a main of their own.
[[gnu::weak]] int main(int argc, char** argv) { return zerohop::check::Main(argc, argv); }
