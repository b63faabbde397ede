// worker_together.cc: requests of one kind that follow each other are run together: GETs, and small SETs.
//
// Each is answered as if it had run alone, and what its change pushes to the client comes right behind its reply.
#include <array>
#include <utility>

#include "base/clock.h"
#include "resp/command_table.h"
#include "resp/entries.h"
#include "resp/worker.h"

namespace zerohop::resp {
namespace {

// Whether one of so many brief commands is due to be timed.
bool IsTimed(const CommandCounts& counts, size_t count) { return counts.calls % kTimedEvery + count >= kTimedEvery; }

}  // namespace

// Runs what was put off, as far as its client takes the replies: gives back `done`, or where the first request starts
// that is not answered.
size_t Worker::RunTogether(Client& client, size_t done) {
  switch (std::exchange(put_off_, Plain::kNot)) {
    case Plain::kGet: return RunGets(client, done);
    case Plain::kSet: RunSets(client); break;
    case Plain::kNot: break;
  }
  return done;
}

size_t Worker::RunGets(Client& client, size_t done) {
  Cache& cache = server_.cache();
  const uint16_t space = server_.OpenedSpaceOf(client.database).value_or(0);
  std::array<Bytes, Cache::kBatchMax> keys;
  std::array<Hit, Cache::kBatchMax> hits;
  const size_t count = gets_.size();
  const bool timed = IsTimed(counts_.by_command[get_index_], count);
  const uint64_t from = timed ? NowUs() : 0;
  for (size_t i = 0; i < count; ++i) keys[i] = gets_[i].key;
  if (count == 1) {
    hits[0] = cache.Find(Guard(), session_, space, keys[0]);
  } else {
    cache.FindMany(Guard(), session_, space, std::span(keys).first(count), std::span(hits).first(count));
  }
  Reply reply(out_, client.protocol, &counts_.errors);
  size_t answered = 0;
  for (; answered < count && (answered == 0 || !HasEnough()); ++answered) {
    const Hit& hit = hits[answered];
    if (hit)
      reply.Value({cache.arena().bytes() + hit.at, hit.bytes});
    else
      reply.Null();
  }
  CountTogether(client, get_index_, answered, timed ? NowUs() - from : kNever);
  if (answered < count) done = gets_[answered].at;
  gets_.clear();
  return done;
}

void Worker::RunSets(Client& client) {
  LeaveGuard();
  const size_t count = sets_.size();
  const bool timed = IsTimed(counts_.by_command[set_index_], count);
  const uint64_t from = timed ? NowUs() : 0;
  Reply reply(out_, client.protocol, &counts_.errors);
  in_command_ = true;
  {
    StoreRun run(server_.cache(), session_, server_.OpenedSpaceOf(client.database).value_or(0), sets_);
    for (size_t i = 0; i < count; ++i) {
      if (Stored(reply, run.Next())) [[likely]]
        reply.Ok();
      PutAfterReply();
    }
  }
  in_command_ = false;
  sets_.clear();
  counts_.by_command[set_index_].failed += reply.errors();
  const uint64_t took_us = timed ? NowUs() - from : kNever;
  if (timed) Spent(took_us);
  CountTogether(client, set_index_, count, took_us);
}

// `took_us`: what all of them took; kNever: it was not measured.
void Worker::CountTogether(Client& client, size_t command, size_t count, uint64_t took_us) {
  CommandCounts& counts = counts_.by_command[command];
  counts.calls += count;
  if (took_us != kNever) {
    const uint64_t each = took_us / count;
    counts.micros += each * kTimedEvery;
    command_times_.Record(command, each, kTimedEvery);
  }
  counts_.commands += count;
  client.commands += count;
  client.last_command = CommandTable::Process().all()[command];
}

}  // namespace zerohop::resp
