// nans.h: makes all NaNs of a tensor equal.  The payload of a NaN depends on the processor, not on the computation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace zerohop {

// The element type of a tensor, as far as it matters for NaNs.
enum class Nans : uint8_t { kNone, kFloat64, kFloat32, kFloat16, kBfloat16 };

namespace nans {

// A word is a NaN if its bits without the sign are above those of infinity.
template <class Word, Word kInfinity, Word kNan>
bool AnyOther(std::span<const std::byte> data) {
  constexpr Word kSign = Word{1} << (8 * sizeof(Word) - 1);
  Word any = 0;  // a word, and no branches, so that compilers use vectors
  for (size_t at = 0; at + sizeof(Word) <= data.size(); at += sizeof(Word)) {
    Word word;
    std::memcpy(&word, data.data() + at, sizeof(word));
    any |= static_cast<Word>(-static_cast<Word>(static_cast<Word>(word & ~kSign) > kInfinity)) & (word ^ kNan);
  }
  return any != 0;
}

// Whether there is any NaN.  One instruction tells it of two vectors, so this is several times as fast as AnyOther.
template <class Float>
bool Any(std::span<const std::byte> data) {
  using Word = std::conditional_t<sizeof(Float) == 8, uint64_t, uint32_t>;
  const size_t half = data.size() / sizeof(Float) / 2;
  const auto at = [&data](size_t i) {
    Float number;
    std::memcpy(&number, data.data() + i * sizeof(Float), sizeof(number));
    return number;
  };
  Word any = 0;
  for (size_t i = 0; i < half; ++i) any |= __builtin_isunordered(at(i), at(half + i)) ? ~Word{0} : Word{0};
  if (data.size() / sizeof(Float) % 2 != 0) any |= __builtin_isunordered(at(2 * half), at(2 * half));
  return any != 0;
}

template <class Word, Word kInfinity, Word kNan>
void Unify(std::span<std::byte> data) {
  constexpr Word kSign = Word{1} << (8 * sizeof(Word) - 1);
  for (size_t at = 0; at + sizeof(Word) <= data.size(); at += sizeof(Word)) {
    Word word;
    std::memcpy(&word, data.data() + at, sizeof(word));
    if (static_cast<Word>(word & ~kSign) <= kInfinity) continue;
    word = kNan;
    std::memcpy(data.data() + at, &word, sizeof(word));
  }
}

}  // namespace nans

// Whether the data has a NaN that is not the quiet one without sign and payload.
inline bool HasOtherNans(Nans kind, std::span<const std::byte> data) {
  switch (kind) {
    case Nans::kNone: return false;
    case Nans::kFloat64:
      return nans::Any<double>(data) && nans::AnyOther<uint64_t, 0x7ff0000000000000u, 0x7ff8000000000000u>(data);
    case Nans::kFloat32: return nans::Any<float>(data) && nans::AnyOther<uint32_t, 0x7f800000u, 0x7fc00000u>(data);
    case Nans::kFloat16: return nans::AnyOther<uint16_t, 0x7c00, 0x7e00>(data);
    case Nans::kBfloat16: return nans::AnyOther<uint16_t, 0x7f80, 0x7fc0>(data);
  }
  return false;
}

// Replaces every NaN with the quiet one without sign and payload.
inline void UnifyNans(Nans kind, std::span<std::byte> data) {
  switch (kind) {
    case Nans::kNone: return;
    case Nans::kFloat64: return nans::Unify<uint64_t, 0x7ff0000000000000u, 0x7ff8000000000000u>(data);
    case Nans::kFloat32: return nans::Unify<uint32_t, 0x7f800000u, 0x7fc00000u>(data);
    case Nans::kFloat16: return nans::Unify<uint16_t, 0x7c00, 0x7e00>(data);
    case Nans::kBfloat16: return nans::Unify<uint16_t, 0x7f80, 0x7fc0>(data);
  }
}

}  // namespace zerohop
