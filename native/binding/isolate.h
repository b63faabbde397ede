// isolate.h: what the addon keeps for one JavaScript environment (the main thread or a worker).
//
//   Isolate     instance data: result registers, open handles, memberships; shared by all evaluations of the library's
//               JavaScript (evaluation.h)
//   Membership  this isolate's part in one cache (membership.h)
//   Collector   when its garbage is collected (collector.h)
//   Handle      what a JavaScript Cache or Keyspace holds: a number that leads to (membership, keyspace)
//
// Threads  everything here belongs to the environment's thread, except PostNotice.
// Lifetime from module init to the environment's cleanup hook, which runs before Node tears the environment down.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "binding/collector.h"
#include "binding/evaluation.h"
#include "binding/exposure.h"
#include "binding/keys.h"
#include "binding/membership.h"
#include "binding/napi_setup.h"
#include "binding/text_memory.h"
#include "cache/cache.h"
#include "fingerprint/known_inputs.h"

namespace zerohop::binding {

// Of a size by which a place is found with a shift.
struct alignas(32) Handle {
  Membership* membership = nullptr;  // null: closed
  uint16_t space = 0;
  uint16_t generation = 0;  // part of the handle's number, so that a closed handle's number is not used again soon
  KeyKind keys = KeyKind::kText;
  Counters* counters = nullptr;  // the membership's, of the keyspace
};

class Isolate {
 public:
  // Registers, in memory shared with JavaScript: what the last call answers beside its result.
  enum Register : size_t {
    kOffset,
    kLength,
    kSegment,
    kNearWord,     // the word that holds the key's version (cache/version_words.h)
    kNearVersion,  // the version before the lookup
    kVerifyNow,    // set by JavaScript: the next lookup compares the checksum
    kNearEnds,     // the tick from which on JavaScript must ask native code (base/ticker.h)
    kEvicted,      // entries that the last `set` evicted
    kRegisters = 48
  };
  static constexpr uint32_t kNearNumbers = 1024;
  // The same memory as numbers of eight bytes.
  enum WideRegister : size_t {
    kExpires = 8,
    kAge,
    kFrequency,
    kCost,
    kSize,
    kStoreTtl,   // set by JavaScript: the time to live of the next value, in us; infinity: it has no end
    kStoreCost,  // likewise, in ms
    kGap,        // in capacities
    kWorth,
    kThreshold,
    kIdle,   // in capacities
    kCosted  // hits of a batch whose cost is known
  };

  explicit Isolate(napi_env env) : env_(env), backend_(ChooseBackend(env)) {}
  ~Isolate();
  Isolate(const Isolate&) = delete;
  Isolate& operator=(const Isolate&) = delete;

  static Isolate* Of(napi_env env) {
    void* data = nullptr;
    napi_get_instance_data(env, &data);
    return static_cast<Isolate*>(data);
  }

  // At module init: makes the registers, and the queue to the event loop.
  Status Prepare();
  // Adds an evaluation of the library; null: `library` is not an object.
  Evaluation* Join(napi_value library);
  // Notes whose call this is, at the start of every call, so that an error has the classes of that evaluation.
  void Enter(Evaluation* evaluation) { evaluation_ = evaluation; }
  Evaluation& evaluation() { return *evaluation_; }

  napi_env env() const { return env_; }
  Backend backend() const { return backend_; }
  void ForbidExternalBuffers() { backend_ = Backend::kCopy; }
  uint32_t* registers() { return registers_; }
  napi_ref registers_array() const { return registers_ref_; }
  napi_ref near_hits_array() const { return near_hits_ref_; }
  double* wide_registers() { return reinterpret_cast<double*>(registers_); }

  // Shared by all models of the environment.
  KnownInputs& known_inputs() { return known_inputs_; }
  TextMemory& text_memory() { return text_memory_; }

  // Takes a place for counting a keyspace's near hits, in memory shared with JavaScript; none if all are taken.
  std::optional<uint32_t> TakeNearNumber();
  void GiveNearNumber(uint32_t number);
  double* near_hits() { return near_hits_; }
  // Has near caches drop what they must not keep: their views pin segments.  Runs JavaScript of ours.
  void TidyNear();

  // Opens a handle, and returns its number: its place, and a count of how often the place was used before.
  int32_t Open(std::shared_ptr<Cache> cache, uint16_t space, KeyKind keys);
  Handle* Find(int32_t number) {
    const size_t place = PlaceOf(number);
    if (place >= handles_.size()) return nullptr;
    Handle& handle = handles_[place];
    // The generation of a negative number is negative, so no handle has it.
    return handle.membership != nullptr && handle.generation == number >> kPlaceBits ? &handle : nullptr;
  }
  void Close(int32_t handle);

  void set_heap_used_bytes(uint64_t bytes) { heap_used_bytes_ = bytes; }
  // What copies out of a segment must have cost before it is exposed.
  uint64_t PriceNs(const Cache& cache) const;
  // Whether buffers come back at a collection, at whatever moment, and not only when the event loop turns.
  bool prompt() const { return backend_ == Backend::kShared; }
  // Finalizers of external ArrayBuffers run when the event loop turns.  A loop that never lets it turn must not expose
  // the whole cache, so the number of segments that are exposed between two turns is limited (D3).
  bool MayExposeNow(const Cache& cache);
  void CountExposed(uint32_t segments) { exposed_this_turn_ += segments; }

  Collector& collector() { return collector_; }
  // Runs the hook of any evaluation that is still there: they share the young generation.  False: no hook ran.
  bool RunYoungCollection();
  // Whether hits may be views now.
  bool shows() const { return backend_ != Backend::kCopy && !collector_.quiet(); }

  // Called once a second from an unreferenced timer: frees memory, and for an idle process gives it back and collects.
  void Maintain();

  // Posts to this isolate's event loop.  Any thread, while a Membership of this isolate is in its cache's list.
  void PostNotice();
  void OnPosted();  // on this thread

  const std::vector<std::unique_ptr<Membership>>& memberships() const { return memberships_; }

 private:
  static constexpr int kPlaceBits = 20;  // a million open handles
  static constexpr int kGenerationBits = 31 - kPlaceBits;
  static size_t PlaceOf(int32_t number) { return static_cast<size_t>(number) & ((size_t{1} << kPlaceBits) - 1); }

  bool CallHook(Evaluation& evaluation, const char* hook);

  const napi_env env_;
  Backend backend_;
  napi_ref registers_ref_ = nullptr;
  uint32_t* registers_ = nullptr;
  napi_ref near_hits_ref_ = nullptr;
  double* near_hits_ = nullptr;
  std::vector<uint32_t> near_numbers_;  // those that are not taken
  std::vector<std::unique_ptr<Evaluation>> evaluations_;
  Evaluation* evaluation_ = nullptr;  // the one that called last
  napi_threadsafe_function post_ = nullptr;
  std::atomic<bool> posted_{false};

  uint32_t exposed_this_turn_ = 0;

  std::vector<Handle> handles_;
  std::vector<size_t> free_places_;
  std::vector<std::unique_ptr<Membership>> memberships_;

  Collector collector_{*this};
  KnownInputs known_inputs_;
  TextMemory text_memory_;

  uint64_t heap_used_bytes_ = 0;
};

}  // namespace zerohop::binding
