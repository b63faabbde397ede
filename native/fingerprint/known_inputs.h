// known_inputs.h: remembers the digests of inputs that come again.  SHA3-256 of 4 KiB takes 9 us; comparing 4 KiB with
// the bytes of a known input takes 0.3 us (D54 in docs/DECISIONS.md).
//
// An input is kept, byte for byte, when it comes a second time.  Until then its place holds only its checksum.  A
// digest is never guessed: all bytes are compared, and equal bytes after equal starts have equal digests.  When another
// input wants the place, an input that was found since the last such attempt keeps it.
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
  static constexpr size_t kPlaces = 4096;  // a choice
  // Shorter inputs are hashed about as fast as they are compared, and would take the places of longer ones (D54).
  static constexpr size_t kInputBytesMin = 512;
  // Choices: memory for 64 of the longest inputs, or for 1 000 of 4 KiB.
  static constexpr size_t kInputBytesMax = size_t{64} << 10;
  static constexpr size_t kBytesMax = size_t{4} << 20;
  static_assert(kInputBytesMin < kInputBytesMax && kInputBytesMax <= kBytesMax, "MakeRoom can make room for any input");

  // Sha3From(start, input).  Inputs with the same bytes must have the same kind of NaNs, and both or neither be padded:
  // their heads say what they are.  If another thread writes to the input meanwhile, the digest is that of bytes each
  // of which was there at some time.
  Digest DigestOf(const KeccakState& start, const HashInput& input);

  // Sha3ManyFrom.  Inputs that are not known are hashed side by side.
  void DigestMany(const KeccakState& start, std::span<const HashInput> inputs, std::byte* digests);

  size_t bytes() const { return bytes_; }

 private:
  // Bytes of the state that are compared: two states that agree in them are as hard to find as two inputs with one
  // fingerprint.
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
    std::unique_ptr<Known> known;  // null: only the checksum is known
  };

  static bool Holds(const Place& place, const KeccakState& start, const HashInput& input);
  Place* PlaceOf(const KeccakState& start, const HashInput& input, uint32_t* checksum);
  // True if the input comes a second time and there is room: then it is kept, with its digest.
  bool Keep(Place& place, uint32_t checksum, const KeccakState& start, const HashInput& input);
  void Forget(Place& place);
  void MakeRoom(size_t bytes);

  std::vector<Place> places_;
  size_t bytes_ = 0;  // of inputs
  size_t hand_ = 0;   // the place whose input is dropped next
};

}  // namespace zerohop
