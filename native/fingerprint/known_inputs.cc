#include "fingerprint/known_inputs.h"

#include <cstring>

#include "base/checksum.h"

namespace zerohop {
namespace {

// Shorter ones are hashed in two permutations: side by side that is less than looking for them.
constexpr size_t kWorthwhileInBatch = 512;

}  // namespace

KnownInputs::Place* KnownInputs::PlaceOf(const KeccakState& start, const HashInput& input, uint32_t* checksum) {
  if (input.head.size() + input.data.size() > kInputBytesMax) return nullptr;
  if (places_.empty()) places_.resize(kPlaces);
  uint64_t mixed = start[0] ^ Checksum(input.head.data(), input.head.size()) * 0x9e3779b97f4a7c15u;
  mixed = (mixed ^ Checksum(input.data.data(), input.data.size())) * 0x9e3779b97f4a7c15u;
  *checksum = static_cast<uint32_t>(mixed >> 32) | 1;  // 0 is a place without one
  return &places_[(mixed >> 22) % kPlaces];
}

bool KnownInputs::Holds(const Place& place, const KeccakState& start, const HashInput& input) {
  return place.input != nullptr && place.head_bytes == input.head.size() && place.data_bytes == input.data.size() &&
         std::memcmp(place.start, start.data(), kStartBytes) == 0 &&
         std::memcmp(place.input.get(), input.head.data(), place.head_bytes) == 0 &&
         (place.data_bytes == 0 ||
          std::memcmp(place.input.get() + place.head_bytes, input.data.data(), place.data_bytes) == 0);
}

void KnownInputs::Forget(Place& place) {
  bytes_ -= place.head_bytes + place.data_bytes;
  place.input.reset();
  place.head_bytes = place.data_bytes = 0;
}

void KnownInputs::MakeRoom(size_t bytes) {
  // Those that were found since the hand last came by are passed over, once.
  while (bytes_ + bytes > kBytesMax) {
    Place& place = places_[hand_];
    hand_ = (hand_ + 1) % kPlaces;
    if (place.input == nullptr) continue;
    if (place.found) {
      place.found = false;
      continue;
    }
    Forget(place);
  }
}

bool KnownInputs::Keep(Place& place, uint32_t checksum, const KeccakState& start, const HashInput& input) {
  if (place.checksum != checksum) {
    if (place.found) {
      place.found = false;  // it stays this time
      return false;
    }
    if (place.input != nullptr) Forget(place);
    place.checksum = checksum;
    return false;
  }
  if (place.input != nullptr) Forget(place);
  const size_t bytes = input.head.size() + input.data.size();
  MakeRoom(bytes);
  place.input.reset(new std::byte[bytes]);
  place.head_bytes = static_cast<uint32_t>(input.head.size());
  place.data_bytes = static_cast<uint32_t>(input.data.size());
  place.found = true;
  bytes_ += bytes;
  std::memcpy(place.input.get(), input.head.data(), place.head_bytes);
  if (place.data_bytes != 0) std::memcpy(place.input.get() + place.head_bytes, input.data.data(), place.data_bytes);
  std::memcpy(place.start, start.data(), kStartBytes);
  // Of the copy: another thread may write to the original.
  place.digest = Sha3From(
      start, {{place.input.get(), place.head_bytes}, {place.input.get() + place.head_bytes, place.data_bytes}});
  return true;
}

Digest KnownInputs::DigestOf(const KeccakState& start, const HashInput& input) {
  uint32_t checksum = 0;
  Place* const place = PlaceOf(start, input, &checksum);
  if (place == nullptr) return Sha3From(start, input);
  if (place->checksum == checksum && Holds(*place, start, input)) {
    place->found = true;
    return place->digest;
  }
  return Keep(*place, checksum, start, input) ? place->digest : Sha3From(start, input);
}

void KnownInputs::DigestMany(const KeccakState& start, std::span<const HashInput> inputs, std::byte* digests) {
  std::vector<HashInput> unknown;
  std::vector<size_t> at;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const HashInput& input = inputs[i];
    uint32_t checksum = 0;
    Place* const place = input.data.size() < kWorthwhileInBatch ? nullptr : PlaceOf(start, input, &checksum);
    const bool known = place != nullptr && place->checksum == checksum && Holds(*place, start, input);
    if (known || (place != nullptr && Keep(*place, checksum, start, input))) {
      place->found = true;
      std::memcpy(digests + i * kDigestBytes, place->digest.data(), kDigestBytes);
    } else {
      unknown.push_back(input);
      at.push_back(i);
    }
  }
  if (unknown.size() == inputs.size()) return Sha3ManyFrom(start, inputs, digests);
  std::vector<std::byte> found(unknown.size() * kDigestBytes);
  Sha3ManyFrom(start, unknown, found.data());
  for (size_t i = 0; i < at.size(); ++i) {
    std::memcpy(digests + at[i] * kDigestBytes, found.data() + i * kDigestBytes, kDigestBytes);
  }
}

}  // namespace zerohop
