// known_inputs.h: digests of inputs that come again.  SHA3-256 of 4 KiB takes 9 us; comparing 4 KiB with the bytes of a
// known input takes 0.3 us.
//
// An input is kept, byte for byte, when it comes a second time; until then its place holds its checksum alone.  Nothing
// is guessed: equal bytes behind equal starts have equal digests.  When another input wants the place, an input that
// was found since the last such request keeps it.
//
// Memory   100 KiB once it is used, and at most kBytesMax of inputs
// Threads  one
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "fingerprint/sha3.h"

namespace zerohop {

class KnownInputs {
 public:
  static constexpr size_t kPlaces = 4096;
  // Shorter inputs are hashed nearly as fast as they are compared, and would take the places of longer ones.
  static constexpr size_t kInputBytesMin = 512;
  static constexpr size_t kInputBytesMax = size_t{64} << 10;
  static constexpr size_t kBytesMax = size_t{4} << 20;

  // Sha3From(start, input).  If another thread writes to the input meanwhile: of what was there at some time, each
  // byte.
  Digest DigestOf(const KeccakState& start, const HashInput& input);

  // Sha3ManyFrom: those that are not known side by side.
  void DigestMany(const KeccakState& start, std::span<const HashInput> inputs, std::byte* digests);

  size_t bytes() const { return bytes_; }

 private:
  // Of the state: as hard to have two of as two inputs of one fingerprint.
  static constexpr size_t kStartBytes = 32;

  struct Known {
    std::array<std::byte, kStartBytes> start;
    Digest digest;
    uint32_t head_bytes, data_bytes;
    std::unique_ptr<std::byte[]> input;  // head and data
  };
  struct Place {
    uint32_t checksum = 0;
    bool found = false;
    std::unique_ptr<Known> known;  // null: only the checksum is
  };

  static bool Holds(const Place& place, const KeccakState& start, const HashInput& input);
  Place* PlaceOf(const KeccakState& start, const HashInput& input, uint32_t* checksum);
  // True, and kept with the digest that is returned, if it comes a second time and there is room.
  bool Keep(Place& place, uint32_t checksum, const KeccakState& start, const HashInput& input);
  void Forget(Place& place);
  void MakeRoom(size_t bytes);

  std::vector<Place> places_;
  size_t bytes_ = 0;  // of inputs
  size_t hand_ = 0;   // whose input goes next
};

}  // namespace zerohop
