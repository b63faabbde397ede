// SHA3-256 by every way that this processor can, against published digests and against one another.
#include "fingerprint/sha3.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "check.h"
#include "fingerprint/framing.h"
#include "fingerprint/keccak.h"
#include "fingerprint/nans.h"

namespace zerohop {
namespace {

using ByteVector = std::vector<std::byte>;

std::string Hex(std::span<const std::byte> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const std::byte byte : bytes) {
    hex += kDigits[static_cast<unsigned>(byte) >> 4];
    hex += kDigits[static_cast<unsigned>(byte) & 15];
  }
  return hex;
}

ByteVector Of(std::string_view text) {
  const auto* const data = reinterpret_cast<const std::byte*>(text.data());
  return {data, data + text.size()};
}

ByteVector RandomBytes(check::Random& random, size_t count) {
  ByteVector bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.Next());
  return bytes;
}

std::string DigestOf(const ByteVector& bytes) { return Hex(Sha3From({}, {{}, bytes})); }

}  // namespace

TEST(Sha3, GivesThePublishedDigests) {
  // NIST's examples: no bits, "abc", 1 600 bits of 0xa3; and 448 bits.
  CHECK_EQ(DigestOf({}), "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a");
  CHECK_EQ(DigestOf(Of("abc")), "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
  CHECK_EQ(DigestOf(ByteVector(200, std::byte{0xa3})),
           "79f38adec5c20307a98ef76e8324afbfd46cfd81b22e3973c65fa1bd9de31787");
  CHECK_EQ(DigestOf(Of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
           "41c0dba2a9d6240849100376a8235e2c82e1b9998a999e21db32dd97496d3376");
}

TEST(Sha3, EveryWayOfOneStateDoesTheSame) {
  check::Random random(check::Seed());
  const KeccakWays ways = AllKeccakWays();
  REQUIRE(ways.one[0] != nullptr);
  for (int round = 0; round < 200; ++round) {
    KeccakState start;
    for (uint64_t& lane : start) lane = random.Next();
    KeccakState wanted = start;
    ways.one[0](wanted.data());
    for (const auto way : ways.one) {
      if (way == nullptr) continue;
      KeccakState state = start;
      way(state.data());
      CHECK(state == wanted);
    }
  }
}

TEST(Sha3, EveryWayOfManyStatesDoesTheSame) {
  check::Random random(check::Seed());
  const KeccakWays ways = AllKeccakWays();
  for (const ManyKeccak* const way : ways.many) {
    if (way == nullptr) continue;
    for (uint32_t fresh = 0; fresh < 1u << way->width; ++fresh) {
      alignas(64) uint64_t lanes[kKeccakLanes * kKeccakWidthMax];
      KeccakState start;
      for (uint64_t& lane : start) lane = random.Next();
      for (uint64_t& lane : lanes) lane = random.Next();
      std::vector<ByteVector> blocks;
      const std::byte* at[kKeccakWidthMax];
      std::vector<KeccakState> wanted(way->width, start);
      for (uint32_t state = 0; state < way->width; ++state) {
        blocks.push_back(RandomBytes(random, kSha3Rate));
        at[state] = blocks.back().data();
        for (size_t lane = 0; lane < kKeccakLanes; ++lane) {
          if ((fresh >> state & 1) == 0) wanted[state][lane] = lanes[lane * way->width + state];
        }
        AbsorbBlocks(wanted[state], blocks.back());
      }
      way->absorb(lanes, start.data(), fresh, at);
      for (uint32_t state = 0; state < way->width; ++state) {
        for (size_t lane = 0; lane < kKeccakLanes; ++lane) {
          CHECK_EQ(lanes[lane * way->width + state], wanted[state][lane]);
        }
      }
    }
  }
}

TEST(Sha3, WhereTheInputIsCutMakesNoDifference) {
  check::Random random(check::Seed());
  for (size_t length = 0; length <= 3 * kSha3Rate; ++length) {
    const ByteVector bytes = RandomBytes(random, length);
    const std::string wanted = DigestOf(bytes);
    const std::span<const std::byte> all(bytes);
    for (const size_t cut : {size_t{0}, length / 3, length / 2, length, std::min(length, kSha3Rate)}) {
      CHECK_EQ(Hex(Sha3From({}, {all.first(cut), all.subspan(cut)})), wanted);
    }
    const size_t blocks = length / kSha3Rate * kSha3Rate;
    KeccakState start{};
    AbsorbBlocks(start, all.first(blocks));
    CHECK_EQ(Hex(Sha3From(start, {{}, all.subspan(blocks)})), wanted);
  }
}

TEST(Sha3, AMessageThatWasPaddedBeforeHasTheSameDigest) {
  check::Random random(check::Seed());
  for (size_t length = 0; length <= 3 * kSha3Rate; ++length) {
    const ByteVector bytes = RandomBytes(random, length);
    ByteVector message = bytes;
    message.resize(length + kSha3Rate, std::byte{0xff});
    const size_t padded = PadMessage(message.data(), length);
    CHECK(padded % kSha3Rate == 0 && padded > length && padded <= length + kSha3Rate);
    const HashInput input{{}, std::span<const std::byte>(message).first(padded), Nans::kNone, true};
    CHECK_EQ(Hex(Sha3From({}, input)), DigestOf(bytes));
  }
}

TEST(Sha3, NansAreMadeOneBeforeTheyAreHashed) {
  const uint32_t kept[] = {0x3f800000, 0x7fc00000, 0x7f800000, 0x7fc00000};
  const uint32_t given[] = {0x3f800000, 0xff812345, 0x7f800000, 0x7fc00000};
  const auto input = [](const uint32_t(&words)[4], Nans nans) {
    return HashInput{{}, std::as_bytes(std::span(words)), nans};
  };
  const std::string wanted = Hex(Sha3From({}, input(kept, Nans::kNone)));
  CHECK_EQ(Hex(Sha3From({}, input(given, Nans::kFloat32))), wanted);
  CHECK(Hex(Sha3From({}, input(given, Nans::kNone))) != wanted);
  CHECK_EQ(given[1], 0xff812345u);
}

TEST(Sha3, ManyAtOnceAreAsOneByOne) {
  check::Random random(check::Seed());
  std::vector<const ManyKeccak*> ways = {nullptr};
  for (const ManyKeccak* const way : AllKeccakWays().many) {
    if (way != nullptr) ways.push_back(way);
  }
  for (const size_t most : {50, 140, 600, 5000}) {
    for (size_t count = 0; count <= 40; ++count) {
      KeccakState start;
      for (uint64_t& lane : start) lane = random.Next();
      std::vector<ByteVector> heads, data;
      std::vector<HashInput> inputs;
      for (size_t i = 0; i < count; ++i) {
        heads.push_back(RandomBytes(random, random.Below(30)));
        data.push_back(RandomBytes(random, random.Below(most)));
      }
      for (size_t i = 0; i < count; ++i) {
        const auto nans = static_cast<Nans>(random.Below(5));
        inputs.push_back({heads[i], data[i], nans});
        if (random.Below(3) > 0) continue;
        const size_t bytes = data[i].size();
        data[i].resize(bytes + kSha3Rate);
        data[i].resize(PadMessage(data[i].data(), bytes));
        inputs[i] = {{}, data[i], Nans::kNone, true};
      }
      for (const ManyKeccak* const way : ways) {
        ByteVector digests(count * kDigestBytes);
        Sha3ManyFrom(start, inputs, digests.data(), way);
        for (size_t i = 0; i < count; ++i) {
          const auto seen = std::span<const std::byte>(digests).subspan(i * kDigestBytes, kDigestBytes);
          CHECK_EQ(Hex(seen), Hex(Sha3From(start, inputs[i])));
        }
      }
    }
  }
}

TEST(Framing, LengthsComeBehindTheirOwn) {
  const auto encoded = [](uint64_t number) {
    std::byte out[kLeftEncodedMax];
    return Hex(std::span<const std::byte>(out, LeftEncode(number, out)));
  };
  CHECK_EQ(encoded(0), "0100");
  CHECK_EQ(encoded(255), "01ff");
  CHECK_EQ(encoded(256), "020100");
  CHECK_EQ(encoded(0x123456), "03123456");
  CHECK_EQ(encoded(UINT64_MAX), "08ffffffffffffffff");
  std::byte head[kFrameHeadMax];
  CHECK_EQ(Hex(std::span<const std::byte>(head, FrameHead(std::byte{'s'}, 100, head))), "73020320");
}

TEST(Nans, AreMadeOneAndNothingElseChanges) {
  struct {
    Nans kind;
    std::string_view data, wanted;
  } const cases[] = {
      {Nans::kNone, "ffffffff", "ffffffff"},
      {Nans::kFloat32, "0000c07f0000807f000080ff00000080", "0000c07f0000807f000080ff00000080"},
      {Nans::kFloat32, "0100807fffffffff0000c0ff", "0000c07f0000c07f0000c07f"},
      {Nans::kFloat64, "010000000000f07f000000000000f0ff", "000000000000f87f000000000000f0ff"},
      {Nans::kFloat16, "017c007c00fcfffe", "007e007c00fc007e"},
      {Nans::kBfloat16, "817f807f80ffffff", "c07f807f80ffc07f"},
  };
  for (const auto& each : cases) {
    ByteVector bytes;
    for (size_t i = 0; i < each.data.size(); i += 2) {
      bytes.push_back(static_cast<std::byte>(std::stoi(std::string(each.data.substr(i, 2)), nullptr, 16)));
    }
    CHECK_EQ(HasOtherNans(each.kind, bytes), each.data != each.wanted);
    UnifyNans(each.kind, bytes);
    CHECK_EQ(Hex(bytes), std::string(each.wanted));
    CHECK(!HasOtherNans(each.kind, bytes));
  }
}

}  // namespace zerohop
