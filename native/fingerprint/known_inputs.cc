#include "fingerprint/known_inputs.h"

#include <cstring>
#include <utility>

#include "base/checksum.h"

namespace zerohop {
namespace {

bool Same(std::span<const std::byte> bytes, const std::byte* others) {
  return bytes.empty() || std::memcmp(bytes.data(), others, bytes.size()) == 0;
}

}  // namespace

KnownInputs::Place* KnownInputs::PlaceOf(const KeccakState& start, const HashInput& input, uint32_t* checksum) {
  const size_t bytes = input.head.size() + input.data.size();
  if (bytes < kInputBytesMin || bytes > kInputBytesMax) return nullptr;
  if (places_.empty()) places_.resize(kPlaces);
  uint64_t mixed = start[0] ^ Checksum(input.head.data(), input.head.size()) * 0x9e3779b97f4a7c15u;
  mixed = (mixed ^ Checksum(input.data.data(), input.data.size())) * 0x9e3779b97f4a7c15u;
  *checksum = static_cast<uint32_t>(mixed >> 32) | 1;  // 0 means an empty place
  return &places_[(mixed >> 20) % kPlaces];
}

bool KnownInputs::Holds(const Place& place, const KeccakState& start, const HashInput& input) {
  if (place.known == nullptr) return false;
  const Known& known = *place.known;
  return known.head_bytes == input.head.size() && known.data_bytes == input.data.size() &&
         std::memcmp(known.start.data(), start.data(), kStartBytes) == 0 && Same(input.head, known.input.get()) &&
         Same(input.data, known.input.get() + known.head_bytes);
}

void KnownInputs::Forget(Place& place) {
  if (place.known == nullptr) return;
  bytes_ -= place.known->head_bytes + place.known->data_bytes;
  place.known.reset();
}

void KnownInputs::MakeRoom(size_t bytes) {
  // An input that was found since the hand last came by is passed over once.
  while (bytes_ + bytes > kBytesMax) {
    Place& place = places_[hand_];
    hand_ = (hand_ + 1) % kPlaces;
    if (place.known != nullptr && !std::exchange(place.found, false)) Forget(place);
  }
}

bool KnownInputs::Keep(Place& place, uint32_t checksum, const KeccakState& start, const HashInput& input) {
  if (place.checksum != checksum) {
    if (std::exchange(place.found, false)) return false;  // the known input stays this time
    Forget(place);
    place.checksum = checksum;
    return false;
  }
  Forget(place);
  const size_t bytes = input.head.size() + input.data.size();
  MakeRoom(bytes);
  auto known = std::make_unique<Known>();
  known->input.reset(new std::byte[bytes]);
  known->head_bytes = static_cast<uint32_t>(input.head.size());
  known->data_bytes = static_cast<uint32_t>(input.data.size());
  std::byte* const head = known->input.get();
  std::byte* const data = head + known->head_bytes;
  if (!input.head.empty()) std::memcpy(head, input.head.data(), input.head.size());
  if (!input.data.empty()) std::memcpy(data, input.data.data(), input.data.size());
  std::memcpy(known->start.data(), start.data(), kStartBytes);
  // The digest of the copy: another thread may write to the original.
  HashInput copy = input;
  copy.head = {head, known->head_bytes};
  copy.data = {data, known->data_bytes};
  known->digest = Sha3From(start, copy);
  place.known = std::move(known);
  place.found = true;
  bytes_ += bytes;
  return true;
}

Digest KnownInputs::DigestOf(const KeccakState& start, const HashInput& input) {
  uint32_t checksum = 0;
  Place* const place = PlaceOf(start, input, &checksum);
  if (place == nullptr) return Sha3From(start, input);
  if (place->checksum == checksum && Holds(*place, start, input)) {
    place->found = true;
    return place->known->digest;
  }
  return Keep(*place, checksum, start, input) ? place->known->digest : Sha3From(start, input);
}

void KnownInputs::DigestMany(const KeccakState& start, std::span<const HashInput> inputs, std::byte* digests) {
  std::vector<HashInput> unknown;
  std::vector<size_t> at;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const HashInput& input = inputs[i];
    uint32_t checksum = 0;
    Place* const place = PlaceOf(start, input, &checksum);
    const bool holds = place != nullptr && place->checksum == checksum && Holds(*place, start, input);
    if (holds || (place != nullptr && Keep(*place, checksum, start, input))) {
      place->found = true;
      std::memcpy(digests + i * kDigestBytes, place->known->digest.data(), kDigestBytes);
    } else {
      unknown.push_back(input);
      at.push_back(i);
    }
  }
  if (unknown.size() == inputs.size()) {
    Sha3ManyFrom(start, inputs, digests);
    return;
  }
  std::vector<std::byte> found(unknown.size() * kDigestBytes);
  Sha3ManyFrom(start, unknown, found.data());
  for (size_t i = 0; i < at.size(); ++i) {
    std::memcpy(digests + at[i] * kDigestBytes, found.data() + i * kDigestBytes, kDigestBytes);
  }
}

}  // namespace zerohop
