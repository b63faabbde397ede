// The best rows of a file, found by several threads: those that one thread finds.
#include "weights/search.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "check.h"

namespace zerohop {
namespace {

constexpr size_t kDimensions = 64, kRows = 40'000;

std::shared_ptr<MappedFile> FileOfRows(const std::vector<float>& elements, std::string* path) {
  char name[] = "/tmp/zerohop-test-XXXXXX";
  const int file = ::mkstemp(name);
  REQUIRE(file >= 0);
  const size_t bytes = elements.size() * sizeof(float);
  REQUIRE(::write(file, elements.data(), bytes) == static_cast<ssize_t>(bytes));
  ::close(file);
  *path = name;
  auto opened = MappedFile::Open(name, MapStrategy::kMap, true);
  REQUIRE(opened.ok());
  return opened.value();
}

std::vector<float> SomeRows() {
  check::Random random(check::Seed());
  std::vector<float> elements(kRows * kDimensions);
  // Few numbers, so that many rows score the same.
  for (float& each : elements) each = static_cast<float>(random.Below(3));
  return elements;
}

}  // namespace

TEST(BestRowsOf, AreTheSameHoweverManyThreadsFindThem) {
  std::string path;
  const auto file = FileOfRows(SomeRows(), &path);
  ::unlink(path.c_str());
  const std::vector<float> query(kDimensions, 1.0f);
  const RowMatrix rows{RowType::kF32, kDimensions, file->bytes(), kDimensions * 4, kRows, nullptr};
  for (const size_t wanted : {size_t{0}, size_t{1}, size_t{100}, kRows + 1}) {
    auto alone = BestRowsOf(*file, query.data(), rows, wanted, 1);
    REQUIRE(alone.ok());
    CHECK_EQ(alone.value().size(), std::min(wanted, kRows));
    for (const unsigned threads : {2u, 7u}) {
      auto together = BestRowsOf(*file, query.data(), rows, wanted, threads);
      REQUIRE(together.ok());
      REQUIRE(together.value().size() == alone.value().size());
      for (size_t i = 0; i < alone.value().size(); ++i) CHECK_EQ(together.value()[i].index, alone.value()[i].index);
    }
  }
}

TEST(BestRowsOf, OfAFileThatWasCutAreAnError) {
  std::string path;
  const auto file = FileOfRows(SomeRows(), &path);
  REQUIRE(::truncate(path.c_str(), 4096) == 0);
  ::unlink(path.c_str());
  const std::vector<float> query(kDimensions, 1.0f);
  const RowMatrix rows{RowType::kF32, kDimensions, file->bytes(), kDimensions * 4, kRows, nullptr};
  for (const unsigned threads : {1u, 4u}) CHECK(!BestRowsOf(*file, query.data(), rows, 5, threads).ok());
}

}  // namespace zerohop
