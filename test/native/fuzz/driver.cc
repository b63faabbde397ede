// driver.cc: a main for LLVMFuzzerTestOneInput where there is no libFuzzer: replays a corpus, then tries mutations of
// it.
//
// It follows no coverage, so it finds less; but any compiler links it, and what a fuzzer once found stays a test.
// Run as   <program> [-max_total_time=SECONDS] [-seed=N] corpus…
//          SECONDS 0 (the default): only the corpus.  The names are libFuzzer's, so that both are called alike.
// A target that has operations may define OperationWithoutSeed(): one that no file of the corpus does is then an error.
// On a crash, the input is in crash-<program's name> beside the working directory's other files.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes);
// The name of an operation that was not done yet; null if there is none.
extern "C" [[gnu::weak]] const char* OperationWithoutSeed();

namespace {

using Input = std::vector<uint8_t>;
constexpr size_t kInputBytesMax = 4096;

std::vector<Input> ReadCorpus(const std::vector<std::string>& paths) {
  std::vector<std::filesystem::path> files;
  for (const std::string& path : paths) {
    if (!std::filesystem::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    for (const auto& each : std::filesystem::directory_iterator(path)) files.push_back(each.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<Input> corpus;
  for (const std::filesystem::path& file : files) {
    std::ifstream in(file, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return corpus;
}

// Bytes changed, pieces repeated, removed, or taken from another input.
Input Mutated(zerohop::check::Random& random, const std::vector<Input>& corpus) {
  Input input = corpus.empty() ? Input() : corpus[random.Below(corpus.size())];
  for (uint64_t changes = 1 + random.Below(8); changes > 0; --changes) {
    const size_t at = input.empty() ? 0 : random.Below(input.size());
    const auto here = input.begin() + static_cast<std::ptrdiff_t>(at);
    const size_t length = std::min<size_t>(input.size() - at, 1 + random.Below(32));
    switch (random.Below(4)) {
      case 0:
        if (!input.empty()) input[at] = static_cast<uint8_t>(random.Next());
        break;
      case 1:
        for (uint64_t i = 1 + random.Below(64); i > 0; --i) input.push_back(static_cast<uint8_t>(random.Next()));
        break;
      case 2: input.erase(here, here + static_cast<std::ptrdiff_t>(length)); break;
      default: {
        const Input piece(here, here + static_cast<std::ptrdiff_t>(length));
        for (uint64_t i = 1 + random.Below(16); i > 0; --i) input.insert(input.end(), piece.begin(), piece.end());
      }
    }
  }
  if (input.size() > kInputBytesMax) input.resize(kInputBytesMax);
  return input;
}

// Written before the input runs: a crash leaves it behind.
void Keep(const std::string& path, const Input& input) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(input.data()), static_cast<std::streamsize>(input.size()));
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> paths;
  uint64_t seed = std::random_device()(), seconds = 0;
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], "-max_total_time=", 16) == 0) {
      seconds = std::strtoull(argv[i] + 16, nullptr, 10);
    } else if (std::strncmp(argv[i], "-seed=", 6) == 0) {
      seed = std::strtoull(argv[i] + 6, nullptr, 10);
    } else if (argv[i][0] != '-') {
      paths.push_back(argv[i]);
    }
  }
  const std::vector<Input> corpus = ReadCorpus(paths);
  const std::string crash = "crash-" + std::filesystem::path(argv[0]).filename().string();
  for (const Input& input : corpus) {
    Keep(crash, input);
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::printf("%zu inputs of the corpus\n", corpus.size());
  const char* const missing = OperationWithoutSeed == nullptr ? nullptr : OperationWithoutSeed();
  if (missing != nullptr) {
    std::printf("no input of the corpus does this: %s\n", missing);
    return 1;
  }
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  zerohop::check::Random random(seed);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  uint64_t runs = 0;
  for (; std::chrono::steady_clock::now() < deadline; ++runs) {
    const Input input = Mutated(random, corpus);
    Keep(crash, input);
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::filesystem::remove(crash);
  std::printf("%llu mutated inputs\n", static_cast<unsigned long long>(runs));
  return 0;
}
