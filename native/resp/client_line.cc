#include "resp/client_line.h"

#include <algorithm>

#include "base/clock.h"
#include "resp/acl.h"
#include "resp/command_table.h"
#include "resp/server.h"
#include "resp/transaction.h"
#include "resp/worker.h"

namespace zerohop::resp {
namespace {

std::string FlagLetters(const Client& client) {
  constexpr struct {
    uint32_t flag;
    char letter;
  } kLetters[] = {
      {kClientSubscribed, 'P'}, {kClientTransaction, 'x'},    {kClientParked, 'b'},
      {kClientTracking, 't'},   {kClientTrackingBroken, 'R'}, {kClientTrackingBroadcast, 'B'},
  };
  std::string letters;
  for (const auto& [flag, letter] : kLetters) {
    if (client.Has(flag)) letters += letter;
  }
  if (client.watches && static_cast<const Watches&>(*client.watches).changed.load()) letters += 'd';
  if (client.Has(kClientCloseAfterReply)) letters += 'c';
  if (client.Has(kClientClosing)) letters += 'A';
  if (client.Has(kClientUnixSocket)) letters += 'U';
  if (client.Has(kClientNoEvict)) letters += 'e';
  return letters.empty() ? "N" : letters;
}

size_t QueuedBytes(const Client& client) {
  return client.transaction ? static_cast<const Transaction&>(*client.transaction).commands.bytes() : 0;
}

// What its next request may take without memory of its own: it is read into the worker's buffer.  Like Redis's, a
// client that said nothing for two seconds has none.
size_t RoomOf(const Client& client, uint64_t now) {
  constexpr uint64_t kIdleUs = 2 * 1000 * 1000;
  constexpr size_t kRoom = size_t{20} << 10;
  if (now - client.last_spoke_us >= kIdleUs) return client.input.capacity() - client.input.bytes();
  return std::max(kRoom, client.lately_read) - std::min(client.query_bytes, kRoom);
}

}  // namespace

size_t MemoryOf(const Client& client) {
  return sizeof(Client) + client.input.capacity() + client.pending.memory() + QueuedBytes(client) + client.name.size();
}

std::string ClientLine(const Client& client) {
  const uint64_t now = NowUs();
  const auto seconds = [now](uint64_t since) { return std::to_string(now > since ? (now - since) / 1000000 : 0); };
  std::string line = "id=" + std::to_string(client.id);
  const auto field = [&line](const char* name, std::string_view value) {
    line.append(" ").append(name).append("=").append(value);
  };
  const auto number = [&](const char* name, int64_t value) { field(name, std::to_string(value)); };
  field("addr", client.PeerText());
  field("laddr", client.LocalText());
  number("fd", client.fd);
  field("name", client.name);
  field("age", seconds(client.connected_us));
  field("idle", seconds(client.last_spoke_us));
  field("flags", FlagLetters(client));
  number("db", client.database);
  number("sub", client.channels);
  number("psub", client.patterns);
  number("ssub", 0);
  number("multi", client.queued);
  number("qbuf", static_cast<int64_t>(client.query_bytes));
  number("qbuf-free", static_cast<int64_t>(RoomOf(client, now)));
  number("argv-mem", static_cast<int64_t>(client.query_bytes));
  number("multi-mem", static_cast<int64_t>(QueuedBytes(client)));
  number("rbs", 0);
  number("rbp", 0);
  number("obl", 0);
  number("oll", static_cast<int64_t>(client.pending.chunks()));
  number("omem", static_cast<int64_t>(client.pending.memory()));
  number("tot-mem", static_cast<int64_t>(MemoryOf(client)));
  field("events", client.pending.empty() ? "r" : "rw");
  field("cmd", client.last_command != nullptr ? CommandTable::FullName(*client.last_command) : "NULL");
  field("user", client.account->name());
  number("redir", client.Has(kClientTracking) ? static_cast<int64_t>(client.redirect) : -1);
  number("resp", client.protocol);
  return line;
}

}  // namespace zerohop::resp
